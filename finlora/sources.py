"""A task's source: its files, from the hub or from the user, checked and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from finlora import hub, tables
from finlora.converters import Record
from finlora.errors import DataError, FinLoRAError, HubError, Problem, UsageError
from finlora.files import sha256
from finlora.tasks import UNPINNED, Bring, Hub, Part, Task


@dataclass(frozen=True)
class Source:
    """What a task's rows are made from.

    Args:
        records: split to records.
        facts: what a card says about the source.
    """

    records: Mapping[str, Sequence[Record]]
    facts: Mapping[str, Any]


def from_hub(
    task: Task,
    source: Hub,
    known: Mapping[str, Any] | None,
    offline: bool,
    on_bytes: hub.OnBytes,
) -> Source:
    """Fetch and read the files of a dataset repository.

    Args:
        task: whose source it is.
        source: the repository.
        known: what a card said about the source when it was first fetched.
        offline: use the hub's cache alone.
        on_bytes: as for `hub.take`.

    Raises:
        HubError: a file can't be had, or is another than the task or the card names.
        DataError: a file is faulty.
    """
    parts = _parts(source)
    known = known if known and known.get("repo") == source.repo else None
    revision = source.revision
    if revision == UNPINNED:
        revision = str(known["revision"]) if known else ""
    paths = list(dict.fromkeys(part.path for part in parts))
    taken = hub.take(source.repo, revision or None, paths, offline=offline, on_bytes=on_bytes)
    before = {file["path"]: file["sha256"] for file in known["files"]} if known else {}
    for path, digest in taken.digests.items():
        # The same commit has the same files: where it has not, somebody rewrote what is published.
        if known and known["revision"] == taken.commit and before.get(path, digest) != digest:
            raise HubError(
                f"{source.repo}: '{path}' is another file than the one first fetched for '{task.id}' "
                f"(SHA-256 {digest}, the card says {before[path]})\nWhat to do: to accept the new file "
                f"delete the cards of {task.id} in data/, and fetch with --overwrite"
            )
    _check_pins(parts, taken.digests, source.repo)
    facts = {"kind": "hub", "repo": source.repo, "revision": taken.commit}
    return _read(source, taken.files, taken.digests, facts)


def from_files(task: Task, source: Bring, given: Sequence[Path]) -> Source:
    """Read the files that the user got.

    Args:
        task: whose source it is.
        source: which files they are.
        given: files, or folders that hold them.

    Raises:
        UsageError: one is not among them.
        DataError: a file is faulty.
    """
    parts = _parts(source)
    files: dict[str, Path] = {}
    for part in parts:
        found = _find(part, parts, given)
        if found is None:
            name = quote(f"PATH/{Path(part.path).name}")
            raise UsageError(
                f"'{task.id}' needs {part.path}, which is not among the files given\n"
                f"Get {source.where}\nThen: finlora data fetch {task.id} --file {name}"
            )
        files[part.path] = found
    for path, file in files.items():
        # Before its digest is taken: a pipe or a device has no end.
        tables.check_file(file, path)
    try:
        digests = {path: sha256(file) for path, file in files.items()}
    except OSError as error:
        raise DataError([Problem(f"can't be read: {error.strerror}", str(error.filename))]) from None
    _check_pins(parts, digests, "the given file")
    return _read(source, files, digests, {"kind": "bring", "where": source.where})


def _parts(source: Hub | Bring) -> list[Part]:
    return [part for parts in source.files.values() for part in parts]


def _find(part: Part, parts: Sequence[Part], given: Sequence[Path]) -> Path | None:
    for path in given:
        if path.is_dir():
            for name in (part.path, Path(part.path).name):
                if (path / name).exists():
                    return tables.inside(path, name)
        elif path.name == Path(part.path).name:
            return path
    # A file saved under another name is no mystery where only one is wanted.
    alone = len({p.path for p in parts}) == 1 and len(given) == 1 and not given[0].is_dir()
    return given[0] if alone else None


def _check_pins(parts: Sequence[Part], digests: Mapping[str, str], where: str) -> None:
    for part in parts:
        if part.sha256 and digests[part.path] != part.sha256:
            raise FinLoRAError(
                f"{where}: {part.path} is not the file that the task names: its SHA-256 is "
                f"{digests[part.path]}, the task says {part.sha256}\nWhat to do: get the file again; "
                "if the source has a new one, the task's entry has to be mended first"
            )


def _read(
    source: Hub | Bring, files: Mapping[str, Path], digests: Mapping[str, str], facts: Mapping[str, Any]
) -> Source:
    records: dict[str, Sequence[Record]] = {}
    for split, parts in source.files.items():
        read = [_records(files[part.path], part) for part in parts]
        records[split] = read[0] if len(read) == 1 else [record for some in read for record in some]
    listed = [{"path": path, "sha256": digests[path], "bytes": files[path].stat().st_size} for path in files]
    return Source(records, {**facts, "files": listed})


def _records(file: Path, part: Part) -> Sequence[Record]:
    form = tables.Form(tuple(part.columns or ()), part.separator)
    return tables.read(file, part.path, part.member, form)
