"""FinanceBench: short answers about pages of annual and quarterly reports.

Two sources are read. The hub's rows (PatronusAI/financebench) have each question's pages as text in
`evidence`. The benchmark's own files have rows with pages scanned by a program that is not free; as published
means these rows, which nothing else holds. Mended, from either source, all questions about one report are on
one side.
"""

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
        why = row if isinstance(row, str) else broken(row["context"]) or broken(row["target"])
        if isinstance(row, str) or why:
            dropped.append(drop(record, str(why)))
            continue
        cleaned = {column: clean_text(text) for column, text in row.items()}
        mended.update({change for _, changes in cleaned.values() for change in changes})
        pairs.append((record, {column: text for column, (text, _) in cleaned.items()}))
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
        if not isinstance(item, dict) or not isinstance(item.get(_PAGE) or item.get(_EXCERPT), str):
            return f"'evidence' is a list of objects with {_PAGE} or {_EXCERPT}, and {_NUMBER}"
    return None


def _from_hub(task: Task, record: Record) -> Row | str:
    """Return the row of a record of the hub, or why it has none."""
    pages: dict[Any, str] = {}
    for item in record.values["evidence"]:
        text = (item.get(_PAGE) or item[_EXCERPT]).strip()
        if text:
            pages.setdefault(item.get(_NUMBER), text)
    if not pages:
        return _NO_PAGE
    shown = "\n".join(f"Page {number}:\n{text}\n" for number, text in pages.items())
    context = fill(task, question=record.values["question"].strip(), pages=shown)
    return {
        "context": context,
        "target": record.values["answer"].strip(),
        "document": record.values["doc_name"],
    }


def _from_published(record: Record) -> Row:
    values = record.values
    return {"context": values["context"], "target": values["target"], "document": values["url"]}
