"""Checkpoints of a training that ended early: which are complete, and whether they still fit."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPLETE = "finlora_complete.json"
"""Written into a checkpoint after every process has saved its part, with the size of each file."""


@dataclass(frozen=True)
class Found:
    """What a run folder holds to go on from.

    Args:
        folder: the newest complete checkpoint, or None.
        step: optimiser steps it has seen.
        torn: names of newer checkpoints that are not complete.
    """

    folder: Path | None
    step: int
    torn: tuple[str, ...]


def key(ingredient: Any) -> str:
    """Return a digest of something a training's result depends on (any JSON value)."""
    text = json.dumps(ingredient, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_state(path: Path) -> dict[str, str]:
    """Return the digests a training that ended early was started with; empty when there is none."""
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
        if _is_complete(folder):
            return Found(folder, _step(folder), tuple(torn))
        torn.append(folder.name)
    return Found(None, 0, tuple(torn))


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))


def _is_complete(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))["sizes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
