"""What tuning cost: the real harness on tasks made on the spot, its numbers against our own computation."""

import json
import math
import shutil
from pathlib import Path

import pytest

from finlora import adapters, forgetting, hub_errors, inference
from finlora.errors import FinLoRAError
from finlora.models import BaseModel
from tests.tiny import make_tiny_adapter, make_tiny_base

LABELS = ["positive", "negative", "neutral"]
QUESTIONS = [
    {"text": f"Net sales {verb} by {i} million in the {when} quarter.", "gold": i % 3, "reply": "12"}
    for i, (verb, when) in enumerate(
        (verb, when)
        for verb in ("rose", "fell", "grew", "shrank", "were up", "stayed")
        for when in ("first", "second", "third", "fourth")
    )
]
CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}\\nAnswer:"
doc_to_choice: [positive, negative, neutral]
doc_to_target: gold
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 7}}
"""
GENERATE = """
task: tiny_reply
dataset_path: json
dataset_kwargs: {{data_files: {{train: {rows}, test: {rows}}}}}
training_split: train
fewshot_split: train
test_split: test
num_fewshot: 2
output_type: generate_until
doc_to_text: "{{{{text}}}}\\nAnswer:"
doc_to_target: reply
generation_kwargs: {{until: ["."], do_sample: false, max_gen_toks: 4}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1}}
"""
GROUP = """
group: tiny_group
task: [tiny_choice, tiny_other]
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
metadata: {version: 2}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    return make_tiny_adapter(tmp_path_factory.mktemp("adapters") / "tuned", base)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    for name, rows in (("all", QUESTIONS), ("few", QUESTIONS[:7])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "choice.yaml").write_text(CHOICE.format(name="tiny_choice", rows=folder / "all.jsonl"))
    (folder / "other.yaml").write_text(CHOICE.format(name="tiny_other", rows=folder / "few.jsonl"))
    (folder / "reply.yaml").write_text(GENERATE.format(rows=folder / "all.jsonl"))
    (folder / "group.yaml").write_text(GROUP)
    return folder


