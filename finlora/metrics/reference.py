"""The FinLoRA benchmark's own scoring rule, so that its published numbers can be compared.

Use it for that alone: it counts wrong answers as right and right ones as wrong (docs/scores.md).

The labels are the different golds of the whole test set. The label found earliest in the output, as a piece
of text and without regard to capitals, is the answer. Where several begin at that place, the longer ones
begin with the shorter: the benchmark then takes the first in the order of a Python set, which changes from
process to process. Here it is the first in alphabetical order, which is the shortest. `accuracy_range` tells
how far any other order could move the score.
"""

import math
from collections import Counter
from collections.abc import Sequence

from finlora.metrics import Judged


def judge_all(outputs: Sequence[str], golds: Sequence[str]) -> list[Judged]:
    """Judge outputs as the benchmark does.

    Args:
        outputs: raw texts, one for each gold; not cleaned, as their letters decide the F1.
        golds: right answers of the whole test set: they are the labels too.

    Returns:
        In order; `parsed` is the label that was found, right or wrong; None where the output holds none.

    Source:
        The public FinLoRA repository, commit 7e1cf82 (2025-08-06), `test/test_dataset.py`; in our own words.
    """
    judged = []
    for tied, gold in zip(_earliest(outputs, golds), golds, strict=True):
        found = tied[0] if tied else None
        judged.append(Judged(found, gold, 1.0 if found == gold else 0.0))
    return judged


def weighted_f1(judged: Sequence[Judged], outputs: Sequence[str]) -> float:
    """Return the benchmark's F1, 0 to 1, weighted by the golds' rows.

    A right answer enters as its gold. Any other enters as its raw text, mostly a class of its own: then it is
    a miss of its gold but no false alarm for another label, precision is 1, and with an accuracy `a` in every
    class F1 is 2a / (1 + a), however bad the errors are.

    Args:
        judged: at least one answer, of `judge_all`.
        outputs: the raw texts they were read from.
    """
    entered = [j.gold if j.score else output for j, output in zip(judged, outputs, strict=True)]
    rows, answers = Counter(j.gold for j in judged), Counter(entered)
    hits = Counter(j.gold for j in judged if j.score)
    parts = [rows[label] * 2 * hits[label] / (rows[label] + answers[label]) for label in rows]
    return math.fsum(parts) / len(judged)


def accuracy_range(outputs: Sequence[str], golds: Sequence[str]) -> tuple[float, float]:
    """Return between which accuracies the order of the labels can move the score.

    Args:
        outputs: as for `judge_all`, at least one.
        golds: as for `judge_all`.

    Returns:
        The share of the rows that are right in any order, and the share of those that are right in some.
    """
    found = _earliest(outputs, golds)
    always = sum(tied == [gold] for tied, gold in zip(found, golds, strict=True))
    sometimes = sum(gold in tied for tied, gold in zip(found, golds, strict=True))
    return always / len(golds), sometimes / len(golds)


def one_by_one(outputs: Sequence[str], golds: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take apart answers that are lists with commas (batched tags), by position, as the benchmark does.

    A list that is too short is filled up with empty texts, one that is too long is cut off.

    Args:
        outputs: raw texts.
        golds: one for each of them.

    Returns:
        Outputs and golds, as many as the golds have parts.
    """
    flat_outputs: list[str] = []
    flat_golds: list[str] = []
    for output, gold in zip(outputs, golds, strict=True):
        wanted = [part.strip() for part in gold.split(",")]
        given = [part.strip() for part in output.split(",")][: len(wanted)]
        flat_golds += wanted
        flat_outputs += given + [""] * (len(wanted) - len(given))
    return flat_outputs, flat_golds


def _earliest(outputs: Sequence[str], golds: Sequence[str]) -> list[list[str]]:
    """Return for each output the labels that begin at the earliest place where any does, shortest first."""
    # Spelt alike but for capitals: the capital first.
    labels = sorted((label.lower(), label) for label in set(golds))
    found = []
    for output in outputs:
        text = output.lower()
        places = {label: place for small, label in labels if (place := text.find(small)) >= 0}
        first = min(places.values(), default=None)
        found.append([label for label, place in places.items() if place == first])
    return found
