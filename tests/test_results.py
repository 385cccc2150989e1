"""Results that are kept: where, what, and that a damaged one is named."""

import json
from dataclasses import replace

import pytest

from finlora import adapters, results
from finlora.errors import FinLoRAError
from tests.conftest import scored


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "v" / "a" / "fpb.json"


def test_a_result_comes_back_as_it_was(path, tmp_path):
    made = scored(against={
        "name": "base", "difference": 0.1, "interval": [0.0, 0.2], "p_value": 0.5, "better": 3, "worse": 1,
        "got_worse": [4],
    })  # fmt: skip
    results.keep(path, made)
    first = path.read_bytes()
    assert json.loads(first)["schema"] == 2
    assert results.kept(tmp_path, "v", "a") == [made]
    # No date: equal scores are equal files.
    results.keep(path, made)
    assert path.read_bytes() == first
    assert results.kept(tmp_path, "v", "b") == []


def test_results_are_read_by_name_and_nothing_else_is(path, tmp_path):
    results.keep(path, scored())
    results.keep(path.with_name("a.json"), scored(task="a"))
    path.with_name("fpb.predictions.jsonl").write_text("{}\n")
    path.with_name(".fpb.part.jsonl").write_text("{}\n")
    path.with_name(".fpb.json").write_text("{")
    assert [result.task for result in results.kept(tmp_path, "v", "a")] == ["a", "fpb"]


DAMAGE = {
    "schema": 1, "key": None, "respondent": {}, "task": 3, "family": 1, "kind": None, "scorer": "mine",
    "decode": "beam", "dataset": None, "dataset_sha256": [], "limit": 0, "metric": "luck", "score": "80%",
    "interval": [0.1], "rows": 0, "errors": -1, "unparsed": None, "majority": "x", "weighted_f1": "x",
    "macro_f1": [], "also": {"a": "b"}, "classes": [], "confusion": [["up", "down"]], "seconds": None,
    "rows_per_second": "fast", "settings": None, "versions": {"a": 1}, "against": {"name": "base"},
}  # fmt: skip


@pytest.mark.parametrize("key", DAMAGE)
def test_a_damaged_result_is_refused_by_file_and_key(path, tmp_path, key):
    assert len(DAMAGE) == 28
    results.keep(path, scored())
    path.write_text(json.dumps({**json.loads(path.read_text()), key: DAMAGE[key]}))
    with pytest.raises(FinLoRAError) as fault:
        results.kept(tmp_path, "v", "a")
    assert str(fault.value).startswith(f"{path}: {key}")
    assert "missing or damaged\n" in str(fault.value)
    assert "finlora eval --adapter a --task fpb" in str(fault.value)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"[]", b'{"schema": 1, "accuracy": 0.8}'])
def test_a_file_that_is_no_result_is_refused_by_name(path, tmp_path, content):
    results.keep(path, scored())
    path.write_bytes(content)
    with pytest.raises(FinLoRAError, match=r"a/fpb\.json: (can't be read|schema, .* missing)"):
        results.kept(tmp_path, "v", "a")


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "fpb"),
        ({"decode": "generate"}, "fpb (generated)"),
        ({"decode": "generate", "kind": "number"}, "fpb"),
        ({"limit": 5}, "fpb (5 rows)"),
        ({"family": None}, "fpb"),
        ({"family": None, "kind": "text"}, "fpb (text)"),
        ({"dataset": "fpb_test_as_published.jsonl", "scorer": "reference"},
         "fpb (as published, the benchmark's rule)"),
    ],
)  # fmt: skip
def test_the_title_says_what_is_special(changes, title):
    assert replace(scored(), **changes).title == title


def test_only_what_lies_on_the_shelf_is_on_it(tmp_path):
    place = adapters.place(tmp_path, "v", "a")
    assert adapters.shelved(place, tmp_path) == ("v", "a")
    assert adapters.shelved(place / "deeper", tmp_path) is None
    assert adapters.shelved(place.parent, tmp_path) is None
    assert adapters.shelved(tmp_path / "other" / "v" / "a", tmp_path) is None
    (tmp_path / "link").symlink_to(tmp_path)
    assert adapters.shelved(adapters.place(tmp_path / "link", "v", "a"), tmp_path) == ("v", "a")
