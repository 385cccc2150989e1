"""Finance texts with a sentiment in five registers: reports, headlines, analysts' notes, posts, markets.

A text is a frame around a clause. A clause has its sentiment written beside it, or it is a trend: an item
(sales, costs, a loss) and a move (up, down, flat), whose sentiment is the item's sign times the move's.
Training and test rows share no frame, clause, move, company, place or person.
"""

import random
import re
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from finlora.builders import sentiment
from finlora.builders.material import Row, capital, check_sizes, distinct, lines, mended, slots, titled
from finlora.builders.news_figures import Figures
from finlora.builders.news_slots import Verb, names, values

# Shares of the rows in per cent. The wire is the material of `sentiment`, which trains only: its test rows
# name the places of its training rows.
REGISTERS = {
    "train": {"wire": 32, "reports": 26, "headlines": 14, "notes": 8, "posts": 12, "markets": 8},
    "test": {"reports": 36, "headlines": 20, "notes": 12, "posts": 19, "markets": 13},
}
# Shares of a register: companies and markets mostly state plain facts, posts take sides.
_PLAIN = {"negative": 15, "neutral": 60, "positive": 25}
_MIXED = {"negative": 25, "neutral": 40, "positive": 35}
CLASSES = {"reports": _PLAIN, "markets": _PLAIN, "headlines": _MIXED, "notes": _MIXED, "posts": _MIXED}
_TRENDS = {"negative": 45, "neutral": 15, "positive": 45}
# News speaks more often of sales and profits than of debts and costs.
_GOOD_ITEMS = 0.75
_SIGNS = {"up": 1, "flat": 0, "down": -1}
_LABELS = {1: "positive", 0: "neutral", -1: "negative"}
_TWEET = sentiment.PROMPT.replace("this news", "this tweet")
# Parts of the texts written as wires do, with spaces around punctuation, or with capitals as titles.
_SPACED, _TITLED = 0.3, 0.25


class Trend(NamedTuple):
    """An item and its move.

    Args:
        item: what moved.
        good: whether more of it is good.
        kind: what its figures count.
        plural: whether it takes a plural verb.
        direction: up, down or flat.
        move: the move's phrase with its slots.
    """

    item: str
    good: bool
    kind: str
    plural: bool
    direction: str
    move: str

    @property
    def sign(self) -> int:
        """1 for good news, -1 for bad, 0 for neither."""
        return _SIGNS[self.direction] * (1 if self.good else -1)


class Item(NamedTuple):
    """One generated text and what it was made of.

    Args:
        sentence: the text.
        target: negative, neutral or positive.
        register: one of `REGISTERS`, of which the wire has no trends.
        frame: what stands around the clause.
        clause: the phrase with its slots.
        trend: the item and the move of a trend.
        beside: the second trend where the clause names one.
        names: companies, places and people in the text.
    """

    sentence: str
    target: str
    register: str
    frame: str
    clause: str
    trend: Trend | None
    beside: Trend | None
    names: frozenset[str]


def _trend(rng: random.Random, split: str, register: str, sign: int, but: str = "") -> Trend:
    """Draw an item and a move that together have a sign; not the item `but`."""
    file = f"sentiment_{register}"
    good = rng.random() < _GOOD_ITEMS
    entries = [entry.split(", ") for entry in lines(file, split, "items")]
    of_worth = [entry for entry in entries if (entry[1] == "good") == good and entry[0] != but]
    name, _, kind, number = rng.choice(of_worth)
    direction = {1: "up", 0: "flat", -1: "down"}[sign if good else -sign]
    return Trend(name, good, kind, number == "plural", direction, rng.choice(lines(file, split, direction)))


def _said(trend: Trend, given: dict[str, object], figures: Figures, rng: random.Random) -> dict[str, object]:
    """Return the slots of a trend: its item and its filled move."""
    high, low = figures.pair(trend.kind)
    will = rng.choice(("will", "should", "are set to" if trend.plural else "is set to"))
    own = {"hi": high, "lo": low, "s": Verb(trend.plural), "will": will}
    own["was"] = "were" if trend.plural else "was"
    return {"item": trend.item, "move": trend.move.format_map({**given, **own, "pct": figures.percent()})}


