"""Yes/no questions about commodity headlines, nine of each, as the reference's headline task asks them.

A headline is put together from parts of known meaning (a price that rose, news to come, a comparison), so
that every answer is certain. Training and test rows share no phrase, company, person or place; the nine
questions are the task itself, and the same on both sides.
"""

import random
from functools import partial
from typing import NamedTuple

from finlora.builders.material import (
    Row,
    capital,
    check_sizes,
    distinct,
    lines,
    mended,
    slots,
    titled,
    words,
)
from finlora.builders.news_figures import Figures
from finlora.builders.news_slots import Verb, names, values

# Every question, by the property it asks about.
QUESTIONS = {
    "price": "Is this headline about the price of {com}?",
    "up": "Does this headline say that the price of {com} went up or will go up?",
    "flat": "Does this headline say that the price of {com} stayed or will stay about the same?",
    "down": "Does this headline say that the price of {com} went down or will go down?",
    "past_price": "Does this headline tell of a price of {com}, or a move in it, that has already been seen?",
    "next_price": "Does this headline look ahead to what the price of {com} will do?",
    "past_news": "Does this headline tell of anything other than prices that has already happened?",
    "next_news": "Does this headline tell of anything other than prices that is still to come?",
    "compare": "Does this headline compare {com} with another asset?",
}
_PROMPT = "Instruction: {} Please choose an answer from {{Yes/No}}.\nInput: {}\nAnswer: "
# Headlines of a hundred with each kind of price part, each set of news, and a comparison behind the price.
_PRICES = {
    "past_up": 14,
    "past_down": 14,
    "past_flat": 14,
    "past_level": 5,
    "next_up": 11,
    "next_down": 11,
    "next_flat": 10,
    "": 21,
}
_NEWS = {"event": 33, "plan": 21, "event plan": 7, "": 39}
_COMPARED = {True: 22, False: 78}
_TITLED = 0.25


class Headline(NamedTuple):
    """A headline and what it was made of.

    Args:
        text: the headline.
        com: its commodity.
        parts: the kind of each part with its phrase.
        joins: the phrases that hold the parts together.
        names: companies, places and people in it.
    """

    text: str
    com: str
    parts: tuple[tuple[str, str], ...]
    joins: tuple[str, ...]
    names: frozenset[str]

    def answers(self) -> dict[str, bool]:
        """Return whether each property of `QUESTIONS` holds."""
        kinds = {kind for kind, _ in self.parts}
        price = next((kind for kind in _PRICES if kind in kinds), "")
        return {
            "price": bool(price),
            **{way: price.endswith(way) for way in ("up", "flat", "down")},
            "past_price": price.startswith("past"),
            "next_price": price.startswith("next"),
            "past_news": "event" in kinds,
            "next_news": "plan" in kinds,
            "compare": bool(kinds & {"compare", "rivals"}),
        }


def _decks(rng: random.Random) -> list[tuple[str, str, bool]]:
    """Return the make-up of a hundred headlines: price part, news parts, comparison."""
    decks = [
        rng.sample([kind for kind, n in shares.items() for _ in range(n)], 100)
        for shares in (_PRICES, _NEWS, _COMPARED)
    ]
    return list(zip(*decks, strict=True))


def _kinds(price: str, news: str, compared: bool) -> list[str]:
    """Return the kinds of the parts of a headline; one with neither price nor news compares."""
    if not price and not news:
        return ["rivals"]
    return [*([price] if price else []), *(["compare"] if compared and price else []), *news.split()]


def _values(rng: random.Random, split: str) -> dict[str, object]:
    """Return the slots of a headline."""
    figures = Figures(rng)
    com, unit, span, digits, site, workers = rng.choice(lines("headline", split, "commodity")).split(" | ")
    others = [line.split(" | ")[0] for line in lines("headline", split, "commodity")]
    others = [other for other in others if other != com] + list(words("headline", split, "asset"))
    low, high = map(float, span.split())
    first = rng.uniform(low, high / 1.1)
    sub, plural = rng.choice(
        (
            (com, False),
            (com, False),
            (f"spot {com}", False),
            (f"{com} futures", True),
            (f"{com} prices", True),
        )
    )
    given = values(rng, split, figures)
    given |= {"com": com, "sub": sub, "s": Verb(plural), "other": rng.choice(others), "unit": unit}
    given |= {"site": site, "workers": workers, "money": given["m1"]}
    given["price_lo"] = f"${first:,.{digits}f}"
    given["price_hi"] = f"${first * rng.uniform(1.015, 1.1):,.{digits}f}"
    return given


def _headline(rng: random.Random, split: str, kinds: list[str]) -> Headline:
    given = _values(rng, split)
    parts: list[tuple[str, str]] = []
    used: frozenset[str] = frozenset()
    for kind in kinds:
        choices = lines("headline", split, kind)
        # A second part has places, months and companies of its own, or does without.
        fitting = [line for line in choices if not (slots(line) & used) - {"com"}] or list(choices)
        parts.append((kind, rng.choice(fitting)))
        used |= slots(parts[-1][1])
    told = [(kind, phrase.format_map(given)) for kind, phrase in parts]
    if len(told) > 1 and told[1][0] == "compare":
        told[:2] = [(told[0][0], told[0][1] + told[1][1])]
    joins = []
    text = told[0][1]
    for place, (_, after) in enumerate(told[1:]):
        join = "price_news" if told[0][0] in _PRICES and place == 0 else "news_news"
        joins.append(rng.choice(lines("headline", split, join)))
        text = joins[-1].format(a=text, b=after)
    frames = [line for line in lines("headline", split, "one") if not slots(line) & used]
    joins.append(rng.choice(frames))
    used |= slots(joins[-1])
    text = mended(joins[-1].format_map({**given, "a": text}))
    text = capital(titled(text) if rng.random() < _TITLED else text)
    return Headline(text, str(given["com"]), tuple(parts), tuple(joins), names(given, used))


def headlines(split: str, count: int, seed: int) -> list[Headline]:
    """Return generated headlines with what they were made of.

    Args:
        split: train or test.
        count: how many.
        seed: of every random choice.

    Returns:
        The headlines, all different.
    """
    rng = random.Random(f"headline {seed} {split}")
    seen: set[object] = set()
    made: list[Headline] = []
    while len(made) < count:
        for make_up in _decks(rng)[: count - len(made)]:
            kinds = _kinds(*make_up)
            made.append(distinct(partial(_headline, rng, split, kinds), lambda one: one.text.lower(), seen))
    return made


def build(seed: int = 42, train_rows: int = 9000, test_rows: int = 1800) -> tuple[list[Row], list[Row]]:
    """Return training and test rows, nine of every headline but perhaps the last.

    Args:
        seed: of every random choice.
        train_rows: how many training rows, 0 to `material.MAX_ROWS`.
        test_rows: how many test rows, likewise.

    Returns:
        Two lists of rows in random order, with `context` (the prompt) and `target` (Yes or No).

    Raises:
        UsageError: a number of rows that can't be made.
    """
    check_sizes(train_rows, test_rows)
    return _rows("train", train_rows, seed), _rows("test", test_rows, seed)


def _rows(split: str, count: int, seed: int) -> list[Row]:
    made = headlines(split, -(-count // len(QUESTIONS)), seed)
    rows = [
        {
            "context": _PROMPT.format(QUESTIONS[asked].format(com=one.com), one.text),
            "target": "Yes" if holds else "No",
        }
        for one in made
        for asked, holds in one.answers().items()
    ][:count]
    random.Random(f"headline rows {seed} {split}").shuffle(rows)
    return rows
