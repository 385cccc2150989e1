"""Writing files whole or not at all, and telling files apart by content."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from finlora.errors import FinLoRAError, UsageError

_CHUNK = 1 << 20


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file through a sibling temporary file, so that no reader ever sees half of it.

    Args:
        path: the file; its folder is made if need be.
        content: text (stored as UTF-8) or bytes.

    Raises:
        FinLoRAError: the disk is full or the folder can't be written; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FinLoRAError(f"{path}: can't be written: {error.strerror}") from None
    finally:
        # Nothing is left behind when interrupted either; mostly there is nothing to remove.
        with suppress(OSError):
            temporary.unlink()


def sweep(path: Path) -> None:
    """Remove what killed writes of a file left beside it; the caller is the only one who writes it."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse a file that can't be written, before the work whose result it is to hold; leaves nothing.

    Raises:
        FinLoRAError: its folder, or the nearest one above that is there, can't be written to.
    """
    if path.is_dir():
        raise FinLoRAError(f"{path}: can't be written: it is a folder; name another file")
    folder = next(place for place in path.absolute().parents if place.exists())
    if not folder.is_dir():
        raise FinLoRAError(f"{path}: can't be written: {folder} is no folder; name another file")
    from tempfile import TemporaryFile

    try:
        # Asking for permissions would not do: some file systems refuse even those who have them.
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FinLoRAError(
            f"{path}: can't be written: {folder}: {error.strerror}; name another file"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all; errors as in `write_atomic`."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def fingerprint(paths: list[Path], every: int = 64) -> str:
    """Return a digest of large files in well under a second per gigabyte.

    Reads each file's name and size, and its content one MiB out of `every` MiB, the first and the
    last always among them: enough to tell two trainings of one architecture apart, which differ
    in every weight.

    Args:
        paths: the files, in any order.
        every: distance of the samples in MiB.

    Returns:
        Hexadecimal SHA-256 over the samples.
    """
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda p: p.name):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            for start in [*range(0, size, every * _CHUNK), max(0, size - _CHUNK)]:
                file.seek(start)
                digest.update(file.read(_CHUNK))
    return digest.hexdigest()


@contextmanager
def hold(lock: Path, busy: Callable[[str], str] | None = None) -> Iterator[None]:
    """Hold a lock file for this block; it goes with the process, however that ends.

    Args:
        lock: the file; it and its folder are made if need be, and it stays.
        busy: turns the id of the process that holds it into what the user is told; None waits for it.

    Raises:
        UsageError: another holds it, and `busy` says so.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            file.seek(0)
            holder = file.read() or "unknown"
            raise UsageError(busy(holder) if busy else holder) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
