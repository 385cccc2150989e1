"""The rows of each client on disk, and the manifest that tells whether they still are those."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import record_checks
from finlora.config import RUN_NAME
from finlora.data import Row, write_rows
from finlora.errors import DataError, Problem
from finlora.federated.partition import Partition, label_rows
from finlora.files import check_writable, sha256, write_json

MANIFEST = "partition.json"
SCHEMA = 1
# With more labels than these a table of them says nothing.
_MOST_LABELS = 20


@dataclass(frozen=True)
class Shard:
    """The rows of one client.

    Args:
        client: its name.
        rows: how many it has.
        share: of all clients' rows, 0 to 1.
        sha256: digest of its file.
        labels: rows of each label; None where targets are no labels, or more than 20.
    """

    client: str
    rows: int
    share: float
    sha256: str
    labels: Mapping[str, int] | None


@dataclass(frozen=True)
class Shards:
    """The rows of all clients.

    Args:
        folder: where they lie.
        kind: how they were divided, a kind of `Partition`.
        alpha: of a Dirichlet partition, else None.
        seed: that decided the draw.
        sources: name to digest of the files that were divided.
        clients: in name order.
    """

    folder: Path
    kind: str
    alpha: float | None
    seed: int
    sources: Mapping[str, str]
    clients: tuple[Shard, ...]

    def file(self, client: str) -> Path:
        """Return the file of a client's rows."""
        return _file(self.folder, client)


def write(
    folder: Path,
    parts: Mapping[str, Sequence[Row]],
    partition: Partition,
    seed: int,
    sources: Sequence[Path],
) -> Shards:
    """Write the rows of each client, and last the manifest without which nobody believes them.

    Args:
        folder: its `CLIENT.jsonl` and `partition.json` are written anew.
        parts: rows by client.
        partition: how they were divided.
        seed: that decided the draw.
        sources: the files that were divided.

    Returns:
        The shards as they are on disk.

    Raises:
        FinLoRAError: they can't be written.
    """
    manifest = folder / MANIFEST
    check_writable(manifest)
    manifest.unlink(missing_ok=True)
    pooled = label_rows([row for rows in parts.values() for row in rows])
    labels = list(pooled) if 0 < len(pooled) <= _MOST_LABELS else None
    clients = {}
    for client, rows in sorted(parts.items()):
        path = _file(folder, client)
        write_rows(path, [{"context": row.context, "target": row.target} for row in rows])
        counts = Counter(row.target.strip() for row in rows)
        clients[client] = {
            "rows": len(rows),
            "sha256": sha256(path),
            "labels": {label: counts[label] for label in labels} if labels else None,
        }
    record = {
        "schema": SCHEMA,
        "kind": partition.kind,
        "alpha": partition.alpha,
        "seed": seed,
        "sources": {path.name: sha256(path) for path in sources},
        "clients": clients,
    }
    write_json(manifest, record)
    return read(folder)


def read(folder: Path) -> Shards:
    """Return the shards of a folder, if they still are what was written.

    Raises:
        DataError: the manifest is missing or damaged, or shards were edited or removed, each named.
    """
    manifest = folder / MANIFEST
    again = f"Remove {folder} and start anew; a federated training goes on with the same rows only"
    try:
        record: Any = json.loads(manifest.read_text(encoding="utf-8"))
        json.dumps(record, ensure_ascii=False).encode()
    except FileNotFoundError:
        what = "no such file: the clients' rows beside it are incomplete"
        raise DataError([Problem(what, str(manifest))], again) from None
    except (ValueError, RecursionError, OSError) as error:
        raise DataError([Problem(f"can't be read: {error}", str(manifest))], again) from None
    damaged = record_checks.faults(record, _SHAPE)
    if damaged:
        raise DataError([Problem(f"{', '.join(damaged)} missing or damaged", str(manifest))], again)
    problems = [
        Problem(fault, str(path))
        for client, entry in record["clients"].items()
        if (fault := _fault(path := _file(folder, client), entry["sha256"]))
    ]
    if problems:
        raise DataError(problems, again)
    total = sum(entry["rows"] for entry in record["clients"].values())
    clients = [
        Shard(client, entry["rows"], entry["rows"] / total, entry["sha256"], entry["labels"])
        for client, entry in sorted(record["clients"].items())
    ]
    return Shards(folder, record["kind"], record["alpha"], record["seed"], record["sources"], tuple(clients))


def _file(folder: Path, client: str) -> Path:
    return folder / f"{client}.jsonl"


def _fault(path: Path, digest: str) -> str:
    """Return what is wrong with a client's file, or an empty string."""
    if not path.is_file():
        return "is missing; the manifest names it"
    return "" if sha256(path) == digest else f"was edited: it is not the file that {MANIFEST} names"


def _clients(value: Any) -> bool:
    entries = record_checks.values_of(lambda entry: not record_checks.faults(entry, _CLIENT))
    return bool(value) and entries(value) and all(map(RUN_NAME.fullmatch, value))


_SHAPE: dict[str, record_checks.Check] = {
    "schema": record_checks.one_of(SCHEMA),
    "kind": record_checks.text,
    "alpha": record_checks.optional(record_checks.number),
    "seed": record_checks.count,
    "sources": record_checks.values_of(record_checks.text),
    "clients": _clients,
}
_CLIENT: dict[str, record_checks.Check] = {
    "rows": record_checks.positive,
    "sha256": record_checks.text,
    "labels": record_checks.optional(record_checks.values_of(record_checks.count)),
}
