"""Figures and dates of invented news: amounts of one sentence in one currency and one way of writing."""

import random

from finlora.builders.sentiment_slots import MONTHS, WEEKDAYS

# How an amount in millions or billions is written. {c} is a sign, {code} a code, {word} the currency's name.
_STYLES = (
    "{c}{amount} {long}",
    "{c}{amount} {long}",
    "{c}{amount}{short}",
    "{c}{amount}{short}",
    "{code} {amount} {long}",
    "{code} {amount}{short}",
    "{code}{amount}{short}",
    "{code} {amount} {middle}",
    "{amount} {long} {word}",
)
_CURRENCIES = (
    ("$", "USD", "dollars"),
    ("$", "USD", "dollars"),
    ("$", "USD", "dollars"),
    ("€", "EUR", "euros"),
    ("€", "EUR", "euros"),
    ("£", "GBP", "pounds"),
    ("¥", "JPY", "yen"),
    ("CHF ", "CHF", "Swiss francs"),
    ("Rs ", "INR", "rupees"),
)
_UNITS = (("million", "mn", "m"), ("million", "mln", "m"), ("billion", "bn", "bn"))
_PERCENT = ("{}%", "{}%", "{}%", "{} percent", "{} per cent", "{} pct")
_SMALL = ("three", "four", "five", "six", "seven", "eight", "nine")


class Figures:
    """Numbers of one sentence.

    Args:
        rng: the random numbers; the currency and the way of writing are drawn once.
        national: whether the amounts are those of a country, in billions.
    """

    def __init__(self, rng: random.Random, national: bool = False) -> None:
        self._rng = rng
        self._sign, self._code, self._word = rng.choice(_CURRENCIES)
        self._style = rng.choice(_STYLES)
        self._unit = _UNITS[-1] if national else rng.choice(_UNITS)
        self._percent = rng.choice(_PERCENT)
        self._digits = rng.choice((0, 1, 1, 2))
        self._scale = rng.choice((1, 4, 30)) if self._unit[2] == "bn" else rng.choice((5, 40, 300))

    def _money(self, value: float) -> str:
        digits = 1 if value < 20 and self._digits == 0 else self._digits
        long, middle, short = self._unit
        return self._style.format(
            c=self._sign,
            code=self._code,
            word=self._word,
            amount=f"{value:,.{digits}f}",
            long=long,
            middle=middle,
            short=short,
        )

    def _write(self, kind: str, value: float) -> str:
        if kind == "money":
            return self._money(value)
        if kind == "share":
            return f"{self._sign}{value:.2f}"
        if kind == "percent":
            return self._percent.format(f"{value:.1f}")
        return f"{value:.1f} points" if kind == "points" else f"{round(value):,}"

    def pair(self, kind: str) -> tuple[str, str]:
        """Return a larger and a smaller number of one kind (money, share, percent, points or count)."""
        low = {
            "money": self._rng.uniform(0.4, 3.0) * self._scale,
            "share": self._rng.uniform(0.2, 60.0),
            "percent": self._rng.uniform(2.0, 30.0),
            "points": self._rng.uniform(40.0, 95.0),
            "count": self._rng.uniform(1_200, 400_000),
        }[kind]
        high = low * self._rng.uniform(1.12, 1.9) + 0.2
        return self._write(kind, high), self._write(kind, low)

    def money(self) -> str:
        """Return one amount."""
        return self.pair("money")[0]

    def percent(self) -> str:
        """Return a percentage, whole or with one decimal."""
        if self._rng.random() < 0.5:
            return self._percent.format(self._rng.randint(2, 38))
        return self._write("percent", self._rng.uniform(1.1, 38.0))


def small(rng: random.Random) -> str:
    """Return a number from three to nine, as a word or a digit."""
    value = rng.randint(3, 9)
    return rng.choice((str(value), _SMALL[value - 3]))


def times(rng: random.Random) -> dict[str, str]:
    """Return the slots of dates and periods, around one year."""
    year = rng.randint(2006, 2024)
    month, other = rng.sample(MONTHS, 2)
    day, quarter = rng.randint(1, 28), rng.randint(1, 4)
    spelled = ("first", "second", "third", "fourth")[quarter - 1] + " quarter"
    return {
        "year": str(year),
        "prev": str(year - 1),
        "later": str(year + rng.randint(2, 9)),
        "old": str(rng.randint(1881, 1998)),
        "month": month,
        "weekday": rng.choice(WEEKDAYS),
        "date": rng.choice((f"{day} {other} {year}", f"{other} {day}, {year}", f"{other} {day}")),
        "quarter": spelled,
        "q": str(quarter),
        "period": rng.choice(
            (f"the {spelled} of {year}", f"the {spelled}", f"the first half of {year}", f"fiscal {year}")
        ),
    }
