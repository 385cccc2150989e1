"""FiQA sentiment: the plain way, with a noun that says whether a text is a tweet or news.

The source's `query` asks about a financial post or a financial headline and quotes the text; the published
rows call a text a tweet wherever "post" stands in that query, be it in the text itself ("posts a profit").
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from finlora.converters import Converted, Record
from finlora.converters.columns import convert as convert_columns
from finlora.converters.records import TEXT, check
from finlora.tasks import Task

_COLUMNS = {"query": TEXT, "text": TEXT, "answer": TEXT}
_CALLED_SO = "called news, not a tweet: 'post' stands in its text only"


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended; the prompt has {noun} and the source's columns.

    Raises:
        DataError: a record lacks a column, or holds no text where one is wanted.
        UsageError: the task's prompt or target can't be used.
    """
    check(records, _COLUMNS)
    changed = 0
    named: dict[str, list[Record]] = {}
    for split, found in records.items():
        named[split] = []
        for record in found:
            published, noun = _noun(record, as_published=True), _noun(record, as_published)
            # The validation rows become no rows.
            changed += published != noun and split in task.files
            named[split].append(replace(record, values={**record.values, "noun": noun}))
    done = convert_columns(task, named, as_published)
    return replace(done, mended={**done.mended, _CALLED_SO: changed}) if changed else done


def _noun(record: Record, as_published: bool) -> str:
    query, text = record.values["query"], record.values["text"]
    return "tweet" if "post" in (query if as_published else query.replace(text, "")) else "news"
