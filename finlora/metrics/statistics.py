"""Many judged answers in a few numbers: score with interval, F1, confusions, and two models compared.

Nothing depends on the order of the rows: scores are sorted before they are drawn from, and sums are exact.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finlora.metrics import Judged

SEED = 42
_RESAMPLES = 10_000
# Scores drawn at a time: 32 MB of indices.
_DRAWN = 4_000_000
# Up to here the values' counts are drawn instead of the rows: the same distribution, in no time.
_FEW_VALUES = 3


@dataclass(frozen=True)
class ClassScore:
    """How well one label was told from the others.

    Args:
        rows: with this label as right answer.
        precision: share of the answers with this label that are right; None where it was never answered.
        recall: share of its rows that were hit; None for a label without rows.
        f1: harmonic mean of both, 0 to 1; None for a label that occurs neither as answer nor as gold.
    """

    rows: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Summary:
    """What many judged answers come to. Shares and scores are 0 to 1.

    Args:
        n: answers.
        score: mean of their scores.
        interval: 95% percentile bootstrap interval of the score.
        unparsed: share of the answers from which none could be read.
        majority: score of always answering the most frequent gold; None for free text.
        weighted_f1: F1 over the labels, weighted by their rows; None for free text.
        macro_f1: plain mean of F1 over the labels; None for free text.
        classes: each label's scores, in the order of the labels; empty for free text.
        confusion: gold to answer (None: unparsed) to count; empty for free text.
    """

    n: int
    score: float
    interval: tuple[float, float]
    unparsed: float
    majority: float | None
    weighted_f1: float | None
    macro_f1: float | None
    classes: Mapping[str, ClassScore]
    confusion: Mapping[str, Mapping[str | None, int]]


@dataclass(frozen=True)
class Paired:
    """Two models on the same rows.

    Args:
        difference: mean score after less mean score before, -1 to 1.
        interval: 95% percentile bootstrap interval of the difference; rows are drawn, each with both scores.
        p_value: of McNemar's exact two-sided test; None where scores are not all 0 or 1.
        better: rows that score higher after.
        worse: rows that score lower after.
        got_worse: their indices, from 0, ascending.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float | None
    better: int
    worse: int
    got_worse: tuple[int, ...]


def summarise(judged: Sequence[Judged], labels: Sequence[str], seed: int = SEED) -> Summary:
    """Sum up judged answers; the order of the rows changes nothing.

    A right answer counts as the gold's class, however it was written (0.570 for 0.57). An answer that is none
    of the labels, or unparsed, is a miss of its gold and no class of its own.

    Args:
        judged: at least one answer.
        labels: the closed set of right answers, every gold among them; empty for free text.
        seed: of the bootstrap.

    Raises:
        ValueError: no answers, or a gold that is none of the labels.

    Source:
        F1 as scikit-learn's `f1_score(gold, answer, labels=labels, average=..., zero_division=0)`.
        Bootstrap: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if not judged:
        raise ValueError("no answers to sum up")
    scores = [answer.score for answer in judged]
    known = tuple(dict.fromkeys(labels))
    strangers = {answer.gold for answer in judged} - set(known)
    if known and strangers:
        raise ValueError(f"golds that are none of the labels: {sorted(strangers)}")
    pairs = Counter((answer.gold, _answered(answer)) for answer in judged) if known else Counter()
    classes = {label: _class_score(label, pairs) for label in known}
    n = len(judged)
    return Summary(
        n=n,
        score=_mean(scores),
        interval=_interval(scores, seed),
        unparsed=sum(answer.parsed is None for answer in judged) / n,
        majority=max(one.rows for one in classes.values()) / n if known else None,
        weighted_f1=math.fsum((one.f1 or 0.0) * one.rows for one in classes.values()) / n if known else None,
        macro_f1=_mean([one.f1 or 0.0 for one in classes.values()]) if known else None,
        classes=classes,
        confusion=_confusion(pairs, known),
    )


def paired(before: Sequence[float], after: Sequence[float], seed: int = SEED) -> Paired:
    """Compare the scores of two models on the same rows.

    Args:
        before: scores of the baseline, 0 to 1, at least one.
        after: scores of what is compared with it, row for row.
        seed: of the bootstrap.

    Raises:
        ValueError: no rows, or not the same number of them.
    """
    changes = [b - a for a, b in zip(before, after, strict=True)]
    if not changes:
        raise ValueError("no rows to compare")
    got_worse = tuple(row for row, change in enumerate(changes) if change < 0)
    better = sum(change > 0 for change in changes)
    hit_or_miss = {*before, *after} <= {0.0, 1.0}
    return Paired(
        difference=_mean(changes),
        interval=_interval(changes, seed),
        p_value=mcnemar(better, len(got_worse)) if hit_or_miss else None,
        better=better,
        worse=len(got_worse),
        got_worse=got_worse,
    )


def mcnemar(better: int, worse: int) -> float:
    """Return the p-value of McNemar's exact two-sided test.

    If the models were equally good, each row on which they differ would be a fair coin.

    Args:
        better: rows that only the second model has right.
        worse: rows that only the first has right.

    Source:
        Q. McNemar, Note on the sampling error of the difference between correlated proportions or
        percentages, Psychometrika 12 (1947) 153-157; in its exact, binomial form.
    """
    n, fewer = better + worse, min(better, worse)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**n))


def _answered(answer: Judged) -> str | None:
    return answer.gold if answer.score == 1.0 else answer.parsed


def _class_score(label: str, pairs: Mapping[tuple[str, str | None], int]) -> ClassScore:
    hits = pairs.get((label, label), 0)
    rows = sum(count for (gold, _), count in pairs.items() if gold == label)
    answers = sum(count for (_, answer), count in pairs.items() if answer == label)
    return ClassScore(
        rows=rows,
        precision=hits / answers if answers else None,
        recall=hits / rows if rows else None,
        f1=2 * hits / (rows + answers) if rows + answers else None,
    )


def _confusion(
    pairs: Mapping[tuple[str, str | None], int], labels: Sequence[str]
) -> dict[str, dict[str | None, int]]:
    """Return the counts, golds in the order of the labels, answers by name with unparsed at the end."""
    place = {label: i for i, label in enumerate(labels)}
    table: dict[str, dict[str | None, int]] = {}
    for gold, answer in sorted(pairs, key=lambda pair: (place[pair[0]], pair[1] is None, pair[1] or "")):
        table.setdefault(gold, {})[answer] = pairs[gold, answer]
    return table


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the means of resampled values."""
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(seed))
    n = len(values)
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    if len(distinct) <= _FEW_VALUES:
        means = generator.multinomial(n, counts / n, size=_RESAMPLES) @ distinct / n
    else:
        ordered, at_once = np.repeat(distinct, counts), max(1, _DRAWN // n)
        sizes = [min(at_once, _RESAMPLES - done) for done in range(0, _RESAMPLES, at_once)]
        means = np.concatenate([ordered[generator.integers(0, n, (size, n))].mean(axis=1) for size in sizes])
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
