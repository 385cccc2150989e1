"""Which of its rows a client trains in a round: the run's epochs, spread evenly over all rounds."""

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import TypeVar

from finlora.errors import UsageError

_MOST_NAMED = 10

T = TypeVar("T")


def round_rows(rows: Sequence[T], epochs: float, rounds: int, round: int, seed: int) -> list[T]:
    """Return the rows that a client trains in one round, in training order.

    The epochs are one long row of shuffled passes over the client's rows, cut into rounds of equal length
    to within a row. Over all rounds each row is trained `epochs` times, or one time more or less where
    that is no whole number.

    Args:
        rows: of the client.
        epochs: passes over all rounds together (`num_epochs` of the run).
        rounds: how many there are.
        round: which one, from 1.
        seed: decides the order of each pass.
    """
    size = len(rows)
    first, last = (_position(size, epochs, rounds, done) for done in (round - 1, round))
    chosen: list[T] = []
    # Without rows there is no pass to look at.
    for epoch in range(first // size, ceil(Fraction(last, size))) if size else ():
        order = random.Random(f"{seed} {epoch}").sample(range(size), size)
        start = epoch * size
        chosen += [rows[i] for i in order[max(first - start, 0) : last - start]]
    return chosen


def most_rows(size: int, epochs: float, rounds: int) -> int:
    """Return how many rows a client can have in a round; arguments as for `round_rows`."""
    return ceil(size * _exact(epochs) / rounds)


def check_enough(rows: Mapping[str, int], epochs: float, rounds: int) -> None:
    """Refuse rounds in which a client would have no row to train.

    Args:
        rows: number of training rows by client.
        epochs: passes over all rounds together.
        rounds: how many there are.

    Raises:
        UsageError: there are such clients; they are named, and what helps.
    """
    short = {name: count for name, count in rows.items() if count * _exact(epochs) < rounds}
    if not short:
        return
    named = [f"{name} ({count:,} {'row' if count == 1 else 'rows'})" for name, count in short.items()]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    least = min(short.values())
    most_rounds = _position(least, epochs, 1, 1)
    helps = [f"--rounds {most_rounds} or fewer"] if most_rounds else []
    # In thousandths, rounded up.
    helps += [f"num_epochs {ceil(Fraction(1000 * rounds, least)) / 1000:g} or more"] if least else []
    raise UsageError(
        f"{rounds} rounds with num_epochs {epochs:g}: some rounds would have no row to train at: "
        f"{', '.join(named[:_MOST_NAMED])}{more}\n"
        f"num_epochs counts over all rounds together. What helps: {'; '.join([*helps, 'fewer clients'])}"
    )


def _position(size: int, epochs: float, rounds: int, done: int) -> int:
    """Return how many rows have been trained after so many rounds."""
    return size * _exact(epochs) * done // rounds


def _exact(epochs: float) -> Fraction:
    # As it was written: 0.1 is a tenth here, so that no rounding loses a row or trains it twice.
    return Fraction(str(epochs))
