"""Files of records, read strictly: Parquet, CSV, JSON, JSONL, XLSX and plain lines, alone or in a zip.

Nothing in such a file is run, and nothing is unpacked to a path. Every fault names the file and the line.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from finlora.archives import member as member_of
from finlora.converters import Record
from finlora.data import LFS_POINTER
from finlora.errors import DataError, Problem
from finlora.sheets import check_header, read_parquet, read_xlsx

LINE_LIMIT = 16 << 20
FILE_LIMIT = 2 << 30
_MOST_PROBLEMS = 20
_MAGIC = {b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive or workbook", b"\x1f\x8b": "a gzip file"}
# An index that pandas wrote has no name.
_INDEX = "index"


def read(path: Path, name: str, member: str | None = None) -> Sequence[Record]:
    """Read the records of a file.

    Args:
        path: the file.
        name: the file as the user would know it; its ending says what it is.
        member: the file inside, where `path` is a zip archive.

    Returns:
        At least one record, in file order.

    Raises:
        DataError: the file is missing, is not what its ending says, or is faulty.
    """
    _check_file(path, name)
    shown = f"{name}/{member}" if member else name
    ending = Path(shown).suffix.lower()
    if ending not in _READERS:
        allowed = ", ".join(_READERS)
        raise DataError([Problem(f"'{ending or 'no ending'}' is not read; there are {allowed}", shown)])
    try:
        with path.open("rb") as file:
            if member is None:
                return _records(file, shown, ending)
            _check_head(file, name, ".zip")
            with member_of(file, name, member, FILE_LIMIT) as inner:
                return _records(inner, shown, ending)
    except OSError as error:
        raise DataError([Problem(f"can't be read: {error.strerror or error}", shown)]) from None


def inside(folder: Path, relative: str) -> Path:
    """Return a file below a folder, links followed.

    Raises:
        DataError: its path, or a link on its way, leads outside.
    """
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError([Problem(f"leads outside {folder}", str(path))])
    return path


def _check_file(path: Path, name: str) -> None:
    kind = None
    if path.is_dir():
        kind = "is a folder, not a file"
    elif not path.exists():
        kind = "no such file" if not path.is_symlink() else "is a link to nothing"
    elif not path.is_file():
        kind = "is no regular file"
    elif path.stat().st_size > FILE_LIMIT:
        kind = f"is {path.stat().st_size:,} bytes; at most {FILE_LIMIT:,} are read"
    if kind:
        raise DataError([Problem(kind, name)])


def _records(file: IO[bytes], name: str, ending: str) -> Sequence[Record]:
    _check_head(file, name, ending)
    records = _READERS[ending](file, name)
    if not records:
        raise DataError([Problem("holds no record", name)])
    return records


def _check_head(file: IO[bytes], name: str, ending: str) -> None:
    """Look at a file's first bytes: what stands there often is no data at all."""
    head = file.read(512)
    file.seek(0)
    kind = None
    if not head:
        kind = "is empty"
    elif head.startswith(LFS_POINTER):
        kind = "is a Git LFS pointer, not data; fetch the file itself: git lfs pull"
    elif re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html)", head, re.IGNORECASE):
        kind = "is a web page, not data; download the file itself"
    else:
        found = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), "something else")
        wanted = {".parquet": "a Parquet file", ".xlsx": _MAGIC[b"PK\x03\x04"], ".zip": _MAGIC[b"PK\x03\x04"]}
        if ending in wanted and found != wanted[ending]:
            kind = f"is {found}, not {wanted[ending]}"
        elif ending not in wanted and found != "something else":
            kind = f"is {found}, not {ending.lstrip('.').upper()} text"
    if kind:
        raise DataError([Problem(kind, name)])


def _lines(file: IO[bytes], name: str, encoding: str = "utf-8") -> Iterator[str]:
    """Yield a text file's lines with their ends, each checked."""
    line = 0
    while raw := file.readline(LINE_LIMIT + 1):
        line += 1
        if len(raw) > LINE_LIMIT:
            raise DataError([Problem(f"a line of more than {LINE_LIMIT:,} bytes", name, line)])
        if line == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in raw:
            raise DataError([Problem("a zero byte, which text has not", name, line, raw.index(b"\0") + 1)])
        try:
            yield raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise DataError([Problem("not UTF-8 text", name, line, error.start + 1)]) from None


