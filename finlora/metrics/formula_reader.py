"""Reading a formula: from text to a quotient of sympy expressions, by a small parser of our own.

Numbers, tags and `+ - * / ^` with brackets; nothing is evaluated as code. What it would cost to multiply a
formula out is counted while it is read, and a text beyond the limits is no formula: no input can keep the
parser or sympy busy.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d.,])|\d+(?:\.\d*)?(?:e[-+]?\d{1,2})?(?![\d.])|\.\d+)"
    r"|(?P<name>(?:[A-Za-z][\w-]*:)?[A-Za-z_]\w*)|(?P<operator>\*\*|[-+*/^()]))"
)
_SAME = str.maketrans(
    {"×": "*", "·": "*", "÷": "/", "∕": "/", "[": "(", "{": "(", "]": ")", "}": ")", "–": "-", "$": " "}
)
_TIMES = re.compile(r"\\(?:times|cdot)\b")
# Parts, nested brackets, highest power; terms and digits that multiplying out may give.
_TOKENS, _DEPTH, _EXPONENT, MAX_TERMS, _SIZE = 200, 40, 10, 1000, 400
_COMMON = "us-gaap:"


class _UnreadableError(Exception):
    """A text is no formula, or one too large."""


@dataclass(frozen=True)
class Formula:
    """A formula as a quotient.

    Args:
        above: sympy expression of the numerator.
        below: sympy expression of the denominator.
        terms: how many terms the longer of both may have when it is multiplied out.
        size: how many digits its numbers may have then.
        compound: whether it holds an operator.
        names: its variables, sorted.
    """

    above: Any
    below: Any
    terms: int
    size: int
    compound: bool
    names: tuple[str, ...]

    def text(self) -> str:
        """Return numerator and denominator, multiplied out."""
        import sympy

        ratio = sympy.expand(self.above) / sympy.expand(self.below)
        return str(sympy.sstr(ratio, order="lex"))

    def value(self) -> Fraction | None:
        """Return the exact value, None where there are variables."""
        if self.names:
            return None
        ratio = self.above / self.below
        return Fraction(int(ratio.p), int(ratio.q))


def read(text: str) -> Formula | None:
    """Read a text that is one formula and nothing else; None where it is not, or is too large."""
    try:
        return _Parser(text).whole()
    except _UnreadableError:
        return None


class _Parser:
    """Reads a formula from left to right, each rule a method, and counts what it would cost to multiply
    out."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(_TIMES.sub("*", text).translate(_SAME))
        self.place = 0
        self.depth = 0

    def whole(self) -> Formula:
        """Read all tokens as one formula."""
        formula = self._sum()
        if self.place != len(self.tokens):
            raise _UnreadableError
        return formula

    def _peek(self) -> str:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise _UnreadableError
        self.place += 1
        return self.tokens[self.place - 1]

    def _sum(self) -> Formula:
        formula = self._product()
        while self._peek() in ("+", "-"):
            formula = _add(formula, self._product_of(self._take()[1]))
        return formula

    def _product_of(self, sign: str) -> Formula:
        formula = self._product()
        return formula if sign == "+" else _negative(formula)

    def _product(self) -> Formula:
        formula = self._signed()
        while self._peek() in ("*", "/", "x", "X"):
            divides = self._take()[1] == "/"
            other = self._signed()
            formula = _multiply(formula, _inverse(other) if divides else other)
        return formula

    def _signed(self) -> Formula:
        sign = self._take()[1] if self._peek() in ("+", "-") else "+"
        formula = self._power()
        return formula if sign == "+" else _negative(formula)

    def _power(self) -> Formula:
        formula = self._atom()
        if self._peek() not in ("^", "**"):
            return formula
        self._take()
        kind, text = self._take()
        if kind != "number" or not text.isdigit() or len(text) > 2 or int(text) > _EXPONENT:
            raise _UnreadableError
        result = formula
        for _ in range(int(text) - 1):
            result = _multiply(result, formula)
        return result if int(text) else _number("1")

    def _atom(self) -> Formula:
        kind, text = self._take()
        if kind == "number":
            return _number(text)
        if kind == "name" and text not in ("x", "X"):
            return _variable(text)
        if text != "(" or self.depth >= _DEPTH:
            raise _UnreadableError
        self.depth += 1
        formula = self._sum()
        self.depth -= 1
        if self._take()[1] != ")":
            raise _UnreadableError
        return formula


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return the kinds and texts of a formula's parts."""
    found: list[tuple[str, str]] = []
    place, text = 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match or len(found) == _TOKENS:
            raise _UnreadableError
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        place = match.end()
    return found


def _number(text: str) -> Formula:
    import sympy

    if len(text) > 60:
        raise _UnreadableError
    value = Fraction(text.replace(",", "").rstrip("."))
    size = max(len(str(value.numerator)), len(str(value.denominator)))
    return _made(sympy.Integer(value.numerator), sympy.Integer(value.denominator), 1, size, False, ())


def _variable(name: str) -> Formula:
    import sympy

    name = name.lower().removeprefix(_COMMON)
    return _made(sympy.Symbol(name), sympy.Integer(1), 1, 1, False, (name,))


def _add(one: Formula, other: Formula) -> Formula:
    if one.below == other.below:
        terms, size = one.terms + other.terms, max(one.size, other.size) + 1
        return _made(one.above + other.above, one.below, terms, size, True, one.names + other.names)
    terms, size = 2 * one.terms * other.terms, one.size + other.size + 1
    above = one.above * other.below + other.above * one.below
    return _made(above, one.below * other.below, terms, size, True, one.names + other.names)


def _multiply(one: Formula, other: Formula) -> Formula:
    terms, size = one.terms * other.terms, one.size + other.size
    return _made(one.above * other.above, one.below * other.below, terms, size, True, one.names + other.names)


def _negative(one: Formula) -> Formula:
    return _made(-one.above, one.below, one.terms, one.size, one.compound, one.names)


def _inverse(one: Formula) -> Formula:
    import sympy

    if sympy.expand(one.above) == 0:
        raise _UnreadableError
    return _made(one.below, one.above, one.terms, one.size, one.compound, one.names)


def _made(above: Any, below: Any, terms: int, size: int, compound: bool, names: tuple[str, ...]) -> Formula:
    """Return a formula within the limits."""
    if terms > MAX_TERMS or size > _SIZE:
        raise _UnreadableError
    return Formula(above, below, terms, size, compound, tuple(sorted(set(names))))
