"""Parquet files and spreadsheets, read strictly."""

import itertools
from collections.abc import Iterator, Sequence
from typing import IO, Any, overload

from finlora.archives import check_all
from finlora.converters import Record
from finlora.errors import DataError, Problem

_SHEET_LIMIT = 256 << 20
_BATCH = 1000


class Table(Sequence[Record]):
    """The records of a Parquet file; each becomes Python objects only when it is asked for.

    Args:
        table: the file's Arrow table.
        name: the file, as the user would know it.
    """

    def __init__(self, table: Any, name: str) -> None:
        self._table, self._name = table, name

    def __len__(self) -> int:
        rows: int = self._table.num_rows
        return rows

    @overload
    def __getitem__(self, number: int) -> Record: ...

    @overload
    def __getitem__(self, number: slice) -> list[Record]: ...

    def __getitem__(self, number: int | slice) -> Record | list[Record]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        return Record(self._table.slice(number, 1).to_pylist()[0], self._name, number + 1)

    def __iter__(self) -> Iterator[Record]:
        lines = itertools.count(1)
        for batch in self._table.to_batches(max_chunksize=_BATCH):
            for values in batch.to_pylist():
                yield Record(values, self._name, next(lines))


def read_parquet(file: IO[bytes], name: str) -> Sequence[Record]:
    """Read a Parquet file; arguments and errors as in `tables.read`."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(file)
        # Text columns are checked for UTF-8 here, as reading does not.
        table.validate(full=True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            [Problem(f"is no whole Parquet file: {reason}", name)], "Get the file again"
        ) from None
    check_header(table.column_names, name)
    return Table(table, name)


def read_xlsx(file: IO[bytes], name: str) -> list[Record]:
    """Read the first sheet of a workbook, its first row the header; blank rows are passed over.

    Formulas count as the value that was stored with them. Arguments and errors as in `tables.read`.
    """
    import zipfile
    from xml.etree.ElementTree import ParseError

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    check_all(file, name, _SHEET_LIMIT)
    file.seek(0)
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        rows = [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    # What openpyxl raises for a workbook that lacks or garbles a part.
    except (InvalidFileException, zipfile.BadZipFile, ParseError, KeyError, ValueError) as error:
        raise DataError([Problem(f"is no workbook: {error}", name)], "Get the file again") from None
    except (IndexError, TypeError, AttributeError, SyntaxError) as error:
        raise DataError([Problem(f"is no workbook with a sheet: {error}", name)]) from None
    return _sheet(rows, name)


def _sheet(rows: list[tuple[Any, ...]], name: str) -> list[Record]:
    if not rows:
        raise DataError([Problem("holds no row", name)])
    width = max(len(row) for row in rows)
    # Columns that nobody filled are no columns.
    used = [i for i in range(width) if any(len(row) > i and row[i] is not None for row in rows)]
    header = [str(rows[0][i]).strip() if i < len(rows[0]) and rows[0][i] is not None else "" for i in used]
    check_header(header, name)
    return [
        Record(
            {column: row[i] if i < len(row) else None for column, i in zip(header, used, strict=True)},
            name,
            n,
        )
        for n, row in enumerate(rows[1:], 2)
        if any(value is not None for value in row)
    ]


def check_header(columns: Sequence[str], name: str) -> None:
    """Check that every column has a name of its own.

    Raises:
        DataError: no column, one without a name, or two with one name.
    """
    problems = []
    if not columns:
        problems.append(Problem("has no columns", name, 1))
    if unnamed := [str(i) for i, column in enumerate(columns, 1) if not column.strip()]:
        problems.append(Problem(f"column {', '.join(unnamed)} has no name in the first row", name, 1))
    twice = sorted({column for column in columns if column.strip() and list(columns).count(column) > 1})
    if twice:
        problems.append(Problem(f"more than one column is called {', '.join(twice)}", name, 1))
    if problems:
        raise DataError(problems)
