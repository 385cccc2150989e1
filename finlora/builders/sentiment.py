"""Financial news sentences with a sentiment, made from this project's own material.

A sentence is a skeleton (template) around an event phrase about an invented company. Training and test
rows draw on separate templates, event phrases and companies, so a good score on the test rows means
more than having seen their words.
"""

import random
import re
from collections.abc import Iterator
from itertools import cycle
from string import Formatter
from typing import NamedTuple

from finlora.builders import sentiment_negative, sentiment_neutral, sentiment_positive
from finlora.builders.sentiment_frames import ACT_FRAMES, MEASURES, MOVE_FRAMES, MOVES, TAILS
from finlora.builders.sentiment_slots import slot_values

Row = dict[str, str]

PROMPT = (
    "Instruction: What is the sentiment of this news? "
    "Please choose an answer from {{negative/neutral/positive}}.\nInput: {}\nAnswer: "
)

_PHRASES = {"negative": sentiment_negative, "neutral": sentiment_neutral, "positive": sentiment_positive}
# Shares of the rows in per cent. News is mostly neutral, and a model must learn to leave plain facts alone.
_CLASSES = {"negative": 21, "neutral": 47, "positive": 32}
# Shares of a class: verb phrases of a company, moves of a measure; the rest are whole sentences.
_KINDS = {"negative": (38, 35), "neutral": (38, 12), "positive": (40, 30)}
_WHOLE = "{event}"
_TIME_SLOTS = {"date", "month", "period", "year", "prev", "next", "prior3", "quarter"}
_DATED = re.compile(r"\b[Ii]n {month}|On {date}|last week")
_NOT_PAST = re.compile(r"(?!was )(?:\w+s|will|now|did|would) ")
_SPACED = 0.65  # share of sentences written as wire data often is, with spaces around punctuation


class Item(NamedTuple):
    """One generated sentence and what it was made of.

    Args:
        sentence: the text of the news.
        target: negative, neutral or positive.
        template: the skeleton with its slots; a whole sentence is its own skeleton.
        event: the event phrase with its slots.
        companies: every company the sentence names.
    """

    sentence: str
    target: str
    template: str
    event: str
    companies: frozenset[str]


def _written(text: str, spaced: bool) -> str:
    """Mend possessives and capitals, and set spaces around punctuation if asked."""
    text = text.replace('" ', '"', 1).replace(', "', ',"') if not spaced else text
    text = text.replace("s's ", "s' ")
    text = text[0].upper() + text[1:]
    if spaced:
        text = re.sub(r"([,;:](?= )|\.$)", r" \1", text)
        text = re.sub(r"(?<=\d)%", " %", text).replace("'s ", " 's ").replace("' ", " ' ")
        text = re.sub(r"\((?! )", "( ", re.sub(r"(?<! )\)", " )", text))
    return re.sub(r" +", " ", text)


def _compose(rng: random.Random, split: str, target: str, template: str, event: str, measure: int) -> Item:
    """Fill the slots of one template with its event phrase."""
    name, kind, plural = MEASURES[measure]
    used = name if "{move}" in template else ""
    values = slot_values(rng, split, template + event + used, kind if used else "money")
    values |= {"was": "were" if plural else "was", "is": "are" if plural else "is"}
    values["measure"] = name.format_map(values)
    values["measure_cap"] = values["measure"][0].upper() + values["measure"][1:]
    values["tail"] = rng.choice(TAILS).format_map(values)
    for slot in ("event", "act", "move"):
        values[slot] = event.format_map(values)
    sentence = _written(template.format_map(values), rng.random() < _SPACED)
    known = {values[slot] for slot in ("co", "co2", "bank")}
    named = frozenset(name for name in known if name in sentence)
    return Item(sentence, target, event if template == _WHOLE else template, event, named)


def _slots(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def _fits(frame: str, act: str) -> bool:
    """Tell whether a verb phrase may stand in a frame: one time per sentence, nothing said twice."""
    twice = _slots(frame) & _slots(act)
    past = not _NOT_PAST.match(act) and not _slots(act) & _TIME_SLOTS
    return not twice and (past or not _DATED.search(frame))


def _shuffled(rng: random.Random, values: tuple[str, ...]) -> Iterator[str]:
    """Return the values over and over, in one random order."""
    return cycle(rng.sample(values, len(values)))


def _of_class(rng: random.Random, split: str, target: str, count: int, seen: set[str]) -> list[Item]:
    """Return items of one class, every phrase used about equally often and no sentence twice."""
    acts_share, moves_share = _KINDS[target]
    phrases = _PHRASES[target]
    acts, moves = _shuffled(rng, phrases.ACTS[split]), _shuffled(rng, MOVES[split][target])
    wholes = _shuffled(rng, phrases.WHOLES[split])
    items: list[Item] = []
    while len(items) < count:
        place = 100 * len(items) // count
        if place < acts_share:
            event = next(acts)
            template = rng.choice([frame for frame in ACT_FRAMES[split] if _fits(frame, event)])
        elif place < acts_share + moves_share:
            event = next(moves)
            template = rng.choice(MOVE_FRAMES[split])
        else:
            event, template = next(wholes), _WHOLE
        item = _compose(rng, split, target, template, event, rng.randrange(len(MEASURES)))
        if (bare := item.sentence.replace(" ", "")) not in seen:
            seen.add(bare)
            items.append(item)
    return items


def items(split: str, count: int, seed: int) -> list[Item]:
    """Return generated sentences with what they were made of.

    Args:
        split: "train" or "test"; the two share no template, event phrase or company.
        count: how many.
        seed: of every random choice.

    Returns:
        The items in random order.
    """
    rng = random.Random(f"{seed} {split}")
    seen: set[str] = set()
    counts = {label: count * share // 100 for label, share in _CLASSES.items()}
    counts["neutral"] += count - sum(counts.values())
    found = [item for label, n in counts.items() for item in _of_class(rng, split, label, n, seen)]
    rng.shuffle(found)
    return found


def build(seed: int = 42, train_rows: int = 960, test_rows: int = 240) -> tuple[list[Row], list[Row]]:
    """Return the training and the test rows of the sentiment sample.

    Args:
        seed: of every random choice; the committed files are of the default.
        train_rows: how many training rows.
        test_rows: how many test rows.

    Returns:
        Two lists of rows with `context` (the prompt) and `target` (the label).
    """
    made = (items("train", train_rows, seed), items("test", test_rows, seed))
    train, test = (
        [{"context": PROMPT.format(item.sentence), "target": item.target} for item in part] for part in made
    )
    return train, test
