"""From a source's records to rows: one module for each way, all of the same form.

A module of this package has one public function,

    convert(task: Task, records: Mapping[str, Sequence[Record]], as_published: bool) -> Converted

with the records of each of the source's splits. It is pure: no file, no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """One record of a source.

    Args:
        values: column to value, as the file has it.
        file: the file it stands in, as the user would know it.
        line: its 1-based number there (the line of a text file, the row of a table).
    """

    values: Mapping[str, Any]
    file: str
    line: int


@dataclass(frozen=True)
class Dropped:
    """A record that became no row.

    Args:
        file: the file it stands in.
        line: its 1-based number there.
        why: the reason, in words that are the same for every record dropped for it.
    """

    file: str
    line: int
    why: str


@dataclass(frozen=True)
class Converted:
    """The rows of a task.

    Args:
        rows: `train` and `test` to rows; each row has `context` and `target` as text, and may have further
            columns that say where it belongs (`company`, `year`, `document`).
        dropped: records that became no row; empty when converted as published, unless the published code
            drops them too.
        mended: what was changed, each with how many rows it touched; empty as published.
    """

    rows: Mapping[str, list[dict[str, Any]]]
    dropped: tuple[Dropped, ...] = ()
    mended: Mapping[str, int] = field(default_factory=dict)
