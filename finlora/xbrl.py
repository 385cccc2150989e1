"""Reads one filing: an XBRL instance document, or inline XBRL in a page.

Source: XBRL 2.1 (4.6 items), Inline XBRL 1.1, "Handling Duplicate Facts in XBRL and Inline XBRL 1.0" (two
numbers for one fact are the same where their roundings meet), EDGAR Filer Manual II, 6.5 (one entity, and
what every filing says of itself). No schema is loaded: a fact with a unit is a number, one without is a text.
TextBlocks, which hold whole sections as HTML, and tuples are not read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from finlora import inline_xbrl, xbrl_formats
from finlora.errors import DataError, Problem
from finlora.xbrl_document import (
    INSTANCE,
    LARGEST,
    Context,
    Faults,
    Reported,
    contexts,
    decimal_digits,
    element_name,
    is_nil,
    parse,
    text_of,
    units,
)

_ROOT = f"{{{INSTANCE}}}xbrl"
_LINKBASE = "http://www.xbrl.org/2003/linkbase"
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})")
_MARKS = (*(space.encode() for space in inline_xbrl.NAMESPACES), INSTANCE.encode())


@dataclass(frozen=True)
class Fact:
    """One reported fact.

    Args:
        tag: prefix and name, `us-gaap:Assets`.
        value: a number (an integer as one, without exponent or `.0`), or a text.
        unit: `USD`, `shares`, `USD/shares`; None for a text.
        context: the id of its context.
        start: first day of the duration it is about.
        end: last day of that duration.
        instant: the day it is about, where it is a balance.
        decimals: digits after the point that are right (-6: millions); None: all, or a text.
        line: 1-based line in the file.
        dimensions: axis and member where the fact is about a part of the company.
    """

    tag: str
    value: Decimal | str
    unit: str | None
    context: str
    start: date | None
    end: date | None
    instant: date | None
    decimals: int | None
    line: int
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Filing:
    """One filing.

    Args:
        company: its registered name.
        entity: the identifier of the company, for the SEC its CIK.
        year: the fiscal year it is about; None where it names none, as an 8-K.
        document_type: 10-K, 10-Q, …
        period_end: the last day it is about.
        facts: facts about the whole company, in document order, each once.
        segments: facts about parts of it (with dimensions), in document order, each once.
        file: where it was read.
    """

    company: str
    entity: str
    year: int | None
    document_type: str
    period_end: date
    facts: tuple[Fact, ...]
    segments: tuple[Fact, ...]
    file: str


def read(path: Path) -> Filing:
    """Read a filing.

    Args:
        path: an instance document (.xml, .xbrl) or a page with inline XBRL (.htm, .html, .xhtml).

    Raises:
        DataError: no filing, or a faulty one; every fault with its line.
    """
    return parse_filing(content_of(path), str(path))


def content_of(path: Path) -> bytes:
    """Return a document's bytes.

    Raises:
        DataError: it can't be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError([Problem(f"has {size:,} bytes; at most {LARGEST:,} are read", str(path))])
        return path.read_bytes()
    except OSError as error:
        raise DataError([Problem(f"can't be read: {error.strerror}", str(path))]) from None


def is_filing(content: bytes) -> bool:
    """Say whether a document means to be a filing, without parsing it: linkbases and plain pages do not."""
    return any(mark in content for mark in _MARKS) and not re.search(rb"<(?:\w+:)?linkbase[\s>]", content)


def parse_filing(content: bytes, file: str) -> Filing:
    """Read a filing from its bytes; arguments and errors as in `read`."""
    root = parse(content, file)
    faults = Faults(file)
    if root.tag not in (_ROOT, inline_xbrl.PAGE):
        faults.add(f"its root is <{root.tag[:80]}>; a filing has xbrli:xbrl, or html of XHTML", root)
        faults.stop()
    reader = _instance_facts if root.tag == _ROOT else inline_xbrl.facts
    reported = [fact for fact in reader(root, faults) if not fact.tag.endswith("TextBlock")]
    places, measures = contexts(root, faults), units(root, faults)
    facts = _once(_resolved(reported, places, measures, faults), faults)
    entities = sorted({place.entity for place in places.values()} - {""})
    if len(entities) > 1:
        faults.add(f"speaks of {len(entities)} entities: {', '.join(entities[:3])}", root)
    consolidated = tuple(fact for fact in facts if not fact.dimensions)
    about = _about(consolidated, faults)
    faults.stop()
    return Filing(
        company=about["EntityRegistrantName"],
        entity=entities[0],
        year=about.get("DocumentFiscalYearFocus"),
        document_type=about["DocumentType"],
        period_end=about["DocumentPeriodEndDate"],
        facts=consolidated,
        segments=tuple(fact for fact in facts if fact.dimensions),
        file=file,
    )


