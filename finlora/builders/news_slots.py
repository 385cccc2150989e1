"""Slot values of invented news: companies with their business, people, places, figures and dates."""

import random

from finlora.builders.material import lines, words
from finlora.builders.news_figures import Figures, small, times

# Slots whose values name somebody or some place.
_NAMES = ("co", "co2", "broker", "person", "person2", "city", "city2", "country", "country2", "region")


class Verb:
    """A verb in the present tense; `{s:rise}` becomes "rises", or "rise" with a plural.

    Args:
        plural: whether its subject is a plural.
    """

    def __init__(self, plural: bool) -> None:
        self._plural = plural

    def __format__(self, verb: str) -> str:
        if self._plural:
            return verb
        return verb + ("es" if verb.endswith(("o", "sh", "ch", "ss")) else "s")


def company(rng: random.Random, stem: str, sector: str) -> str:
    """Return a company's name: its stem alone, or with a word of its line of business."""
    second = rng.choice(["", *sector.split(" | ")[3].split(", ")])
    return f"{stem} {second}".rstrip()


def cashtag(stem: str) -> str:
    """Return the sign under which posts name a company."""
    return "$" + stem.replace(" ", "")[:5].upper()


def _people_and_places(rng: random.Random, split: str) -> dict[str, object]:
    firsts = rng.sample(words("names", split, "first"), 2)
    surnames = rng.sample(words("names", split, "surname"), 2)
    city, city2 = rng.sample(words("names", split, "city"), 2)
    country, country2 = rng.sample(words("names", split, "country"), 2)
    return {
        "person": f"{firsts[0]} {surnames[0]}",
        "person2": f"{firsts[1]} {surnames[1]}",
        "handle": f"{rng.choice(words('names', split, 'handle'))}{rng.randint(1, 99)}",
        "city": city,
        "city2": city2,
        "index": f"{city2} {rng.choice(('All-Share', '50 index', 'Composite', 'index'))}",
        "country": country,
        "country2": country2,
        "region": rng.choice(words("names", split, "region")),
    }


def _companies(rng: random.Random, split: str) -> dict[str, object]:
    stem, stem2 = rng.sample(words("names", split, "stem"), 2)
    sector, sector2 = rng.sample(lines("names", split, "sector"), 2)
    noun, site, unit, _, products = sector.split(" | ")
    return {
        "co": company(rng, stem, sector),
        "co2": company(rng, stem2, sector2),
        "tag": cashtag(stem),
        "tag2": cashtag(stem2),
        "broker": rng.choice(words("names", split, "broker")),
        "sector": noun,
        "site": site,
        "unit": unit,
        "product": rng.choice(products.split(", ")),
    }


def _numbers(rng: random.Random, figures: Figures) -> dict[str, object]:
    high, low = figures.pair("money")
    share_high, share_low = figures.pair("share")
    return {
        "m1": figures.money(),
        "m2": figures.money(),
        "hi": high,
        "lo": low,
        "share_hi": share_high,
        "share_lo": share_low,
        "count_hi": figures.pair("count")[0],
        "pct": figures.percent(),
        "jobs": f"{rng.choice((rng.randint(30, 400), 10 * rng.randint(40, 290))):,}",
        "n": small(rng),
        "nth": f"{rng.randint(4, 9)}th",
        "code": f"{rng.getrandbits(24):06x}",
    }


def values(rng: random.Random, split: str, figures: Figures) -> dict[str, object]:
    """Return a value for every slot of a clause or a frame.

    Args:
        rng: the random numbers.
        split: train or test, whose names are to be used.
        figures: how the text writes its amounts.
    """
    return {
        **_companies(rng, split),
        **_people_and_places(rng, split),
        **_numbers(rng, figures),
        **times(rng),
    }


def names(given: dict[str, object], used: frozenset[str]) -> frozenset[str]:
    """Return the companies, places and people among the slots that a text used."""
    seen = set(used)
    seen |= {"city2"} if "index" in used else set()
    return frozenset(str(given[slot]) for slot in (*_NAMES, "tag", "tag2", "handle") if slot in seen)
