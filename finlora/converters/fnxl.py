"""FNXL: sentences with the numbers of each of their US GAAP tags, four questions in a prompt.

The source's column `numerals-tags` is a Python dictionary written out, tag to numbers. As published only the
first number of each tag is asked about, and rows whose dictionary can't be read are left out. The wording is
the published one.
"""

import ast
from collections.abc import Mapping, Sequence

from finlora.converters import Converted, Dropped, Record
from finlora.converters.records import TEXT, Row, all_of, check, drop
from finlora.converters.tagging import BATCH, Question, prompt, sound
from finlora.tasks import Task

_TAGS = "numerals-tags"
_COLUMNS = {"sentence": TEXT, _TAGS: TEXT}
_WORDING = 'What is the best us gaap tag for entity "{entity}" in sentence: "{sentence}"?'
_PREFIX = "us-gaap:"
# Beyond this no dictionary of a sentence's numbers goes, and Python's parser needs much memory.
_LONGEST = 20_000
_UNREADABLE = f"{_TAGS} is no dictionary of tags and their numbers"
_EVERY = "a further number of its tag, which the published rows don't ask about"


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into test rows, as published or mended; the prompt has {options} and {questions}.

    Mended, every number that has one answer is asked about once; the options are the tags that are left.

    Raises:
        DataError: a record lacks a column, or holds no text in it.
        UsageError: the task's prompt can't be used.
    """
    check(records, _COLUMNS)
    dropped: list[Dropped] = []
    questions: list[Question] = []
    for record in all_of(records):
        found = _numbers(record.values[_TAGS])
        if not found:
            dropped.append(drop(record, _UNREADABLE))
        for tag, numbers in found.items():
            sentence = record.values["sentence"]
            asked = numbers[:1] if as_published else numbers
            questions += [Question(record, number, sentence, tag) for number in asked]
    if as_published:
        return Converted({"test": _rows(task, questions)}, tuple(dropped))
    kept = sound(questions, dropped)
    more = len(kept) - len({(id(question.record), question.tag) for question in kept})
    return Converted({"test": _rows(task, kept)}, tuple(dropped), {_EVERY: more} if more else {})


def _rows(task: Task, questions: Sequence[Question]) -> list[Row]:
    options = ", ".join(sorted({question.tag for question in questions}))
    return [
        prompt(task, options, questions[start : start + BATCH], _WORDING, numbered=False)
        for start in range(0, len(questions), BATCH)
    ]


def _numbers(text: str) -> dict[str, list[str]]:
    """Return tag to numbers; empty where the text says none."""
    if len(text) > _LONGEST:
        return {}
    try:
        # Literals only: nothing is run.
        found = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return {}
    if not isinstance(found, dict) or not all(
        isinstance(tag, str) and isinstance(numbers, list) and all(isinstance(one, str) for one in numbers)
        for tag, numbers in found.items()
    ):
        return {}
    return {tag.replace(_PREFIX, ""): numbers for tag, numbers in found.items() if numbers}
