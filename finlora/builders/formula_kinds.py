"""What a formula kind is, and the pieces from which the tables of kinds are made.

The tables stand in the other `formula_*` modules, one `Kind` per formula; `formula` makes rows of them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random

Values = Mapping[str, Decimal]


@dataclass(frozen=True)
class Input:
    """One number of a question.

    Args:
        values: every value it may take.
        show: how a value is written in the question, unit included.
    """

    values: tuple[Decimal, ...]
    show: Callable[[Decimal], str]


def _any(values: Values) -> bool:
    return True


@dataclass(frozen=True)
class Kind:
    """One formula with all that is needed to ask about it and to know the answer.

    Args:
        name: its name in the prompt.
        formula: its text in the prompt.
        explanation: what its letters mean, with timing, compounding and units.
        source: where the formula is taught or was first given.
        inputs: the numbers to draw, by the name they have in the templates.
        answer: from the drawn numbers to the exact answer; rates come as percentages.
        train: question templates of training rows.
        test: question templates of test rows, in other words than those of `train`.
        sensible: whether the drawn numbers make sense together; others are drawn again.
    """

    name: str
    formula: str
    explanation: str
    source: str
    inputs: Mapping[str, Input]
    answer: Callable[[Values], Decimal]
    train: tuple[str, ...]
    test: tuple[str, ...]
    sensible: Callable[[Values], bool] = _any

    def draw(self, rng: Random) -> dict[str, Decimal]:
        """Draw one value for each input, sensible together or not."""
        return {name: rng.choice(given.values) for name, given in self.inputs.items()}


def templates(text: str) -> tuple[str, ...]:
    """Split a block of text into question templates, one a paragraph, each made a single line."""
    return tuple(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip()))


def growth(rate: Decimal, periods_a_year: Decimal = Decimal(1)) -> Decimal:
    """Return what 1 becomes in one period at a yearly rate given in percent."""
    return 1 + rate / 100 / periods_a_year


def drifts(values: Values) -> bool:
    """Tell whether `start` and `end` of a year differ, though not wildly."""
    return values["start"] != values["end"] and Decimal("0.7") < values["end"] / values["start"] < Decimal(
        "1.4"
    )


def money(low: str, high: str, step: str) -> Input:
    """An amount in full units or with cents; "$" stands for the row's currency."""
    return Input(_grid(low, high, step), lambda value: f"${value:,}")


def millions(low: str, high: str, step: str = "0.1") -> Input:
    """An amount written in millions."""
    return Input(_grid(low, high, step), lambda value: f"${value:,} million")


def billions(low: str, high: str, step: str) -> Input:
    """An amount written in billions."""
    return Input(_grid(low, high, step), lambda value: f"${value:,} billion")


def percent(low: str, high: str, step: str) -> Input:
    """A percentage, without needless zeros."""
    return Input(_grid(low, high, step), lambda value: f"{value.normalize():f}%")


def number(low: str, high: str, step: str, unit: str = "") -> Input:
    """A bare number (a beta, an exchange rate, a head-count), or one followed by a unit."""
    return Input(_grid(low, high, step), lambda value: f"{value:,}{unit}")


def years(low: int, high: int) -> Input:
    """A span of whole years."""
    return Input(_grid(str(low), str(high), "1"), lambda value: "1 year" if value == 1 else f"{value} years")


def often() -> Input:
    """How many times a year interest is added."""
    words = {2: "every half-year", 4: "every quarter", 6: "every two months", 12: "every month"}
    return Input(tuple(Decimal(times) for times in words), lambda value: words[int(value)])


def _grid(low: str, high: str, step: str) -> tuple[Decimal, ...]:
    start, width = Decimal(low), Decimal(step)
    return tuple(start + width * place for place in range(int((Decimal(high) - start) / width) + 1))
