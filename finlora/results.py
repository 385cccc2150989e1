"""The scores that `finlora eval` keeps: `results/VARIANT/RUN/DATASET.json`."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from finlora import record_checks
from finlora.errors import FinLoRAError
from finlora.files import write_json

FOLDER = "results"
SCHEMA = 1
_SHAPE: dict[str, record_checks.Check] = {
    "schema": record_checks.one_of(SCHEMA),
    "adapter_sha256": record_checks.text,
    "dataset": record_checks.text,
    "dataset_sha256": record_checks.text,
    "rows": record_checks.positive,
    "accuracy": record_checks.number,
    "interval": record_checks.pair_of(record_checks.number, record_checks.number),
    "majority": record_checks.number,
    "labels": record_checks.list_of(record_checks.text, least=1),
    "recall": record_checks.values_of(record_checks.optional(record_checks.number)),
}


@dataclass(frozen=True)
class Score:
    """How well one adapter did on one dataset; no date, so that equal scores are equal files.

    Args:
        adapter_sha256: digest of the adapter's weights.
        dataset: file name of the rows.
        dataset_sha256: digest of that file.
        rows: how many.
        accuracy: share of the rows whose target was the likeliest label.
        interval: 95% Wilson score interval of the accuracy.
        majority: accuracy of always answering the most frequent target.
        labels: the labels to choose from.
        recall: share of a label's rows that were hit; None for a label without rows.
    """

    adapter_sha256: str
    dataset: str
    dataset_sha256: str
    rows: int
    accuracy: float
    interval: tuple[float, float]
    majority: float
    labels: tuple[str, ...]
    recall: dict[str, float | None]


def keep(root: Path, variant: str, run: str, score: Score) -> Path:
    """Write a score in the place of an earlier one on a dataset of that name; return the file.

    Args:
        root: the project.
        variant: of the adapter.
        run: the adapter's name.
        score: what it reached.

    Raises:
        FinLoRAError: it can't be written.
    """
    path = root / FOLDER / variant / run / f"{Path(score.dataset).stem}.json"
    write_json(path, {"schema": SCHEMA, **asdict(score)})
    return path


def kept(root: Path, variant: str, run: str) -> list[Score]:
    """Return the scores of an adapter, by dataset name; arguments as for `keep`.

    Raises:
        FinLoRAError: a file is damaged; it and the key are named.
    """
    return [_read(path) for path in sorted((root / FOLDER / variant / run).glob("[!.]*.json"))]


def _read(path: Path) -> Score:
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, OSError) as error:
        raise FinLoRAError(f"{path}: can't be read: {error}\n{_again(path)}") from None
    damaged = record_checks.faults(value, _SHAPE)
    if damaged:
        raise FinLoRAError(f"{path}: {', '.join(damaged)} missing or damaged\n{_again(path)}")
    entries = {field.name: value[field.name] for field in fields(Score)}
    return Score(**{**entries, "interval": tuple(value["interval"]), "labels": tuple(value["labels"])})


def _again(path: Path) -> str:
    return f"Remove the file, or score again: finlora eval --adapter {path.parent.name} --data FILE"
