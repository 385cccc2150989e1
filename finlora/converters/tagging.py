"""Questions for the tag of a number in its sentence, as FiNER and FNXL ask them, four in a prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finlora.converters import Dropped, Record
from finlora.converters.mending import same
from finlora.converters.records import REPEATED, SENTENCE_IN_TEST, Row, drop, fill
from finlora.tasks import Task

BATCH = 4
TWO_TAGS = "its number stands twice in the sentence, with different tags"
NO_NUMBER = "what it asks about is no number"
_SPELLED = re.compile(
    r"\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    r"|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
    r"|million|billion|trillion|half|quarter|third)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        record: where its sentence stands.
        entity: the words asked about.
        sentence: the sentence as text.
        tag: the answer, without prefix.
    """

    record: Record
    entity: str
    sentence: str
    tag: str


def is_number(entity: str) -> bool:
    """Return whether words are a number: with a digit, or spelled out."""
    return any(letter.isdigit() for letter in entity) or _SPELLED.search(entity) is not None


def sound(questions: Sequence[Question], dropped: list[Dropped]) -> list[Question]:
    """Return the questions about numbers that have one answer, each once.

    Args:
        questions: of one side.
        dropped: takes a note for each question left out.
    """
    tags: dict[tuple[str, str], set[str]] = {}
    for question in questions:
        tags.setdefault(_key(question), set()).add(question.tag)
    met: set[tuple[str, str]] = set()
    kept = []
    for question in questions:
        why = None
        if not is_number(question.entity):
            why = NO_NUMBER
        elif len(tags[_key(question)]) > 1:
            why = TWO_TAGS
        elif _key(question) in met:
            why = REPEATED
        met.add(_key(question))
        if why:
            dropped.append(drop(question.record, why))
        else:
            kept.append(question)
    return kept


def _key(question: Question) -> tuple[str, str]:
    return question.entity, same(question.sentence)


def apart(questions: Sequence[Question], test: Sequence[Question], dropped: list[Dropped]) -> list[Question]:
    """Return the questions whose sentence no test question has."""
    tested = {same(question.sentence) for question in test}
    kept = []
    for question in questions:
        if same(question.sentence) in tested:
            dropped.append(drop(question.record, SENTENCE_IN_TEST))
        else:
            kept.append(question)
    return kept


def prompt(task: Task, options: str, batch: Sequence[Question], wording: str, numbered: bool) -> Row:
    """Return one prompt's row.

    Args:
        task: whose prompt has {options} and {questions}.
        options: the tags to choose from, as the prompt shows them.
        batch: the questions.
        wording: a question, with {entity} and {sentence}.
        numbered: whether each question begins with its number.
    """
    lines = [
        (f"{number}. " if numbered else "")
        + wording.format(entity=question.entity, sentence=question.sentence)
        for number, question in enumerate(batch, 1)
    ]
    context = fill(task, options=options, questions="\n".join(lines))
    return {"context": context, "target": ",".join(question.tag for question in batch)}
