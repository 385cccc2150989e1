"""Zip archives somebody else made: one member at a time, in bounds, and never unpacked to a path."""

import io
import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from finlora.errors import DataError, Problem

MEMBER_LIMIT = 2 << 30
# A text of one letter shrinks to a thousandth; tables of real text rarely to less than a fiftieth.
_MOST_RATIO = 200
_SMALL = 1 << 20
_MOST_MEMBERS = 10_000
_AGAIN = "Get the file again"
# What the methods raise for content that is none of theirs.
_DAMAGE = (zlib.error, lzma.LZMAError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@contextmanager
def member(file: IO[bytes], name: str, wanted: str, limit: int = MEMBER_LIMIT) -> Iterator[IO[bytes]]:
    """Give one member of an archive as a file of its own, which has no name and goes when closed.

    Args:
        file: the archive.
        name: what messages call it.
        wanted: the member's exact name.
        limit: most bytes it may have.

    Raises:
        DataError: no archive, no such member, or one that can't be trusted.
    """
    with _opened(file, name) as archive, tempfile.TemporaryFile() as out:
        found = [info for info in archive.infolist() if info.filename == wanted]
        if len(found) != 1:
            names = ", ".join(info.filename for info in archive.infolist()[:10])
            kind = f"holds '{wanted}' more than once" if found else f"holds no '{wanted}'; it has {names}"
            raise DataError([Problem(kind, name)])
        _check(found[0], name, limit)
        _copy(archive, found[0], out, name)
        out.seek(0)
        yield out


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, out: IO[bytes], name: str) -> None:
    try:
        with archive.open(info) as source:
            shutil.copyfileobj(source, out)
    except (*_DAMAGE, zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        raise DataError([Problem(f"'{info.filename}' in it is damaged: {error}", name)], _AGAIN) from None


@contextmanager
def _opened(file: IO[bytes], name: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError([Problem(f"is no whole zip archive: {error}", name)], _AGAIN) from None
    with archive:
        if len(archive.infolist()) > _MOST_MEMBERS:
            raise DataError([Problem(f"holds more than {_MOST_MEMBERS:,} files", name)])
        yield archive


def _check(info: zipfile.ZipInfo, name: str, limit: int) -> None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    kind = stat.S_IFMT(info.external_attr >> 16)
    fault = None
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        fault = "has a path that leads outside"
    elif info.is_dir() or kind not in (0, stat.S_IFREG):
        fault = "is a link, a folder or a device, not a file"
    elif info.flag_bits & 0x1:
        fault = "is encrypted"
    elif info.compress_type not in _METHODS:
        fault = f"is packed by a method that is not read here ({info.compress_type})"
    elif info.file_size > limit:
        fault = f"is {info.file_size:,} bytes unpacked; at most {limit:,} are read"
    elif info.file_size > _SMALL and info.file_size > _MOST_RATIO * info.compress_size:
        fault = (
            f"unpacks to {info.file_size // max(1, info.compress_size):,} times its size, as a zip bomb does"
        )
    if fault:
        raise DataError([Problem(f"'{info.filename}' in it {fault}", name)])


def check_all(file: IO[bytes], name: str, limit: int) -> None:
    """Check every member of an office document, and that none of its XML declares a document type.

    Entities, which can swell to any size or name other files, need such a declaration; a spreadsheet
    program writes none.

    Args:
        file: the document.
        name: what messages call it.
        limit: most bytes that its members may have in all.

    Raises:
        DataError: a member can't be trusted.
    """
    with _opened(file, name) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:
            _check(info, name, limit)
        if (total := sum(info.file_size for info in infos)) > limit:
            raise DataError([Problem(f"is {total:,} bytes unpacked; at most {limit:,} are read", name)])
        for info in infos:
            if not info.filename.lower().endswith((".xml", ".rels")):
                continue
            content = io.BytesIO()
            _copy(archive, info, content, name)
            # Without the zero bytes UTF-16 reads as ASCII does.
            text = content.getvalue().replace(b"\0", b"")
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                fault = f"'{info.filename}' in it declares a document type or entities"
                raise DataError([Problem(fault, name)])
