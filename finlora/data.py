"""Dataset rows: read and check them, split them; every complaint carries file, line and column."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from finlora.errors import DataError, Problem
from finlora.files import write_atomic
from finlora.json_text import printable

COLUMNS = ("context", "target")
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_PROBLEMS = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One example.

    Args:
        context: what the model is given.
        target: the answer it is to learn.
        line: 1-based line in its file.
    """

    context: str
    target: str
    line: int


def read_rows(path: Path, columns: Sequence[str] = COLUMNS) -> list[Row]:
    """Read a JSONL dataset, and check every row before anything is done with one.

    Args:
        path: the file, one JSON object a line; blank lines are passed over.
        columns: the columns every row must have; without `target`, targets are empty.

    Returns:
        The rows in file order.

    Raises:
        DataError: the file is missing, empty or no dataset, or rows are faulty (the first 20 faults).
    """
    return parse_rows(read_lines(path), path, columns)


def read_lines(path: Path) -> list[tuple[int, bytes]]:
    """Return the lines of a JSONL dataset that hold something, with their 1-based numbers, unchecked.

    Raises:
        DataError: the file is missing, holds no line, or is no dataset.
    """
    name = str(path)
    if not path.is_file():
        kind = "is no regular file" if path.exists() else "no such dataset file"
        kind = "is a folder, not a JSONL file" if path.is_dir() else kind
        raise DataError(
            [Problem(kind, name)], "Check dataset_path; `finlora configs list` shows what is present"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError([Problem(f"can't be read: {error.strerror}", name)]) from None
    if content.startswith(LFS_POINTER):
        raise DataError(
            [Problem("is a Git LFS pointer, not data", name)], "Fetch the file itself: git lfs pull"
        )
    numbered = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    lines = [(line, raw) for line, raw in numbered if raw.strip()]
    if not lines:
        raise DataError([Problem("holds no row", name)])
    return lines


def parse_rows(lines: Sequence[tuple[int, bytes]], path: Path, columns: Sequence[str] = COLUMNS) -> list[Row]:
    """Check lines of `read_lines` and return their rows; arguments and errors as in `read_rows`."""
    name = str(path)
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, raw in lines:
        row = _read_row(raw, name, line, columns)
        if isinstance(row, Row):
            rows.append(row)
        else:
            problems.append(row)
    if len(problems) > _MOST_PROBLEMS:
        more = Problem(f"{len(problems) - _MOST_PROBLEMS} more faulty lines", name)
        problems = [*problems[:_MOST_PROBLEMS], more]
    if problems:
        raise DataError(problems)
    return rows


def _read_row(raw: bytes, file: str, line: int, columns: Sequence[str]) -> Row | Problem:
    value = parse_line(raw, file, line)
    return value if isinstance(value, Problem) else checked_row(value, file, line, columns)


def parse_line(raw: bytes, file: str, line: int) -> dict[str, Any] | Problem:
    """Return the JSON object of one line of `read_lines`, or what is wrong with it.

    Args:
        raw: the line.
        file: its file, for the problem.
        line: its 1-based number.
    """
    try:
        # Decoded here: json would also take UTF-16, and half characters written as bytes.
        value: Any = json.loads(raw.decode())
    except json.JSONDecodeError as error:
        return Problem(f"not JSON: {error.msg}", file, line, error.colno)
    except UnicodeDecodeError as error:
        return Problem("not UTF-8 text", file, line, error.start + 1)
    except RecursionError:
        return Problem("nested too deeply", file, line)
    except ValueError as error:
        # A whole number of more digits than Python reads.
        return Problem(f"not JSON: {error}", file, line)
    if not isinstance(value, dict):
        return Problem("a row is a JSON object", file, line)
    return value


def checked_row(
    value: dict[str, Any], file: str, line: int, columns: Sequence[str] = COLUMNS
) -> Row | Problem:
    """Return the row that a line's object stands for, or what is wrong with it; further columns are fine."""
    for column in columns:
        if column not in value:
            found = printable(", ".join(value)) or "none"
            return Problem(f"the column '{column}' is missing; columns found: {found}", file, line)
        text = value[column]
        if not isinstance(text, str):
            return Problem(f"'{column}' is {json.dumps(text)[:40]}; it must be text", file, line)
        if not text.strip():
            return Problem(f"'{column}' is empty", file, line)
        if re.search("[\ud800-\udfff]", text):
            return Problem(
                f"'{column}' holds half a character (a lone surrogate, \\ud800 to \\udfff)", file, line
            )
    return Row(value["context"], value["target"] if "target" in columns else "", line)


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as JSONL: one JSON object a line, in UTF-8."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as JSONL, whole or not at all."""
    write_atomic(path, jsonl(rows))


def split(rows: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """Split rows at random into training and validation rows.

    Args:
        rows: what to split.
        share: share of the validation rows, 0 to below 1. A share above 0 gives at least one row
            where there are two or more.
        seed: decides the split.

    Returns:
        Training rows and validation rows, both in their first order.
    """
    held = round(len(rows) * share)
    if share > 0 and len(rows) > 1:
        held = min(max(held, 1), len(rows) - 1)
    chosen = set(random.Random(seed).sample(range(len(rows)), held))
    train = [row for i, row in enumerate(rows) if i not in chosen]
    return train, [row for i, row in enumerate(rows) if i in chosen]


def length_order(lengths: Sequence[int], step_rows: int, seed: int) -> list[int]:
    """Return an order of rows in which the rows of one step are about equally long.

    Rows are shuffled, then sorted by length within pools of 50 steps, and the steps are shuffled:
    little padding, and the order is fixed once, so that a resumed training sees the same rows. The
    step with the longest rows comes first: what does not fit in memory fails in the first minute.

    Args:
        lengths: tokens of each row.
        step_rows: rows of one optimiser step over all processes.
        seed: decides the order.

    Returns:
        Row numbers, each once.
    """
    chance = random.Random(seed)
    rows = chance.sample(range(len(lengths)), len(lengths))
    longest = max(lengths, default=0)
    # The longest go into the first pool: that one has a whole step for them.
    rows.sort(key=lambda r: lengths[r] < longest)
    size = 50 * step_rows
    pools = [
        sorted(rows[start : start + size], key=lambda r: (lengths[r], r))
        for start in range(0, len(rows), size)
    ]
    # An incomplete step comes last, as in the middle it would shift every later step; it takes the
    # shortest rows of the last pool, so that the longest are not met at the very end.
    rest = len(rows) % step_rows
    last = pools[-1][:rest] if rest else []
    kept = [*pools[:-1], pools[-1][rest:]] if rest else pools
    rows = [row for pool in kept for row in pool]
    steps = [rows[start : start + step_rows] for start in range(0, len(rows), step_rows)]
    chance.shuffle(steps)
    steps.sort(key=lambda step: max(lengths[r] for r in step) < longest)
    return [*(row for step in steps for row in step), *last]
