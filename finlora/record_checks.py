"""What a JSON record must hold: dotted keys, each with a check of its value."""

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]

_MOST = 2**63


def faults(record: Any, shape: Mapping[str, Check]) -> list[str]:
    """Return the keys of a shape whose value is missing or of another kind.

    Args:
        record: a parsed JSON value.
        shape: dotted key (`run.quant_bits`) to the check of its value; a missing value is None.
    """
    return [key for key, check in shape.items() if not check(value_at(record, key))]


def value_at(record: Any, key: str) -> Any:
    """Return what stands under a dotted key, or None."""
    for part in key.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def text(value: Any) -> bool:
    """Tell whether a value is text."""
    return isinstance(value, str)


def flag(value: Any) -> bool:
    """Tell whether a value is true or false."""
    return isinstance(value, bool)


def count(value: Any) -> bool:
    """Tell whether a value is a whole number from 0; one too large to count with is damage."""
    return isinstance(value, int) and not flag(value) and 0 <= value < _MOST


def positive(value: Any) -> bool:
    """Tell whether a value is a whole number from 1."""
    return count(value) and value > 0


def number(value: Any) -> bool:
    """Tell whether a value is a finite number."""
    whole = isinstance(value, int) and not flag(value) and abs(value) < _MOST
    return whole or (isinstance(value, float) and math.isfinite(value))


def record(value: Any) -> bool:
    """Tell whether a value is a JSON object."""
    return isinstance(value, dict)


def one_of(*allowed: Any) -> Check:
    """Return a check for one of a few values."""
    return lambda value: value in allowed


def optional(check: Check) -> Check:
    """Return a check that a missing value passes too."""
    return lambda value: value is None or check(value)


def list_of(check: Check, least: int = 0) -> Check:
    """Return a check for a list of at least `least` values that pass a check."""
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(check, value))


def values_of(check: Check) -> Check:
    """Return a check for an object whose values pass a check."""
    return lambda value: record(value) and all(map(check, value.values()))


def pair_of(first: Check, second: Check) -> Check:
    """Return a check for a list of exactly two values."""
    return lambda value: isinstance(value, list) and len(value) == 2 and first(value[0]) and second(value[1])
