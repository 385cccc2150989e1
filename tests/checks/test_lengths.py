"""Lengths: percentiles, dropped rows, answers over the limit."""

import pytest

from finlora.checks import lengths
from finlora.row_lengths import RowLengths
from tests.checks.parts import codes, only, rows


def of(totals, answer=3):
    file = rows([(f"q {i}", "a") for i in range(len(totals))])
    return file, RowLengths(
        tuple(t - answer for t in totals), (answer,) * len(totals), len(totals), "counted"
    )


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 50), (90, 90), (95, 95), (99, 99), (100, 100), (0, 1), (0.5, 1)]
)
def test_percentiles_are_those_of_nearest_rank(percent, value):
    assert lengths.percentile(list(range(100, 0, -1)), percent) == value


def test_the_note_has_every_percentile_and_a_length_that_keeps_99_percent():
    note = only(lengths.check(*of(list(range(101, 301))), None, (), None), "lengths")
    assert note.figures["percentiles"] == {"50": 200, "90": 280, "95": 290, "99": 298, "max": 300}
    assert note.figures["enough_for_99_percent"] == 300
    assert "200 (50%), 280 (90%), 290 (95%), 298 (99%), 300 (max); counted" in note.message
    note = only(lengths.check(*of([100] * 199 + [1000]), None, (), None), "lengths")
    assert note.figures["enough_for_99_percent"] == 128


def test_rows_over_the_limit_are_an_error_above_one_percent():
    found = lengths.check(*of([512] * 97 + [513, 600, 700]), 512, ["one", "two"], None)
    dropped = only(found, "too-long")
    assert (dropped.severity, dropped.lines) == ("error", (98, 99, 100))
    assert "3 rows (3.0%) longer than sequence_len 512 of one and 1 more" in dropped.message
    assert dropped.advice == "sequence_len 640 would keep at least 99%; sequence_len 700 would keep all"
    few = only(lengths.check(*of([512] * 99 + [513]), 512, ["one"], None), "too-long")
    assert (few.severity, few.lines) == ("warning", (100,))
    assert codes(lengths.check(*of([512] * 100), 512, ["one"], None)) == {}


def test_answers_that_can_not_be_given():
    file, counted = of([50] * 4)
    counted = RowLengths(counted.questions, (11, 12, 5, 30), 4, "counted")
    found = only(lengths.check(file, counted, None, (), 10), "answer-too-long")
    # Ten tokens and the end token are within the limit.
    assert (found.lines, found.figures) == ((2, 4), {"longest": 29})
    assert codes(lengths.check(file, counted, None, (), 29)) == {}
    # A rough estimate warns of nothing.
    roughly = RowLengths(counted.questions, counted.answers, 4, "estimated", by_bytes=True)
    found = only(lengths.check(file, roughly, None, (), 10), "answer-too-long")
    assert (found.severity, found.count) == ("note", 2)


def test_rows_that_are_only_asked_are_not_dropped():
    found = lengths.check(*of([100] * 50 + [1000] * 50), 512, ["one"], None, trained=False)
    assert codes(found) == {}
    assert only(found, "lengths").advice == ""
