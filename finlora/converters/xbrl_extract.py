"""Rows of the benchmark's four XBRL extraction tasks, as published or mended.

As published, from questions and filings: the facts of one context, of every train row the first third of the
tag and value questions, the longest tenth dropped, sorted by length. What can't be made again: the brackets
that were cut out of the questions at the source; the order of the published training file between rows of
equal length; its tag and value rows at all, since the hub's training tables for them have not been seen.
Finished rows are passed on as they are.

Mended: `MENDS`, and only questions whose answer is among the facts shown.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from finlora.converters import Converted, Dropped, Record
from finlora.converters.records import drawn, drop
from finlora.converters.xbrl_questions import Question, kind_of, published_kind, questions
from finlora.errors import DataError, Problem
from finlora.filing_rows import LONGEST, TASKS, context, nearest, sides
from finlora.tasks import Task
from finlora.xbrl import plain

MENDS = {
    "kind": "a question for an amount among the tag questions counts as the value question it is",
    "number": "amounts are whole numbers, as in the filing, without .0",
    "debris": 'the debris "* 100\')" behind questions is cut off',
    "example": "the worked example has both its brackets and no slip of the pen",
    "facts": "facts far from what is asked are left out, so that the row fits 4,096 tokens",
}
NO_FILING = "its filing is not among those that were brought"
NO_FACTS = "its filing has no us-gaap fact in the context asked about"
_KINDS = {task: kind for kind, task in TASKS.items()}
_FACT = re.compile(r"<\s*([\w-]+:\w+)[^>]*>(.*?)</[^>]*>")
_DEBRIS = re.compile(r"\s*\*\s*100\s*'\s*\)\s*$")


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Make the rows of one of the four tasks, or of all four where the task is another.

    Args:
        task: xbrl_tags_extract, xbrl_value_extract, xbrl_formula_extract or xbrl_formula_calc_extract; its
            split's test_share and seed decide the test companies of mended rows.
        records: `train` and `test` with rows of any of the four tasks, in either form of `xbrl_questions`;
            for the form without facts also `filings`.
        as_published: the rows of the benchmark, faults included.

    Returns:
        Rows with context, target and task, and company, year and document as far as they are known.

    Raises:
        DataError: faulty records or filings, questions without facts and no filing at all, or too few
            companies for two sides.
    """
    asked = questions(records, as_published)
    kinds = {_KINDS[task.id]} if task.id in _KINDS else set(_KINDS.values())
    if not records.get("filings") and any(question.document for question in asked):
        first = next(question for question in asked if question.document)
        raise DataError(
            [Problem(f"asks about {first.document}, and no filing was brought", first.record.file)],
            "Give the folder with the filings that doc_path names, or take the benchmark's own rows",
        )
    dropped: list[Dropped] = []
    brought = {str(record.values["path"]) for record in records.get("filings", ())}
    there = []
    for question in asked:
        if question.facts or not question.document:
            there.append(question)
        else:
            dropped.append(drop(question.record, NO_FACTS if question.document in brought else NO_FILING))
    return _published(there, kinds, dropped) if as_published else _mended(there, kinds, dropped, task)


def _published(asked: Sequence[Question], kinds: set[str], dropped: list[Dropped]) -> Converted:
    kept = [question for question in asked if question.side == "train"]
    if any(question.document for question in kept):
        kept = _reduced(kept, dropped)
    kept += [question for question in asked if question.side == "test"]
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for question in kept:
        kind = published_kind(question)
        if kind in kinds or not kind:
            rows[question.side].append(_row(question, kind, _published_text(question)))
    return Converted(rows, tuple(dropped))


def _reduced(train: Sequence[Question], dropped: list[Dropped]) -> list[Question]:
    """Leave out what the benchmark left out of its training file, and sort it by length."""
    by_kind: dict[str, list[Question]] = {}
    for question in train:
        by_kind.setdefault(published_kind(question), []).append(question)
    kept: list[Question] = []
    for kind, some in by_kind.items():
        number = len(some) // 3 if kind in ("tag", "value") else len(some)
        kept += some[:number]
        dropped += [drop(question.record, "not in the first third") for question in some[number:]]
    kept.sort(key=lambda question: len(_published_text(question)))
    number = len(kept) - len(kept) // 10
    dropped += [drop(question.record, "among the longest tenth") for question in kept[number:]]
    return kept[:number]


