"""Formulas: is an output the same formula as the gold's, however it is written?

Variables are tags ("us-gaap:NetIncomeLoss"; the namespace `us-gaap:` and case do not count) and numbers.
`*`, `x`, `×` and `·` multiply, `/` and `÷` divide, `^` and `**` raise to a whole number up to 10, brackets
are round, square or curly. A small parser of our own reads this; nothing is evaluated as code. sympy then
says whether both are equal for all values of their variables: spaces, outer brackets and the order of sums
make no difference, a missing `* 100` does.

Which part of an output counts: the first line, behind "answer:", ": " or "is"; behind its last `=`, or before
it where a formula is followed by the number it gives.

A gold made of numbers ("(1234 - 567) / 89") is a calculation. Numbers show no items, so any calculation with
exactly its value is right. So is that value written as one number, rounded to no fewer than three
significant digits and equal to the gold's value rounded to the same place: the benchmark's own scorer calls
this wrong. A percent sign is read as in `numbers`. Formulas too large to compare in good time are unparsed.
"""

import re
from decimal import Decimal
from fractions import Fraction

from finlora.metrics import Judged, numbers, plain
from finlora.metrics.formula_reader import MAX_TERMS, Formula, read

# A rounded number with fewer digits than these may be right by chance.
_SIGNIFICANT = 3


def judge(output: str, gold: str) -> Judged:
    """Judge a formula.

    Args:
        output: the text a model wrote.
        gold: the right formula.

    Returns:
        score 1.0 or 0.0; `parsed` and `gold` multiplied out, the same text where they are equal.

    Raises:
        ValueError: `gold` can't be read as a formula.
    """
    right = read(gold)
    if right is None:
        raise ValueError(f"{gold!r} is no formula")
    canonical = right.text()
    number = None if right.names else numbers.read(_part(plain.answer_text(output)))
    if number is not None:
        hit = _rounds_to(number, right.value() or Fraction(0))
        return Judged(canonical if hit else number.text(), canonical, float(hit))
    answered = answer(output)
    if answered is None:
        return Judged(None, canonical, 0.0)
    same = equal(answered, right)
    return Judged(
        None if same is None else canonical if same else answered.text(), canonical, float(same is True)
    )


def answer(output: str) -> Formula | None:
    """Return the formula an output answers; None where it can't be read."""
    return read(_part(plain.answer_text(output)))


def equal(one: Formula, other: Formula) -> bool | None:
    """Say whether two formulas are equal for all values; None where this is too much work."""
    import sympy

    if one.text() == other.text():
        return True
    if one.terms * other.terms > MAX_TERMS:
        return None
    return bool(sympy.expand(one.above * other.below - other.above * one.below) == 0)


def _part(text: str) -> str:
    """Return the part of an answer that is the formula."""
    text = plain.after_mark(text) or text
    line = plain.first_line(text).strip("\"'“” ").rstrip(".;,")
    line = re.split(r":\s+|\b(?:is|equals)\s+", line)[-1]
    parts = [part.strip() for part in re.split(r"[=≈]", line)]
    if len(parts) > 1 and numbers.read(parts[-1]) is not None:
        before = read(parts[-2])
        if before is not None and before.compound:
            return parts[-2]
    return parts[-1]


def _rounds_to(number: numbers.Amount, value: Fraction) -> bool:
    """Say whether a number is a value, exactly or rounded to three or more significant digits."""
    figures = [number.amount]
    if number.percent:
        figures = [number.amount / 100] + ([number.amount] if abs(value) >= 1 else [])
    places = number.places + number.scale
    enough = len(number.figure.as_tuple().digits) >= _SIGNIFICANT
    for figure in figures:
        if Fraction(figure) == value:
            return True
        place = places - 2 if figure != number.amount else places
        half = Fraction(Decimal(5).scaleb(place - 1))
        if enough and figure != 0 and abs(Fraction(figure) - value) <= half:
            return True
    return False
