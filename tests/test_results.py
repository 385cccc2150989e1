"""Scores that are kept: where, what, and that a damaged one is named."""

import json
from dataclasses import replace

import pytest
from tiny import make_tiny_adapter, make_tiny_base
from transformers import AutoTokenizer

from finlora import adapters, evaluate, models, prompts, results
from finlora.errors import FinLoRAError
from finlora.files import sha256
from tests.conftest import shelve, trained_manifest, write_adapter

SCORE = results.Score(
    adapter_sha256="a" * 64,
    dataset="fpb_test.jsonl",
    dataset_sha256="d" * 64,
    rows=10,
    accuracy=0.8,
    interval=(0.49, 0.94),
    majority=0.6,
    labels=("down", "flat", "up"),
    recall={"down": 1.0, "flat": None, "up": 0.5},
)
RESULT = evaluate.EvalResult(
    n=10,
    hits=8,
    accuracy=0.8,
    interval=(0.49, 0.94),
    majority=0.6,
    labels=("down", "up"),
    rows_per_label={"down": 4, "up": 6},
    recall={"down": 1.0, "up": 0.5},
    predictions=("up",) * 10,
)


def test_a_score_comes_back_as_it_was(tmp_path):
    path = results.keep(tmp_path, "8bits_r8", "a", SCORE)
    assert path == tmp_path / "results" / "8bits_r8" / "a" / "fpb_test.json"
    first = path.read_bytes()
    assert json.loads(first)["schema"] == 1
    assert results.kept(tmp_path, "8bits_r8", "a") == [SCORE]
    # No date: equal scores are equal files.
    assert results.keep(tmp_path, "8bits_r8", "a", SCORE).read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["fpb_test.json"]


def test_scores_are_kept_by_dataset_and_adapter(tmp_path):
    results.keep(tmp_path, "8bits_r8", "a", SCORE)
    better = replace(SCORE, accuracy=0.9)
    results.keep(tmp_path, "8bits_r8", "a", better)
    other = replace(SCORE, dataset="headline_test.jsonl")
    results.keep(tmp_path, "8bits_r8", "a", other)
    assert results.kept(tmp_path, "8bits_r8", "a") == [better, other]
    assert results.kept(tmp_path, "4bits_r4", "a") == []


DAMAGE = {
    "schema": 2,
    "adapter_sha256": None,
    "dataset": 3,
    "dataset_sha256": [],
    "rows": 0,
    "accuracy": "80%",
    "interval": [0.1],
    "majority": None,
    "labels": [],
    "recall": {"up": "x"},
}


@pytest.mark.parametrize("key", DAMAGE)
def test_a_damaged_score_is_refused_by_file_and_key(tmp_path, key):
    path = results.keep(tmp_path, "v", "a", SCORE)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: DAMAGE[key]}))
    with pytest.raises(FinLoRAError) as fault:
        results.kept(tmp_path, "v", "a")
    assert str(fault.value).startswith(f"{path}: {key} missing or damaged\n")
    assert "finlora eval --adapter a --data FILE" in str(fault.value)
    assert len(DAMAGE) == 10


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"[]"])
def test_a_file_that_is_no_score_is_refused_by_name(tmp_path, content):
    path = results.keep(tmp_path, "v", "a", SCORE)
    path.write_bytes(content)
    with pytest.raises(FinLoRAError, match=r"a/fpb_test\.json: (can't be read|schema, .* missing)"):
        results.kept(tmp_path, "v", "a")


@pytest.fixture
def rows(project):
    return project.dataset


def keep(adapter, rows, root, base="tiny:1"):
    return evaluate.keep(RESULT, str(adapter), base, rows, root)


