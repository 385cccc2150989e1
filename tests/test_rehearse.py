"""Rehearsals: what stands in for what, what is said, what is an error; and real ones of every method."""

import json
import shutil
from pathlib import Path

import pytest

from finlora import config, rehearsal_report, stand_ins
from finlora.config import RunConfig
from finlora.data import Row, read_rows
from finlora.errors import BaseModelError
from tests.conftest import RUN
from tests.tiny import make_tiny_tokenizer

ROOT = Path(__file__).parents[1]
SHIPPED = config.load(ROOT / "configs" / config.CONFIG_NAME)
WITH_DATA = [name for name, run in SHIPPED.runs.items() if SHIPPED.resolve(run.dataset_path).is_file()]
FORMULA = "formula_llama_3_1_8b_"
# Method: class of the adapted layers, DoRA, scaling, bits that are trained here.
METHODS = {
    "8bits_r8": ("Linear8bitLt", False, 2.0, 8),
    "4bits_r4": ("Linear4bit", False, 4.0, 4),
    "8bits_r8_dora": ("Linear", True, 2.0, 16),
    "8bits_r8_rslora": ("Linear8bitLt", False, 5.656854249, 8),
    "fp16_r8": ("Linear", False, 2.0, 16),
}
WARM_UP = "no warm-up: two steps are to move something"


def run_of(**settings):
    return RunConfig(base_model="./base", dataset_path="rows.jsonl", **settings)


def nearest(zero_stage=1, longest=600, **settings):
    return stand_ins.nearest(run_of(**settings), zero_stage, longest)


# What each run can't do on a CPU: changes, processes, word in the line, word in what is not tried.
NEAREST = [
    ({"quant_bits": 8, "peft_use_dora": True}, 1, {"quant_bits": 16}, 2, "16-bit DoRA", "8 bits together"),
    ({"dtype": "bfloat16"}, 1, {"dtype": "auto"}, 2, "float32", None),
    ({"deepspeed": "none"}, None, {}, 1, "one process", "several processes"),
    ({"deepspeed": "zero3"}, 3, {"deepspeed": "zero2"}, 2, "ZeRO-2", "ZeRO-3"),
    (
        {"batch_size": 4, "gradient_accumulation_steps": 2000},
        1,
        {"batch_size": 4, "gradient_accumulation_steps": 81},
        2,
        "batch 4 × 81 in the place of 4 × 2000",
        "4 × 2000",
    ),
    (
        {"axolotl": {"flash_attention": True, "weight_decay": 0.1}},
        1,
        {"axolotl": {"weight_decay": 0.1, "warmup_steps": 0}},
        2,
        "flash_attention",
        "flash_attention",
    ),
]


@pytest.mark.parametrize(("settings", "stage", "changes", "processes", "said", "left_out"), NEAREST)
def test_what_a_cpu_can_not_do_has_a_nearest_and_a_line(settings, stage, changes, processes, said, left_out):
    found = nearest(stage, **settings)
    assert found.changes == {"axolotl": {"warmup_steps": 0}, **changes}
    assert found.processes == processes
    lines = [line for line in found.lines if line != WARM_UP]
    assert len(lines) == 1
    assert said in lines[0]
    assert [left_out in line for line in found.not_tried] == [True] * (left_out is not None)


def test_every_stand_in_was_looked_at():
    assert len(NEAREST) == 6
    assert len(METHODS) == 5


@pytest.mark.parametrize("settings", [{}, {"quant_bits": 8}, {"quant_bits": 4, "peft_use_dora": True}])
def test_a_run_that_a_cpu_can_train_is_left_as_it_is(settings):
    found = nearest(**settings)
    assert (found.changes, found.processes) == ({"axolotl": {"warmup_steps": 0}}, 2)
    assert (found.lines, found.not_tried) == ((WARM_UP,), ())


