"""The parts of an XBRL document that facts refer to: names, contexts and units; parsed without any trust.

Source: XBRL 2.1 (4.7 contexts, 4.8 units), XBRL Dimensions 1.0. No schema, linkbase or DTD is loaded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finlora.errors import DataError, Problem

INSTANCE = "http://www.xbrl.org/2003/instance"
LARGEST = 20 * 1024 * 1024
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DIMENSIONS = "http://xbrl.org/2006/xbrldi"
# Taxonomies whose prefix is the same in every filing, whatever the document calls them.
_KNOWN = re.compile(r"http://(?:fasb\.org|xbrl\.us|xbrl\.sec\.gov)/(us-gaap|dei|srt)/")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(T00:00:00)?")
_MOST_PROBLEMS = 20
_TRUE = ("true", "1")


@dataclass
class Faults:
    """The faults of one document, gathered so that all come at once.

    Args:
        file: the document, as the user would type it.
    """

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, message: str, element: Any = None) -> None:
        """Note a fault, at an element where there is one."""
        line = None if element is None else element.sourceline
        self.problems.append(Problem(message, self.file, line))

    def stop(self) -> None:
        """Raise what was noted as one DataError; nothing where nothing was."""
        if len(self.problems) > _MOST_PROBLEMS:
            more = Problem(f"{len(self.problems) - _MOST_PROBLEMS} more faults", self.file)
            self.problems = [*self.problems[:_MOST_PROBLEMS], more]
        if self.problems:
            raise DataError(self.problems, "Take the document as it was filed, or move it elsewhere")


@dataclass(frozen=True)
class Context:
    """What a fact is about: who, when, and which part of the company.

    Args:
        entity: the identifier, for the SEC its CIK.
        start: first day of a duration.
        end: last day of a duration.
        instant: the day of a balance; all three are absent in a context that holds forever.
        dimensions: axis and member of each segment; empty for the consolidated company.
    """

    entity: str
    start: date | None
    end: date | None
    instant: date | None
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reported:
    """A fact as the document has it, before its references are followed.

    Args:
        tag: prefix and name.
        value: a number, a text, or None for nil.
        context: its contextRef.
        unit: its unitRef; None for texts.
        decimals: digits after the point that are right, None where `INF`, precision or a text.
        element: where it stands.
    """

    tag: str
    value: Decimal | str | None
    context: str
    unit: str | None
    decimals: int | None
    element: Any


def parse(content: bytes, file: str) -> Any:
    """Parse a document without expanding, loading or fetching anything.

    Args:
        content: the document's bytes.
        file: its name, for messages.

    Returns:
        The root element (lxml).

    Raises:
        DataError: too large, no well-formed XML, or with entities.
    """
    from lxml import etree

    faults = Faults(file)
    if len(content) > LARGEST:
        faults.add(f"has {len(content):,} bytes; at most {LARGEST:,} are read")
        faults.stop()
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        what = re.sub(r",? line \d+.*", "", error.msg or "")
        raise DataError([Problem(f"not well-formed XML: {what}", file, error.lineno or None)]) from None
    declared: Any = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        faults.add("declares entities, which are never expanded", root)
    faults.stop()
    # Entities of a DTD that isn't loaded, such as &nbsp;, have no meaning here.
    for entity in root.iter(etree.Entity):
        faults.add(f"uses the entity {entity.text}; write it as a character", entity)
    faults.stop()
    return root


def qualified(name: str, namespaces: dict[str | None, str]) -> str:
    """Return a name as prefix:Name; us-gaap, dei and srt are called that whatever prefix the document uses.

    Args:
        name: prefix:Name as the document has it.
        namespaces: prefix to namespace where it stands.

    Raises:
        ValueError: the prefix is not declared.
    """
    prefix, colon, local = name.strip().rpartition(":")
    if not colon or not local or prefix not in namespaces:
        raise ValueError(f"'{name.strip()[:80]}' is no name with a declared prefix")
    known = _KNOWN.match(namespaces[prefix])
    return f"{known[1] if known else prefix}:{local}"


def element_name(element: Any) -> str:
    """Return an element's own name as `qualified` has it; empty where it has no prefix."""
    prefix = element.prefix
    local = element.tag.rpartition("}")[2]
    return qualified(f"{prefix}:{local}", element.nsmap) if prefix else ""


def decimal_digits(element: Any) -> int | None:
    """Return a numeric fact's `decimals`; None where it is INF, or `precision` stands in its place.

    Source: XBRL 2.1, 4.6.3 to 4.6.6: one of the two, not both.

    Raises:
        ValueError: neither, both, or no number.
    """
    decimals, precision = element.get("decimals"), element.get("precision")
    if (decimals is None) == (precision is None):
        raise ValueError("a number needs decimals or precision, and not both")
    given = (decimals if precision is None else precision).strip()
    if given != "INF" and not re.fullmatch(r"[+-]?[0-9]{1,3}", given):
        raise ValueError(f"decimals or precision is '{given[:40]}'; it must be an integer or INF")
    return None if given == "INF" or precision is not None else int(given)


