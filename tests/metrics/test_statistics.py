"""Sums over judged answers: against scikit-learn, scipy and printed examples; no order changes them."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from finlora.metrics import Judged
from finlora.metrics.statistics import ClassScore, mcnemar, paired, summarise

ROOT = Path(__file__).parents[2]
LABELS = ("negative", "neutral", "positive")


def judge(answers, golds):
    pairs = zip(answers, golds, strict=True)
    return [Judged(answer, gold, float(answer == gold)) for answer, gold in pairs]


def drawn(seed):
    """Return labels, answers and golds of a random confusion matrix, with unparsed and strange answers."""
    chance = random.Random(seed)
    labels = [f"label {i}" for i in range(chance.randint(2, 7))]
    # Not every label needs to have rows, or answers.
    used = chance.sample(labels, chance.randint(1, len(labels)))
    answers = [*chance.sample(labels, chance.randint(1, len(labels))), None, "none of them"]
    n = chance.randint(1, 60)
    return labels, chance.choices(answers, k=n), chance.choices(used, k=n)


@pytest.mark.parametrize("seed", range(200))
def test_f1_is_scikit_learns_over_the_label_set(seed):
    labels, answers, golds = drawn(seed)
    result = summarise(judge(answers, golds), labels)
    # scikit-learn takes no None: unparsed is a text that is none of the labels.
    texts = ["unparsed" if answer is None else answer for answer in answers]
    for average, ours in (("weighted", result.weighted_f1), ("macro", result.macro_f1)):
        theirs = f1_score(golds, texts, labels=labels, average=average, zero_division=0)
        assert ours == pytest.approx(theirs, abs=1e-12)
    theirs = precision_recall_fscore_support(golds, texts, labels=labels, zero_division=np.nan)
    for label, *numbers, rows in zip(labels, *theirs, strict=True):
        expected = ClassScore(rows, *[None if np.isnan(number) else float(number) for number in numbers])
        ours = result.classes[label]
        assert (ours.rows, ours.precision, ours.recall) == (rows, expected.precision, expected.recall)
        # scikit-learn calls F1 undefined on the same terms as we do: neither rows nor answers.
        assert (ours.f1 is None) == (expected.f1 is None)
        assert ours.f1 == (None if expected.f1 is None else pytest.approx(expected.f1, abs=1e-12))


def test_a_small_table_worked_by_hand():
    golds = ["positive"] * 4 + ["negative"] * 2
    result = summarise(judge(["positive", "positive", None, "negative", "negative", "odd"], golds), LABELS)
    assert (result.n, result.score, result.unparsed, result.majority) == (6, 0.5, 1 / 6, 4 / 6)
    assert result.classes == {
        "negative": ClassScore(rows=2, precision=1 / 2, recall=1 / 2, f1=1 / 2),
        "neutral": ClassScore(rows=0, precision=None, recall=None, f1=None),
        "positive": ClassScore(rows=4, precision=1.0, recall=1 / 2, f1=2 / 3),
    }
    assert result.weighted_f1 == pytest.approx((2 * 1 / 2 + 4 * 2 / 3) / 6)
    assert result.macro_f1 == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    expected = {"negative": {"negative": 1, "odd": 1}, "positive": {"negative": 1, "positive": 2, None: 1}}
    assert result.confusion == expected
    assert list(result.confusion["positive"]) == ["negative", "positive", None]


def test_a_right_answer_is_of_the_golds_class_however_it_was_written():
    judged = [Judged("0.570", "0.57", 1.0), Judged("0.61", "0.57", 0.0), Judged("3", "3", 1.0)]
    result = summarise(judged, ["0.57", "3"])
    assert result.confusion == {"0.57": {"0.57": 1, "0.61": 1}, "3": {"3": 1}}
    assert result.classes["0.57"] == ClassScore(rows=2, precision=1.0, recall=0.5, f1=pytest.approx(2 / 3))


def test_free_text_has_a_score_and_no_classes():
    result = summarise([Judged("a", "b", 0.25), Judged(None, "c", 0.0), Judged("d", "d", 1.0)], [])
    assert (result.majority, result.weighted_f1, result.macro_f1) == (None, None, None)
    assert (result.classes, result.confusion) == ({}, {})
    assert result.score == pytest.approx(1.25 / 3)
    assert result.unparsed == pytest.approx(1 / 3)


def test_the_interval_of_hits_is_the_binomials_own():
    result = summarise(judge(["positive"] * 87 + ["negative"] * 33, ["positive"] * 120), LABELS)
    low, high = binom(120, 87 / 120).ppf([0.025, 0.975]) / 120
    # 10,000 resamples: a percentile lies on the exact one or the count beside it.
    assert result.interval == pytest.approx((low, high), abs=1.01 / 120)
    assert result.interval != summarise(judge(["positive"] * 9, ["positive"] * 9), LABELS).interval == (1, 1)


def test_the_interval_of_free_scores_is_that_of_their_mean():
    scores = np.random.default_rng(7).beta(5, 2, 500)
    result = summarise([Judged("x", "y", float(score)) for score in scores], [])
    reach = 1.96 * scores.std() / np.sqrt(500)
    assert result.interval == pytest.approx((scores.mean() - reach, scores.mean() + reach), abs=0.002)


def test_many_rows_are_drawn_in_parts_of_the_right_number():
    scores = np.random.default_rng(7).random(3000)
    result = summarise([Judged("x", "y", float(score)) for score in scores], [])
    reach = 1.96 * scores.std() / np.sqrt(3000)
    assert result.interval == pytest.approx((scores.mean() - reach, scores.mean() + reach), abs=0.001)


def test_another_seed_draws_another_interval():
    judged = [Judged("x", "y", i / 50) for i in range(50)]
    assert summarise(judged, []).interval == summarise(judged, [], seed=42).interval
    assert summarise(judged, [], seed=1).interval != summarise(judged, [], seed=42).interval


@pytest.mark.parametrize("seed", range(10))
def test_row_order_changes_nothing(seed):
    labels, answers, golds = drawn(seed)
    judged = judge(answers, golds)
    free = [Judged("x", "y", random.Random(i).random()) for i in range(200)]
    for rows, known in ((judged, labels), (free, [])):
        mixed = random.Random(seed).sample(rows, len(rows))
        assert summarise(mixed, known) == summarise(rows, known)
        scores = [row.score for row in rows]
        order = random.Random(seed).sample(range(len(rows)), len(rows))
        before = [scores[-1 - i] for i in range(len(scores))]
        plain, moved = (
            paired([before[i] for i in o], [scores[i] for i in o]) for o in (range(len(rows)), order)
        )
        assert (moved.difference, moved.interval, moved.p_value) == (
            plain.difference,
            plain.interval,
            plain.p_value,
        )
        assert sorted(order[i] for i in moved.got_worse) == list(plain.got_worse)


HASHES = """
import json
from dataclasses import asdict
from finlora.metrics import reference
from finlora.metrics.statistics import paired, summarise
golds = ["0.5", "0.57", "0.575", "12", "1", "net sales"] * 7
outputs = ["0.575", "it is 0.57", "12.0", "121", "Net Sales, 1", "none"] * 7
judged = reference.judge_all(outputs, golds)
scores = [j.score for j in judged]
print(json.dumps([asdict(summarise(judged, sorted(set(golds)))), asdict(paired(scores, scores[::-1]))]))
print(json.dumps([reference.weighted_f1(judged, outputs), reference.accuracy_range(outputs, golds)]))
"""


def test_the_hash_seed_changes_nothing():
    printed = [
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(printed)) == 1
    assert json.loads(printed[0].splitlines()[0])[0]["n"] == 42


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        # P. Armitage, G. Berry, Statistical Methods in Medical Research, 1994, page 127 (two media for
        # tubercle bacilli); the exact value in StatsDirect's help, "Matched pairs".
        (12, 2, 0.0129),
        # M. Fagerland, S. Lydersen, P. Laake, BMC Medical Research Methodology 13 (2013) 91: Bentur's data.
        (7, 1, 0.0703),
    ],
)
def test_mcnemar_gives_what_is_printed(better, worse, p):
    assert round(mcnemar(better, worse), 4) == p
    assert mcnemar(worse, better) == mcnemar(better, worse)


def test_mcnemar_is_the_binomial_test_with_a_fair_coin():
    for better in range(40):
        for worse in range(40):
            n = better + worse
            theirs = binomtest(better, n, 0.5).pvalue if n else 1.0
            assert mcnemar(better, worse) == pytest.approx(theirs, rel=1e-9)
    # Far beyond what a float's 2**n could hold.
    assert mcnemar(2100, 1900) == pytest.approx(binomtest(2100, 4000, 0.5).pvalue, rel=1e-6)


def test_a_pair_of_models():
    before = [1.0] * 60 + [0.0] * 40
    after = [0.0] * 3 + [1.0] * 57 + [1.0] * 15 + [0.0] * 25
    result = paired(before, after)
    assert result.difference == pytest.approx(0.12)
    assert (result.better, result.worse, result.got_worse) == (15, 3, (0, 1, 2))
    assert result.p_value == mcnemar(15, 3)
    changes = np.array(after) - np.array(before)
    reach = 1.96 * changes.std() / 10
    assert result.interval == pytest.approx((0.12 - reach, 0.12 + reach), abs=0.011)


def test_free_scores_have_no_mcnemar():
    result = paired([0.5, 0.25, 1.0, 0.3, 0.1], [0.75, 0.25, 0.5, 0.9, 0.8])
    assert result.p_value is None
    assert (result.better, result.worse, result.got_worse) == (3, 1, (2,))
    assert result.interval[0] < result.difference < result.interval[1]


def test_equal_models_differ_in_nothing():
    result = paired([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (result.difference, result.interval, result.p_value, result.got_worse) == (0, (0, 0), 1, ())


def test_what_can_not_be_summed_up_is_refused():
    with pytest.raises(ValueError, match="no answers"):
        summarise([], LABELS)
    with pytest.raises(ValueError, match="none of the labels"):
        summarise([Judged("positive", "bullish", 0.0)], LABELS)
    with pytest.raises(ValueError, match="no rows"):
        paired([], [])
    with pytest.raises(ValueError, match="longer"):
        paired([1.0], [1.0, 0.0])
