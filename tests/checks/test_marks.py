"""Answer marks: the task's, or the one most rows have."""

import pytest

from finlora.checks import marks
from tests.checks.parts import asked, codes, rows

GOOD = "Net sales rose. Answer:"


def test_rows_without_the_tasks_mark():
    file = asked(GOOD, "Net sales fell. Answer: \n", "Net sales fell.", "Answer: no more")
    assert codes(marks.check(file, ["Answer:"])) == {"answer-mark": [3, 4]}
    assert codes(marks.check(asked(GOOD), ["Answer:"]), notes=True) == {}


@pytest.mark.parametrize(
    ("contexts", "mark"),
    [
        ([GOOD] * 3 + ["x"] * 2, "Answer:"),
        ([f"Input: row {i} is so\nThe answer is:" for i in range(4)], "The answer is:"),
        ([f"{name} tag Tag:" for name in "abcd"], "Tag:"),
        ([GOOD, GOOD, "x", "y", "z"], None),
        (["x", "y"], None),
        ([], None),
    ],
)
def test_the_usual_mark(contexts, mark):
    assert marks.usual(asked(*contexts)) == mark


def test_rows_that_differ_from_the_others():
    assert codes(marks.check(asked(*[GOOD] * 5, "Net sales fell. Reply:"), ())) == {"answer-mark": [6]}


def test_no_mark_at_all_is_a_note():
    assert codes(marks.check(asked("x", "y"), ()), notes=True) == {"no-answer-mark": []}
    assert marks.check(rows([]), ()) == []


def test_rows_of_a_mix_end_with_the_mark_of_one_of_its_parts():
    file = asked(GOOD, "1. A tag? Output US GAAP tags:", "Net sales rose. Reply:")
    (found,) = marks.check(file, ["Answer:", "Output US GAAP tags:"])
    assert (found.lines, found.message) == (
        (3,),
        "1 row does not end with 'Answer:' or 'Output US GAAP tags:'",
    )
