"""Financial maths: the sheet as the published rows read it, and its answers mended."""

import json
import re
from collections import Counter

import pytest

from finlora.converters import formula
from finlora.errors import DataError, UsageError
from tests.converter_parts import ROOT, make_records, make_task, reasons, seen_with_hash_seeds

PROMPT = (
    "Use formula {Formula Name} to answer the question. Answer with a numerical answer with 2 decimal places "
    "and with no explanations or other text. Formula: {Formula}, Explanation: {Explanation}. "
    "Question: {Question}. Answer:"
)
TASK = make_task("formula", PROMPT)
START = (
    "Use formula Speed (v) to answer the question. Answer with a numerical answer with 2 decimal places and "
    "with no explanations or other text. Formula: v = s / t, Explanation: s: way, t: time. Question: "
)
KNOWN = json.loads((ROOT / "finlora/files/formula_corrections.json").read_text(encoding="utf-8"))["questions"]


def sheet(name="Speed (v)", **cells):
    """Return a row of the sheet with 20 questions, some cells given."""
    row = {"Formula Name": name, "Formula": "v = s / t", "Explanation": "s: way, t: time"}
    for number in range(1, 21):
        row[f"Question {number}"] = f'{number}. "A car goes {number} km in an hour. How fast?"'
        row[f"Answer {number}"] = float(number)
    return row | {key.replace("_", " "): cell for key, cell in cells.items()}


def convert(row, as_published):
    return formula.convert(TASK, {"all": make_records([row], "maths.xlsx")}, as_published)


def everything():
    return [convert(sheet(), published) for published in (True, False)]


def test_published_rows_to_the_letter():
    done = convert(sheet(Answer_2=400, Answer_3="0.5", Answer_17=1e9), True)
    assert done.rows["train"][:3] == [
        {"context": START + '"A car goes 1 km in an hour. How fast?". Answer:', "target": "1.0"},
        {"context": START + '"A car goes 2 km in an hour. How fast?". Answer:', "target": "400.0"},
        {"context": START + '"A car goes 3 km in an hour. How fast?". Answer:', "target": "0.5"},
    ]
    # The published rows cut three characters: from question 10 on a space is left.
    assert done.rows["train"][9]["context"] == START + ' "A car goes 10 km in an hour. How fast?". Answer:'
    assert done.rows["test"][0] == {
        "context": START + ' "A car goes 17 km in an hour. How fast?". Answer:',
        "target": "1000000000.0",
    }
    assert {side: len(rows) for side, rows in done.rows.items()} == {"train": 16, "test": 4}
    assert done.dropped == ()
    assert done.mended == {}


def test_mended_rows_to_the_letter():
    done = convert(sheet(Answer_2=400, Answer_3="0.5", Answer_17=1e9), False)
    assert [row["target"] for row in done.rows["train"][:3]] == ["1.00", "400.00", "0.50"]
    assert done.rows["test"][0] == {
        "context": START + '"A car goes 17 km in an hour. How fast?". Answer:',
        "target": "1000000000.00",
    }
    assert {side: len(rows) for side, rows in done.rows.items()} == {"train": 16, "test": 4}
    assert done.mended == {
        "an answer with two decimals, as the prompt asks": 20,
        "a space too many before the question": 11,
    }


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        (0.125, "0.13"),
        (-0.125, "-0.13"),
        (-0.001, "0.00"),
        (0, "0.00"),
        ("1e9", "1000000000.00"),
        (2.675, "2.68"),
    ],
)
def test_answers_are_rounded_by_their_decimals(answer, target):
    assert convert(sheet(Answer_1=answer), False).rows["train"][0]["target"] == target


@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("1. 2.5% of 40?", "2.5% of 40?"),
        ("1.2.5% of 40?", "1.2.5% of 40?"),
        ("12.  How fast?", "How fast?"),
        ("How fast?", "How fast?"),
    ],
)
def test_only_a_number_of_a_question_is_cut(cell, asked):
    assert convert(sheet(Question_1=cell), False).rows["train"][0]["context"] == f"{START}{asked}. Answer:"


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ({"Question_5": None}, "no question or no answer"),
        ({"Answer_5": "  "}, "no question or no answer"),
        ({"Answer_5": "about 7"}, "the answer is no number"),
        ({"Answer_5": float("nan")}, "the answer is no number"),
        ({"Answer_5": "1e300"}, "the answer is no number"),
        ({"Question_5": "5. nan"}, "question: 'nan' instead of a text"),
        ({"Question_5": sheet()["Question 4"], "Answer_5": 4.0}, "repeats an earlier row"),
        ({"Question_17": sheet()["Question 4"], "Answer_17": 4.0}, "is in the test rows too"),
    ],
)
def test_what_is_no_row(cells, line):
    done = convert(sheet(**cells), False)
    assert reasons(done) == [(1, line)]
    assert sum(len(rows) for rows in done.rows.values()) == 19


