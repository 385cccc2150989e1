"""What the tests of the builders of texts have in common: rules of form, and of two sides kept apart."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from finlora.builders.material import FILES, words

ROOT = Path(__file__).parents[2]
NAME_LISTS = ("stem", "city", "country", "region", "first", "surname", "broker", "handle")
FAULTS = {
    "brace": r"[{}]",
    "spaces": r"  |^\s|\s$",
    "signs": r"[,;:] ?[,;:.]|(?<!\.)\.\.(?!\.)",
    "word twice": r"\b([A-Za-z]+) \1\b",
    "possessive": r"s's\b",
    "number": r"\d(?: %| ,)\d|\dth-|1th|2th|3th",
}
# The sound after "a" and "an", by rules of this test's own.
SAID_WITH_VOWEL = re.compile(r"(?:[aeio]|u(?!ni[^m]|s)|8|11(?!\d)|18(?!\d)|hour)", re.IGNORECASE)
SAID_WITH_CONSONANT = re.compile(r"(?:eur|one|once)", re.IGNORECASE)


def plain(phrase):
    """Return the words of a phrase, so that no comma or capital makes another of it."""
    return " ".join(re.findall(r"[a-z0-9_'+-]+", phrase.lower()))


def sections(file):
    """Return a list's lines by heading, read by this test itself."""
    found = {}
    for line in (FILES / f"{file}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            here = found.setdefault(tuple(line.strip("[]").split()), [])
        elif line and not line.startswith("#"):
            here.append(line)
    return found


def is_bare(line):
    """Tell whether a line has no word beside its slots, and so is no phrase."""
    return not plain(re.sub(r"\{.*?\}", "", line))


def on_both_sides(file):
    """Return phrases that stand for training and for test rows."""
    sides = {"train": set(), "test": set()}
    for (side, kind), found in sections(file).items():
        if side in sides and kind not in ("commodity", "firmname"):
            sides[side] |= {plain(line) for line in found if not is_bare(line)}
    return sides["train"] & sides["test"]


def twice_in_a_section(file):
    return {
        (heading, line)
        for heading, found in sections(file).items()
        for line in found
        if found.count(line) > 1 and not is_bare(line)
    }


def names_of(side):
    """Return every name that may stand on a side only."""
    return {name for kind in NAME_LISTS for name in words("names", side, kind)}


def naming(texts, names):
    """Return the texts that hold one of the names."""
    pattern = re.compile(
        "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names)), re.IGNORECASE
    )
    return [text for text in texts if pattern.search(text)]


def wrong_articles(texts):
    """Return how many articles there are, and those that do not agree with what follows."""
    hits = [hit for text in texts for hit in re.finditer(r"(?<![\w'&.])([Aa]n?) [\"'(]?([\w$€£¥]\S*)", text)]
    wrong = [
        hit[0]
        for hit in hits
        if (hit[1].lower() == "an")
        != bool(SAID_WITH_VOWEL.match(hit[2]) and not SAID_WITH_CONSONANT.match(hit[2]))
    ]
    return len(hits), wrong


def built_elsewhere(module):
    """Return what `build()` of a builder makes in a process with another hash seed."""
    code = f"import json; from finlora.builders.{module} import build; print(json.dumps(build()), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "54321"},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)