def _written(rng: random.Random, register: str, text: str) -> str:
    text = mended(text)
    if register == "posts":
        return text
    if register == "headlines" and rng.random() < _TITLED:
        text = titled(text)
    if register in ("reports", "notes") and rng.random() < _SPACED:
        text = re.sub(r"([,;:](?= )|\.$)", r" \1", text).replace("'s ", " 's ").replace("s' ", "s ' ")
        text = re.sub(r"(?<=\d)%", " %", text)
    return capital(text)


def _filled(
    rng: random.Random, split: str, register: str, frame: str, clause: str, trend: Trend | None, label: str
) -> Item:
    figures = Figures(rng, national=register == "markets")
    given = values(rng, split, figures)
    used = slots(frame) | slots(clause)
    beside = None
    if trend:
        used |= slots(trend.move)
        given |= _said(trend, given, figures, rng)
        if used & {"side", "agree"}:
            against = -trend.sign or rng.choice((1, -1))
            beside = _trend(rng, split, register, against if "side" in used else trend.sign, trend.item)
            other = _said(beside, given, figures, rng)
            given["side"] = given["agree"] = f"{other['item']} {other['move']}"
            used |= slots(beside.move)
    given["event"] = clause.format_map(given)
    sentence = _written(rng, register, frame.format_map(given))
    return Item(sentence, label, register, frame, clause, trend, beside, names(given, used))


def _shuffled(rng: random.Random, entries: tuple[str, ...]) -> Iterator[str]:
    return cycle(rng.sample(entries, len(entries)))


def _of(
    rng: random.Random, split: str, register: str, label: str, count: int, seen: set[object]
) -> list[Item]:
    """Return texts of one register and one label, every clause used about equally often."""
    file = f"sentiment_{register}"
    frames = lines(file, split, "frame")
    fixed, trends = (_shuffled(rng, lines(file, split, kind)) for kind in (label, "trend"))
    sign = next(sign for sign, name in _LABELS.items() if name == label)
    items = []
    for place in range(count):
        moving = 100 * place < _TRENDS[label] * count
        clause = next(trends if moving else fixed)
        fitting = [frame for frame in frames if not slots(frame) & slots(clause)]

        def make(moving: bool = moving, clause: str = clause, fitting: list[str] = fitting) -> Item:
            trend = _trend(rng, split, register, sign) if moving else None
            return _filled(rng, split, register, rng.choice(fitting), clause, trend, label)

        items.append(distinct(make, lambda item: re.sub(r"\W", "", item.sentence).lower(), seen))
    return items


def _wire(count: int, seed: int) -> list[Item]:
    """Return training texts of the sentiment sample's material."""
    return [
        Item(made.sentence, made.target, "wire", made.template, made.event, None, None, made.companies)
        for made in sentiment.items("train", count, seed)
    ]


def _parts(count: int, shares: dict[str, int]) -> dict[str, int]:
    """Divide a count by shares in per cent, without remainder."""
    ends, total = [], 0
    for share in shares.values():
        total += share
        ends.append(count * total // 100)
    return {name: end - start for name, start, end in zip(shares, [0, *ends], ends, strict=False)}


def items(split: str, count: int, seed: int) -> list[Item]:
    """Return generated texts with what they were made of.

    Args:
        split: train or test.
        count: how many.
        seed: of every random choice.

    Returns:
        The items in random order, all different.
    """
    rng = random.Random(f"sentiment news {seed} {split}")
    seen: set[object] = set()
    parts = _parts(count, REGISTERS[split])
    found = _wire(parts.pop("wire", 0), seed)
    for register, part in parts.items():
        for label, of_label in _parts(part, CLASSES[register]).items():
            found += _of(rng, split, register, label, of_label, seen)
    rng.shuffle(found)
    return found


def build(seed: int = 42, train_rows: int = 6000, test_rows: int = 1200) -> tuple[list[Row], list[Row]]:
    """Return training and test rows.

    Args:
        seed: of every random choice.
        train_rows: how many training rows, 0 to `material.MAX_ROWS`.
        test_rows: how many test rows, likewise.

    Returns:
        Two lists of rows with `context` (the prompt, which calls a post a tweet) and `target` (the label).

    Raises:
        UsageError: a number of rows that can't be made.
    """
    check_sizes(train_rows, test_rows)
    train, test = (
        [{"context": _prompt(item), "target": item.target} for item in items(split, count, seed)]
        for split, count in (("train", train_rows), ("test", test_rows))
    )
    return train, test


def _prompt(item: Item) -> str:
    return (_TWEET if item.register == "posts" else sentiment.PROMPT).format(item.sentence)
