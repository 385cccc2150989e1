"""Named entities in loan agreements: the kind of one span of a sentence.

The source's `instruction` quotes the span in one of 17 wordings and ends in a line of options in one of six
orders; its `input` is the sentence. As published each span is asked about in every wording. Mended, each span
of a sentence is asked about once, in a wording that its text decides, and the options stand in the order of
the task's labels.

"Borrower" and "Lender" are persons to the source, which marks parties of a contract so. They stay: the labels
are the source's, and without them 4 of 10 rows would be left. How many there are is counted.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from finlora.converters import Converted, Dropped, Record
from finlora.converters.columns import convert as convert_columns
from finlora.converters.mending import broken, clean_text
from finlora.converters.records import SENTENCE_IN_TEST, TEXT, Row, check, drop, fill
from finlora.errors import UsageError
from finlora.tasks import Task

_COLUMNS = {"instruction": TEXT, "input": TEXT, "output": TEXT}
_OPTIONS = re.compile(r"\s*\bOptions:.*\Z", re.DOTALL)
_ROLES = frozenset({"borrower", "lender"})
_ASKED = "asks again about the same words of the same sentence"
_TWO_LABELS = "the same words of the same sentence have another label elsewhere"
_STRANGE = "output: an answer that is none of the task's labels"
_NO_SPAN = "no words of its sentence in quotes"
_ORDERED = "options in one order"
_ROLE = "asks about Borrower or Lender, which the source calls a person: kept"

# Words in quotes and their sentence, to the rows that ask about them.
_Items = dict[tuple[str, str], list[tuple[Record, str, str]]]


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended; the prompt has {instruction} and {input}.

    Raises:
        DataError: a record lacks a column, or holds no text in it.
        UsageError: the task has no labels, or its prompt can't be used.
    """
    check(records, _COLUMNS)
    if as_published:
        return convert_columns(task, records, as_published=True)
    if not task.labels:
        raise UsageError(f"task '{task.id}': ner needs labels, the kinds to choose from")
    dropped: list[Dropped] = []
    mended: Counter[str] = Counter()
    items = {side: _items(task, records.get(side, []), dropped, mended) for side in task.sides}
    tested = {sentence for _, sentence in items.get("test", {})}
    for key in [key for key in items.get("train", {}) if key[1] in tested]:
        dropped += [drop(record, SENTENCE_IN_TEST) for record, _, _ in items["train"].pop(key)]
    rows: dict[str, list[Row]] = {
        side: [row for key, asked in found.items() if (row := _row(task, key, asked, dropped, mended))]
        for side, found in items.items()
    }
    return Converted(rows, tuple(dropped), dict(+mended))


def _items(task: Task, found: Sequence[Record], dropped: list[Dropped], mended: Counter[str]) -> _Items:
    """Return spans with their sentences, each with the records that ask about it, wording and label."""
    items: _Items = {}
    for record in found:
        sentence, changes = clean_text(record.values["input"])
        wording, changed = clean_text(_OPTIONS.sub("", record.values["instruction"]))
        label = task.convert.labels.get(record.values["output"], record.values["output"])
        why = (fault := broken(sentence)) and f"input: {fault}"
        why = why or ((fault := broken(wording)) and f"instruction: {fault}")
        span = _span(wording, sentence)
        if why := why or (None if label in task.labels else _STRANGE) or (None if span else _NO_SPAN):
            dropped.append(drop(record, why))
            continue
        mended.update(sorted({*changes, *changed}))
        items.setdefault((span, " ".join(sentence.split())), []).append((record, wording, label))
    return items


def _span(wording: str, sentence: str) -> str:
    """Return the longest words in single quotes that stand in the sentence; they may hold a quote."""
    quotes = [found.start() for found in re.finditer("'", wording)]
    spans = [wording[a + 1 : b] for a in quotes for b in quotes if b > a + 1]
    return max((span for span in spans if span in sentence), key=len, default="")


def _row(
    task: Task,
    key: tuple[str, str],
    asked: Sequence[tuple[Record, str, str]],
    dropped: list[Dropped],
    mended: Counter[str],
) -> Row | None:
    """Return the one row about a span, in the wording that its text decides."""
    if len({label for _, _, label in asked}) > 1:
        dropped += [drop(record, _TWO_LABELS) for record, _, _ in asked]
        return None
    digest = hashlib.sha256("\n".join(key).encode()).digest()
    # By text, as the order of a file's rows should change nothing.
    wordings = sorted({wording for _, wording, _ in asked})
    wording = wordings[int.from_bytes(digest[:8], "big") % len(wordings)]
    kept = next(number for number, (_, other, _) in enumerate(asked) if other == wording)
    dropped += [drop(record, _ASKED) for number, (record, _, _) in enumerate(asked) if number != kept]
    mended[_ORDERED] += 1
    mended[_ROLE] += key[0].casefold() in _ROLES
    record, _, label = asked[kept]
    instruction = f"{wording}\nOptions: {', '.join(task.labels)}"
    context = fill(task, instruction=instruction, input=clean_text(record.values["input"])[0])
    return {"context": context, "target": label}