@pytest.fixture(autouse=True)
def datasets_of_their_own(monkeypatch, tmp_path_factory):
    """Keep what the datasets library makes of these rows out of the home folder."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("datasets")))


def words(adapter, base, tasks, *names):
    chosen = [word for name in names for word in ("--task", name)]
    return ["forgetting", "--adapter", adapter, "--base-model", base, "--task-folder", tasks, *chosen]


def likeliest(base, adapter, rows):
    """Ask for the likeliest label one at a time: the sum of ln p over the tokens of " label"."""
    import torch

    answerer, _ = inference.load_parts(
        adapters.read(adapter) if adapter else None, BaseModel("b", base, "b"), "plain", device="cpu"
    )
    found = []
    for row in rows:
        sums = []
        for label in LABELS:
            start = answerer.tokenizer(f"{row['text']}\nAnswer:")["input_ids"]
            whole = answerer.tokenizer(f"{row['text']}\nAnswer: {label}")["input_ids"]
            assert whole[: len(start)] == start
            with torch.inference_mode():
                logits = answerer.model(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
            sums.append(math.fsum(float(logits[i - 1, whole[i]]) for i in range(len(start), len(whole))))
        found.append(sums.index(max(sums)))
    return found


def test_a_multiple_choice_is_what_we_compute_ourselves(run, project, base, adapter, tasks):
    done = run(*words(adapter, base, tasks, "tiny_choice"), "--json", "--config", project.config)
    assert done.code == 0, done.err
    [record] = json.loads(done.out)
    golds = [row["gold"] for row in QUESTIONS]
    tuned, untuned = likeliest(base, adapter, QUESTIONS), likeliest(base, None, QUESTIONS)
    assert tuned != untuned
    change = record["metrics"]["acc,none"]
    hits = [[answer == gold for answer, gold in zip(side, golds, strict=True)] for side in (tuned, untuned)]
    assert change["adapter"] == pytest.approx(sum(hits[0]) / 24, abs=1e-12)
    assert change["base"] == pytest.approx(sum(hits[1]) / 24, abs=1e-12)
    assert change["difference"] == pytest.approx(change["adapter"] - change["base"], abs=1e-12)
    share = change["adapter"]
    assert change["adapter_stderr"] == pytest.approx(math.sqrt(share * (1 - share) / 23), rel=1e-9)
    assert change["better"] == sum(a > b for a, b in zip(*hits, strict=True))
    assert change["worse"] == sum(a < b for a, b in zip(*hits, strict=True))
    assert change["interval"][0] <= change["difference"] <= change["interval"][1]
    assert (record["rows"], record["parts"]["tiny_choice"]["version"]) == (24, 7)
    assert record["settings"]["chat_template"] is False
    assert record["adapter"]["adapter_sha256"] == adapters.read(adapter).weights_sha256()


def test_an_adapter_on_a_tied_output_layer_is_measured(run, tmp_path, project, base, tasks):
    from safetensors.torch import load_file, save_file

    tied = shutil.copytree(base, tmp_path / "tied")
    settings = json.loads((tied / "config.json").read_text())
    (tied / "config.json").write_text(json.dumps({**settings, "tie_word_embeddings": True}))
    weights = load_file(tied / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tied / "model.safetensors", metadata={"format": "pt"})
    adapter = make_tiny_adapter(tmp_path / "head", tied, target_modules=["q_proj", "lm_head"])
    # PEFT saves the base's embeddings beside an adapted output layer; an adapter of ours is its own tensors.
    own = load_file(adapter / "adapter_model.safetensors")
    own = {key: value for key, value in own.items() if "lora_" in key}
    save_file(own, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    assert len(own) == 2 * 2 + 2
    done = run(*words(adapter, tied, tasks, "tiny_other"), "--config", project.config)
    assert done.code == 0, done.err
    [kept] = forgetting.kept(project.root)
    answers = [likeliest(tied, who, QUESTIONS[:7]) for who in (adapter, None)]
    shares = [sum(a == row["gold"] for a, row in zip(side, QUESTIONS, strict=False)) / 7 for side in answers]
    change = kept.metrics["acc,none"]
    assert [change.adapter, change.base] == pytest.approx(shares, abs=1e-12)


def by_the_harness_itself(base, adapter, folder, limit):
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    answerer, _ = inference.load_parts(
        adapters.read(adapter), BaseModel("b", base, "b"), "plain", device="cpu"
    )
    return simple_evaluate(
        HFLM(pretrained=answerer.model, tokenizer=answerer.tokenizer),
        tasks=["tiny_reply"],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        limit=limit,
    )


def test_few_shot_prompts_are_those_of_the_harness(run, tmp_path, monkeypatch, base, adapter, tasks):
    from lm_eval.utils import hash_string

    monkeypatch.chdir(tmp_path)
    done = run(*words(adapter, base, tasks, "tiny_reply"), "--json", "--limit", 5)
    assert done.code == 0, done.err
    assert "not kept: there is no project around" in done.err
    [record] = json.loads(done.out)
    assert (record["rows"], record["limit"], record["parts"]["tiny_reply"]["few_shot"]) == (5, 5, 2)
    rows = by_the_harness_itself(base, adapter, tasks, 5)["samples"]["tiny_reply"]
    digest = hash_string("".join(r["doc_hash"] + r["prompt_hash"] + r["target_hash"] for r in rows))
    assert record["parts"]["tiny_reply"]["hash"] == digest


def test_a_generated_answer_counts_where_it_is_the_gold(run, project, tmp_path, base, adapter):
    folder, rows = tmp_path / "tasks", tmp_path / "tasks" / "rows.jsonl"
    folder.mkdir()
    (folder / "reply.yaml").write_text(GENERATE.format(rows=rows).replace("num_fewshot: 2", "num_fewshot: 0"))
    rows.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    asked = by_the_harness_itself(base, adapter, folder, 5)["samples"]["tiny_reply"]
    replies = [sample["resps"][0][0] for sample in asked]
    assert all(replies)
    golds = [reply if i < 3 else "12" for i, reply in enumerate(replies)]
    rows.write_text(
        "".join(
            json.dumps({**row, "reply": gold}) + "\n" for row, gold in zip(QUESTIONS, golds, strict=False)
        )
    )
    done = run(*words(adapter, base, folder, "tiny_reply"), "--limit", 4, "--config", project.config)
    assert done.code == 0, done.err
    assert "only the first 4 rows of each task: a trial, not a score" in done.err
    [kept] = forgetting.kept(project.root)
    change = kept.metrics["exact_match,none"]
    assert (change.adapter, change.base, change.better, change.worse) == (0.75, 0.0, 3, 0)
    assert (change.difference, change.p_value) == (0.75, 0.25)
    assert (project.root / forgetting.FOLDER / "elsewhere" / "tuned" / "tiny_reply.limit4.json").is_file()


@pytest.mark.slow
def test_a_group_is_all_its_rows_and_equal_runs_are_equal_files_but_for_seconds(
    run, project, base, adapter, tasks
):
    found = []
    for _ in range(2):
        done = run(*words(adapter, base, tasks, "tiny_group"), "--config", project.config)
        assert done.code == 0, done.err
        [path] = (project.root / "results" / "forgetting" / "elsewhere" / "tuned").glob("*.json")
        record = json.loads(path.read_text())
        assert record.pop("seconds").keys() == {"adapter", "base"}
        found.append(json.dumps(record))
    assert found[0] == found[1]
    assert path.name == "tiny_group.json"
    assert str(tasks) not in found[0]
    assert {name: part["rows"] for name, part in record["parts"].items()} == {
        "tiny_choice": 24,
        "tiny_other": 7,
    }
    [kept] = forgetting.kept(project.root)
    assert (kept.task, kept.rows, kept.metrics["acc,none"].interval is not None) == ("tiny_group", 31, True)
    assert "tiny_group" in done.out
    assert f"kept: {path}" in done.err
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": "many"}))
    with pytest.raises(FinLoRAError, match=r"tiny_group\.json: rows missing or damaged"):
        forgetting.kept(project.root)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--task", "tiny_choise"], 2, "did you mean 'tiny_choice'?"),
        (["--task-folder", "empty"], 2, "no task file (*.yaml with a 'task:' in it) is in this folder"),
        (["--task-folder", "nowhere"], 2, "no such folder"),
        (["--task-folder", "torn"], 1, "the harness can't do this benchmark"),
        (["--task-folder", "outside", "--task", "../x"], 2, "can't be the name of a file of results"),
        (["--adapter", "nobody"], 2, "nobody"),
        (["--limit", "0"], 2, "0 is not in the range x>=1"),
        (["--task", "tiny_faulty"], 1, "tiny_faulty: the harness can't do this benchmark: FileNotFoundError"),
    ],
)
def test_a_mistake_is_one_clear_message(run, tmp_path, monkeypatch, base, adapter, tasks, change, code, said):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "torn", "outside", "faulty"):
        Path(name).mkdir()
    Path("torn/x.yaml").write_text("task: [unclosed\n")
    Path("outside/x.yaml").write_text(CHOICE.format(name="../x", rows="x.jsonl"))
    Path("faulty/x.yaml").write_text(CHOICE.format(name="tiny_faulty", rows="nowhere.jsonl"))
    given = words(adapter, base, "faulty" if "tiny_faulty" in change else tasks)
    if "--task" not in change:
        given += ["--task", "tiny_choice"]
    done = run(*given, *change)
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    assert said in done.err
    assert done.out == ""


def test_without_the_training_packages_it_says_so(run, base, adapter, tasks, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.tasks", None)
    done = run(*words(adapter, base, tasks, "tiny_choice"))
    assert done.code == 1
    assert "lm-evaluation-harness: the training packages are not installed" in done.err


def test_ctrl_c_is_130_and_what_was_measured_before_is_kept(run, project, base, adapter, tasks, monkeypatch):
    from finlora import harness

    whole, asked = harness.score, []

    def interrupted(lm, benchmark, limit):
        asked.append(benchmark.name)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(lm, benchmark, limit)

    monkeypatch.setattr(harness, "score", interrupted)
    done = run(*words(adapter, base, tasks, "tiny_other", "tiny_choice"), "--config", project.config)
    assert (done.code, asked) == (130, ["tiny_other", "tiny_other", "tiny_choice"])
    assert [one.task for one in forgetting.kept(project.root)] == ["tiny_other"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError("x"), True),
        (RuntimeError("Cannot send a request, as the client has been closed."), True),
        (RuntimeError("Dataset scripts are no longer supported"), False),
        (FileNotFoundError("x"), False),
    ],
)
def test_a_hub_out_of_reach_is_told_from_other_faults(error, expected):
    assert hub_errors.is_out_of_reach(error) is expected
    outer = ValueError("outer")
    outer.__cause__ = error
    assert hub_errors.is_out_of_reach(outer) is expected


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (["--offline"], "offline work was asked for"),
        ([], "http://127.0.0.1:9 can't be reached"),
    ],
)
@pytest.mark.slow
def test_a_benchmark_without_its_dataset_is_told_in_a_line(run_process, tmp_path, base, adapter, how, why):
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "gsm8k.yaml").write_text(
        CHOICE.format(name="far", rows="x").replace("dataset_path: json", "dataset_path: openai/gsm8k")
    )
    done = run_process(
        *words(adapter, base, folder, "far"),
        *how,
        HF_HOME=str(tmp_path / "hub"),
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    assert (done.code, done.out, "Traceback" in done.err) == (1, "", False)
    assert "far: its dataset is not in the hub's cache on this machine" in done.err
    assert why in done.err
    assert "copy its HF_HOME here and add --offline" in done.err
