"""What `finlora eval` keeps: `results/VARIANT/RUN/TASK.json`, one record for each score."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from finlora import record_checks
from finlora.errors import FinLoRAError
from finlora.files import write_json

FOLDER = "results"
SCHEMA = 2
# Folders of what is no adapter on the shelf; those of adapters are called by their variant.
BASE, ENDPOINT, ELSEWHERE = "base", "endpoint", "elsewhere"
KINDS = ("adapter", "base", "endpoint")
METRICS = ("accuracy", "bertscore_f1", "rouge_l")

_share = record_checks.number
_interval = record_checks.pair_of(record_checks.number, record_checks.number)
_SHAPE: dict[str, record_checks.Check] = {
    "schema": record_checks.one_of(SCHEMA),
    "key": record_checks.text,
    "respondent.kind": record_checks.one_of(*KINDS),
    "respondent.name": record_checks.text,
    "respondent.adapter_sha256": record_checks.optional(record_checks.text),
    "respondent.base_model": record_checks.optional(record_checks.text),
    "task": record_checks.text,
    "family": record_checks.optional(record_checks.text),
    "kind": record_checks.text,
    "scorer": record_checks.one_of("finlora", "reference"),
    "decode": record_checks.one_of("labels", "generate"),
    "dataset": record_checks.text,
    "dataset_sha256": record_checks.text,
    "limit": record_checks.optional(record_checks.positive),
    "metric": record_checks.one_of(*METRICS),
    "score": _share,
    "interval": _interval,
    "rows": record_checks.positive,
    "errors": record_checks.count,
    "unparsed": _share,
    **dict.fromkeys(["majority", "weighted_f1", "macro_f1"], record_checks.optional(_share)),
    "also": record_checks.values_of(record_checks.number),
    "classes": record_checks.values_of(record_checks.record),
    "confusion": record_checks.list_of(
        lambda cell: (
            isinstance(cell, list)
            and len(cell) == 3
            and record_checks.text(cell[0])
            and record_checks.optional(record_checks.text)(cell[1])
            and record_checks.positive(cell[2])
        )
    ),
    "seconds": record_checks.number,
    "rows_per_second": record_checks.optional(record_checks.number),
    "settings": record_checks.record,
    "versions": record_checks.values_of(record_checks.text),
    "against": record_checks.optional(record_checks.record),
}
_AGAINST: dict[str, record_checks.Check] = {
    "against.name": record_checks.text,
    "against.difference": record_checks.number,
    "against.interval": _interval,
    "against.p_value": record_checks.optional(record_checks.number),
    **dict.fromkeys(["against.better", "against.worse"], record_checks.count),
    "against.got_worse": record_checks.list_of(record_checks.positive),
}


@dataclass(frozen=True)
class Result:
    """How well somebody did on one task; no date, so that equal scores are equal files but for times.

    Args:
        key: digest of all that decides the answers: weights, prompt, rows, decoding, versions.
        respondent: who answered: `kind` (one of KINDS), `name`, `variant`, `adapter_sha256`, `base_model`,
            `base_identity`, `quant_bits`, `prompt_style`, or `url` and `model` of an endpoint.
        task: its id, or the stem of the data file's name.
        family: of the task; None for a file of the user's.
        kind: of the answers, one of `metrics.KINDS`.
        scorer: `finlora`, or `reference` for the benchmark's own rule.
        decode: `labels` (the likeliest label) or `generate` (text, then parsed).
        dataset: file name of the rows.
        dataset_sha256: digest of that file.
        limit: rows drawn from the file; None for all.
        metric: what `score` is, one of METRICS.
        score: mean over the rows, 0 to 1.
        interval: its 95% interval.
        rows: how many were asked.
        errors: rows without an answer, as of a failed request; they count as wrong.
        unparsed: share of the rows from whose output no answer could be read, errors included.
        majority: score of always giving the most frequent right answer; None for free text.
        weighted_f1: F1 over the labels, weighted by their rows; None for free text.
        macro_f1: plain mean of F1 over the labels; None for free text.
        also: further scores by name, as `rouge_l`.
        classes: label to `rows`, `precision`, `recall`, `f1`.
        confusion: [right answer, given answer (None: unparsed), rows].
        seconds: that the answers took, over all goes.
        rows_per_second: answers per second; None where every answer was there already.
        settings: `prompt_sha256`, `dtype`, `device`, `batch_tokens`, `max_new_tokens`, `seed`, ….
        versions: of the packages that answered and scored.
        against: paired with a baseline: `name`, `difference`, `interval`, `p_value`, `better`, `worse`,
            `got_worse` (lines of the data file); None without one.
    """

    key: str
    respondent: Mapping[str, Any]
    task: str
    family: str | None
    kind: str
    scorer: str
    decode: str
    dataset: str
    dataset_sha256: str
    limit: int | None
    metric: str
    score: float
    interval: tuple[float, float]
    rows: int
    errors: int
    unparsed: float
    majority: float | None
    weighted_f1: float | None
    macro_f1: float | None
    also: Mapping[str, float]
    classes: Mapping[str, Mapping[str, Any]]
    confusion: Sequence[tuple[str, str | None, int]]
    seconds: float
    rows_per_second: float | None
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    against: Mapping[str, Any] | None = None

    @property
    def adapter_sha256(self) -> str | None:
        """Digest of the adapter's weights; None for who is no adapter."""
        return self.respondent.get("adapter_sha256")

    @property
    def title(self) -> str:
        """What was scored, and what is special about it, in words."""
        special = [
            (self.family is None and self.kind not in ("label", "letter"), self.kind),
            ("as_published" in self.dataset, "as published"),
            (self.decode == "generate" and self.kind in ("label", "letter"), "generated"),
            (self.limit is not None, f"{self.limit} rows"),
            (self.scorer == "reference", "the benchmark's rule"),
        ]
        words = [word for is_so, word in special if is_so]
        return f"{self.task} ({', '.join(words)})" if words else self.task

    def to_record(self) -> dict[str, Any]:
        """Return what is written, and what `--json` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def keep(path: Path, result: Result) -> None:
    """Write a result, in the place of an earlier one.

    Raises:
        FinLoRAError: it can't be written.
    """
    write_json(path, result.to_record())


def kept(root: Path, variant: str, run: str) -> list[Result]:
    """Return the results of an adapter, by file name.

    Args:
        root: the project.
        variant: of the adapter, or one of BASE, ENDPOINT, ELSEWHERE.
        run: the adapter's name.

    Raises:
        FinLoRAError: a file is damaged; it and the key are named.
    """
    return [read(path) for path in files(root / FOLDER / variant / run)]


def files(folder: Path) -> list[Path]:
    """Return the files of results that lie in the folder of an adapter, by name."""
    return sorted(folder.glob("[!.]*.json"))


def read(path: Path) -> Result:
    """Read one result; errors as in `kept`."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, OSError) as error:
        raise FinLoRAError(f"{path}: can't be read: {error}\n{_again(path)}") from None
    damaged = record_checks.faults(value, _SHAPE)
    if not damaged and value["against"]:
        damaged = record_checks.faults(value, _AGAINST)
    if damaged:
        raise FinLoRAError(f"{path}: {', '.join(damaged)} missing or damaged\n{_again(path)}")
    entries = {field.name: value[field.name] for field in fields(Result)}
    cells = tuple((gold, answer, count) for gold, answer, count in value["confusion"])
    return Result(**{**entries, "interval": tuple(value["interval"]), "confusion": cells})


def _again(path: Path) -> str:
    return (
        f"Remove the file, or score again: finlora eval --adapter {path.parent.name} "
        f"--task {path.name.partition('.')[0]}"
    )
