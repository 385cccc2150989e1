"""Reading for a check: every fault of every line, and rows that say nothing."""

import json

import pytest

from finlora.checks.schema import read
from tests.checks.parts import codes, only

GOOD = {"context": "Net sales rose. Answer:", "target": "positive"}


def written(tmp_path, *lines, start=b""):
    path = tmp_path / "rows.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(start + b"\n".join(raw) + b"\n")
    return path


def test_faults_do_not_hide_each_other(tmp_path):
    rows, found = read(
        written(
            tmp_path,
            GOOD,
            b"{not json",
            {"context": "x"},
            {"context": "x", "target": 5},
            {"context": "x", "target": "  "},
            [1],
            b'{"context": "x", "target": "\xff"}',
            b"",
            b'{"context": "\\ud800", "target": "y"}',
            b'{"context": "a", "context": "b", "target": "y"}',
            b"{also not json",
            GOOD,
        )
    )
    assert codes(found) == {
        "json": [2, 11],
        "column": [3],
        "type": [4],
        "empty": [5],
        "not-an-object": [6],
        "utf-8": [7],
        "half-character": [9],
        "column-twice": [10],
    }
    assert {one.severity for one in found} == {"error"}
    assert [row.line for row in rows.rows] == [1, 10, 12]
    assert only(found, "json").message.endswith(", and 1 more like it")


def test_further_columns_are_fine_and_those_of_origin_are_kept(tmp_path):
    rows, found = read(
        written(
            tmp_path,
            {**GOOD, "company": "Acme ", "year": 2021, "note": {"a": [1]}, "document": None},
            {**GOOD, "date": "2021-03-01", "year": True},
        )
    )
    assert found == []
    assert rows.columns == {"company": ["Acme", ""], "year": ["2021", ""], "date": ["", "2021-03-01"]}


def test_a_column_named_in_the_text_is_not_named_twice(tmp_path):
    row = {"context": 'say "context" and "target"', "target": "y", "inner": {"context": 1}}
    assert read(written(tmp_path, row))[1] == []


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "null", "NaT", "<NA>", "#N/A", " nan. "])
def test_a_missing_value_as_the_answer(tmp_path, word):
    _, found = read(written(tmp_path, *[GOOD] * 5, {**GOOD, "target": word}))
    assert codes(found) == {"nan-target": [6]}


@pytest.mark.parametrize("word", ["nano", "none of them", "Nancy", "0", "n", "annulled"])
def test_words_that_only_start_so(tmp_path, word):
    assert read(written(tmp_path, *[GOOD] * 5, {**GOOD, "target": word}))[1] == []


def test_none_may_be_a_label(tmp_path):
    lines = [{**GOOD, "target": target} for target in ("none", "none", "up", "down", "none")]
    assert read(written(tmp_path, *lines))[1] == []


@pytest.mark.parametrize(
    "context",
    [
        "Explain this term: nan. Answer:",
        "Input: NaN\nAnswer:",
        "Company = null, year = 2020. Term: null",
        'Term: "nan" Answer:',
    ],
)
def test_a_question_about_a_missing_value(tmp_path, context):
    assert codes(read(written(tmp_path, {**GOOD, "context": context}))[1]) == {"nan-context": [1]}


@pytest.mark.parametrize(
    "context",
    [
        "Input: None of the banks. Answer:",
        "Is it null? Answer:",
        "Input: Nan Ya Plastics. Answer:",
        "nan",
        "x: nano",
    ],
)
def test_a_question_that_only_has_the_word(tmp_path, context):
    assert read(written(tmp_path, {**GOOD, "context": context}))[1] == []


def test_a_byte_order_mark_is_a_note(tmp_path):
    rows, found = read(written(tmp_path, GOOD, start=b"\xef\xbb\xbf"))
    assert (len(rows.rows), codes(found, notes=True)) == (1, {"bom": [1]})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_named(tmp_path, encoding):
    path = tmp_path / "rows.jsonl"
    path.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + json.dumps(GOOD).encode(encoding))
    rows, found = read(path)
    assert (rows.rows, [one.message for one in found]) == ((), ["the file is UTF-16 text"])