def plain(value: Decimal) -> str:
    """Write a number as plain digits: no exponent, no zeros behind the point, never `.0`."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _instance_facts(root: Any, faults: Faults) -> Iterator[Reported]:
    for element in root.iterchildren("*"):
        if element.tag.startswith((f"{{{INSTANCE}}}", f"{{{_LINKBASE}}}")):
            continue
        try:
            yield _instance_fact(element, faults)
        except ValueError as error:
            faults.add(f"{element.tag.rpartition('}')[2]}: {error}", element)


def _instance_fact(element: Any, faults: Faults) -> Reported:
    tag, context, unit = element_name(element), element.get("contextRef"), element.get("unitRef")
    if not tag or context is None:
        raise ValueError("a fact needs a prefix and a contextRef (tuples are not read)")
    text, decimals = text_of(element).strip(), None
    if is_nil(element, faults):
        value: Decimal | str | None = None
    elif unit is None:
        value = " ".join(text.split())
    elif not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is no number")
    else:
        value, decimals = Decimal(text), decimal_digits(element)
    return Reported(tag, value, context, unit, decimals, element)


def _resolved(
    reported: Iterable[Reported], places: Mapping[str, Context], measures: Mapping[str, str], faults: Faults
) -> Iterator[Fact]:
    """Follow the references of facts; nil facts, which say that there is no value, are left out."""
    for fact in reported:
        unit = None if fact.unit is None else measures.get(fact.unit)
        place = places.get(fact.context)
        if place is None:
            faults.add(f"{fact.tag}: there is no context '{fact.context}'", fact.element)
        elif fact.unit is not None and unit is None:
            faults.add(f"{fact.tag}: there is no unit '{fact.unit}'", fact.element)
        elif fact.value is not None:
            yield Fact(
                fact.tag,
                Decimal(plain(fact.value)) if isinstance(fact.value, Decimal) else fact.value,
                unit,
                fact.context,
                place.start,
                place.end,
                place.instant,
                fact.decimals,
                fact.element.sourceline,
                place.dimensions,
            )


def _once(facts: Iterable[Fact], faults: Faults) -> list[Fact]:
    """Keep each fact once, the most precise; numbers that contradict each other are faults.

    Texts that differ are all kept: a date may stand there in two forms.
    """
    kept: dict[tuple[object, ...], Fact] = {}
    for fact in facts:
        text = fact.value if isinstance(fact.value, str) else ""
        key = (fact.tag, fact.unit, fact.start, fact.end, fact.instant, fact.dimensions, text)
        first = kept.setdefault(key, fact)
        if not _agree(first, fact):
            faults.problems.append(
                Problem(
                    f"{fact.tag} is {fact.value} here and {first.value} in line {first.line}",
                    faults.file,
                    fact.line,
                )
            )
        elif _half_unit(fact) < _half_unit(first):
            kept[key] = fact
    return list(kept.values())


def _agree(one: Fact, other: Fact) -> bool:
    if isinstance(one.value, Decimal) and isinstance(other.value, Decimal):
        return abs(one.value - other.value) <= _half_unit(one) + _half_unit(other)
    return True


def _half_unit(fact: Fact) -> Decimal:
    return Decimal(0) if fact.decimals is None else Decimal(f"5E{-fact.decimals - 1}")


def _about(facts: Iterable[Fact], faults: Faults) -> dict[str, Any]:
    """Return what a filing says of itself: company, year, type, end of its period."""
    about: dict[str, Any] = {}
    said = [(fact, fact.tag.removeprefix("dei:")) for fact in facts if fact.tag.startswith("dei:")]
    for name, read_value in _ABOUT.items():
        texts = {str(fact.value): fact.line for fact, tag in said if tag == name}
        line = next(iter(texts.values()), None)
        try:
            values = {read_value(text) for text in texts}
        except ValueError as error:
            faults.problems.append(Problem(f"dei:{name}: {error}", faults.file, line))
            continue
        if len(values) == 1:
            about[name] = values.pop()
        elif values or name != "DocumentFiscalYearFocus":
            found = f"has {len(values)} values" if values else "is missing"
            faults.problems.append(Problem(f"dei:{name} {found}; one is needed", faults.file, line))
    return about


def _year(text: str) -> int:
    if not re.fullmatch(r"(19|20)[0-9]{2}", text):
        raise ValueError(f"'{text[:40]}' is no year from 1900 to 2099")
    return int(text)


def _words(text: str) -> str:
    if not text or len(text) > 200:
        raise ValueError("is empty, or longer than 200 characters")
    return text


_ABOUT: Mapping[str, Callable[[str], Any]] = {
    "EntityRegistrantName": _words,
    "DocumentType": _words,
    "DocumentFiscalYearFocus": _year,
    "DocumentPeriodEndDate": xbrl_formats.day,
}