def _mended(asked: Sequence[Question], kinds: set[str], dropped: list[Dropped], task: Task) -> Converted:
    counts: Counter[str] = Counter()
    sound: list[tuple[Question, str]] = []
    seen: set[tuple[str, ...]] = set()
    for question in asked:
        kind = kind_of(question.target)
        if kind and kind not in kinds:
            if published_kind(question) in kinds:
                dropped.append(drop(question.record, f"belongs to {TASKS[kind]}"))
            continue
        mended, touched = _mend(question, kind)
        why = _unsound(mended, kind)
        key = (kind, mended.document, mended.context_id, mended.target)
        if not why and key in seen:
            why = "the same question in other words"
        if why:
            dropped.append(drop(question.record, why))
            continue
        seen.add(key)
        counts.update(touched)
        sound.append((mended, kind))
    rows = _divided(sound, dropped, task, counts)
    return Converted(rows, tuple(dropped), {MENDS[name]: counts[name] for name in MENDS if counts[name]})


def _mend(question: Question, kind: str) -> tuple[Question, list[str]]:
    """Return a mended question, and the names of the mends that changed it."""
    target = " ".join(question.target.split())
    if kind in ("value", "calculation"):
        target = re.sub(r"\d+\.\d+", lambda number: plain(Decimal(number[0])), target)
    without = _DEBRIS.sub("", question.question)
    instruction = question.instruction.strip().replace("Exapmle company's", "Example Company's")
    lines = [_balanced(line) for line in instruction.split("\n")]
    mended = replace(
        question, target=target, question=" ".join(without.split()), instruction="\n".join(lines)
    )
    changed = {
        "kind": published_kind(question) not in ("", kind),
        "number": target != " ".join(question.target.split()),
        "debris": without != question.question,
        "example": mended.instruction != question.instruction.strip(),
    }
    return mended, [name for name, is_changed in changed.items() if is_changed]


def _balanced(line: str) -> str:
    mark = "Example answer: "
    if line.startswith(mark) and line.count(")") == line.count("(") + 1:
        return f"{mark}({line.removeprefix(mark)}"
    return line


def _unsound(question: Question, kind: str) -> str:
    """Say why a question can't be answered; an empty text where it can."""
    if not kind:
        return "the answer is no tag, number or formula"
    if not question.company or not question.year:
        return "its company or year is not to be read from the question"
    names = re.findall(r"[\w-]+:\w+", question.target)
    if any(not name.startswith("us-gaap:") for name in names):
        return "the answer has a tag outside us-gaap, and the facts show none"
    if None in _asked(question):
        return "the answer is not among the facts shown"
    return ""


def _asked(question: Question) -> list[int | None]:
    """Return where each tag or amount of the answer stands among the facts; None for one that does not."""
    facts = [_FACT.search(line) for line in question.facts]
    tags = [fact[1] if fact else "" for fact in facts]
    amounts = [_amount(fact[2]) if fact else None for fact in facts]
    names = re.findall(r"[\w-]+:\w+", question.target)
    if names:
        return [tags.index(name) if name in tags else None for name in names]
    # The 100 of a percentage is no amount.
    formula = re.sub(r"\s*\*\s*100$", "", question.target)
    numbers = [Decimal(number) for number in re.findall(r"(?<![\d.])-?\d+(?:\.\d+)?", formula)]
    return [amounts.index(number) if number in amounts else None for number in numbers]


def _amount(text: str) -> Decimal | None:
    stripped = text.strip()
    return Decimal(stripped) if re.fullmatch(r"-?\d{1,60}(\.\d{1,60})?", stripped) else None


def _divided(
    sound: Sequence[tuple[Question, str]], dropped: list[Dropped], task: Task, counts: Counter[str]
) -> dict[str, list[dict[str, Any]]]:
    """Divide rows by company and year."""
    share, seed = drawn(task)
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    side = sides([(question.company, question.year) for question, _ in sound], share, seed)
    for question, kind in sound:
        where = side[question.company, question.year]
        if not where:
            dropped.append(drop(question.record, "its company or its year belongs to the other side"))
            continue
        room = LONGEST - len(context(question.instruction, (), question.question)) - len(question.target)
        asked = [place for place in _asked(question) if place is not None]
        facts = tuple(nearest(question.facts, asked, room))
        counts["facts"] += facts != question.facts
        rows[where].append(_row(question, kind, context(question.instruction, facts, question.question)))
    return rows


def _published_text(question: Question) -> str:
    values = question.record.values
    if not question.document:
        return str(values["context"])
    instruction = question.instruction.rstrip("\n")
    facts = "\n".join(question.facts)
    return f"{instruction}\nXML File: {facts}\n{values['input']}"


def _row(question: Question, kind: str, text: str) -> dict[str, Any]:
    known = {"company": question.company, "year": question.year, "document": question.document}
    task = {"task": TASKS[kind]} if kind else {}
    return {
        "context": text,
        "target": question.target,
        **task,
        **{name: value for name, value in known.items() if value},
    }
