"""What can be wrong with a dataset: one module for each kind of finding, all of the same form.

A module of this package has functions that take rows and return findings; they read no file and no
network, `schema` alone reads the file. `finlora.data_check` puts them together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from finlora.data import Row
from finlora.json_text import printable

Severity = Literal["error", "warning", "note"]
_LINES_SHOWN = 10
_LONGEST_MESSAGE = 400
_SINGULAR = {"have": "has", "are": "is", "do": "does"}


@dataclass(frozen=True)
class Rows:
    """The sound rows of a file.

    Args:
        file: path as the user would type it.
        rows: in file order.
        columns: further columns that say where rows belong, such as `company`: one value a row, "" where
            a row has none.
    """

    file: str
    rows: tuple[Row, ...]
    columns: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing to know about a file.

    Args:
        severity: `error` (not to be trained or scored on), `warning` or `note`.
        code: its kind, in a word or two.
        file: the file it is in.
        lines: 1-based lines, the first ten.
        count: lines in all.
        message: what is the matter, in a sentence.
        advice: what to do; empty for most notes.
        against: the other file, where two were compared.
        against_lines: lines there, one for each of `lines`.
        figures: numbers for programs.
    """

    severity: Severity
    code: str
    file: str
    lines: tuple[int, ...]
    count: int
    message: str
    advice: str = ""
    against: str | None = None
    against_lines: tuple[int, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return the finding for programs."""
        return asdict(self)


def finding(
    severity: Severity,
    code: str,
    file: str,
    lines: Iterable[int],
    message: str,
    advice: str = "",
    *,
    pairs: tuple[str, Mapping[int, int]] | None = None,
    figures: Mapping[str, Any] | None = None,
) -> Finding:
    """Return a finding that is safe to print; arguments as of `Finding`.

    Args:
        severity: how bad.
        code: its kind.
        file: the file.
        lines: all lines, in any order.
        message: a sentence.
        advice: what to do.
        pairs: the other file, and the line there for a line here.
        figures: numbers for programs.
    """
    ordered = sorted(set(lines))
    shown = tuple(ordered[:_LINES_SHOWN])
    other, partners = pairs or (None, {})
    return Finding(
        severity,
        code,
        printable(file),
        shown,
        len(ordered),
        _shortened(printable(message)),
        printable(advice),
        printable(other) if other else None,
        tuple(partners[line] for line in shown if line in partners),
        figures or {},
    )


def _shortened(text: str) -> str:
    """Return a message that names no more of a thousand columns than people read."""
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 3]}..."


def rows_of(count: int, verb: str = "") -> str:
    """Return "1 row" or "1,234 rows", with a verb in the number it takes."""
    if count != 1:
        return f"{count:,} rows {verb}".rstrip()
    return f"1 row {_SINGULAR.get(verb, verb + 's' * bool(verb))}".rstrip()
