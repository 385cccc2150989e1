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
        number: rounds that are over; 0 before the first.
        folder: the adapter after them.
        tensors: the global adapter after them, A and B.
        records: what is known of each round, in order.
    """

    number: int
    folder: Path
    tensors: Tensors
    records: tuple[dict[str, Any], ...]


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
    """Return the records of the rounds that are over, in order; those after a gap don't count."""
    found: list[dict[str, Any]] = []
    while (path := folder / FOLDER / f"{len(found) + 1:04d}" / RECORD).is_file():
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def latest(folder: Path) -> Latest:
    """Return where a federated training stands; a round whose weights are not what was kept ends the count.

    Args:
        folder: its folder.
    """
    whole: list[dict[str, Any]] = []
    newest = folder / START
    for record in records(folder):
        if DIGEST in record:
            place = folder / FOLDER / f"{record['round']:04d}"
            if not (place / WEIGHTS).is_file() or sha256(place / WEIGHTS) != record[DIGEST]:
                break
            newest = place
        whole.append(record)
    return Latest(len(whole), newest, load_file(newest / WEIGHTS), tuple(whole))


def forget_from(folder: Path, number: int) -> None:
    """Remove the rounds from `number` on, and what an interrupted write left."""
    for path in (folder / FOLDER).glob("*"):
        if path.name.startswith(".") or int(path.name) >= number:
            shutil.rmtree(path)