def test_eval_keeps_the_score_of_an_adapter_on_the_shelf(project, rows):
    folder = shelve(project, "one")
    path = project.root / "results" / "fp16_r8" / "one" / "rows.json"
    assert keep("one", rows, project.root) == f"score kept: {path}"
    [score] = results.kept(project.root, "fp16_r8", "one")
    assert (score.accuracy, score.rows, score.labels) == (0.8, 10, ("down", "up"))
    assert score.adapter_sha256 == sha256(folder / "adapter_model.safetensors")
    assert score.dataset_sha256 == sha256(rows)
    # A folder on the shelf is the same adapter.
    assert keep(folder, rows, project.root) == f"score kept: {path}"


def test_what_is_not_the_adapters_own_score_is_not_kept(project, rows, tmp_path):
    shelve(project, "one")
    bare = write_adapter(project.root / "lora_adapters" / "fp16_r8" / "bare")
    elsewhere = write_adapter(tmp_path / "elsewhere", manifest={"schema": 1})
    before = project.files()
    assert keep("one", rows, project.root, base="other:1").endswith(
        "another base model than the adapter's own"
    )
    assert keep(bare, rows, project.root).endswith("bare has no finlora.json")
    assert keep(elsewhere, rows, project.root).endswith("elsewhere is not on the shelf of a project")
    assert keep(elsewhere, rows, None).endswith("elsewhere is not on the shelf of a project")
    assert project.files() == before


def test_a_score_that_cannot_be_written_is_no_failure(project, rows):
    shelve(project, "one")
    (project.root / "results").write_text("in the way")
    assert keep("one", rows, project.root).startswith(f"score not kept: {project.root}/results/fp16_r8/one")


def test_the_shelf_has_two_floors(tmp_path):
    place = adapters.place(tmp_path, "v", "a")
    assert adapters.shelved(place, tmp_path) == ("v", "a")
    assert adapters.shelved(place / "deeper", tmp_path) is None
    assert adapters.shelved(place.parent, tmp_path) is None
    assert adapters.shelved(tmp_path / "other" / "v" / "a", tmp_path) is None
    (tmp_path / "link").symlink_to(tmp_path)
    assert adapters.shelved(adapters.place(tmp_path / "link", "v", "a"), tmp_path) == ("v", "a")


def test_eval_on_the_command_line_keeps_it_and_compare_shows_it(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    base = make_tiny_base(project.root / "configs" / "base", template="chatml")
    identity = models.resolve("./base", project.config.parent).identity
    tokenizer = AutoTokenizer.from_pretrained(base)
    shelf = project.root / "lora_adapters" / "fp16_r8"
    for name in ("one", "two"):
        manifest = trained_manifest(name, identity=identity)
        manifest["prompt"] = prompts.prompt_for(tokenizer, "chat").record(tokenizer)
        make_tiny_adapter(shelf / name, base)
        (shelf / name / "finlora.json").write_text(json.dumps(manifest))
    lines = [{"context": f"sales {i}", "target": ["up", "down"][i % 2]} for i in range(4)]
    project.dataset.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("eval", "--adapter", "one", "--data", project.dataset, "--baseline")
    assert done.code == 0, done.err
    path = project.root / "results" / "fp16_r8" / "one" / "rows.json"
    assert done.err.splitlines()[-1] == f"score kept: {path}"
    [score] = results.kept(project.root, "fp16_r8", "one")
    line = next(line.split() for line in done.out.splitlines() if line.startswith("adapter"))
    assert (score.rows, f"{score.accuracy:.1%}") == (4, line[1])
    # What the base model alone reaches is nobody's score; nor is it kept twice.
    done = run("eval", "--base-model", "./configs/base", "--data", project.dataset)
    assert (done.code, "score" in done.err.splitlines()[-1]) == (0, False)
    assert [file.name for file in path.parents[2].rglob("*.json")] == ["rows.json"]
    shown = run("compare", "one", "two", "--json")
    [fact] = [fact for fact in json.loads(shown.out)["rows"] if fact["kind"] == "score"]
    assert fact["name"] == "accuracy on rows.jsonl"
    assert (fact["values"][0]["accuracy"], fact["values"][1]) == (score.accuracy, None)
