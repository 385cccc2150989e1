"""The untrained adapter that all clients start from, drawn exactly as a training would draw it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from finlora import adapters, data, prompts
from finlora.axolotl_yaml import OUTPUT
from finlora.federated import worker
from finlora.federated.jobs import TRAINED
from finlora.files import sha256, write_json
from finlora.models import BaseModel
from finlora.training_plan import Plan

DRAWN = "drawn.json"
"""Beside the adapter: prompt, padding and what was built, as the training environment reported them."""


def draw(made: Plan, base: BaseModel, start: Path, *, frozen_a: bool) -> None:
    """Have the training environment draw the adapter.

    Args:
        made: the run's plan, with the base model in place.
        base: the base model.
        start: folder that takes the adapter; what is there already gives way.
        frozen_a: whether A is to stay as it is drawn.

    Raises:
        LaunchError: it failed.
    """
    folder = start.parent / "draw"
    # A prompt has to be rendered for the manifest; no client's row is needed for it.
    data.write_rows(folder / "probe.jsonl", [{"context": prompts.PROBE, "target": "positive"}])
    made = replace(
        made,
        name=str(folder.relative_to(made.root / OUTPUT)),
        run=made.run.model_copy(update={"val_set_size": 0.0}),
        dataset=folder / "probe.jsonl",
        machine=replace(made.machine, processes=1, deepspeed=None, max_steps=None),
        zero_stage=None,
    )
    history = worker.trained(made, base, False, frozen_a=frozen_a, draw_only=True)
    start.mkdir(parents=True, exist_ok=True)
    for name in (adapters.WEIGHTS, adapters.PEFT_CONFIG):
        shutil.copyfile(folder / TRAINED / name, start / name)
    shutil.rmtree(folder)
    drawn = {"prompt": history.rows["prompt"], "pad": history.rows["pad"], "built": history.built}
    write_json(start / DRAWN, {**drawn, "sha256": _digests(start)})


def is_drawn(start: Path) -> bool:
    """Return whether the untrained adapter is there as it was drawn."""
    try:
        drawn = json.loads((start / DRAWN).read_text(encoding="utf-8"))
        return bool(drawn["sha256"] == _digests(start))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digests(start: Path) -> dict[str, str]:
    return {name: sha256(start / name) for name in (adapters.WEIGHTS, adapters.PEFT_CONFIG)}