def is_nil(element: Any, faults: Faults) -> bool:
    """Say whether a fact is nil; nil with a value is a fault. A dash for the eye is no value."""
    nil = element.get(NIL, "").strip() in _TRUE
    if nil and text_of(element).strip().strip("-\u2010\u2012\u2013\u2014\u2212"):
        faults.add("a fact is nil and has a value", element)
    return nil


def text_of(element: Any) -> str:
    """Return all text inside an element."""
    return "".join(element.itertext())


def contexts(root: Any, faults: Faults) -> dict[str, Context]:
    """Read every context of a document by its id, and note faults."""
    found: dict[str, Context] = {}
    for element in root.iter(f"{{{INSTANCE}}}context"):
        name = element.get("id", "")
        if not name or name in found:
            faults.add(f"context '{name}': an id is needed, and only once", element)
            continue
        try:
            found[name] = _context(element)
        except ValueError as error:
            faults.add(f"context '{name}': {error}", element)
            # Known as an id, so that its facts are not reported a second time.
            found[name] = Context("", None, None, None, ())
    if not found:
        faults.add("has no context; facts need one")
    return found


def units(root: Any, faults: Faults) -> dict[str, str]:
    """Read every unit of a document by its id (`USD`, `shares`, `USD/shares`), and note faults."""
    found: dict[str, str] = {}
    for element in root.iter(f"{{{INSTANCE}}}unit"):
        name = element.get("id", "")
        parts = _measures(element, "") or [
            "/".join("*".join(_measures(element, f"divide/{{{INSTANCE}}}{side}")) for side in _FRACTION)
        ]
        if not name or name in found:
            faults.add(f"unit '{name}': an id is needed, and only once", element)
        elif not all(part.strip("/") == part and part for part in parts):
            faults.add(f"unit '{name}': has no measure", element)
        found.setdefault(name, "*".join(parts))
    return found


_FRACTION = ("unitNumerator", "unitDenominator")


def _measures(element: Any, inside: str) -> list[str]:
    place = f"{{{INSTANCE}}}{inside}/" if inside else ""
    measures = element.findall(f"{place}{{{INSTANCE}}}measure")
    return sorted(text_of(measure).strip().rpartition(":")[2] for measure in measures)


def _context(element: Any) -> Context:
    identifier = element.find(f"{{{INSTANCE}}}entity/{{{INSTANCE}}}identifier")
    period = element.find(f"{{{INSTANCE}}}period")
    if identifier is None or not text_of(identifier).strip():
        raise ValueError("has no entity identifier")
    if period is None:
        raise ValueError("has no period")
    dates = {child.tag.rpartition("}")[2]: text_of(child).strip() for child in period.iterchildren("*")}
    entity = text_of(identifier).strip()
    dimensions = tuple(sorted(_dimensions(element)))
    if dates.keys() == {"instant"}:
        return Context(entity, None, None, _day(dates["instant"], True), dimensions)
    if dates.keys() == {"startDate", "endDate"}:
        start, end = _day(dates["startDate"], False), _day(dates["endDate"], True)
        if start > end:
            raise ValueError(f"its period ends ({end}) before it starts ({start})")
        return Context(entity, start, end, None, dimensions)
    if dates.keys() == {"forever"}:
        return Context(entity, None, None, None, dimensions)
    raise ValueError(
        f"its period has {', '.join(dates) or 'nothing'}; "
        "it needs instant, startDate with endDate, or forever"
    )


def _day(text: str, is_end: bool) -> date:
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"'{text[:40]}' is no date YYYY-MM-DD")
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        raise ValueError(f"'{match[1]}' is no day of the calendar") from None
    # An end without a time is the end of its day; midnight is the end of the day before (XBRL 2.1, 4.7.2).
    return day - timedelta(days=1) if is_end and match[2] and day > date.min else day


def _dimensions(context: Any) -> Iterator[tuple[str, str]]:
    holders = (f"{{{INSTANCE}}}entity/{{{INSTANCE}}}segment", f"{{{INSTANCE}}}scenario")
    for member in (child for place in holders for part in context.findall(place) for child in part):
        if not isinstance(member.tag, str):
            continue
        text = " ".join(text_of(member).split())
        if member.tag == f"{{{_DIMENSIONS}}}explicitMember":
            yield qualified(member.get("dimension", ""), member.nsmap), qualified(text, member.nsmap)
        elif member.tag == f"{{{_DIMENSIONS}}}typedMember":
            yield qualified(member.get("dimension", ""), member.nsmap), text
        else:
            yield element_name(member), text
