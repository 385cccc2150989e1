"""Bad input through the command line: one clear message, the right exit code, and nothing lost."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.conftest import RUN, Project, write_adapter


@dataclass(frozen=True)
class Case:
    """One mistake: the command line, how it ends, and what brings the project into that state."""

    argv: str
    code: int
    message: str
    prepare: Callable[[Project], object] = lambda project: None
    variables: tuple[tuple[str, str], ...] = ()


def config(text):
    return lambda project: project.write_config(text)


def settings(**keys):
    return lambda project: project.write_config({"first_run": {**RUN, **keys}})


def rows(content):
    return lambda project: project.dataset.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def adapter(name=None, content=b"", manifest=None):
    """Put an adapter called `tuned` on the shelf, one of its files with other content."""

    def prepare(project):
        folder = write_adapter(project.root / "lora_adapters" / "fp16_r8" / "tuned", manifest=manifest)
        if name:
            (folder / name).write_bytes(content)

    return prepare


def without(name, instead=None):
    def prepare(project):
        adapter()(project)
        path = project.root / "lora_adapters" / "fp16_r8" / "tuned" / name
        path.rename(path.with_name(instead)) if instead else path.unlink()

    return prepare


BASE = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"not safetensors",
}


def base(*left_out, **more):
    """Make the base model's folder, without some of its files."""

    def prepare(project):
        folder = project.config.parent / "base"
        folder.mkdir()
        for name, content in {**BASE, **more}.items():
            if name not in left_out:
                (folder / name).write_bytes(content)

    return prepare


def file_at(name):
    return lambda project: (project.root / name).write_text("a file")


TRAIN = "finetune first_run"
DRY = "finetune first_run --dry-run"
ASK = "infer --prompt x --adapter"
GOOD = '{"context": "c", "target": "t"}'

