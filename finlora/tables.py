"""Files of records, read strictly: Parquet, CSV, JSON, JSONL, XLSX and plain lines, alone or in a zip.

Nothing in such a file is run, and nothing is unpacked to a path. Every fault names the file and the line.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from finlora.archives import member as member_of
from finlora.converters import Record
from finlora.data import LFS_POINTER
from finlora.errors import DataError, Problem
from finlora.json_records import read_json, read_jsonl
from finlora.sheets import check_header, read_parquet, read_xlsx

LINE_LIMIT = 16 << 20
FILE_LIMIT = 2 << 30
_MOST_PROBLEMS = 20
_MAGIC = {b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive or workbook", b"\x1f\x8b": "a gzip file"}
# An index that pandas wrote has no name.
_INDEX = "index"


@dataclass(frozen=True)
class Form:
    """What a text file does not say of itself.

    Args:
        columns: their names, where the first line does not name them.
        separator: what stands between them, where it is not what the file's ending means.
    """

    columns: Sequence[str] = ()
    separator: str | None = None


_PLAIN = Form()


def read(path: Path, name: str, member: str | None = None, form: Form = _PLAIN) -> Sequence[Record]:
    """Read the records of a file.

    Args:
        path: the file.
        name: the file as the user would know it; its ending says what it is.
        member: the file inside, where `path` is a zip archive.
        form: what a text file does not say of itself.

    Returns:
        At least one record, in file order.

    Raises:
        DataError: the file is missing, is not what its ending says, or is faulty.
    """
    check_file(path, name)
    shown = f"{name}/{member}" if member else name
    ending = Path(shown).suffix.lower()
    if ending not in _READERS:
        allowed = ", ".join(_READERS)
        raise DataError([Problem(f"'{ending or 'no ending'}' is not read; there are {allowed}", shown)])
    try:
        with path.open("rb") as file:
            if member is None:
                return _records(file, shown, ending, form)
            _check_head(file, name, ".zip")
            with member_of(file, name, member, FILE_LIMIT) as inner:
                return _records(inner, shown, ending, form)
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


def check_file(path: Path, name: str) -> None:
    """Refuse what can't be read to its end: a folder, a pipe, a device, a file that is too large.

    Raises:
        DataError: it is none that `read` takes, or there is none.
    """
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


def _records(file: IO[bytes], name: str, ending: str, form: Form) -> Sequence[Record]:
    _check_head(file, name, ending)
    records = _READERS[ending](file, name, form)
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
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
        kind = "is UTF-16 text; save it as UTF-8"
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


def _read_csv(file: IO[bytes], name: str, form: Form) -> list[Record]:
    csv.field_size_limit(LINE_LIMIT)
    reader = csv.reader(_lines(file, name), strict=True, delimiter=form.separator or ",")
    records: list[Record] = []
    problems: list[Problem] = []
    header = list(form.columns)
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


def _read_tsv(file: IO[bytes], name: str, form: Form) -> list[Record]:
    return _read_csv(file, name, Form(form.columns, form.separator or "\t"))


def _read_txt(file: IO[bytes], name: str, form: Form) -> list[Record]:
    """Read plain lines, each a record; without named columns there is one, `text`.

    Old text files are not UTF-8; their bytes count as Latin-1 where that gives no control character.
    """
    try:
        lines = list(_lines(file, name))
    except DataError as error:
        file.seek(0)
        lines = list(_lines(file, name, "latin-1"))
        if any(re.search("[\x7f-\x9f]", line) for line in lines):
            raise error from None
    columns = form.columns or ("text",)
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        values = line.rstrip("\r\n").rsplit(form.separator or "\t", len(columns) - 1)
        if len(values) < len(columns):
            wanted = f"{len(columns)} columns ({', '.join(columns)}) with {form.separator!r} between them"
            raise DataError([Problem(f"a line is {wanted}", name, number)])
        records.append(Record(dict(zip(columns, values, strict=True)), name, number))
    return records


def _read_jsonl(file: IO[bytes], name: str, _form: Form) -> Sequence[Record]:
    return read_jsonl(_lines(file, name), name)


def _read_json(file: IO[bytes], name: str, _form: Form) -> Sequence[Record]:
    return read_json(_lines(file, name), name)


def _read_parquet(file: IO[bytes], name: str, _form: Form) -> Sequence[Record]:
    return read_parquet(file, name)


def _read_xlsx(file: IO[bytes], name: str, _form: Form) -> Sequence[Record]:
    return read_xlsx(file, name)


_READERS: dict[str, Callable[[IO[bytes], str, Form], Sequence[Record]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".xlsx": _read_xlsx,
    ".txt": _read_txt,
}
