"""Financial maths: a sheet with a formula in each row, its 20 questions and answers beside it.

`finlora/files/formula_corrections.json` holds what an independent recomputation of all 1,000 answers found:
for each of these questions, known by a digest of its text, the published answer, a verdict and the right
answer where it is certain. `corrected`: the published answer was wrong. `rounding`: it was off in its last
digit. `ambiguous` and `unanswerable`: the question has no certain answer and the published one is wrong, so
it becomes no row.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from finlora.converters import Converted, Dropped, Record
from finlora.converters.mending import broken, clean_text
from finlora.converters.records import CELL, TEXT, Pairs, Row, all_of, check, drop, each_once, fill
from finlora.tasks import Task

_CORRECTIONS = Path(__file__).parents[1] / "files" / "formula_corrections.json"
_QUESTIONS, _TRAINING = 20, 16
_NAME, _FORMULA, _MEANING = "Formula Name", "Formula", "Explanation"
_COLUMNS = {_NAME: TEXT, _FORMULA: CELL, _MEANING: CELL} | {
    f"{kind} {number}": CELL for number in range(1, _QUESTIONS + 1) for kind in ("Question", "Answer")
}
# A question begins with its number; the published rows cut three characters, which leaves a space from 10 on.
_PUBLISHED_CUT = 3
# 28 digits are exact in Python's decimals.
_TOO_LARGE = Decimal(10) ** 20
_NUMBER = re.compile(r"\s*\d{1,2}\.(?!\d)\s*")
_MISSING = "no question or no answer"
_FORM = "an answer with two decimals, as the prompt asks"
_SPACE = "a space too many before the question"
_NO_ROW = {
    "ambiguous": "the published answer is wrong, and the question has no certain one",
    "unanswerable": "the question can't be answered with what it says",
}
_MENDED = {"corrected": "a wrong answer corrected", "rounding": "an answer rounded wrongly"}


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended.

    The prompt has {Formula Name}, {Formula}, {Explanation} and {Question}. Of each formula the first 16
    questions train, the last 4 test, in both ways.

    Raises:
        DataError: a record lacks a column, or holds something that is no cell of a table.
        UsageError: the task's prompt can't be used.
    """
    check(records, _COLUMNS)
    dropped: list[Dropped] = []
    mended: Counter[str] = Counter()
    sides: dict[str, Pairs] = {"train": [], "test": []}
    for record in all_of(records):
        for number in range(1, _QUESTIONS + 1):
            question, answer = (record.values[f"{kind} {number}"] for kind in ("Question", "Answer"))
            if any(value is None or not str(value).strip() for value in (question, answer)):
                row: Row | str = _MISSING
            elif as_published:
                row = _row(task, record, str(question)[_PUBLISHED_CUT:], _as_pandas(answer))
            else:
                row = _mended(task, record, str(question), answer, mended)
            if isinstance(row, str):
                dropped.append(drop(record, row))
            else:
                sides["train" if number <= _TRAINING else "test"].append((record, row))
    if as_published:
        return Converted({side: [row for _, row in pairs] for side, pairs in sides.items()}, tuple(dropped))
    rows = each_once(sides["train"], sides["test"], dropped)
    return Converted(rows, tuple(dropped), dict(mended))


def _mended(task: Task, record: Record, raw: str, answer: Any, mended: Counter[str]) -> Row | str:
    """Return a question's mended row, or why it has none; counts what was changed."""
    question, changes = clean_text(_NUMBER.sub("", raw, count=1).strip())
    if why := broken(question):
        return f"question: {why}"
    value = _number(answer)
    if value is None:
        return "the answer is no number"
    known = _corrections().get((record.values[_NAME].strip(), digest(question)))
    # An answer that its source has mended since then stays.
    if known and Decimal(known["published"]) == value:
        if known["verdict"] in _NO_ROW:
            return _NO_ROW[known["verdict"]]
        value = Decimal(known["value"])
        mended[_MENDED[known["verdict"]]] += 1
    elif "." not in (shown := _as_pandas(answer)) or len(shown.partition(".")[2]) != 2:
        mended[_FORM] += 1
    mended[_SPACE] += raw[_PUBLISHED_CUT:] != raw[_PUBLISHED_CUT:].lstrip()
    mended.update(changes)
    # Adding 0 takes the sign off -0.00.
    target = value.quantize(Decimal("0.01"), ROUND_HALF_UP) + 0
    return _row(task, record, question, str(target))


def _number(answer: Any) -> Decimal | None:
    """Return a cell's number, unless it is none or too large for two decimals."""
    try:
        value = Decimal(str(answer).strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < _TOO_LARGE else None


def _row(task: Task, record: Record, question: str, target: str) -> Row:
    cells = {column: str(record.values[column]) for column in (_NAME, _FORMULA, _MEANING)}
    return {"context": fill(task, **cells, Question=question), "target": target}


def _as_pandas(answer: Any) -> str:
    """Return a number of a sheet as pandas writes it: 400 is 400.0."""
    return str(float(answer)) if isinstance(answer, int) else str(answer)


def digest(question: str) -> str:
    """Return what a question is known by: 16 hexadecimal digits of the SHA-256 of its text.

    Args:
        question: without its number; how its words are spaced makes no difference.
    """
    return hashlib.sha256(" ".join(question.split()).encode()).hexdigest()[:16]


@cache
def _corrections() -> dict[tuple[str, str], dict[str, str]]:
    entries = json.loads(_CORRECTIONS.read_text(encoding="utf-8"))["questions"]
    return {(entry["formula"], entry["question"]): entry for entry in entries}