def test_the_published_rows_leave_out_empty_cells_too():
    done = convert(sheet(Question_5=None, Answer_20=" "), True)
    assert reasons(done) == [(1, "no question or no answer")] * 2
    assert {side: len(rows) for side, rows in done.rows.items()} == {"train": 15, "test": 3}


def with_entry(monkeypatch, **entry):
    entry = {"published": "3.0"} | entry
    key = ("Speed (v)", formula.digest('"A car goes 3 km in an  hour. How fast?"'))
    monkeypatch.setattr(formula, "_corrections", lambda: {key: entry})


@pytest.mark.parametrize(
    ("verdict", "counted"),
    [("corrected", "a wrong answer corrected"), ("rounding", "an answer rounded wrongly")],
)
def test_a_wrong_answer_is_corrected(monkeypatch, verdict, counted):
    with_entry(monkeypatch, verdict=verdict, value="8.25")
    done = convert(sheet(), False)
    assert done.rows["train"][2]["target"] == "8.25"
    assert done.mended[counted] == 1
    assert done.dropped == ()
    assert convert(sheet(), True).rows["train"][2]["target"] == "3.0"


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        ("ambiguous", "the published answer is wrong, and the question has no certain one"),
        ("unanswerable", "the question can't be answered with what it says"),
    ],
)
def test_a_question_without_a_certain_answer_is_dropped(monkeypatch, verdict, why):
    with_entry(monkeypatch, verdict=verdict)
    done = convert(sheet(), False)
    assert reasons(done) == [(1, why)]
    assert len(done.rows["train"]) == 15


def test_an_answer_that_its_source_mended_stays(monkeypatch):
    with_entry(monkeypatch, verdict="corrected", value="8.25")
    done = convert(sheet(Answer_3=3.5), False)
    assert done.rows["train"][2]["target"] == "3.50"
    assert "a wrong answer corrected" not in done.mended


def test_the_shipped_corrections_are_facts_in_one_form():
    assert Counter(entry["verdict"] for entry in KNOWN) == {
        "corrected": 32,
        "ambiguous": 15,
        "unanswerable": 7,
        "rounding": 6,
    }
    assert len({(entry["formula"], entry["question"]) for entry in KNOWN}) == 60
    for entry in KNOWN:
        assert re.fullmatch("[0-9a-f]{16}", entry["question"])
        certain = entry["verdict"] in ("corrected", "rounding")
        assert set(entry) == {"formula", "question", "published", "verdict"} | (
            {"value"} if certain else set()
        )
        assert not certain or re.fullmatch(r"-?\d+\.\d\d", entry["value"])
        assert not certain or float(entry["value"]) != float(entry["published"])
    assert len(formula._corrections()) == 60


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("Question 7", None), "no column 'Question 7'; columns found: Formula Name, Formula, Explanation,"),
        (("Formula Name", 7), "'Formula Name' is int; text is wanted"),
        (("Answer 20", [1]), "'Answer 20' is list; text or a number is wanted"),
        (("Formula", {}), "'Formula' is dict; text or a number is wanted"),
    ],
)
def test_a_sheet_of_another_form_is_refused(change, fault):
    row = sheet()
    column, cell = change
    if cell is None:
        del row[column]
    else:
        row[column] = cell
    with pytest.raises(DataError) as error:
        convert(row, True)
    assert str(error.value).startswith(f"maths.xlsx:1: {fault}")


def test_a_prompt_that_names_another_column_is_refused():
    with pytest.raises(UsageError, match="'Symbols'"):
        formula.convert(make_task("formula", "{Symbols} Answer:"), {"all": make_records([sheet()])}, True)


def test_hash_seeds_change_nothing():
    assert len(seen_with_hash_seeds("test_formula_converter")) == 1
