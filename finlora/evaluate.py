"""Score an answerer on labelled rows: which of the labels it finds likeliest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finlora import adapters, results
from finlora.answers import Answerer
from finlora.data import Row
from finlora.errors import DataError, FinLoRAError, Problem, UsageError
from finlora.files import sha256

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


def keep(result: EvalResult, adapter: str, base: str, source: Path, root: Path | None) -> str:
    """Keep what an adapter reached in its project's `results/`, and say where, or why not.

    Kept is what belongs to the adapter alone: reached on its own base model, with the prompt it names.

    Args:
        result: what it reached.
        adapter: its folder or run name.
        base: identity of the base model it answered on.
        source: the dataset.
        root: the project; None when there is none around.

    Returns:
        A line for the user. A score that can't be written is no reason to fail: it has been shown.
    """
    found = adapters.find(adapter, root)
    place = adapters.shelved(found.folder, root) if root else None
    if root is None or place is None:
        return f"score not kept: {found.folder} is not on the shelf of a project"
    if found.manifest is None:
        return f"score not kept: {found.folder} has no {adapters.MANIFEST}"
    if found.manifest["base_model"].get("identity") != base:
        return "score not kept: it was reached on another base model than the adapter's own"
    score = results.Score(
        adapter_sha256=found.weights_sha256(),
        dataset=source.name,
        dataset_sha256=sha256(source),
        rows=result.n,
        accuracy=result.accuracy,
        interval=result.interval,
        majority=result.majority,
        labels=result.labels,
        recall=result.recall,
    )
    try:
        return f"score kept: {results.keep(root, *place, score)}"
    except FinLoRAError as error:
        return f"score not kept: {error}"


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
