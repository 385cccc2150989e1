"""What an adapter carries in `finlora.json`: all that is needed to ask it what it was trained for."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from finlora.config import RunConfig
from finlora.errors import LaunchError

PACKAGES = ("finlora", "axolotl", "torch", "transformers", "peft", "accelerate", "deepspeed", "bitsandbytes")


def versions() -> dict[str, str]:
    """Return the versions of the packages a training depends on (those that are installed)."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass
class History:
    """The events of one training, gathered as they come; proof that the plugin ran."""

    rows: dict[str, Any] = field(default_factory=dict)
    built: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    losses: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event of the training process."""
        kind = event["event"]
        if kind == "rows":
            self.rows = dict(event)
        elif kind == "built":
            self.built = dict(event["facts"])
        elif kind == "start":
            self.start = dict(event)
        elif kind == "trained":
            self.end = dict(event)
        elif kind == "step":
            self.losses.append((event["step"], event["loss"]))
        elif kind == "eval" and event["step"] not in dict(self.validation):
            self.validation.append((event["step"], event["loss"]))

    def prove(self, log: Path, drawn_only: bool = False) -> None:
        """Raise unless every report came that a real training makes.

        Args:
            log: its log, for the message.
            drawn_only: whether the adapter was only to be drawn, and nothing trained.

        Raises:
            LaunchError: a report is missing, so nobody knows what ran.
        """
        reports = {"rows": self.rows, "built as asked": self.built}
        if not drawn_only:
            reports |= {"engine": self.start, "end": self.end}
        missing = [name for name, report in reports.items() if not report]
        if not (missing or drawn_only) and [step for step, _ in self.losses] != list(
            range(1, self.end["step"] + 1)
        ):
            missing = ["the loss of every step"]
        if missing:
            raise LaunchError(
                f"the training ended, but its plugin never reported: {', '.join(missing)}. "
                f"Nothing is published, since nobody knows what ran.\nThe whole log: {log}"
            )


def hardware(devices: list[str], cores: int) -> dict[str, Any]:
    """Return what trained, without naming the machine.

    Args:
        devices: names of the GPUs.
        cores: CPU cores in use.
    """
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": cores, "gpus": devices}


def compose(
    *,
    name: str,
    run: RunConfig,
    base: Mapping[str, str],
    dataset_sha256: str,
    yaml: str,
    bf16: bool,
    processes: int,
    machines: int,
    effective_batch: int,
    cores: int,
    history: History,
) -> dict[str, Any]:
    """Return the manifest of a finished training.

    Args:
        name: the run's name.
        run: its settings, every default in place.
        base: `name`, `identity` and `tokenizer_sha256` of the base model.
        dataset_sha256: digest of the dataset file.
        yaml: what Axolotl trained from, without paths of this machine.
        bf16: whether it computed in bfloat16.
        processes: training processes.
        machines: machines they ran on.
        effective_batch: rows of an optimiser step over all processes.
        cores: CPU cores in use.
        history: the training's events.
    """
    return {
        "run_name": name,
        "variant": run.variant,
        "run": {
            **run.model_dump(),
            **{key: without_folder(getattr(run, key)) for key in ("base_model", "dataset_path", "deepspeed")},
        },
        "base_model": {**base, "name": without_folder(base["name"])},
        "dataset": {"sha256": dataset_sha256, **history.rows["report"]},
        "dtype": "bfloat16" if bf16 else "float32",
        "processes": processes,
        "machines": machines,
        "effective_batch": effective_batch,
        **_reported(history),
        "hardware": hardware(history.start["devices"], cores),
        "versions": versions(),
        "axolotl_yaml": yaml,
    }


def _reported(history: History) -> dict[str, Any]:
    """Return the parts of a manifest that the training itself reported."""
    return {
        "prompt": history.rows["prompt"],
        "pad": history.rows["pad"],
        "built": history.built,
        "engine": {"class": history.start["engine"], "zero_stage": history.start["zero_stage"]},
        "steps": history.end["step"],
        "seconds": round(history.end["seconds"], 1),
        **{key: history.end[key] for key in ("gpu_peak_bytes", "cpu_peak_bytes")},
        "losses": {"train": history.losses, "validation": history.validation},
    }


def without_folder(path: str) -> str:
    """Return a path as the config gives it, or its last part when it names a place of this machine."""
    return Path(path).name if path.startswith(("/", "~")) else path