def test_without_a_compiler_one_process_rehearses(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = nearest()
    assert found.processes == 1
    assert "no C++ compiler" in found.lines[0]
    assert found.not_tried == ("several processes, and DeepSpeed ZeRO-1",)


def test_a_small_dataset_is_taken_whole_and_a_huge_one_from_end_to_end(monkeypatch):
    rows = [Row("x" * (i % 90 + 10), "y", i) for i in range(2000)]
    assert stand_ins.enough_rows(rows) == rows
    monkeypatch.setattr(stand_ins, "_WHOLE_DATASET", 10_000)
    some = stand_ins.enough_rows(rows)
    assert len(some) < 300
    assert some == sorted(some, key=lambda row: row.line)
    assert (some[0].line, some[-1].line > 1900) == (0, True)
    assert sum(len(row.context) >= 97 for row in some) >= 64


ONE_ROW = [Row("sales rose by 5%", "up", 1)]


def tokens(name, root, rows=ONE_ROW):
    return stand_ins.tokens_for(name, root, rows, offline=True, say=lambda line: None)


def test_the_base_models_own_tokenizer_is_taken_where_it_is(tmp_path, clean_environment):
    make_tiny_tokenizer("llama3").save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "config.json").write_text("{}")
    own = tokens("./base", tmp_path)
    assert own.stand_in == ""
    assert own.tokenizer.eos_token == "<|end_of_text|>"
    (tmp_path / "base" / "tokenizer.json").write_text("{")
    with pytest.raises(BaseModelError, match=r"\./base: its tokenizer can't be read"):
        tokens("./base", tmp_path)


def test_without_any_tokenizer_one_is_learned_from_the_rows(tmp_path, clean_environment):
    made = tokens(
        "meta-llama/Llama-3.1-8B-Instruct", tmp_path, read_rows(ROOT / "data/train/formula_built_train.jsonl")
    )
    assert "byte-level" in made.stand_in
    assert 2000 < len(made.tokenizer) <= 4096
    text = "Zürich: 5% of € 1,000\n"
    assert made.tokenizer.decode(made.tokenizer(text)["input_ids"]) == text
    asked = made.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Why?"}], tokenize=False, add_generation_prompt=True
    )
    assert asked == "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"


FACTS = rehearsal_report.Facts(
    base_model="big/model",
    base_here=False,
    stand_in="SmolLM2's",
    rows_used=90,
    rows=1000,
    prepared={"rows": 90, "dropped": {"count": 3, "reason": "longer than sequence_len 64"}},
    processes=2,
    steps=2,
)


def test_what_stood_in_is_said_with_what_it_makes_uncertain():
    lines = rehearsal_report.otherwise(FACTS)
    assert len(lines) == 2
    assert "SmolLM2's in the place of those of big/model" in lines[0]
    assert "estimates: by these 3 of 90 rows would be dropped (longer than sequence_len 64)" in lines[0]
    assert lines[1].startswith("90 of 1,000 rows")


def test_what_was_not_tried_is_said():
    said = "\n".join(rehearsal_report.not_tried(FACTS))
    for part in (
        "real weights of big/model",
        "fetching",
        "CUDA",
        "bfloat16",
        "NCCL",
        "2 steps",
        "own tokenizer",
        "other 910 rows",
    ):
        assert part in said


def test_a_model_that_is_here_with_its_tokenizer_leaves_less_untried():
    facts = rehearsal_report.Facts("./base", True, "", 10, 10, {}, 2, 2)
    assert rehearsal_report.otherwise(facts) == []
    assert len(rehearsal_report.not_tried(facts)) == 3
    assert "fetching" not in "".join(rehearsal_report.not_tried(facts))


SHAPED = {**RUN, "base_model": "meta-llama/Llama-3.1-8B-Instruct"}


@pytest.mark.parametrize(
    ("runs", "name", "code", "said"),
    [
        ({"first_run": SHAPED}, "first_rum", 2, "no run 'first_rum'"),
        ({"first_run": {**SHAPED, "lora_r": 0}, "good": SHAPED}, "first_run", 2, "lora_r is 0"),
        ({"first_run": {**SHAPED, "axolotl": {"nosuch": 1}}}, "first_run", 2, "axolotl.nosuch"),
        ({"first_run": {**SHAPED, "dataset_path": "../data/none.jsonl"}}, "first_run", 1, "data/none.jsonl"),
        ({"first_run": {**SHAPED, "base_model": "nobody/nothing"}}, "first_run", 1, "nobody/nothing"),
    ],
)
def test_a_fault_is_told_before_anything_is_written(project, run, runs, name, code, said):
    project.write_config(runs)
    before = project.files()
    done = run("rehearse", name, "--config", project.config, "--offline")
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    after = project.files()
    assert {
        path for path in after.keys() - before.keys() if not path.startswith("deepspeed_configs")
    } == set()


def test_what_no_machine_can_train_is_not_rehearsed(project, run):
    project.write_config({"eight": {**RUN, "quant_bits": 8, "deepspeed": "zero3"}})
    left = run("rehearse", "eight", "--config", project.config)
    assert (left.code, left.out) == (2, "")
    assert "ZeRO-3 can't gather 8-bit weights" in left.err


