"""Checkpoints of a training: marking the complete ones, finding the newest of them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora.files import sha256, write_json

COMPLETE = "finlora_complete.json"
"""Written into a checkpoint after every process has saved its part, with size and digest of each file."""


@dataclass(frozen=True)
class Found:
    """What a run folder holds to go on from.

    Args:
        folder: the newest complete checkpoint, or None.
        step: optimiser steps it has seen.
        total: optimiser steps of the whole training.
        torn: names of newer checkpoints that are not complete.
    """

    folder: Path | None
    step: int
    total: int
    torn: tuple[str, ...]


def mark_complete(folder: Path, step: int, total: int) -> None:
    """Write the mark of a complete checkpoint.

    Args:
        folder: the checkpoint; every process has written its part.
        step: optimiser steps it has seen.
        total: optimiser steps of the whole training.
    """
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != COMPLETE)
    files = {str(p.relative_to(folder)): [p.stat().st_size, sha256(p)] for p in paths}
    write_json(folder / COMPLETE, {"step": step, "total": total, "files": files})


def read_state(path: Path) -> dict[str, Any]:
    """Return what a training that ended early was started with; empty when there is none."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def newest(trained: Path) -> Found:
    """Find the newest complete checkpoint of a training.

    Args:
        trained: Axolotl's output folder.
    """
    torn: list[str] = []
    folders = [p for p in trained.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdigit()]
    for folder in sorted(folders, key=_step, reverse=True):
        total = _total_if_complete(folder)
        if total is not None:
            return Found(folder, _step(folder), total, tuple(torn))
        torn.append(folder.name)
    return Found(None, 0, 0, tuple(torn))


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))


def _total_if_complete(folder: Path) -> int | None:
    """Return how many steps the training of a checkpoint has, or None unless it is complete and our own.

    Sizes come first, since they are quick to tell; digests too, since a power cut can leave a file of the
    right size full of zeros. A checkpoint holds pickles: another user's is not read.
    """
    try:
        mark = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        files = [(folder / name, size, digest) for name, (size, digest) in mark["files"].items()]
        stats = [path.stat() for path, _, _ in files]
        if any(stat.st_uid != os.getuid() for stat in [folder.stat(), *stats]):
            return None
        if any(stat.st_size != size for stat, (_, size, _) in zip(stats, files, strict=True)):
            return None
        return int(mark["total"]) if all(sha256(path) == digest for path, _, digest in files) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
