"""A rehearsal's record and its words: what was seen, what was done otherwise, what was not tried. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage of a rehearsal.

    Args:
        name: what was tried.
        ok: whether it went well.
        seconds: how long it took.
        seen: what was seen, or what went wrong.
    """

    name: str
    ok: bool
    seconds: float
    seen: str


@dataclass(frozen=True)
class Rehearsal:
    """What became of a rehearsal.

    Args:
        run: its name.
        base_model: as the run names it.
        folder: where YAML, log and adapter of the rehearsal lie.
        stages: in order; the last one failed unless all went well.
        otherwise: what was done otherwise than in the run.
        not_tried: what only the real training will show.
    """

    run: str
    base_model: str
    folder: Path
    stages: tuple[Stage, ...]
    otherwise: tuple[str, ...]
    not_tried: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every stage went well."""
        return all(stage.ok for stage in self.stages)

    def to_record(self) -> dict[str, Any]:
        """Return the rehearsal for programs."""
        return {"ok": self.ok, **asdict(self), "folder": str(self.folder)}


@dataclass(frozen=True)
class Facts:
    """What the words depend on besides the run.

    Args:
        base_model: as the run names it.
        base_here: whether its files are on this machine.
        stand_in: the tokenizer in the place of its own; empty where that was used.
        rows_used: rows of the rehearsal.
        rows: rows of the dataset.
        prepared: the training's report on its rows; empty when it did not get so far.
        processes: training processes.
        steps: optimiser steps.
    """

    base_model: str
    base_here: bool
    stand_in: str
    rows_used: int
    rows: int
    prepared: Mapping[str, Any]
    processes: int
    steps: int


def seen(event: Mapping[str, Any], losses: Sequence[float]) -> str:
    """Return what an event of the training shows.

    Args:
        event: `rows`, `built`, `start` or `trained`.
        losses: the losses so far.
    """
    if event["event"] == "rows":
        report = event["report"]
        return (
            f"{report['train']:,} to train on, {report['validation']:,} held out, "
            f"{report['dropped']['count']:,} dropped; the longest has {report['longest']:,} tokens; "
            f"prompt style {event['prompt']['style']}"
        )
    if event["event"] == "built":
        facts = event["facts"]
        return (
            f"{'DoRA' if facts['dora'] else 'LoRA'} on {', '.join(facts['targets'])} "
            f"({', '.join(facts['base_classes'])}), rank {facts['ranks'][0]}, "
            f"scaling {facts['scalings'][0]:.4g}, {facts['trainable_parameters']:,} trained parameters"
        )
    if event["event"] == "start":
        zero = event["zero_stage"]
        return f"{event['engine']}{'' if zero is None else f', ZeRO-{zero}'}"
    return f"{event['step']} steps, loss {' → '.join(f'{loss:.3f}' for loss in losses)}"


def otherwise(facts: Facts) -> list[str]:
    """Return what was done otherwise than the run says, whatever its method."""
    lines = []
    if facts.stand_in:
        lines.append(
            f"tokenizer and chat template: {facts.stand_in} in the place of those of {facts.base_model}, "
            f"which are not on this machine{_estimate(facts)}"
        )
    if facts.rows_used < facts.rows:
        lines.append(
            f"{facts.rows_used:,} of {facts.rows:,} rows: the longest, and others from end to end of the file"
        )
    return lines


def _estimate(facts: Facts) -> str:
    if not facts.prepared:
        return ""
    dropped = facts.prepared["dropped"]
    return (
        f". Row lengths are estimates: by these {dropped['count']:,} of {facts.prepared['rows']:,} rows "
        f"would be dropped ({dropped['reason']})"
    )


def not_tried(facts: Facts) -> list[str]:
    """Return what only the real training will show, whatever its method."""
    fetching = "" if facts.base_here else "; they are not on this machine, and fetching them was not tried"
    lines = [
        f"the real weights of {facts.base_model}: whether they fit in memory, and what they learn{fetching}",
        "a GPU: CUDA, bfloat16, gradient checkpointing, NCCL between several",
        f"more than {facts.steps} steps, and more processes than {facts.processes}",
    ]
    if facts.stand_in:
        lines.append("the base model's own tokenizer, chat template and end token")
    if facts.rows_used < facts.rows:
        lines.append(f"the other {facts.rows - facts.rows_used:,} rows, beyond reading them")
    return lines
