"""Records from JSON, read strictly: one type a column, the same columns throughout, no key twice."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from finlora.converters import Record
from finlora.errors import DataError, Problem

_MOST_PROBLEMS = 20


class Lines(Sequence[Record]):
    """The records of a JSONL file, kept as text; each becomes Python objects only when it is asked for.

    Args:
        lines: line number and text, each known to be an object.
        name: the file, as the user would know it.
    """

    def __init__(self, lines: Sequence[tuple[int, str]], name: str) -> None:
        self._lines, self._name = lines, name

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, number: int) -> Record: ...

    @overload
    def __getitem__(self, number: slice) -> list[Record]: ...

    def __getitem__(self, number: int | slice) -> Record | list[Record]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        line, text = self._lines[number]
        return Record(json.loads(text), self._name, line)


def read_jsonl(lines: Iterable[str], name: str) -> Sequence[Record]:
    """Read records, one JSON object a line; blank lines are passed over.

    Args:
        lines: the file's lines.
        name: the file, as the user would know it.

    Raises:
        DataError: a line is no JSON object, or its columns are others than those before.
    """
    kept: list[tuple[int, str]] = []

    def values() -> Iterator[tuple[int, Any]]:
        for line, text in enumerate(lines, 1):
            if text.strip():
                kept.append((line, text))
                try:
                    yield line, _parse(text)
                except (ValueError, RecursionError) as error:
                    yield line, error

    _check(values(), name)
    return Lines(kept, name)


def read_json(lines: Iterable[str], name: str) -> list[Record]:
    """Read records from one JSON list of objects; a record's line is its number in the list.

    Arguments and errors as in `read_jsonl`.
    """
    text = "".join(lines)
    try:
        content = _parse(text)
    except json.JSONDecodeError as error:
        raise DataError([Problem(_not_json(error), name, error.lineno, error.colno)]) from None
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(_not_json(error), name)]) from None
    if not isinstance(content, list):
        raise DataError([Problem("must be a list of objects, one for each record", name, 1)])
    _check(enumerate(content, 1), name)
    return [Record(value, name, number) for number, value in enumerate(content, 1)]


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same key twice in one object")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word}, which JSON has not")


def _not_json(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"not JSON: {error.msg if isinstance(error, json.JSONDecodeError) else error}"


def _check(values: Iterable[tuple[int, Any]], name: str) -> None:
    """Check that values are objects with the same columns, and each column of one type."""
    types: dict[str, str] = {}
    columns: dict[str, None] = {}
    problems: list[Problem] = []
    for line, value in values:
        fault = _not_json(value) if isinstance(value, Exception) else _fault(value, types, columns)
        if fault:
            problems.append(Problem(fault, name, line))
        else:
            columns = columns or dict.fromkeys(value)
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise DataError(problems)


def _fault(value: Any, types: dict[str, str], columns: Mapping[str, None]) -> str | None:
    if not isinstance(value, dict) or not value:
        return "a record is a JSON object with at least one column"
    if columns and value.keys() != columns.keys():
        strange = ", ".join(sorted(value.keys() ^ columns.keys()))
        return f"columns differ from those of the first record: {strange}"
    for column, item in value.items():
        kind = _type(item)
        if kind and types.setdefault(column, kind) != kind:
            return f"'{column}' is {kind}, and {types[column]} in earlier records"
        if isinstance(item, str) and re.search("[\ud800-\udfff]", item):
            return f"'{column}' holds half a character (a lone surrogate)"
    return None


def _type(item: Any) -> str | None:
    """Return what a value is, in words; None for null, which any column may have."""
    if item is None:
        return None
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return kinds.get(type(item), "an object")