CASES = {
    # Runs and the config file.
    "unknown run": Case("finetune first_rum", 2, "no run 'first_rum' in {config}, did you mean 'first_run'?"),
    "unknown run, shown": Case("configs show nothing_like_it", 2, "See all runs with: finlora configs list"),
    "unknown run, rendered": Case("render frst_run", 2, "did you mean 'first_run'?"),
    "unknown key": Case(
        "configs validate",
        2,
        "{config}:6: run 'first_run': unknown key 'lora_rr', did you mean 'lora_r'?",
        settings(lora_r=8, lora_rr=8),
    ),
    "wrong type": Case(TRAIN, 2, 'lora_r is "8"; allowed: an integer from 1 to 4096', settings(lora_r="8")),
    "out of range": Case(
        TRAIN, 2, "learning_rate is 2; allowed: a number above 0, at most 1", settings(learning_rate=2)
    ),
    "bits nobody has": Case(TRAIN, 2, "quant_bits is 3; allowed: 4, 8 or 16", settings(quant_bits=3)),
    "a missing key": Case(
        TRAIN,
        2,
        "the key 'dataset_path' is missing (text: a JSONL file",
        config('{"first_run": {"base_model": "x"}}'),
    ),
    "a run that is text": Case(
        TRAIN, 2, "run 'first_run' is \"x\"; a run is a JSON object", config('{"first_run": "x"}')
    ),
    "a run name with a slash": Case("configs validate", 2, "(it becomes a folder)", config({"a/b": RUN})),
    "all faults at once": Case("configs validate", 2, "Error: 3 problems", config({"a": {}, "b": 3})),
    "faults, for programs": Case("configs validate --json", 2, "", config({"a": {}})),
    "a key twice": Case(
        TRAIN,
        2,
        "{config}:2: the key 'first_run' stands twice",
        config('{"first_run": {},\n"first_run": {}}'),
    ),
    "not JSON": Case(
        TRAIN, 2, "{config}:1:2: not JSON: Expecting property name", config("{'first_run': {}}")
    ),
    "an empty config": Case("configs list", 2, "{config}:1:1: not JSON: Expecting value", config("")),
    "a config without runs": Case(
        "configs list", 2, "holds no run; a run is a named JSON object", config("{}")
    ),
    "a list for a config": Case("configs list", 2, "{config}:1: must be a JSON object", config("[]")),
    "a config in Latin-1": Case("configs list", 2, "not UTF-8 text", config(b'{"\xe9": {}}')),
    "a config that is not there": Case(
        "configs list --config gone.json", 2, "gone.json: no such config file (from --config)"
    ),
    "a folder for a config": Case(
        "configs list --config configs", 2, "configs: no such config file (from --config)"
    ),
    "FINLORA_CONFIG to nowhere": Case(
        "configs list",
        2,
        "gone.json: no such config file (from FINLORA_CONFIG)",
        variables=(("FINLORA_CONFIG", "gone.json"),),
    ),
    "FINLORA_CONFIG to nowhere, building data": Case(
        "data build sentiment_sample",
        2,
        "(from FINLORA_CONFIG)",
        variables=(("FINLORA_CONFIG", "gone.json"),),
    ),
    "an unknown Axolotl key": Case(
        TRAIN,
        2,
        "axolotl.weight_decai is no key of Axolotl's schema, did you mean 'weight_decay'?",
        settings(axolotl={"weight_decai": 1}),
    ),
    "an Axolotl key that FinLoRA sets": Case(
        TRAIN, 2, "axolotl.lora_r is set by FinLoRA; use the run's own keys", settings(axolotl={"lora_r": 1})
    ),
    # The dataset.
    "no dataset": Case(
        TRAIN, 1, "gone.jsonl: no such dataset file", settings(dataset_path="../data/gone.jsonl")
    ),
    "a folder for a dataset": Case(
        TRAIN, 1, "is a folder, not a JSONL file", settings(dataset_path="../data")
    ),
    "an empty dataset": Case(TRAIN, 1, "{dataset}: holds no row", rows("")),
    "blank lines alone": Case(TRAIN, 1, "{dataset}: holds no row", rows("\n\n  \n")),
    "a row that is no JSON": Case(
        TRAIN, 1, "{dataset}:2:2: not JSON: Expecting property name", rows(f"{GOOD}\n{{context}}\n")
    ),
    "a row that is a list": Case(TRAIN, 1, "{dataset}:1: a row is a JSON object", rows("[1]")),
    "a column missing": Case(
        TRAIN,
        1,
        "{dataset}:1: the column 'target' is missing; columns found: context, answer",
        rows('{"context": "c", "answer": "t"}'),
    ),
    "an empty answer": Case(
        TRAIN, 1, "{dataset}:2: 'target' is empty", rows(f'{GOOD}\n{{"context": "c", "target": " "}}')
    ),
    "an answer that is a number": Case(
        TRAIN, 1, "{dataset}:1: 'target' is 3; it must be text", rows('{"context": "c", "target": 3}')
    ),
    "an LFS pointer": Case(
        TRAIN,
        1,
        "{dataset}: is a Git LFS pointer, not data",
        rows("version https://git-lfs.github.com/spec/v1\n"),
    ),
    "a dataset in Latin-1": Case(
        TRAIN, 1, "{dataset}:1:14: not UTF-8 text", rows(b'{"context": "\xe9", "target": "t"}')
    ),
    "a dataset to score, missing": Case(
        "eval --adapter tuned --data gone.jsonl", 1, "gone.jsonl: no such dataset file", adapter()
    ),
    # Adapters.
    "an unknown adapter": Case(
        f"{ASK} tunde", 2, "no adapter 'tunde' on the shelf {shelf}, did you mean 'tuned'?", adapter()
    ),
    "a folder that is no adapter": Case(
        f"{ASK} data",
        1,
        "not an adapter: adapter_config.json and adapter_model.safetensors missing; found: train",
    ),
    "the current folder is no adapter": Case(f"{ASK} .", 1, "not an adapter:"),
    "an adapter without weights": Case(
        f"{ASK} lora_adapters/fp16_r8/tuned",
        1,
        "adapter_model.safetensors missing",
        without("adapter_model.safetensors"),
    ),
    "weights as pickle": Case(
        f"{ASK} lora_adapters/fp16_r8/tuned",
        1,
        "weights as pickle can run code when loaded",
        without("adapter_model.safetensors", "adapter_model.bin"),
    ),
    "a manifest that is cut off": Case(
        f"{ASK} tuned", 1, "finlora.json: can't be read", adapter("finlora.json", b'{"schema": 1')
    ),
    "a manifest of another FinLoRA": Case(
        f"{ASK} tuned",
        1,
        "finlora.json: schema 2; this FinLoRA reads schema 1",
        adapter(manifest={"schema": 2}),
    ),
    "an adapter config that is cut off": Case(
        f"{ASK} tuned", 1, "adapter_config.json: can't be read", adapter("adapter_config.json", b"{")
    ),
    "an adapter config with a rank that is text": Case(
        f"{ASK} tuned",
        1,
        "adapter_config.json: damaged: r is x; get the file anew",
        adapter("adapter_config.json", b'{"peft_type": "LORA", "r": "x"}'),
    ),
    "an adapter config with more damage": Case(
        f"{ASK} tuned",
        1,
        "adapter_config.json: damaged: r is 0, lora_alpha is [], use_dora is 1, target_modules is [3]; get",
        adapter(
            "adapter_config.json",
            b'{"peft_type": "LORA", "r": 0, "lora_alpha": [], "use_dora": 1, "target_modules": [3]}',
        ),
    ),
    "an adapter named with nothing": Case(f"{ASK} ''", 2, "the name of an adapter is empty"),
    "an adapter that is there already": Case(
        f"{TRAIN} --as tuned",
        2,
        "exists already; replace it with --overwrite, or name the new one with --as",
        adapter(),
    ),
    "no adapter named": Case("infer --prompt x", 2, "name what is to answer: --adapter NAME"),
    # Base models.
    "no base model": Case(TRAIN, 1, "./base: no such folder: {root}/configs/base"),
    "a base model without config": Case(TRAIN, 1, "./base: no config.json in", base("config.json")),
    "a base model without tokenizer": Case(
        TRAIN, 1, "./base: neither tokenizer.json nor tokenizer.model in", base("tokenizer.json")
    ),
    "a base model as pickle": Case(
        TRAIN,
        1,
        "pytorch_model.bin is a pickle, which can run code and is not read",
        base("model.safetensors", **{"pytorch_model.bin": b"x"}),
    ),
    "a base model that is cut off": Case(
        TRAIN, 1, "model.safetensors is cut off or no safetensors file", base()
    ),
    "a bad hub name": Case(
        TRAIN, 1, "'meta llama' is no name of a base model", settings(base_model="meta llama")
    ),
    "a bad hub name, rehearsed": Case(
        "rehearse first_run", 1, "'meta llama' is no name of a base model", settings(base_model="meta llama")
    ),
    "a bad hub name, planned": Case(
        "plan first_run", 1, "'meta llama' is no name of a base model", settings(base_model="meta llama")
    ),
    "a hub name, offline": Case(
        f"{TRAIN} --offline", 1, "is not complete in the hub's cache", settings(base_model="nobody/nothing")
    ),
    "an unknown built-in model": Case(
        TRAIN,
        1,
        "builtin:gpt: no such built-in model; the only one is builtin:smollm2",
        settings(base_model="builtin:gpt"),
    ),
    "the built-in model, offline": Case(
        f"{TRAIN} --offline",
        1,
        "is not in the cache",
        settings(base_model="builtin:smollm2-135m-instruct-q4_1"),
    ),
    # Options of finetune.
    "--set without =": Case(f"{TRAIN} --set lora_r --as b", 2, "--set lora_r: write it as key=value"),
    "--set without --as": Case(f"{TRAIN} --set lora_r=4", 2, "Name it: --as first_run_trial"),
    "--set with an unknown key": Case(
        f"{TRAIN} --set lora_rr=4 --as b",
        2,
        "--set: run 'first_run': unknown key 'lora_rr', did you mean 'lora_r'?",
    ),
    "--set with a bad value": Case(
        f"{TRAIN} --set lora_r=x --as b", 2, "--set: run 'first_run': lora_r is \"x\"; allowed:"
    ),
    "--max-steps without --as": Case(f"{TRAIN} --max-steps 3", 2, "Name it: --as first_run_trial"),
    "--max-steps 0": Case(f"{TRAIN} --max-steps 0 --as b", 2, "0 is not in the range x>=1"),
    "--as a run of the file": Case(
        f"{TRAIN} --as second_run", 2, "a run of the config file is called so; take another name"
    ),
    "--as a folder elsewhere": Case(f"{TRAIN} --as ../x", 2, "a name is letters, digits, '.', '_' and '-'"),
    "--deepspeed with one process": Case(
        f"{DRY} --num-processes 1 --deepspeed zero2", 2, "is for several processes, and this is one"
    ),
    "an unknown DeepSpeed choice": Case(
        f"{DRY} --num-processes 2 --deepspeed zero9",
        2,
        "deepspeed: 'zero9' is neither a file nor one of none, zero1",
    ),
    "a DeepSpeed file that is no JSON": Case(
        f"{DRY} --num-processes 2 --deepspeed data/train/rows.jsonl", 1, "rows.jsonl is not JSON"
    ),
    "--deepspeed with nothing": Case(
        f"{DRY} --num-processes 2 --deepspeed ''", 2, "deepspeed: '' is neither a file nor one of none"
    ),
    "--deepspeed with nothing, one process": Case(
        f"{DRY} --deepspeed ''", 2, "deepspeed: '' is neither a file nor one of none"
    ),
    "--as with nothing": Case(f"{DRY} --as ''", 2, "--as '': a name is letters, digits"),
    "no processes": Case(f"{DRY} --num-processes 0", 2, "0 is not in the range 1<=x<=65536"),
    "8 bits with DoRA on a CPU": Case(
        TRAIN, 2, "8-bit with DoRA does not train on a CPU", settings(quant_bits=8, peft_use_dora=True)
    ),
    "bfloat16 with 4 bits on a CPU": Case(
        TRAIN, 2, "set dtype to auto or float32", settings(quant_bits=4, dtype="bfloat16")
    ),
    # Answering.
    "--input without --output": Case(
        "infer --adapter tuned --input data/train/rows.jsonl", 2, "--input FILE together with --output FILE"
    ),
    "--output without --input": Case(
        "infer --adapter tuned --output x.jsonl", 2, "--input FILE together with --output FILE"
    ),
    "--prompt with --input": Case(
        "infer --adapter tuned --prompt x --input a --output b", 2, "give --prompt TEXT, or --input FILE"
    ),
    "answers that can't be written": Case(
        "infer --adapter tuned --input data/train/rows.jsonl --output configs/finetune_configs.json/x.jsonl",
        1,
        "finetune_configs.json is no folder; name another file",
        adapter(),
    ),
    "answers where nobody may write": Case(
        "infer --adapter tuned --input data/train/rows.jsonl --output /sys/x/y.jsonl",
        1,
        "can't be written: /sys: ",
        adapter(),
    ),
    "a plot where nobody may write": Case(
        "compare tuned other --plot /sys/x.png", 1, "/sys/x.png: can't be written: /sys: "
    ),
    "nothing to answer": Case("infer --adapter tuned", 2, "nothing to answer: give --prompt TEXT"),
    "a negative temperature": Case(f"{ASK} tuned --temperature -1", 2, "-1.0 is not in the range x>=0"),
    "an unknown prompt style": Case(
        f"{ASK} tuned --prompt-style alpaca", 2, "'alpaca' is not one of 'chat', 'inst', 'plain'"
    ),
    "nothing to score": Case("eval --adapter tuned", 2, "name what is to be scored: --task NAME"),
    # Projects and commands.
    "a dataset that is not built here": Case(
        "data build fpb", 2, "no dataset 'fpb' is built here; there are: sentiment_sample, formula"
    ),
    "the name of a file, not of a dataset": Case(
        "data build formula_built", 2, "no dataset 'formula_built' is built here, did you mean 'formula'?"
    ),
    "no rows at all": Case("data build formula --rows 0", 2, "0 is not in the range x>=1"),
    "a negative number of test rows": Case(
        "data build formula --test-rows -5", 2, "-5 is not in the range x>=1"
    ),
    "half a row": Case("data build formula --rows 1.5", 2, "'1.5' is not a valid integer"),
    "a number of too many digits": Case(
        f"data build formula --rows {'9' * 5000}", 2, "is not a valid integer"
    ),
    "more rows than there can be": Case(
        f"data build formula --rows {10**15}", 2, "make at most 299,760 training rows beside 200 test rows"
    ),
    "a seed below 0": Case("data build formula --seed -1", 2, "-1 is not in the range 0<=x<=4294967295"),
    "another size of a fixed sample": Case(
        "data build sentiment_sample --rows 10", 2, "it takes no --rows, --test-rows or --seed"
    ),
    "another seed of a fixed sample": Case(
        "data build sentiment_sample --seed 42", 2, "it takes no --rows, --test-rows or --seed"
    ),
    "a folder for rows made from nothing": Case(
        "data build formula --from data", 2, "made from this project's own material: it takes no --from"
    ),
    "a file in the place of the data folder": Case(
        "data build formula",
        1,
        "project/data/test is no folder",
        file_at("data/test"),
    ),
    "init over a project": Case("init .", 2, "exists already: this folder is a project"),
    "init over a file": Case("init data/train/rows.jsonl", 1, "can't be written: Not a directory"),
    "data in a folder's place": Case(
        "data build sentiment_sample",
        1,
        "sentiment_sample_train.jsonl: can't be written: it is a folder",
        lambda project: (project.dataset.parent / "sentiment_sample_train.jsonl").mkdir(),
    ),
    "DeepSpeed files in a file's place": Case(
        "fetch-deepspeed", 1, "deepspeed_configs", file_at("deepspeed_configs")
    ),
    "an upstream that is no tag": Case(
        "fetch-deepspeed --upstream ../x", 2, "can't be a tag or commit of Axolotl"
    ),
    "an unknown command": Case("finetun", 2, "No such command 'finetun'. Did you mean 'finetune'?"),
    "an unknown option": Case(f"{TRAIN} --dryrun", 2, "No such option '--dryrun'. Did you mean '--dry-run'?"),
    "no name": Case("finetune", 2, "Missing argument 'NAME'"),
    # Several machines, and batches of all of them.
    "an address with a command in it": Case(
        f"{DRY} --num-machines 2 --machine-rank 0 --main-process-ip 'a b; rm'",
        2,
        "a host name or an IP address is wanted",
    ),
    "an address with a port": Case(
        f"{DRY} --num-machines 2 --machine-rank 0 --main-process-ip h:29500", 2, "without port or blanks"
    ),
    "too many machines": Case(f"{DRY} --num-machines 99999999", 2, "is not in the range 1<=x<=4096"),
    "a global batch nobody has": Case(
        TRAIN, 2, "global_batch_size is 4294967296; allowed: an integer", settings(global_batch_size=2**32)
    ),
    "a global batch that can't be split": Case(
        f"{DRY} --num-processes 3 --set global_batch_size=16 --as new", 2, "can't be split over 3 processes"
    ),
    "half a global batch": Case(
        TRAIN,
        2,
        "leave one of them out",
        settings(global_batch_size=16, gradient_accumulation_steps=2),
    ),
    "NaN on the command line": Case(
        f"{DRY} --set 'axolotl={{\"weight_decay\": NaN}}' --as new", 2, "allowed: an object of"
    ),
    "a number too large for one": Case(TRAIN, 2, "not JSON", config('{"a": {"learning_rate": 1e400}}')),
    "an axolotl key on the command line": Case(
        f"{DRY} --set 'axolotl={{\"weight_decai\": 1}}' --as new",
        2,
        "--set: run 'first_run': axolotl.weight_decai is no key",
    ),
    # Comparisons.
    "nothing to compare with": Case("compare tuned ''", 2, "the name of an adapter is empty", adapter()),
    "one adapter to compare": Case("compare tuned", 2, "compare wants two adapters or more"),
    "an adapter in nobody's home": Case(
        "compare ~nobody-is-called-so/x tuned", 2, "~nobody-is-called-so/x: "
    ),
    "half a character in a manifest": Case(
        "compare tuned other", 1, "finlora.json: can't be read", adapter("finlora.json", b'{"a": "\\ud800"}')
    ),
}


def test_enough_is_tried():
    assert len(CASES) == 120


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_clear_message_and_nothing_is_lost(name, project, run, monkeypatch):
    case = CASES[name]
    case.prepare(project)
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for variable, value in case.variables:
        monkeypatch.setenv(variable, value)
    before = project.files()
    done = run(*shlex.split(case.argv))
    message = case.message.format(
        config=project.config,
        dataset=project.dataset,
        root=project.root,
        shelf=project.root / "lora_adapters",
    )
    assert message in done.err
    assert done.code == case.code
    assert "Unexpected error" not in done.err
    assert "Traceback" not in done.err
    if "--json" in case.argv:
        assert json.loads(done.out)
    else:
        assert done.out == ""
    assert project.files() == before