def _read_csv(file: IO[bytes], name: str, delimiter: str = ",") -> list[Record]:
    csv.field_size_limit(LINE_LIMIT)
    reader = csv.reader(_lines(file, name), strict=True, delimiter=delimiter)
    records: list[Record] = []
    problems: list[Problem] = []
    header: list[str] = []
    first = 1
    try:
        for row in reader:
            line, first = first, reader.line_num + 1
            if not row:
                continue
            if not header:
                header = [_INDEX if i == 0 and not column else column for i, column in enumerate(row)]
                check_header(header, name)
            elif len(row) != len(header):
                problems.append(Problem(f"{len(row)} fields; the first row has {len(header)}", name, line))
            else:
                records.append(Record(dict(zip(header, row, strict=True)), name, line))
            if len(problems) == _MOST_PROBLEMS:
                break
    except csv.Error as error:
        problems.append(Problem(f"not CSV: {error}", name, first))
    if problems:
        raise DataError(problems)
    return records


def _read_tsv(file: IO[bytes], name: str) -> list[Record]:
    return _read_csv(file, name, "\t")


def _read_jsonl(file: IO[bytes], name: str) -> list[Record]:
    values: list[tuple[int, Any]] = []
    problems: list[Problem] = []
    for line, text in enumerate(_lines(file, name), 1):
        if text.strip():
            try:
                values.append((line, _parse(text)))
            except (ValueError, RecursionError) as error:
                problems.append(Problem(_not_json(error), name, line))
        if len(problems) == _MOST_PROBLEMS:
            break
    return _objects(values, name, problems)


def _read_json(file: IO[bytes], name: str) -> list[Record]:
    text = "".join(_lines(file, name))
    try:
        content = _parse(text)
    except json.JSONDecodeError as error:
        raise DataError([Problem(_not_json(error), name, error.lineno, error.colno)]) from None
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(_not_json(error), name)]) from None
    if not isinstance(content, list):
        raise DataError([Problem("must be a list of objects, one for each record", name, 1)])
    return _objects(list(enumerate(content, 1)), name, [])


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


def _objects(values: list[tuple[int, Any]], name: str, problems: list[Problem]) -> list[Record]:
    """Check that values are objects with the same columns, and each column of one type."""
    records: list[Record] = []
    types: dict[str, str] = {}
    for line, value in values:
        fault = _fault(value, types, records[0].values if records else None)
        if fault:
            problems.append(Problem(fault, name, line))
        else:
            records.append(Record(value, name, line))
        if len(problems) >= _MOST_PROBLEMS:
            break
    if problems:
        raise DataError(sorted(problems, key=lambda problem: problem.line or 0))
    return records


def _fault(value: Any, types: dict[str, str], first: Mapping[str, Any] | None) -> str | None:
    if not isinstance(value, dict) or not value:
        return "a record is a JSON object with at least one column"
    if first is not None and value.keys() != first.keys():
        strange = ", ".join(sorted(value.keys() ^ first.keys()))
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


def _read_txt(file: IO[bytes], name: str) -> list[Record]:
    """Read plain lines, each a record with the one column `text`.

    Old text files are not UTF-8; their bytes count as Latin-1 where that gives no control character.
    """
    try:
        lines = list(_lines(file, name))
    except DataError as error:
        file.seek(0)
        lines = list(_lines(file, name, "latin-1"))
        if any(re.search("[\x7f-\x9f]", line) for line in lines):
            raise error from None
    pairs = [(number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1)]
    return [Record({"text": text}, name, number) for number, text in pairs if text.strip()]


_READERS: dict[str, Callable[[IO[bytes], str], Sequence[Record]]] = {
    ".parquet": read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".xlsx": read_xlsx,
    ".txt": _read_txt,
}
