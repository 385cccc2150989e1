"""Which type has a name: person, location or organization, in sentences of agreements, filings and news.

Every sentence holds several names, and only one is asked. Names deceive on purpose: people and towns stand
inside companies' names, and twins (Lancaster, Jackson) can be any of the three, so that the sentence must
decide. Training and test rows share no sentence template, instruction, company, person or place.
"""

import random
import re
from functools import cache, partial
from typing import NamedTuple

from finlora.builders.material import Row, capital, check_sizes, distinct, lines, mended, slots, words
from finlora.builders.news_figures import Figures, times

TYPES = ("person", "location", "organization")
_TYPE_OF = {
    "per": "person",
    "sur": "person",
    "loc": "location",
    "org": "organization",
    "firm": "organization",
}
_PROMPT = "Instruction: {}\nOptions: {}\nInput: {}\nAnswer: "
# Share of surnames, places and short company names that are twins.
_TWINS = 0.4


class Item(NamedTuple):
    """One question and what it was made of.

    Args:
        instruction: the question with its span.
        options: the three types in the order shown.
        sentence: the text.
        span: the name asked about, which stands in the sentence once.
        target: its type.
        template: the sentence with its slots.
        asked: the template of the instruction.
        names: every name in the sentence with its slot.
    """

    instruction: str
    options: str
    sentence: str
    span: str
    target: str
    template: str
    asked: str
    names: tuple[tuple[str, str], ...]


def _type(slot: str) -> str | None:
    """Return the type of a slot's names, or None where it names nothing."""
    return _TYPE_OF.get(slot.rstrip("2"))


def _full_name(rng: random.Random, split: str) -> str:
    middle = f"{rng.choice('ABCDEFGHJKLMNPRSTW')}. " if rng.random() < 0.3 else ""
    return f"{rng.choice(words('names', split, 'first'))} {middle}{_surname(rng, split)}"


def _surname(rng: random.Random, split: str) -> str:
    return _or_twin(rng, split, words("names", split, "surname"))


def _place(rng: random.Random, split: str) -> str:
    kind = rng.choice(("city", "city", "country"))
    return _or_twin(rng, split, words("names", split, kind))


def _or_twin(rng: random.Random, split: str, plain: tuple[str, ...]) -> str:
    return rng.choice(words("ner", split, "twin") if rng.random() < _TWINS else plain)


def _company(rng: random.Random, split: str) -> str:
    name, other = rng.sample(words("names", split, "surname") + words("ner", split, "twin"), 2)
    business = rng.choice(lines("names", split, "sector")).split(" | ")[3]
    return rng.choice(lines("ner", split, "firmname")).format(
        stem=rng.choice(words("names", split, "stem")),
        second=rng.choice(business.split(", ")),
        place=_or_twin(rng, split, words("names", split, "city")),
        name=name,
        name2=other,
    )


def _short_company(rng: random.Random, split: str) -> str:
    return _or_twin(rng, split, words("names", split, rng.choice(("stem", "surname"))))


_NAMED = {
    "per": _full_name,
    "sur": _surname,
    "loc": _place,
    "org": _company,
    "firm": _short_company,
}


def _plain(rng: random.Random) -> dict[str, str]:
    """Return the slots that name nobody."""
    figures = Figures(rng)
    return {
        "date": times(rng)["date"],
        "money": figures.money(),
        "share": figures.pair("share")[0],
        "pct": figures.percent(),
        "num": f"{rng.randint(20, 990):,}",
        "age": str(rng.randint(36, 71)),
    }


@cache
def _templates(split: str, target: str) -> list[str]:
    """Return the sentences that hold a name of one type."""
    return [line for line in lines("ner", split, "sentence") if target in map(_type, slots(line))]


def _draw(rng: random.Random, split: str, target: str) -> Item:
    template = rng.choice(_templates(split, target))
    named = {slot: _NAMED[slot.rstrip("2")](rng, split) for slot in sorted(slots(template)) if _type(slot)}
    sentence = capital(mended(template.format_map({**_plain(rng), **named})))
    span = rng.choice([name for slot, name in named.items() if _type(slot) == target])
    asked = rng.choice(lines("ner", split, "instruction"))
    options = ", ".join(rng.sample(TYPES, len(TYPES)))
    return Item(
        asked.format(span=span), options, sentence, span, target, template, asked, tuple(named.items())
    )


def occurrences(span: str, sentence: str) -> int:
    """Return how often a name stands in a sentence, inside of other names too."""
    return len(re.findall(rf"(?<!\w){re.escape(span)}(?!\w)", sentence))


def items(split: str, count: int, seed: int) -> list[Item]:
    """Return generated questions with what they were made of.

    Args:
        split: train or test.
        count: how many.
        seed: of every random choice.

    Returns:
        The items in random order, the three types equally often, each span once in its sentence.
    """
    rng = random.Random(f"ner {seed} {split}")
    seen: set[object] = set()

    def once(target: str) -> Item:
        while True:
            item = _draw(rng, split, target)
            if occurrences(item.span, item.sentence) == 1:
                return item

    made = [
        distinct(
            partial(once, TYPES[place % len(TYPES)]),
            lambda item: (item.sentence, item.span),
            seen,
        )
        for place in range(count)
    ]
    rng.shuffle(made)
    return made


def build(seed: int = 42, train_rows: int = 3000, test_rows: int = 600) -> tuple[list[Row], list[Row]]:
    """Return training and test rows.

    Args:
        seed: of every random choice.
        train_rows: how many training rows, 0 to `material.MAX_ROWS`.
        test_rows: how many test rows, likewise.

    Returns:
        Two lists of rows with `context` (the prompt) and `target` (person, location or organization).

    Raises:
        UsageError: a number of rows that can't be made.
    """
    check_sizes(train_rows, test_rows)
    train, test = (
        [
            {"context": _PROMPT.format(item.instruction, item.options, item.sentence), "target": item.target}
            for item in items(split, count, seed)
        ]
        for split, count in (("train", train_rows), ("test", test_rows))
    )
    return train, test
