"""Where a training starts: at its first step, or where the same training was cut off."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import checkpoints, manifest, models
from finlora.errors import UsageError
from finlora.events import EventReader
from finlora.files import write_atomic, write_json
from finlora.json_text import shown
from finlora.training_plan import Plan, seen_from

_SHOWN = 6


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Args:
        plan: the plan, with the checkpoint to go on from.
        step: optimiser steps done already.
        seconds: how long they took.
    """

    plan: Plan
    step: int = 0
    seconds: float = 0.0


def find(made: Plan, base: models.BaseModel, digest: str, fresh: bool, say: Callable[[str], None]) -> Start:
    """Go on from the newest complete checkpoint of the same training, or start at step 0.

    Args:
        made: what is to be trained.
        base: its base model.
        digest: SHA-256 of its dataset file.
        fresh: forget what an earlier training left.
        say: takes lines for the user.

    Raises:
        UsageError: an earlier training left a checkpoint, but it was another training. Nothing is lost.
    """
    now = ingredients(made, base, digest)
    found = checkpoints.newest(made.folder / "trained")
    if not fresh:
        for name in found.torn:
            say(f"{name} is not complete and is passed over")
    if fresh or found.folder is None:
        _begin(made, now)
        return Start(made)
    if differing := differences(checkpoints.read_state(made.folder / "state.json"), now):
        shown = differing[:_SHOWN] + ["…"] * (len(differing) > _SHOWN)
        raise UsageError(
            f"a training of '{made.name}' was cut off at step {found.step} of {found.total}, and can't go on "
            f"as another one. What changed: {'; '.join(shown)}\n"
            "Put that back to go on, or leave those steps behind and start anew with --fresh"
        )
    say(f"resuming at step {found.step} of {found.total}")
    seconds = _keep_events(made.own_folder / "events.jsonl", found.step)
    machine = replace(made.machine, resume=seen_from(made.root, found.folder))
    return Start(replace(made, machine=machine), found.step, seconds)


def ingredients(made: Plan, base: models.BaseModel, digest: str) -> dict[str, Any]:
    """Return everything a training's result depends on; arguments as in `find`."""
    return {
        "settings": made.public(base.name).mapping(),
        "dataset": digest,
        "base model": base.identity,
        "prompt style": made.run.prompt_style,
        "processes": made.machine.processes,
        "machines": made.cluster.machines,
        "versions": manifest.versions(),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what changed, in words: single keys of mappings, whole values else.

    Args:
        before: what a training depended on (see `ingredients`).
        now: what it would depend on.
    """
    found = []
    for part, value in now.items():
        old = before.get(part)
        if isinstance(value, dict) and isinstance(old, dict):
            keys = [key for key in {**old, **value} if old.get(key) != value.get(key)]
            found += [f"{key}: {_short(old.get(key))} → {_short(value.get(key))}" for key in keys]
        elif old != value:
            found.append(f"{part}: {_short(old)} → {_short(value)}")
    return found


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 40 else text[:12] + "…" + text[-12:]


def _begin(made: Plan, now: Mapping[str, Any]) -> None:
    """Forget what an earlier training left, and write down what this one is."""
    for name in ("events.jsonl", "train.log"):
        (made.own_folder / name).unlink(missing_ok=True)
    if made.cluster.rank == 0:
        # Another machine's disk may be this one too; where it is not, the plugin does this there.
        shutil.rmtree(made.folder / "trained", ignore_errors=True)
        write_json(made.folder / "state.json", now)


def _keep_events(events: Path, step: int) -> float:
    """Keep the losses up to a checkpoint, since what came after is computed again; return their seconds."""
    kept = [e for e in EventReader(events).new() if e["event"] in ("step", "eval") and e["step"] <= step]
    write_atomic(events, "".join(json.dumps(event) + "\n" for event in kept))
    return max((e["seconds"] for e in kept if e["event"] == "step"), default=0.0)
