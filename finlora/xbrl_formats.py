"""What inline XBRL shows, read as what it means: numbers and dates in the formats of the registries.

Source: XBRL International, Inline XBRL Transformation Registry 1 to 5; SEC, EDGAR Filer Manual (numwordsen).
Where a registry would take digits in any grouping, groups of three are asked for here, so that a comma that
was meant as a decimal sign is a fault and no number a thousand times too large.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

_REGISTRIES = re.compile(r"http://www\.(?:xbrl\.org|sec\.gov)/inlineXBRL/transformation/[\d-]+")
_SPACE = " \u00a0\u2009\u202f"
_DASHES = re.compile("[-\u00ad\u2010-\u2015\u2212]")
_LONGEST = 60
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def number(text: str, format_: str | None, namespaces: Mapping[str | None, str]) -> Decimal:
    """Read the number that a numeric fact shows, before its scale and sign.

    Args:
        text: what is shown.
        format_: the format's name with its prefix; None: a plain number.
        namespaces: prefix to namespace where the fact stands.

    Returns:
        A number of 0 or more.

    Raises:
        ValueError: an unknown format, or a text that isn't in it.
    """
    text = text.strip()
    if format_ is None:
        return _plain(text)
    name = _local_name(format_, namespaces)
    if name not in _NUMBERS:
        raise ValueError(f"the format {format_} is not known for numbers")
    try:
        return _NUMBERS[name](text)
    except ValueError as error:
        raise ValueError(f"{error} (format {format_})") from None


def day(text: str) -> date:
    """Read a date as filings write it: 2024-09-28, September 28, 2024, 28 September 2024 or 9/28/2024.

    Raises:
        ValueError: none of these, or no day of the calendar.
    """
    words = re.findall(r"\d+|[a-z]+", text.lower())
    names = [word for word in words if word.isalpha()]
    numbers = [int(word) for word in words if word.isdigit() and len(word) <= 4]
    if len(numbers) + len(names) == 3 == len(words) and len(names) < 2:
        if names and names[0][:3] in _MONTHS:
            return date(numbers[1], _MONTHS.index(names[0][:3]) + 1, numbers[0])
        if not names:
            year, month, of_month = numbers if len(words[0]) == 4 else (numbers[2], *numbers[:2])
            return date(year, month, of_month)
    raise ValueError(f"'{text[:40]}' is no date")


def _local_name(format_: str, namespaces: Mapping[str | None, str]) -> str:
    prefix, _, local = format_.strip().rpartition(":")
    if not _REGISTRIES.fullmatch(namespaces.get(prefix, "")):
        raise ValueError(f"the format {format_} is of no known registry")
    # Registries 1 to 3 write numdotdecimal, 4 and 5 num-dot-decimal.
    return local.replace("-", "").lower()


def _plain(text: str) -> Decimal:
    if len(text) > _LONGEST or not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text):
        raise ValueError(f"'{text[:40]}' is no number of 0 or more")
    return Decimal(text)


def _grouped(point: str, group: str) -> Callable[[str], Decimal]:
    pattern = re.compile(rf"([0-9]{{1,3}}(?:[{group}][0-9]{{3}})+|[0-9]*)(?:{re.escape(point)}([0-9]+))?")

    def read(text: str) -> Decimal:
        match = pattern.fullmatch(text) if 0 < len(text) <= _LONGEST else None
        if not match:
            raise ValueError(f"'{text[:40]}' is no number with '{point}' before the decimals")
        return Decimal(f"{re.sub('[^0-9]', '', match[1]) or '0'}.{match[2] or '0'}")

    return read


def _zero(text: str) -> Decimal:
    return Decimal(0)


def _dash(text: str) -> Decimal:
    if not _DASHES.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is no dash")
    return Decimal(0)


def _units(text: str) -> Decimal:
    """Read "12 euros 50 cents" as 12.50."""
    whole, unit = rf"([0-9]{{1,3}}(?:[.,{_SPACE}][0-9]{{3}})+|[0-9]+)", rf"[{_SPACE}]*[^0-9.,{_SPACE}][^0-9]*"
    pattern = f"{whole}{unit}([0-9]{{1,2}})(?:{unit})?"
    match = re.fullmatch(pattern, text) if len(text) <= _LONGEST else None
    if not match:
        raise ValueError(f"'{text[:40]}' is no amount in units and hundredths")
    return Decimal(f"{re.sub('[^0-9]', '', match[1])}.{match[2]:0>2}")


def _words(text: str) -> Decimal:
    words = re.findall("[a-z]+", text.lower())
    if text.lower() in ("no", "none"):
        return Decimal(0)
    total = part = 0
    for word in (word for word in words if word != "and"):
        if word in _SMALL:
            part += _SMALL.index(word)
        elif word in _TENS:
            part += 10 * (_TENS.index(word) + 2)
        elif word == "hundred" and part:
            part *= 100
        elif word in _LARGE and part:
            total, part = total + part * _LARGE[word], 0
        else:
            words = []
    if not words or len(text) > 4 * _LONGEST:
        raise ValueError(f"'{text[:40]}' is no number in words")
    return Decimal(total + part)


_DOT, _COMMA = _grouped(".", f",{_SPACE}"), _grouped(",", f".{_SPACE}")
_NUMBERS: Mapping[str, Callable[[str], Decimal]] = {
    "numdotdecimal": _DOT,
    "numcommadecimal": _COMMA,
    "numdotdecimalapos": _grouped(".", f",'`´’′{_SPACE}"),
    "numcommadecimalapos": _grouped(",", f".'`´’′{_SPACE}"),
    "numunitdecimal": _units,
    "fixedzero": _zero,
    "zerodash": _dash,
    # The first registry's names.
    "numcommadot": _DOT,
    "numspacedot": _DOT,
    "numdotcomma": _COMMA,
    "numspacecomma": _COMMA,
    "numcomma": _COMMA,
    "numdash": _dash,
    # The SEC's own.
    "numwordsen": _words,
}
