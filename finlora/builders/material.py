"""What the builders of texts share: reading their lists, mending sentences, asking for a number of rows.

Templates and word lists are text files in `finlora/files/builders`. A heading `[train frame]` names the side
and the kind of the lines below it; `[both item]` stands on both sides. `#` begins a comment.
"""

import re
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TypeVar

from finlora.errors import UsageError

Row = dict[str, str]
Made = TypeVar("Made")

FILES = Path(__file__).parents[1] / "files" / "builders"
MAX_ROWS = 100_000
_SIDES = ("train", "test")
_HEADING = re.compile(r"\[(train|test|both) (\w+)\]")
# Draws of a row that is there already, one after another, before the material counts as used up.
_ATTEMPTS = 10_000
_ARTICLE = re.compile(r"\b([Aa])n? (?=[\"'(]?([\w$€£¥.]+))")
_VOWEL_SOUND = re.compile(r"[aeio]|u(?!n[ai]|s[ae]|tili)|hour|8|1[18](?!\d)", re.IGNORECASE)
_CONSONANT_SOUND = re.compile(r"eu|one\b|once", re.IGNORECASE)


@cache
def lines(file: str, split: str, kind: str) -> tuple[str, ...]:
    """Return the lines of one kind.

    Args:
        file: name of the list, without its ending.
        split: train or test.
        kind: the second word of the heading.

    Returns:
        The lines in the file's order; empty where the file has no such heading.
    """
    return _sections(file).get((split, kind), ())


@cache
def words(file: str, split: str, kind: str) -> tuple[str, ...]:
    """Return the entries of one kind where a line holds several, separated by commas."""
    return tuple(word for line in lines(file, split, kind) for word in line.split(", "))


@cache
def _sections(file: str) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    here: list[list[str]] = []
    for line in (FILES / f"{file}.txt").read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.fullmatch(line):
            sides = _SIDES if heading[1] == "both" else (heading[1],)
            here = [found.setdefault((side, heading[2]), []) for side in sides]
        elif line and not line.startswith("#"):
            for section in here:
                section.append(line)
    return {key: tuple(section) for key, section in found.items()}


@cache
def slots(template: str) -> frozenset[str]:
    """Return the names in a template's braces."""
    return frozenset(field for _, field, _, _ in Formatter().parse(template) if field)


def mended(text: str) -> str:
    """Return a filled template with the articles, possessives and full stops that its fillings want."""
    text = _ARTICLE.sub(lambda hit: f"{hit[1]}n " if _sounds_open(hit[2]) else f"{hit[1]} ", text)
    return re.sub(r"(?<!\.)\.\.(?!\.)", ".", text.replace("s's ", "s' "))


def _sounds_open(word: str) -> bool:
    return bool(_VOWEL_SOUND.match(word)) and not _CONSONANT_SOUND.match(word)


def capital(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return text[0].upper() + text[1:]


def titled(text: str) -> str:
    """Return a headline with capitals at all but its small words."""
    return re.sub(
        r"(?<!['\w])(?!(?:and|for|the|per|pct|mln)\b)[a-z]{3,}", lambda hit: hit[0].capitalize(), text
    )


def check_sizes(train_rows: int, test_rows: int) -> None:
    """Refuse numbers of rows that no builder of texts makes.

    Raises:
        UsageError: one is below 0 or above `MAX_ROWS`.
    """
    for name, rows in (("train_rows", train_rows), ("test_rows", test_rows)):
        if not 0 <= rows <= MAX_ROWS:
            raise UsageError(f"{name} is {rows:,}; give 0 to {MAX_ROWS:,}")


def distinct(make: Callable[[], Made], key: Callable[[Made], Hashable], seen: set[Hashable]) -> Made:
    """Return the next thing made whose key is new, and remember its key.

    Raises:
        UsageError: nothing new came, however often it was made.
    """
    for _ in range(_ATTEMPTS):
        made = make()
        if key(made) not in seen:
            seen.add(key(made))
            return made
    raise UsageError(f"no further row that differs from the {len(seen):,} made; ask for fewer rows")
