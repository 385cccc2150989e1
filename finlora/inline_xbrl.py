"""The facts of an inline XBRL document: a page for people whose numbers carry tags.

Source: Inline XBRL 1.1, Part 1 (10 nonFraction, 11 nonNumeric, 5 exclude). Continuations are not followed
(they hold long texts), and facts of another target document are passed over.
"""

import re
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any

from finlora import xbrl_formats
from finlora.xbrl_document import Faults, Reported, decimal_digits, is_nil, qualified, text_of

NAMESPACES = ("http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL")
PAGE = "{http://www.w3.org/1999/xhtml}html"
_EXACT = Context(prec=200)
_SCALE = re.compile(r"[+-]?[0-9]{1,2}")


def facts(root: Any, faults: Faults) -> Iterator[Reported]:
    """Yield every fact of the page in document order, and note faults.

    Args:
        root: the page's root element.
        faults: takes what is wrong.
    """
    space = next((name for name in NAMESPACES if root.find(f".//{{{name}}}*") is not None), None)
    if space is None:
        faults.add("a page without inline XBRL", root)
        return
    for element in root.iter(*(f"{{{space}}}{kind}" for kind in ("nonFraction", "nonNumeric", "fraction"))):
        if element.get("target"):
            continue
        try:
            yield _fact(element, space, faults)
        except ValueError as error:
            faults.add(f"{element.get('name', 'a fact')}: {error}", element)


def _fact(element: Any, space: str, faults: Faults) -> Reported:
    kind = element.tag.removeprefix(f"{{{space}}}")
    if kind == "fraction":
        raise ValueError("fractions are not read")
    tag = qualified(element.get("name", ""), element.nsmap)
    context, unit = element.get("contextRef", ""), element.get("unitRef")
    decimals = None
    if is_nil(element, faults):
        value: Decimal | str | None = None
    elif kind == "nonNumeric":
        unit, value = None, " ".join("".join(_pieces(element, space)).split())
    else:
        if unit is None:
            raise ValueError("a number without unitRef")
        value, decimals = _number(element, space), decimal_digits(element)
    return Reported(tag, value, context, unit, decimals, element)


def _pieces(element: Any, space: str) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag != f"{{{space}}}exclude":
            yield from _pieces(child, space)
        yield child.tail or ""


def _number(element: Any, space: str) -> Decimal:
    nested = [child for child in element if isinstance(child.tag, str)]
    if nested:
        around = "".join([element.text or "", *(child.tail or "" for child in nested)])
        if len(nested) > 1 or nested[0].tag != f"{{{space}}}nonFraction" or around.strip():
            raise ValueError("a number holds a text, or one other number and nothing else")
        # The inner one has the same text, and a format and scale that must agree; what it shows counts.
        for key in ("format", "scale"):
            if nested[0].get(key) != element.get(key):
                raise ValueError(f"it and the number inside it have another {key}")
    shown = xbrl_formats.number(text_of(element), element.get("format"), element.nsmap)
    scale, sign = element.get("scale", "0").strip(), element.get("sign")
    if not _SCALE.fullmatch(scale) or abs(int(scale)) > 30:
        raise ValueError(f"scale is '{scale[:40]}'; it must be an integer from -30 to 30")
    if sign not in (None, "-"):
        raise ValueError(f"sign is '{sign[:40]}'; only '-' is allowed")
    # With room enough that no digit is rounded away.
    value = shown.scaleb(int(scale), _EXACT)
    return value.copy_negate() if sign else value
