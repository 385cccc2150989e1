"""Scoring by label likelihood: the counts, the interval, the refusals; and once with a real tiny model."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from tiny import make_tiny_base

from finlora.answers import Answerer
from finlora.data import Row
from finlora.errors import DataError, UsageError
from finlora.evaluate import EvalResult, evaluate
from finlora.inference import load
from finlora.models import BaseModel


class Told:
    """An answerer that weighs labels as it was told: context is the label it likes best."""

    def label_scores(
        self, contexts: Sequence[str], labels: Sequence[str], progress: Callable[[int], None] | None
    ) -> list[list[float]]:
        if progress:
            progress(len(contexts))
        return [[0.0 if label == context else -1.0 for label in labels] for context in contexts]


def told(pairs: list[tuple[str, str]], **options: Any) -> EvalResult:
    rows = [Row(context, target, line) for line, (context, target) in enumerate(pairs, 1)]
    return evaluate(cast(Answerer, Told()), rows, **options)


def test_counts_interval_and_recall() -> None:
    done: list[int] = []
    pairs = [("up", "up")] * 5 + [("down", " up ")] + [("down", "down")] * 3 + [("up", "flat")]
    result = told(pairs, progress=done.append)
    assert (result.n, result.hits, result.accuracy, result.majority) == (10, 8, 0.8, 0.6)
    # The published Wilson interval of 8 in 10.
    assert result.interval == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert result.labels == ("down", "flat", "up")
    assert result.rows_per_label == {"down": 3, "flat": 1, "up": 6}
    assert result.recall == {"down": 1.0, "flat": 0.0, "up": 5 / 6}
    assert result.predictions == ("up",) * 5 + ("down",) * 4 + ("up",)
    assert done == [10]


def test_the_record_is_json() -> None:
    record = json.loads(json.dumps(told([("up", "up"), ("up", "down")]).to_record()))
    assert record["accuracy"] == 0.5
    assert record["interval"] == pytest.approx([0.0945, 0.9055], abs=5e-5)
    assert list(record) == [
        "n", "hits", "accuracy", "interval", "majority", "labels", "rows_per_label", "recall", "predictions",
    ]  # fmt: skip


def test_given_labels_stand_in_their_order() -> None:
    result = told([("?", "up"), ("down", "down")], labels=["down", "flat", "up", "down"])
    assert result.labels == ("down", "flat", "up")
    assert result.recall == {"down": 1.0, "flat": None, "up": 0.0}
    # Nothing stands out: the first label counts.
    assert result.predictions == ("down", "down")


def test_targets_that_are_no_label() -> None:
    with pytest.raises(DataError, match=r"(?s)2 problems.*line 2.*'flat' is none of the labels: up, down"):
        told([("up", "up"), ("up", "flat"), ("up", "Up")], labels=["up", "down"])


def test_free_answers_are_not_scored_yet() -> None:
    assert told([(str(i), str(i)) for i in range(50)]).hits == 50
    with pytest.raises(UsageError, match="51 different targets: so far, eval scores closed labels only"):
        told([(str(i), str(i)) for i in range(51)])


def test_a_real_model_is_scored_by_its_label_scores(tmp_path: Path) -> None:
    base = BaseModel("tiny", make_tiny_base(tmp_path / "base"), "x")
    answerer = load(None, base, prompt_style=None, quant_bits=16)
    words = ["sales", "the bank", "profit fell", "demand", "rates", "2024", "EUR", "news", "Shares", "weak"]
    labels = ["a", "b", "c"]
    rows = [Row(word, labels[i % 3], i) for i, word in enumerate(words)]
    result = evaluate(answerer, rows)
    scores = answerer.label_scores(words, labels)
    likeliest = [max(zip(row, labels, strict=True))[1] for row in scores]
    assert list(result.predictions) == likeliest
    assert len(set(likeliest)) > 1
    assert result.hits == sum(row.target == label for row, label in zip(rows, likeliest, strict=True))
