"""Slot values of the sentiment builder: numbers, dates, names and goods of one sentence."""

import random
import re

from finlora.builders.sentiment_names import BROKERS, SECTORS, Sector

NATIONS = (
    "Finnish", "Finnish", "Finnish", "Swedish", "Danish", "Norwegian", "Estonian", "German", "Dutch",
    "British", "Polish", "Latvian", "Lithuanian", "Swiss", "Austrian", "Belgian", "French", "Russian",
)  # fmt: skip
CITIES = (
    "Helsinki", "Espoo", "Tampere", "Turku", "Oulu", "Vantaa", "Stockholm", "Gothenburg", "Copenhagen",
    "Oslo", "Tallinn", "Riga", "Vilnius", "Hamburg", "London", "Warsaw", "St. Petersburg", "Vienna",
    "Amsterdam", "Lahti", "Kuopio", "Malmo", "Antwerp", "Zurich", "Shanghai", "Moscow", "Budapest",
)  # fmt: skip
COUNTRIES = (
    "Finland", "Sweden", "Norway", "Denmark", "Estonia", "Latvia", "Lithuania", "Russia", "Germany", "Poland",
    "China", "India", "Brazil", "Hungary", "Ukraine", "Canada", "Italy", "Spain", "Turkey", "South Africa",
)  # fmt: skip
REGIONS = (
    "the Nordic countries", "the Baltic states", "Central Europe", "Asia", "North America", "Russia",
    "Western Europe", "South America", "the Middle East", "Eastern Europe", "the domestic market",
)  # fmt: skip
PEOPLE = (
    "Antti Vesala", "Kirsi Lehmus", "Jukka Harjula", "Marja Salomaa", "Petri Koskela", "Anna Lindvik",
    "Lars Holmgard", "Ingrid Solberg", "Erik Nyhamn", "Tiina Rauhala", "Mikko Paasio", "Heidi Kallas",
    "Johan Brenner", "Peter Ashdown", "Sirpa Niinimaa", "Olli Kantola", "Claudia Weissner", "Jan Dekkert",
)  # fmt: skip
ROLES = (
    "chief financial officer", "managing director", "president and CEO", "head of corporate communications",
    "senior vice president", "sales director", "chief operating officer", "head of investor relations",
    "general counsel", "production director", "country manager", "member of the executive board",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
SEASONS = ("spring", "summer", "autumn", "winter")
FOREIGN_MONEY = ("US dollar", "Russian rouble", "Swedish krona", "British pound")
# What only some lines of business do, by the words of a phrase.
_SUITS = (
    (r"passengers|load factor", ("airline", "shipping company")),
    (r"net interest income", ("bank",)),
    (r"rental income", ("property investor", "construction company")),
    (r"tonnes", ("paper maker", "steel company", "mining company", "chemicals company", "food company")),
    (r"vessel", ("shipping company", "shipyard")),
    (r"assets under management", ("bank", "insurance group")),
    (r"investment properties|leasable", ("property investor",)),
    (
        r"[Ss]oftware|patented",
        ("software house", "IT services company", "drugmaker", "electronics manufacturer"),
    ),
)
_GOODS = (
    r"produc|deliver|manufactur|\bma[dk]|recall|raw material|shi[pf]|suppl"
    r"|warehouse|trade fair|batches|units|\border|capacity"
)

_WORDS = {
    "EUR": "euros",
    "USD": "dollars",
    "SEK": "Swedish kronor",
    "GBP": "pounds",
    "NOK": "Norwegian kroner",
}
_STYLES = (
    ("{code} {amount} mn",) * 4
    + ("{code} {amount} million",) * 3
    + (
        "{code}{amount}m",
        "{code}{amount} mn",
        "{code} {amount}m",
        "{amount} million {word}",
        "{amount} mln {word}",
    )
)


class _Numbers:
    """Amounts of one sentence: one currency, one way to write it, one order of size."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._code = rng.choice(("EUR",) * 12 + tuple(_WORDS))
        self._style = rng.choice(_STYLES)
        self._percent = rng.choice(("{}%",) * 4 + ("{} pct", "{} percent", "{} per cent"))
        self._scale = rng.choice((4, 20, 90, 400))

    def _write(self, kind: str, value: float) -> str:
        if kind == "money":
            return self._style.format(code=self._code, amount=f"{value:,.1f}", word=_WORDS[self._code])
        if kind == "share":
            return f"{self._code} {value:.2f}"
        return self._percent.format(f"{value:.1f}") if kind == "percent" else f"{int(value):,}"

    def pair(self, kind: str) -> tuple[str, str]:
        """Return a larger and a smaller number of one kind, written alike."""
        low = {
            "money": self._rng.uniform(0.3, 2.5) * self._scale,
            "share": self._rng.uniform(0.08, 4.0),
            "percent": self._rng.uniform(3.0, 28.0),
            "count": self._rng.uniform(1_500, 300_000),
        }[kind]
        return self._write(kind, low * self._rng.uniform(1.06, 2.4)), self._write(kind, low)

    def percent(self) -> str:
        """Return a percentage, whole or with one decimal."""
        if self._rng.random() < 0.4:
            return self._percent.format(self._rng.randint(2, 34))
        return self._write("percent", self._rng.uniform(1.0, 34.0))


def _amounts(rng: random.Random, kind: str) -> dict[str, str]:
    """Return the number slots; {hi}, {lo} and {v} are of the given kind."""
    numbers = _Numbers(rng)
    high, low = numbers.pair(kind)
    share_high, share_low = numbers.pair("share")
    count_high, count_low = numbers.pair("count")
    part = rng.choice((50, 51, 60, 65, 70, 80))
    few = rng.randint(3, 9)
    return {
        "hi": high,
        "lo": low,
        "v": low,
        "share_hi": share_high,
        "share_lo": share_low,
        "count_hi": count_high,
        "count_lo": count_low,
        "m1": numbers.pair("money")[0],
        "m2": numbers.pair("money")[1],
        "pct": numbers.percent(),
        "pct2": numbers.percent(),
        "rate": f"{rng.uniform(1.5, 7.9):.2f}%",
        "stake": f"{rng.uniform(12, 48):.1f}%",
        "pct_a": f"{part}%",
        "pct_b": f"{100 - part}%",
        "jobs": f"{rng.choice((rng.randint(20, 400), 10 * rng.randint(30, 240))):,}",
        "shares": f"{rng.randint(20_000, 90_000_000):,}",
        "area": f"{100 * rng.randint(8, 480):,}",
        "n": rng.choice((str(few), ("three", "four", "five", "six", "seven", "eight", "nine")[few - 3])),
        "nth": f"{rng.randint(4, 9)}th",
        "round": rng.choice(("10,000", "50,000", "100,000", "250,000")),
        "years": rng.choice(("two", "three", "four", "five", "ten")),
    }


def _times(rng: random.Random) -> dict[str, str]:
    """Return the slots of dates and periods, around one year."""
    year = rng.randint(2003, 2016)
    months = rng.sample(MONTHS, 2)
    days = [rng.randint(1, 28) for _ in range(2)]
    quarter = rng.choice(("first", "second", "third", "fourth")) + " quarter"
    last = year - 1
    spans = ("January-March", "January-June", "January-September", "April-June", "July-September")
    dates = [
        rng.choice((f"{day} {m} {year}", f"{m} {day}, {year}")) for day, m in zip(days, months, strict=True)
    ]
    return {
        "year": str(year),
        "prev": str(last),
        "next": str(year + 1),
        "recent": str(year - rng.randint(3, 9)),
        "old_year": str(rng.randint(1878, 2001)),
        "birth_year": str(rng.randint(1948, 1978)),
        "month": months[0],
        "month2": months[1],
        "daynum": str(days[0]),
        "date": dates[0],
        "date2": dates[1],
        "weekday": rng.choice(WEEKDAYS),
        "season": rng.choice(SEASONS),
        "quarter": quarter,
        "period": rng.choice(
            (
                f"the {quarter} of {year}",
                f"the {quarter}",
                f"{rng.choice(spans)} {year}",
                str(year),
                f"the financial year {year}",
                f"the first half of {year}",
                "the review period",
            )
        ),
        "prior": rng.choice(
            (
                "",
                " a year earlier",
                " a year ago",
                " the year before",
                f" in {last}",
                " in the year-ago period",
                f" in the corresponding period in {last}",
                f" in the same period of {last}",
            )
        ),
        "prior2": rng.choice(("", "", f" from the corresponding period in {last}", " from a year earlier")),
        "prior3": rng.choice(("a year earlier", "the year before", f"in {last}")),
    }


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _sectors(text: str) -> list[Sector]:
    """Return the lines of business that a text can be about."""
    bare = re.sub(r"{.*?}", "", text)
    for pattern, nouns in _SUITS:
        if re.search(pattern, bare):
            return [sector for sector in SECTORS if sector.noun in nouns]
    return [sector for sector in SECTORS if sector.goods or not re.search(_GOODS, bare)]


def _nouns(rng: random.Random, split: str, text: str) -> dict[str, str]:
    """Return the slots of companies, people, places and goods."""
    sector = rng.choice(_sectors(text))
    company = rng.choice(getattr(sector, split))
    others = [name for s in SECTORS for name in getattr(s, split) if name != company]
    people, cities = rng.sample(PEOPLE, 3), rng.sample(CITIES, 2)
    countries, products = rng.sample(COUNTRIES, 2), rng.sample(sector.products, 2)
    nation = rng.choice(NATIONS)
    return {
        "co": company,
        "co2": rng.choice(others),
        "bank": rng.choice(BROKERS[split]),
        "sector": sector.noun,
        "sector_cap": sector.noun[0].upper() + sector.noun[1:],
        "unit": sector.unit,
        "site": sector.site,
        "a_site": _with_article(sector.site),
        "nation": nation,
        "a_nation": _with_article(nation),
        "region": rng.choice(REGIONS),
        "role": rng.choice(ROLES),
        "currency_name": rng.choice(FOREIGN_MONEY),
        **dict(zip(("person", "person2", "person3"), people, strict=True)),
        **dict(zip(("city", "city2"), cities, strict=True)),
        **dict(zip(("country", "country2"), countries, strict=True)),
        **dict(zip(("product", "product2"), products, strict=True)),
    }


def slot_values(rng: random.Random, split: str, text: str, kind: str) -> dict[str, str]:
    """Return a value for every slot a phrase may have.

    Args:
        rng: the random numbers.
        split: "train" or "test", whose companies are to be named.
        text: the phrase and its skeleton, unfilled; decides which lines of business suit.
        kind: what {hi}, {lo} and {v} count: money, share, percent or count.

    Returns:
        Slot names with their text.
    """
    return {**_nouns(rng, split, text), **_times(rng), **_amounts(rng, kind)}
