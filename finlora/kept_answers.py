"""Answers that are kept beside a result, row for row: of an evaluation that is over, or of one cut off.

`.STEM.part.jsonl` grows with every answer. `STEM.predictions.jsonl` has all of them, judged, once the
evaluation is over; the result beside it holds its digest and the key.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from finlora import record_checks, results
from finlora.errors import FinLoRAError
from finlora.files import sha256, write_atomic

_DIGEST = "predictions_sha256"


@dataclass(frozen=True)
class Answer:
    """The raw answer to one row.

    Args:
        prompt: SHA-256 of the text that was read.
        output: the text that was answered; empty where there is none.
        error: why there is no answer; None where there is one.
    """

    prompt: str
    output: str
    error: str | None = None


@dataclass(frozen=True)
class Kept:
    """What was answered before.

    Args:
        answers: line of the data file to its answer; rows without one are not among them.
        seconds: that they took.
        result: the record they belong to; None of an evaluation that was cut off.
    """

    answers: Mapping[int, Answer]
    seconds: float = 0.0
    result: results.Result | None = None


def find(folder: Path, stem: str, key: str) -> Kept:
    """Return the answers that an equal evaluation has left: equal in all that decides them.

    Args:
        folder: of the respondent, below `results/`.
        stem: of the evaluation's files.
        key: digest of all that decides the answers.
    """
    ended = [kept for name in (stem, f"{stem}.reference") if (kept := _ended(folder, name, key))]
    return max([*ended, _cut_off(folder, stem, key)], key=lambda kept: len(kept.answers))


def predictions(folder: Path, stem: str) -> Path:
    """Return the file of all judged answers."""
    return folder / f"{stem}.predictions.jsonl"


def write(path: Path, records: Iterable[Mapping[str, Any]]) -> str:
    """Write judged answers, a line each, whole or not at all; return the digest of the file."""
    write_atomic(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return sha256(path)


class Part:
    """Answers as they come, on disk at once.

    Args:
        folder: of the respondent.
        stem: of the evaluation's files.
        key: digest of all that decides the answers.
        kept: what is there already, and stays.
    """

    def __init__(self, folder: Path, stem: str, key: str, kept: Kept) -> None:
        self.path = _part(folder, stem)
        self.seconds = kept.seconds
        self.answered = 0
        self._before = kept.seconds
        self._key = key
        self._kept = kept
        self._file: TextIO | None = None

    def __enter__(self) -> "Part":
        lines = [{"key": self._key, "seconds": self._before}]
        lines += [_line(row, answer) for row, answer in self._kept.answers.items()]
        # Written anew: a line that a kill cut off must not stand in the middle.
        write_atomic(self.path, "".join(json.dumps(line) + "\n" for line in lines))
        self._file = self.path.open("a", encoding="utf-8")
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, row: int, answer: Answer) -> None:
        """Keep one more answer; one that failed is not kept, so that it is asked again."""
        self.seconds = self._before + time.monotonic() - self._started
        if answer.error is not None or self._file is None:
            return
        self.answered += 1
        try:
            self._file.write(json.dumps({**_line(row, answer), "seconds": round(self.seconds, 3)}) + "\n")
            self._file.flush()
        except OSError as error:
            raise FinLoRAError(f"{self.path}: can't be written: {error.strerror}") from None


def remove_part(folder: Path, stem: str) -> None:
    """Remove what an evaluation left on its way, now that it is over."""
    _part(folder, stem).unlink(missing_ok=True)


def _part(folder: Path, stem: str) -> Path:
    return folder / f".{stem}.part.jsonl"


def _line(row: int, answer: Answer) -> dict[str, Any]:
    return {"row": row, "prompt": answer.prompt, "output": answer.output}


def _ended(folder: Path, stem: str, key: str) -> Kept | None:
    """Return the answers of an evaluation that is over; None where they are not those of its result."""
    path, lines = folder / f"{stem}.json", predictions(folder, stem)
    if not path.is_file() or not lines.is_file():
        return None
    try:
        result = results.read(path)
    except FinLoRAError:
        # Damaged: it gives way to the new one.
        return None
    if result.key != key or result.settings.get(_DIGEST) != sha256(lines):
        return None
    return Kept(_answers(_records(lines)), result.seconds, result)


def _cut_off(folder: Path, stem: str, key: str) -> Kept:
    path = _part(folder, stem)
    records = _records(path) if path.is_file() else []
    if not records or records[0].get("key") != key:
        return Kept({})
    times = [record["seconds"] for record in records if record_checks.number(record.get("seconds"))]
    return Kept(_answers(records), max(times, default=0.0))


def _records(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file; a kill may have cut off the last one."""
    records = []
    for line in path.read_bytes().split(b"\n"):
        try:
            value = json.loads(line)
            # Half a character could not be written again.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            records.append(value)
    return records


def _answers(records: Iterable[Mapping[str, Any]]) -> dict[int, Answer]:
    return {
        record["row"]: Answer(record["prompt"], record["output"])
        for record in records
        if record_checks.positive(record.get("row"))
        and record_checks.text(record.get("prompt"))
        and record_checks.text(record.get("output"))
        and record.get("error") is None
    }
