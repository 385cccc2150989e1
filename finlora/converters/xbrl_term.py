"""Terms of the US GAAP taxonomy and what they mean.

The published rows take a table's cells as pandas reads them: an empty one, and texts such as "N/A", become
the text "nan". Mended, definitions that share 8 of 10 words stay on one side of the split, since half of the
published test definitions have a training definition nearly their own.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from finlora.converters import Converted, Dropped, Record
from finlora.converters.mending import broken, clean_text, keep_groups_apart, same, sklearn_split
from finlora.converters.near import clusters
from finlora.converters.records import CELL, REPEATED, Row, all_of, check, drawn, drop, each_once, fill
from finlora.tasks import Task

_TERM, _MEANING = "Term", "Explanation"
_COLUMNS = {_TERM: CELL, _MEANING: CELL}
# What pandas takes for an empty cell: https://pandas.pydata.org/docs/reference/api/pandas.read_excel.html
_EMPTY = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"}
    | {"N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
_NEAR = 0.8
_DEFINED_OTHERWISE = "an earlier row defines the same term otherwise"
_ONE_SIDE = "its definition is nearly another's; both are on one side"


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended; the prompt has {Term}.

    Mended, a term with several definitions keeps its first one: each is right for one element of the
    taxonomy, but a question can have one answer only.

    Raises:
        DataError: a record lacks a column, or holds something that is no cell of a table.
        UsageError: the task's prompt or split can't be used.
    """
    check(records, _COLUMNS)
    share, seed = drawn(task)
    found = all_of(records)
    if as_published:
        rows = [_row(task, _cell(record, _TERM), _cell(record, _MEANING)) for record in found]
        sides = sklearn_split(len(rows), share, seed)
        return Converted(
            {side: [rows[i] for i in numbers] for side, numbers in zip(("train", "test"), sides, strict=True)}
        )
    dropped: list[Dropped] = []
    mended: Counter[str] = Counter()
    pairs = _clean(task, found, dropped, mended)
    groups = clusters([_words(row["target"]) for _, row in pairs], _NEAR)
    sizes = Counter(groups)
    mended[_ONE_SIDE] += sum(sizes[group] > 1 for group in groups)
    grouped = [{"group": f"{group:08}"} for group in groups]
    train, test = keep_groups_apart(grouped, "group", share, seed)
    once = each_once([pairs[i] for i in train], [pairs[i] for i in test], dropped)
    return Converted(once, tuple(dropped), dict(+mended))


def _clean(
    task: Task, found: Sequence[Record], dropped: list[Dropped], mended: Counter[str]
) -> list[tuple[Record, Row]]:
    """Return the rows of whole cells, each term once."""
    pairs: list[tuple[Record, Row]] = []
    meanings: dict[str, str] = {}
    for record in found:
        cells, changes, why = [], set(), None
        for column in (_TERM, _MEANING):
            text, changed = clean_text(_cell(record, column).strip())
            why = why or ((fault := broken(text)) and f"{column}: {fault}")
            changes |= set(changed)
            cells.append(text)
        term, meaning = cells
        if not why and (known := meanings.get(same(term))):
            why = REPEATED if known == same(meaning) else _DEFINED_OTHERWISE
        if why:
            dropped.append(drop(record, why))
            continue
        meanings[same(term)] = same(meaning)
        mended.update(sorted(changes))
        pairs.append((record, _row(task, term, meaning)))
    return pairs


def _cell(record: Record, column: str) -> str:
    value: Any = record.values[column]
    return "nan" if value is None or value in _EMPTY else str(value)


def _row(task: Task, term: str, meaning: str) -> Row:
    return {"context": fill(task, Term=term), "target": meaning}


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
