"""The rounds of a federated training on disk: each is there whole, or not at all."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from finlora.adapters import PEFT_CONFIG, WEIGHTS
from finlora.federated.updates import Tensors
from finlora.files import sha256, write_json

FOLDER, START = "rounds", "start"
"""Folders of a federated training: its rounds, and the untrained adapter."""
RECORD = "round.json"
DIGEST = "weights_sha256"


@dataclass(frozen=True)
class Latest:
    """Where a federated training stands.

    Args:
        folder: the adapter after the rounds that are over.
        tensors: those of that adapter, A and B.
        records: what is known of each round, in order.
    """

    folder: Path
    tensors: Tensors
    records: tuple[dict[str, Any], ...]

    @property
    def number(self) -> int:
        """Rounds that are over; 0 before the first."""
        return len(self.records)


def keep(folder: Path, record: dict[str, Any], tensors: Tensors | None) -> None:
    """Write a round that is over.

    Args:
        folder: the federated training's folder.
        record: what is known of it, with its `round`.
        tensors: the new global adapter; None for a round that was lost, after which the old one stays.
    """
    place = folder / FOLDER / f"{record['round']:04d}"
    fresh = place.with_name(f".{place.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if tensors is not None:
        save_file(tensors, fresh / WEIGHTS)
        # With it, the adapter of any round can be asked and scored.
        shutil.copyfile(folder / START / PEFT_CONFIG, fresh / PEFT_CONFIG)
        record = {**record, DIGEST: sha256(fresh / WEIGHTS)}
    write_json(fresh / RECORD, record)
    fresh.rename(place)


def records(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the rounds that are over, in order.

    A round that is missing ends the count, and so does one whose record or weights are not what was kept.

    Args:
        folder: the federated training's folder.
    """
    found: list[dict[str, Any]] = []
    while (path := folder / FOLDER / f"{len(found) + 1:04d}" / RECORD).is_file():
        record = _whole(path, len(found) + 1)
        if record is None:
            break
        found.append(record)
    return found


def _whole(path: Path, number: int) -> dict[str, Any] | None:
    """Return the record of a round, or None where it or its weights were damaged."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        weights = None if record["lost"] else record[DIGEST]
    except (ValueError, KeyError, TypeError):
        return None
    file = path.with_name(WEIGHTS)
    whole = weights is None or (file.is_file() and sha256(file) == weights)
    return record if whole and record.get("round") == number else None


def done(folder: Path) -> int:
    """Return how many rounds a new start keeps; those that were lost at the end are trained anew.

    Args:
        folder: the federated training's folder.
    """
    return max((record["round"] for record in records(folder) if not record["lost"]), default=0)


def latest(folder: Path) -> Latest:
    """Return where a federated training stands.

    Args:
        folder: its folder.
    """
    known = records(folder)
    kept = [record["round"] for record in known if not record["lost"]]
    newest = folder / FOLDER / f"{kept[-1]:04d}" if kept else folder / START
    return Latest(newest, load_file(newest / WEIGHTS), tuple(known))


def go_on(folder: Path) -> Latest:
    """Return where a new start goes on, and remove what lies beyond it.

    Args:
        folder: the federated training's folder.
    """
    last = done(folder)
    for path in (folder / FOLDER).glob("*"):
        number = path.name.removeprefix(".").removesuffix(".new")
        # An interrupted write is of no use whatever its number.
        if number.isdecimal() and (path.name != number or int(number) > last):
            shutil.rmtree(path)
    return latest(folder)
