"""FiNER-139: sentences whose numbers carry US GAAP tags, four questions in a prompt.

The source has lists of `tokens` and `ner_tags` (`O`, `B-Tag` where an entity begins, `I-Tag` where it goes
on).

As published, every tagged token is a question, so "two years" is asked about twice; only the first three of a
sentence are asked, the first 10,001 prompts of a shuffled split are kept (the rest of the questions make one
more, shorter one), and the prompts are shuffled again. The published list of options stands in the order of a
Python set, which is another in each process and can't be reproduced: ours is sorted. The wording is the
published one.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from finlora.converters import Converted, Dropped, Record
from finlora.converters.records import LIST, Row, check, drop
from finlora.converters.tagging import BATCH, Question, apart, prompt, sound
from finlora.errors import UsageError
from finlora.tasks import Task

_COLUMNS = {"tokens": LIST, "ner_tags": LIST}
_WORDING = 'What is best tag for entity "{entity}" in sentence: "{sentence}?"'
_MOST_PROMPTS = 10_000
_MOST_OF_A_SENTENCE = 3
_OUTSIDE = "O"
_LEFT_OVER = f"left over: a prompt asks {BATCH} questions"
_WHOLE = "a whole entity asked about, not each of its words"
_NO_EMPTY = "the empty tag taken out of the options"


def convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted:
    """Turn records into rows, as published or mended; the prompt has {options} and {questions}.

    Mended, a question is about a number, has one answer and stands once, and no sentence is on both sides.
    What is left out is listed by question. Sentences without a tag have no question and are not listed.

    Raises:
        DataError: a record has no tokens, not a tag for each, or a tag that is none of the task's labels.
        UsageError: the task lacks labels or a seed, or its prompt can't be used.
    """
    if not task.labels or task.split.seed is None:
        raise UsageError(f"task '{task.id}': finer needs labels, the tags to choose from, and split.seed")
    known = frozenset(task.labels)
    check(records, _COLUMNS, lambda record: _fault(record, known))
    seed = task.split.seed
    wanted: dict[str, Iterator[Record]] = {
        side: _shuffled(records.get(side, []), seed) for side in task.sides
    }
    return _as_published(task, wanted) if as_published else _mended(task, wanted)


def _fault(record: Record, known: frozenset[str]) -> str | None:
    tokens, tags = record.values["tokens"], record.values["ner_tags"]
    if len(tokens) != len(tags):
        return f"{len(tokens)} tokens and {len(tags)} ner_tags; each token has one"
    if strange := [item for item in (*tokens, *tags) if not isinstance(item, str)]:
        return f"tokens and ner_tags hold text, not {type(strange[0]).__name__}"
    for tag in tags:
        if tag != _OUTSIDE and (tag[:2] not in ("B-", "I-") or tag[2:] not in known):
            return f"tag '{tag}' is neither O nor B- or I- and one of the task's {len(known)} labels"
    return None


def _shuffled(found: Sequence[Record], seed: int) -> Iterator[Record]:
    """Yield records in the order of `datasets.Dataset.shuffle`: a million at once would fill the memory."""
    import numpy

    return (found[i] for i in numpy.random.default_rng(seed).permutation(len(found)).tolist())


def _as_published(task: Task, wanted: Mapping[str, Iterator[Record]]) -> Converted:
    options = ",".join(sorted(["", *task.labels]))
    # One generator for both sides, as the published code seeds once.
    shuffler = random.Random(task.split.seed)
    rows: dict[str, list[Row]] = {}
    for side, found in wanted.items():
        rows[side] = []
        waiting: list[Question] = []
        for record in found:
            waiting += _tokens(record)
            while len(waiting) >= BATCH:
                rows[side].append(prompt(task, options, waiting[:BATCH], _WORDING, numbered=True))
                waiting = waiting[BATCH:]
            if len(rows[side]) > _MOST_PROMPTS:
                break
        if waiting:
            rows[side].append(prompt(task, options, waiting, _WORDING, numbered=True))
        shuffler.shuffle(rows[side])
    return Converted(rows)


def _tokens(record: Record) -> list[Question]:
    """Return a question for each of the first three tagged tokens."""
    tokens, tags = record.values["tokens"], record.values["ner_tags"]
    tagged = [(token, tag[2:]) for token, tag in zip(tokens, tags, strict=True) if tag != _OUTSIDE]
    sentence = " ".join(tokens)
    return [Question(record, token, sentence, tag) for token, tag in tagged[:_MOST_OF_A_SENTENCE]]


def _mended(task: Task, wanted: Mapping[str, Iterator[Record]]) -> Converted:
    options = ",".join(sorted(task.labels))
    dropped: list[Dropped] = []
    asked = {
        side: _few_of_each(sound([question for record in found for question in _entities(record)], dropped))
        for side, found in wanted.items()
    }
    test = asked["test"] = asked.get("test", [])[: _MOST_PROMPTS * BATCH]
    asked["train"] = apart(asked.get("train", []), test, dropped)[: _MOST_PROMPTS * BATCH]
    rows: dict[str, list[Row]] = {}
    mended: Counter[str] = Counter()
    for side in wanted:
        whole = len(asked[side]) // BATCH * BATCH
        dropped += [drop(question.record, _LEFT_OVER) for question in asked[side][whole:]]
        rows[side] = [
            prompt(task, options, asked[side][start : start + BATCH], _WORDING, numbered=True)
            for start in range(0, whole, BATCH)
        ]
        mended[_WHOLE] += sum(" " in question.entity for question in asked[side][:whole])
        mended[_NO_EMPTY] += len(rows[side])
    return Converted(rows, tuple(dropped), dict(+mended))


def _entities(record: Record) -> Iterator[Question]:
    """Yield a question for each entity: the token where it begins and those where it goes on."""
    tokens, tags = record.values["tokens"], record.values["ner_tags"]
    sentence = " ".join(tokens)
    start = 0
    for end in range(1, len(tags) + 1):
        if end == len(tags) or tags[end] == _OUTSIDE or tags[end] != f"I-{tags[start][2:]}":
            if tags[start] != _OUTSIDE:
                yield Question(record, " ".join(tokens[start:end]), sentence, tags[start][2:])
            start = end


def _few_of_each(questions: Sequence[Question]) -> list[Question]:
    """Return at most three questions of a sentence, as published: some sentences have thirty."""
    asked: Counter[int] = Counter()
    kept = []
    for question in questions:
        asked[id(question.record)] += 1
        if asked[id(question.record)] <= _MOST_OF_A_SENTENCE:
            kept.append(question)
    return kept
