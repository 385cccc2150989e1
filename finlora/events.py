"""What the launcher and the training process tell each other: one job file, one line per event."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finlora.files import write_json

JOB_VARIABLE = "FINLORA_JOB"


@dataclass(frozen=True)
class Asked:
    """What training must turn out to be; the plugin compares it with what was built.

    Args:
        quant_bits: 4, 8 or 16.
        lora_r: rank.
        lora_alpha: scaling numerator.
        dora: DoRA.
        rslora: rank-stabilised scaling.
        targets: names of the adapted modules.
        processes: training processes.
        zero_stage: ZeRO stage of a real DeepSpeedEngine; None for no DeepSpeed.
        a_frozen: whether the A matrices stay as they were drawn, and B alone is trained.
    """

    quant_bits: int
    lora_r: int
    lora_alpha: int
    dora: bool
    rslora: bool
    targets: list[str]
    processes: int
    zero_stage: int | None
    a_frozen: bool = False


@dataclass(frozen=True)
class Job:
    """One training, as the launcher hands it to the training processes.

    Args:
        run: the run's name.
        events: file the training process appends events to.
        launcher: process id of FinLoRA; training ends when that process does.
        device: `cuda` or `cpu`.
        dataset: absolute path of the dataset.
        dataset_sha256: its digest when the launcher checked it.
        prompt_style: `chat`, `inst`, `plain`, or None for the base model's own default.
        allow_dropped_rows: whether more than 1% of the rows may be too long.
        step: optimiser steps that were done before this start.
        seconds: how long they took.
        asked: what must be built.
        machine: rank of this machine among those that train together.
        machines: how many those are.
        terms: what they must have in common, by name (see `agreement`).
        state: what the checkpoints of this training will depend on (see `checkpoints`).
        draw_only: draw the untrained adapter, save it, and train nothing.
    """

    run: str
    events: str
    launcher: int
    device: str
    dataset: str
    dataset_sha256: str
    prompt_style: str | None
    allow_dropped_rows: bool
    step: int
    seconds: float
    asked: Asked
    machine: int = 0
    machines: int = 1
    terms: dict[str, Any] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    draw_only: bool = False

    def write(self, path: Path) -> None:
        """Write the job where the training process will read it."""
        write_json(path, asdict(self))

    @staticmethod
    def read() -> "Job":
        """Read the job named by the environment.

        Raises:
            RuntimeError: the YAML was started without `finlora finetune`.
        """
        path = os.environ.get(JOB_VARIABLE)
        if not path:
            raise RuntimeError(
                f"this YAML is trained by `finlora finetune`, which sets {JOB_VARIABLE}; "
                "`finlora finetune NAME --dry-run` prints the whole command"
            )
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return Job(**{**entries, "asked": Asked(**entries["asked"])})

    def emit(self, event: str, **values: Any) -> None:
        """Append one event."""
        append(Path(self.events), event, **values)


def append(path: Path, event: str, **values: Any) -> None:
    """Append one event to a file; a line is written at once, so that lines of several processes don't mix."""
    line = json.dumps({"event": event, **values}) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


class EventReader:
    """Reads the events that came since the last look.

    Args:
        path: the event file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the complete lines that are new."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._done)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._done += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
