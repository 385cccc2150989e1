"""Score an answerer on labelled rows: which of the labels it finds likeliest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finlora.answers import Answerer
from finlora.data import Row
from finlora.errors import DataError, Problem, UsageError

_MOST_LABELS = 50


@dataclass(frozen=True)
class EvalResult:
    """How well an answerer did.

    Args:
        n: rows.
        hits: rows whose target was the likeliest label.
        accuracy: hits / n.
        interval: 95% Wilson score interval of the accuracy.
        majority: accuracy of always answering the most frequent target.
        labels: the labels to choose from.
        rows_per_label: rows that have the label as target.
        recall: share of a label's rows that were hit; None for a label without rows.
        predictions: the likeliest label of each row, in order.
    """

    n: int
    hits: int
    accuracy: float
    interval: tuple[float, float]
    majority: float
    labels: tuple[str, ...]
    rows_per_label: dict[str, int]
    recall: dict[str, float | None]
    predictions: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def evaluate(
    answerer: Answerer,
    rows: Sequence[Row],
    labels: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> EvalResult:
    """Ask for the likeliest label of every row and count.

    Args:
        answerer: who is asked.
        rows: contexts with targets, at least one.
        labels: the labels to choose from; those of the rows unless given.
        progress: told the number of finished rows.

    Returns:
        The counts. Of equally likely labels the first counts.

    Raises:
        UsageError: more labels than a closed question has.
        DataError: targets that are none of the labels.
    """
    targets = [row.target.strip() for row in rows]
    chosen = tuple(sorted(set(targets)) if labels is None else dict.fromkeys(labels))
    if len(chosen) > _MOST_LABELS:
        raise UsageError(
            f"{len(chosen)} different targets: so far, eval scores closed labels only "
            f"(at most {_MOST_LABELS} different ones), not free answers"
        )
    problems = [
        Problem(f"line {row.line}: the target '{target}' is none of the labels: {', '.join(chosen)}")
        for row, target in zip(rows, targets, strict=True)
        if target not in chosen
    ]
    if problems:
        raise DataError(problems[:20])
    scores = answerer.label_scores([row.context for row in rows], chosen, progress=progress)
    predictions = tuple(chosen[row.index(max(row))] for row in scores)
    return _count(targets, chosen, predictions)


def _count(targets: list[str], labels: tuple[str, ...], predictions: tuple[str, ...]) -> EvalResult:
    from scipy.stats import binomtest

    right = Counter(t for t, p in zip(targets, predictions, strict=True) if t == p)
    total = Counter(targets)
    n, hits = len(targets), right.total()
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    return EvalResult(
        n=n,
        hits=hits,
        accuracy=hits / n,
        interval=(float(interval.low), float(interval.high)),
        majority=max(total.values()) / n,
        labels=labels,
        rows_per_label={label: total[label] for label in labels},
        recall={label: right[label] / total[label] if total[label] else None for label in labels},
        predictions=predictions,
    )
