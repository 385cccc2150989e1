"""Rows that stand there twice, and questions with two answers, inside a file and between train and test."""

import unicodedata
from collections import defaultdict
from hashlib import blake2b

from finlora.checks import Finding, Rows, finding, rows_of
from finlora.data import Row

_ONCE = "Keep one of each: a repeated row weighs more in training, and counts more than once in a score"
_CONTRADICTS = "Find out which answer is right and drop the others"


def normalised(text: str) -> str:
    """Return a text without differences of case, spaces, form of characters and a dot at its end."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(plain.casefold().split()).rstrip(" .")


def inside(rows: Rows) -> tuple[list[Finding], set[int]]:
    """Look for rows that repeat an earlier one of their file.

    Returns:
        Findings, and the lines of all repeated rows (the first of each left out).
    """
    exact: dict[bytes, int] = {}
    alike: dict[bytes, int] = {}
    copies: dict[int, int] = {}
    near_copies: dict[int, int] = {}
    for row in rows.rows:
        first = exact.setdefault(_digest(row.context, row.target), row.line)
        near = alike.setdefault(_pair(row), row.line)
        if first != row.line:
            copies[row.line] = first
        elif near != row.line:
            near_copies[row.line] = near
    found = []
    if copies:
        words = f"{rows_of(len(copies), 'repeat')} an earlier row to the letter"
        found.append(
            finding("warning", "repeated", rows.file, copies, words, _ONCE, pairs=(rows.file, copies))
        )
    if near_copies:
        words = f"{rows_of(len(near_copies), 'repeat')} an earlier row but for case, spaces or a dot"
        pairs = (rows.file, near_copies)
        found.append(finding("warning", "repeated-alike", rows.file, near_copies, words, _ONCE, pairs=pairs))
    return found + _contradictions(rows), {*copies, *near_copies}


def _contradictions(rows: Rows) -> list[Finding]:
    answers: dict[bytes, dict[bytes, int]] = defaultdict(dict)
    for row in rows.rows:
        answers[_digest(normalised(row.context))].setdefault(_digest(normalised(row.target)), row.line)
    groups = [sorted(lines.values()) for lines in answers.values() if len(lines) > 1]
    if not groups:
        return []
    count = f"{len(groups):,} question{'s' * (len(groups) != 1)}"
    words = f"{count} with more than one answer"
    partners = {line: lines[0] for lines in groups for line in lines[1:]}
    pairs = (rows.file, partners)
    return [
        finding(
            "error",
            "contradiction",
            rows.file,
            partners,
            words,
            _CONTRADICTS,
            pairs=pairs,
            figures={"questions": len(groups)},
        )
    ]


def between(train: Rows, test: Rows) -> list[Finding]:
    """Look for questions of the test file that stand in the training file."""
    seen: dict[bytes, tuple[int, bytes]] = {}
    exact = {_digest(row.context) for row in train.rows}
    for row in train.rows:
        seen.setdefault(_digest(normalised(row.context)), (row.line, _digest(normalised(row.target))))
    shared: dict[int, int] = {}
    other: dict[int, int] = {}
    verbatim = 0
    for row in test.rows:
        line, target = seen.get(_digest(normalised(row.context)), (0, b""))
        if not line:
            continue
        same = target == _digest(normalised(row.target))
        (shared if same else other)[row.line] = line
        verbatim += _digest(row.context) in exact
    figures = {"verbatim": verbatim, "test_rows": len(test.rows)}
    measures = "Take them out of one of the two files: a score on them measures memory"
    kinds = {
        "test-in-train": (shared, "found in training, question and answer", measures),
        "contradiction-between": (other, "asked in training with another answer", _CONTRADICTS),
    }
    return [
        finding(
            "error",
            code,
            test.file,
            lines,
            f"{rows_of(len(lines))} of the test {words}",
            advice,
            pairs=(train.file, lines),
            figures=figures,
        )
        for code, (lines, words, advice) in kinds.items()
        if lines
    ]


def _digest(*texts: str) -> bytes:
    return blake2b("\0".join(texts).encode(), digest_size=16).digest()


def _pair(row: Row) -> bytes:
    return _digest(normalised(row.context), normalised(row.target))
