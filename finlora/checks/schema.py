"""Reading a file for checking: everything that training would refuse, and rows that say nothing."""

import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from finlora import data
from finlora.checks import Finding, Rows, finding, rows_of
from finlora.errors import DataError, Problem

# Columns that say where a row comes from; `finlora.checks.leaks` compares them.
ORIGINS = ("company", "document", "url", "year", "date")
# Part of a problem's message: its code.
_CODES = {
    "not JSON": "json",
    "nested": "json",
    "not UTF-8": "utf-8",
    "JSON object": "not-an-object",
    "is missing": "column",
    "must be text": "type",
    "is empty": "empty",
    "half a character": "half-character",
}
_MEND = "Mend or remove these lines; training would stop at them"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NAN_TARGET = re.compile(r"(?:nan|none|null|nat|<na>|#n/a|undefined)\.?", re.IGNORECASE)
# A field of the prompt that was filled with a missing value: "term: nan. Answer:", "Input: null".
_NAN_CONTEXT = re.compile(
    r"[:=][ \t\"']*+(?:nan|null|nat|<na>|#n/a|undefined)[\"']?[ \t]*+[.,;]?[ \t]*+(?:$|\n|(?=\w+:))",
    re.IGNORECASE,
)


def read(path: Path) -> tuple[Rows, list[Finding]]:
    """Read a file, and keep every fault beside the sound rows.

    Args:
        path: a JSONL dataset.

    Returns:
        The sound rows, and what is wrong with the others or with the file.
    """
    name = str(path)
    try:
        start = _first_bytes(path)
        if start.startswith(_UTF16):
            advice = "Save it as UTF-8: iconv -f UTF-16 -t UTF-8"
            return Rows(name, ()), [finding("error", "utf-8", name, [1], "the file is UTF-16 text", advice)]
        lines = data.read_lines(path)
    except DataError as error:
        message = "; ".join(problem.message for problem in error.problems)
        code = "file" if os.path.lexists(path) else "missing"
        return Rows(name, ()), [finding("error", code, name, [], message, "Check the path")]
    found = []
    if start.startswith(b"\xef\xbb\xbf"):
        words = "the file starts with a byte order mark"
        found = [finding("note", "bom", name, [1], words, "FinLoRA passes over it; other programs may not")]
    rows, faults = _parse(lines, name)
    return rows, [*found, *faults, *_missing(rows)]


def _first_bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""  # What it is instead, `data.read_lines` says.
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _parse(lines: list[tuple[int, bytes]], name: str) -> tuple[Rows, list[Finding]]:
    rows: list[data.Row] = []
    columns: dict[str, list[str]] = {column: [] for column in ORIGINS}
    problems: dict[str, list[Problem]] = defaultdict(list)
    twice: list[int] = []
    for line, raw in lines:
        value = data.parse_line(raw, name, line)
        row = value if isinstance(value, Problem) else data.checked_row(value, name, line)
        if isinstance(row, Problem):
            problems[_code(row)].append(row)
            continue
        rows.append(row)
        for column, values in columns.items():
            values.append(_text(value.get(column)))  # type: ignore[union-attr]
        if any(raw.count(b'"' + column.encode() + b'"') > 1 for column in data.COLUMNS) and _repeats(raw):
            twice.append(line)
    found = [
        finding("error", code, name, [p.line or 0 for p in these], _words(these), _MEND)
        for code, these in problems.items()
    ]
    if twice:
        words = f"{rows_of(len(twice), 'name')} a column twice; only the last value counts"
        found.append(finding("error", "column-twice", name, twice, words, "Name each column once"))
    kept = {column: values for column, values in columns.items() if any(values)}
    return Rows(name, tuple(rows), kept), found


def _code(problem: Problem) -> str:
    return next((code for words, code in _CODES.items() if words in problem.message), "row")


def _words(problems: list[Problem]) -> str:
    more = "" if len(problems) == 1 else f", and {len(problems) - 1:,} more like it"
    return f"{problems[0].message}{more}"


def _text(value: Any) -> str:
    """Return a value of a column that says where a row belongs, or "" for what can't be compared."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _repeats(raw: bytes) -> bool:
    """Return whether an object names a column twice; texts may hold the name too, so it is parsed again."""
    pairs: list[list[tuple[str, Any]]] = []
    json.loads(raw, object_pairs_hook=pairs.append)
    names = [key for key, _ in pairs[-1]]
    return any(names.count(column) > 1 for column in data.COLUMNS)


def _missing(rows: Rows) -> list[Finding]:
    targets = [row.line for row in rows.rows if _NAN_TARGET.fullmatch(row.target.strip())]
    # A closed answer may be the word "none"; one missing value in a table is never a third of it.
    if len(targets) * 3 > len(rows.rows) > 3:
        targets = []
    contexts = [row.line for row in rows.rows if _NAN_CONTEXT.search(row.context)]
    advice = "An empty cell became a word: drop these rows or fill in the value"
    found = []
    if targets:
        words = f"{rows_of(len(targets))} with a missing value (nan, none, null) as the answer"
        found.append(finding("error", "nan-target", rows.file, targets, words, advice))
    if contexts:
        words = f"{rows_of(len(contexts), 'ask')} about a missing value (nan, null)"
        found.append(finding("error", "nan-context", rows.file, contexts, words, advice))
    return found
