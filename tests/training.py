"""A tiny project to train in for real: what the slow tests share."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finlora import config, finetune
from finlora.events import EventReader
from finlora.training_plan import Options
from tests.tiny import make_tiny_base

COMMON = {
    "base_model": "../base",
    "dataset_path": "../data/rows.jsonl",
    "learning_rate": 0.005,
    "num_epochs": 1,
    "batch_size": 8,
    "sequence_len": 128,
    "val_set_size": 0.03,
    "dtype": "float32",
    "axolotl": {"warmup_steps": 2},
}
RUNS: dict[str, dict[str, Any]] = {
    "lora": {},
    "qlora": {"quant_bits": 4},
    "eight": {"quant_bits": 8},
    "dora": {"peft_use_dora": True},
    "rslora": {"peft_use_rslora": True},
    "qdora": {"quant_bits": 4, "peft_use_dora": True},
    "bf16": {"dtype": "bfloat16"},
    "one": {"lora_dropout": 0.0},
    "two": {"lora_dropout": 0.0, "batch_size": 4},
    "long": {"sequence_len": 70},
    "broken": {"base_model": "../broken"},
}


def make_project(root: Path) -> config.ConfigFile:
    """Lay out a project with a tiny base model, 66 rows and one run for each thing to try."""
    make_tiny_base(root / "base", spread=0.02)
    make_tiny_base(root / "broken", spread=0.5)
    rows = [
        {
            "context": f"Instruction: What is the sentiment?\nInput: sales {'rose' if i % 2 else 'fell'} "
            f"by {i} percent{' again' * (i % 4)}\nAnswer: ",
            "target": "positive" if i % 2 else "negative",
        }
        for i in range(66)
    ]
    (root / "data").mkdir()
    (root / "data" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "configs").mkdir()
    path = root / "configs" / "finetune_configs.json"
    path.write_text(json.dumps({name: {**COMMON, **run} for name, run in RUNS.items()}))
    return config.load(path)


def train(file: config.ConfigFile, name: str, **options: Any) -> tuple[finetune.FinetuneResult, list[str]]:
    """Train a run for real; return the result and the lines the user saw."""
    lines: list[str] = []
    result = finetune.run(file, name, Options(**options), lines.append, lambda event: None)
    return result, lines


def start(file: config.ConfigFile, name: str, *more: str) -> "subprocess.Popen[str]":
    """Start `finlora finetune NAME` as a user would, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "finlora", "finetune", name, "--config", str(file.path), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def follow(
    process: "subprocess.Popen[str]", events: Path, until: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Read a training's events until one fits, and return that one; fail when the training ends first."""
    reader = EventReader(events)
    while True:
        ended = process.poll() is not None
        for event in reader.new():
            if until(event):
                return event
        assert not ended, process.stdout.read() if process.stdout else ""
        signal.sigtimedwait([], 0.05)


def trainings_left(root: Path) -> list[int]:
    """Return the processes that belong to a training of this project."""
    mark = f"FINLORA_JOB={root}".encode()
    left = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment:
                left.append(int(folder.name))
    return left


def weights(folder: Path) -> dict[str, Any]:
    """Return an adapter's tensors."""
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def same(first: Path, second: Path) -> bool:
    """Return whether two adapters are equal bit for bit."""
    return (first / "adapter_model.safetensors").read_bytes() == (
        second / "adapter_model.safetensors"
    ).read_bytes()
