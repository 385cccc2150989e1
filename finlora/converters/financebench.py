"""FinanceBench: short answers about pages of annual and quarterly reports.

Two sources are read. The hub's rows (PatronusAI/financebench) have each question's pages as text in
`evidence`. The benchmark's own files have rows with pages scanned by a program that is not free; as published
means these rows, which nothing else holds. Mended, from either source, all questions about one report are on
one side.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from finlora.converters import Converted, Dropped, Record
from finlora.converters.mending import broken, clean_text, keep_groups_apart
from finlora.converters.records import LIST, TEXT, Pairs, Row, all_of, check, drawn, drop, each_once, fill
from finlora.errors import UsageError
from finlora.tasks import Task

_HUB = {"question": TEXT, "answer": TEXT, "doc_name": TEXT, "evidence": LIST}
_PUBLISHED = {"context": TEXT, "target": TEXT, "url": TEXT, "pages": LIST}
_PAGE, _NUMBER, _EXCERPT = "evidence_text_full_page", "evidence_page_num", "evidence_text"
_CONTROL = "control characters taken out"
_NO_PAGE = "no page that holds the answer"
_ONE_SIDE = "its report has further questions; all are on one side"


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended; the prompt has {question} and {pages}.

    Raises:
        DataError: a record lacks a column, or holds something else than is wanted in it.
        UsageError: the task's prompt or split can't be used, or the published rows are wanted of the hub's.
    """
    found = all_of(records)
    ready = bool(found) and "context" in found[0].values
    check(records, _PUBLISHED if ready else _HUB, (lambda record: None) if ready else _evidence_fault)
    if as_published:
        return _as_published(task, records, ready)
    share, seed = drawn(task)
    dropped: list[Dropped] = []
    mended: Counter[str] = Counter()
    pairs: Pairs = []
    for record in found:
        row = _from_published(record) if ready else _from_hub(task, record)
        if isinstance(row, str):
            dropped.append(drop(record, row))
            continue
        changes = {change for column in ("context", "target") for change in _clean(row, column)}
        if why := broken(row["target"]):
            dropped.append(drop(record, f"answer: {why}"))
            continue
        mended.update(sorted(changes))
        pairs.append((record, row))
    train, test = keep_groups_apart([row for _, row in pairs], "document", share, seed)
    sizes = Counter(row["document"] for _, row in pairs)
    mended[_ONE_SIDE] += sum(sizes[row["document"]] > 1 for _, row in pairs)
    rows = each_once([pairs[i] for i in train], [pairs[i] for i in test], dropped)
    return Converted(rows, tuple(dropped), dict(+mended))


def _as_published(task: Task, records: Mapping[str, Sequence[Record]], ready: bool) -> Converted:
    if not ready:
        raise UsageError(
            f"task '{task.id}': the published rows hold scanned pages, which this source lacks\n"
            "Bring the benchmark's own financebench_train.jsonl and financebench_test.jsonl, "
            "or leave out --as-published"
        )
    rows = {
        side: [{column: record.values[column] for column in _PUBLISHED} for record in records.get(side, [])]
        for side in ("train", "test")
    }
    return Converted(rows)


def _evidence_fault(record: Record) -> str | None:
    for item in record.values["evidence"]:
        if (
            not isinstance(item, dict)
            or not isinstance(item.get(_PAGE) or item.get(_EXCERPT), str)
            or type(item.get(_NUMBER)) is not int
        ):
            return f"'evidence' is a list of objects with {_PAGE} or {_EXCERPT}, and {_NUMBER}"
    return None


def _from_hub(task: Task, record: Record) -> Row | str:
    """Return the row of a record of the hub, or why it has none."""
    if why := broken(record.values["question"]):
        return f"question: {why}"
    pages: dict[tuple[Any, int], str] = {}
    for item in record.values["evidence"]:
        # The source counts a report's pages from 0, readers and the published rows from 1.
        place = (item.get("doc_name"), item[_NUMBER] + 1)
        if text := (item.get(_PAGE) or item[_EXCERPT]).strip():
            pages.setdefault(place, text)
    if not pages:
        return _NO_PAGE
    shown = "\n".join(f"Page {number}:\n{text}\n" for (_, number), text in pages.items())
    context = fill(task, question=record.values["question"].strip(), pages=shown)
    target = record.values["answer"].strip()
    return {"context": context, "target": target, "document": record.values["doc_name"]}


def _from_published(record: Record) -> Row:
    values = record.values
    return {"context": values["context"], "target": values["target"], "document": values["url"]}


def _clean(row: Row, column: str) -> set[str]:
    """Mend a text in its row and return what was changed."""
    text, changes = clean_text(row[column])
    # Pages of a PDF hold form feeds and worse; a question is not lost for them.
    row[column] = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) != "Cc")
    return {*changes, *([_CONTROL] if row[column] != text else [])}
