"""Labels: which answers are labels, their balance, and those that are wrong."""

import pytest

from finlora.checks import labels
from tests.checks.parts import codes, only, rows

THREE = ("negative", "neutral", "positive")


def answered(**counts):
    return rows([(f"{label} {i}", label) for label, count in counts.items() for i in range(count)])


def test_the_majority_baseline_of_a_published_file():
    # The counts of Financial PhraseBank's test file in the FinLoRA benchmark, and its baseline.
    found = only(labels.check(answered(neutral=729, positive=338, negative=145), THREE), "labels")
    assert found.figures["labels"] == {"neutral": 729, "positive": 338, "negative": 145}
    assert found.figures["majority_accuracy"] == pytest.approx(729 / 1212)
    assert "scores 60.1%, weighted F1 0.452" in found.message


def test_weighted_f1_is_that_of_scikit_learn():
    from sklearn.metrics import f1_score

    gold = ["a"] * 6 + ["b"] * 3 + ["c"]
    expected = f1_score(gold, ["a"] * 10, average="weighted", zero_division=0)
    assert labels.majority([6, 3, 1]) == pytest.approx((0.6, expected))


def test_few_answers_are_labels_and_many_are_not():
    assert labels.is_closed(answered(a=5, b=5))
    assert not labels.is_closed(answered(a=5, b=4))
    assert not labels.is_closed(rows([("q", str(i // 10)) for i in range(310)]))
    assert labels.check(rows([("q", str(i)) for i in range(10)]), ()) == []


def test_a_label_outside_the_task_is_an_error():
    found = labels.check(answered(positive=20, neutral=20, bullish=2), THREE)
    unknown = only(found, "unknown-label")
    assert (unknown.severity, unknown.lines) == ("error", (41, 42))
    assert "'bullish'" in unknown.message
    assert "unknown-label" not in codes(labels.check(answered(positive=20, bullish=20), ()), notes=True)


def test_outer_space_is_no_other_label():
    file = rows([("q", " positive\n")] * 10 + [("q", "negative")] * 10)
    assert codes(labels.check(file, THREE)) == {}


def test_one_label_alone():
    assert codes(labels.check(answered(positive=10), THREE)) == {"one-label": list(range(1, 11))}


def test_labels_written_in_two_ways():
    found = labels.check(answered(positive=20, Positive=6, negative=20), ())
    assert codes(found) == {"label-spelling": [21, 22, 23, 24, 25, 26]}


def test_rare_labels_are_a_note():
    found = only(labels.check(answered(positive=500, negative=500, neutral=9), THREE), "rare-label")
    assert (found.severity, found.count) == ("note", 9)
    assert codes(labels.check(answered(positive=1000, negative=990, neutral=10), THREE), notes=True) == {
        "labels": []
    }
    assert codes(labels.check(answered(positive=3, negative=2), THREE), notes=True) == {"labels": []}


def test_a_label_that_training_never_shows():
    train, test = answered(positive=20, negative=20), answered(positive=2, neutral=1)
    found = only(labels.between(train, test), "unseen-label")
    assert (found.severity, found.lines) == ("error", (3,))
    assert labels.between(train, answered(positive=2)) == []
    # Free answers are new by nature.
    assert labels.between(rows([("q", str(i)) for i in range(50)]), test) == []