def test_without_its_data_nothing_can_be_rehearsed(project, run):
    project.write_config({"first_run": SHAPED})
    project.dataset.unlink()
    done = run("rehearse", "first_run", "--config", project.config)
    assert done.code == 1
    assert f"{project.dataset}: no such dataset file, and nothing can be rehearsed without it" in done.err


def test_a_stage_that_fails_is_named_and_ends_the_rehearsal(project, run):
    base = project.root / "configs" / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "nosuch"}')
    done = run("rehearse", "first_run", "--config", project.config, "--offline", "--json")
    record = json.loads(done.out)
    assert (done.code, record["ok"]) == (1, False)
    assert [(stage["name"], stage["ok"]) for stage in record["stages"]] == [("tiny model", False)]
    assert "no tiny model of type 'nosuch'" in record["stages"][0]["seen"]
    shown = run("rehearse", "first_run", "--config", project.config, "--offline")
    assert "failed at 'tiny model'" in shown.err


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return the config of a copy of the shipped project, with something on its shelf."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "configs", root / "configs")
    shutil.copytree(ROOT / "data" / "train", root / "data" / "train")
    for folder in ("lora_adapters/8bits_r8", "axolotl-output"):
        place = root / folder / f"{FORMULA}8bits_r8"
        place.mkdir(parents=True)
        (place / "kept").write_text("mine")
    return root / "configs" / config.CONFIG_NAME


def untouched(root):
    """Return what a rehearsal must leave alone."""
    found = [*(root / "lora_adapters").rglob("*"), *(root / "axolotl-output").glob("[!_]*/**/*")]
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def rehearse(run, path, name):
    before = untouched(path.parents[1])
    assert len(before) == 2
    done = run("rehearse", name, "--config", path, "--offline", "--json")
    assert done.code == 0, done.err
    assert untouched(path.parents[1]) == before
    record = json.loads(done.out)
    names = ["tiny model", "rows", "build", "engine", "steps", "publish", "load", "answer"]
    assert [stage["name"] for stage in record["stages"]] == names
    manifest = next(Path(record["folder"]).glob("lora_adapters/*/*/finlora.json"))
    return record, json.loads(manifest.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_method_of_the_benchmark_is_rehearsed(copy, run, method):
    layer, dora, scaling, bits = METHODS[method]
    record, manifest = rehearse(run, copy, FORMULA + method)
    built = manifest["built"]
    assert (built["base_classes"], built["dora"], built["scalings"]) == ([layer], dora, [scaling])
    assert manifest["run"]["quant_bits"] == bits
    assert manifest["engine"] == {"class": "DeepSpeedEngine", "zero_stage": 1}
    assert (manifest["steps"], manifest["processes"], manifest["effective_batch"]) == (2, 2, 16)
    assert manifest["dataset"]["rows"] == 800
    assert manifest["prompt"]["style"] == "chat"
    assert any("16-bit DoRA" in line for line in record["otherwise"]) == method.endswith("dora")
    assert any("byte-level" in line for line in record["otherwise"])


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_DATA)
def test_every_shipped_run_with_data_is_rehearsed(copy, run, name):
    record, manifest = rehearse(run, copy, name)
    assert record["run"] == name
    assert manifest["steps"] == 2


def test_the_shipped_runs_with_data_are_those_we_know():
    assert len(WITH_DATA) == 8
    assert {FORMULA + method for method in METHODS} < set(WITH_DATA)


@pytest.mark.slow
def test_a_training_that_fails_is_a_failed_stage_with_its_log(project, run):
    base = project.root / "configs" / "base"
    make_tiny_tokenizer().save_pretrained(base)
    (base / "config.json").write_text(json.dumps({"model_type": "llama"}))
    # The tokenizer is the base model's own: rows that are too long end the real training too.
    project.write_config({"first_run": {**RUN, "sequence_len": 8, "deepspeed": "none"}})
    done = run("rehearse", "first_run", "--config", project.config, "--offline", "--json")
    record = json.loads(done.out)
    assert done.code == 1
    assert [(stage["name"], stage["ok"]) for stage in record["stages"]] == [
        ("tiny model", True),
        ("rows", False),
    ]
    assert "longer than sequence_len 8" in record["stages"][1]["seen"]
    log = record["stages"][1]["seen"].rpartition("The whole log: ")[2]
    assert Path(log).is_file()
