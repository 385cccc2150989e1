"""A federated training on disk whose workers are `fake_worker.py`, and how to run it.

Server, messages, clients and processes are the real ones, in Flower's environment; only what would load
Axolotl is played.
"""

import json
import os
import select
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from finlora.federated import environment
from finlora.federated.dp import Privacy
from finlora.federated.jobs import CLIENT_JOB, CLIENTS, SERVER_JOB, ClientJob, ServerJob

ROOT = Path(__file__).parent.parent.parent
ADAPTER = "adapter_model.safetensors"
A, B = "base_model.model.q_proj.lora_A.weight", "base_model.model.q_proj.lora_B.weight"
SECONDS = 60
Tensors = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Ended:
    """How a federated training ended."""

    code: int
    log: str


@dataclass(frozen=True)
class Federation:
    """A federated training.

    Args:
        folder: where all of it lies.
        clients: their names.
    """

    folder: Path
    clients: tuple[str, ...]

    def client(self, name: str) -> Path:
        return self.folder / CLIENTS / name

    def misbehave(self, **clients: Mapping[int, str]) -> None:
        """Tell workers in which rounds to misbehave and how, and all others to behave."""
        for name in self.clients:
            (self.client(name) / "misbehave.json").write_text(json.dumps(clients.get(name, {})))

    def start(self, *how: str) -> "subprocess.Popen[str]":
        """Start the training; `how` is a word of `flower_side`."""
        program = [str(ROOT / "tests" / "federated" / "flower_side.py")] if how else []
        program = program or ["-m", "finlora.federated.local_grid"]
        return subprocess.Popen(
            [str(environment.python()), *program, str(self.folder), *how],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *how: str) -> Ended:
        """Run the training to its end, whatever that is; forgets the events of an earlier start."""
        (self.folder / "events.jsonl").unlink(missing_ok=True)
        with self.start(*how) as process:
            too_late = threading.Timer(SECONDS, process.kill)
            too_late.start()
            log = process.communicate()[0]
            too_late.cancel()
        return Ended(process.returncode, log)

    def train(self, *how: str) -> None:
        """Run the training to its good end."""
        ended = self.run(*how)
        assert ended.code == 0, (ended.log, self.events("error"))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the server's events of a kind."""
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def record(self, number: int) -> dict[str, Any]:
        """Return what is known of a round."""
        record: dict[str, Any] = json.loads((self.round(number) / "round.json").read_text())
        return record

    def round(self, number: int) -> Path:
        return self.folder / "rounds" / f"{number:04d}"

    def rounds(self) -> list[str]:
        """Return the names of all that lies among the rounds."""
        return sorted(path.name for path in (self.folder / "rounds").iterdir())

    def adapter(self, number: int) -> bytes:
        """Return the file of the global adapter after a round; 0 is the untrained one."""
        folder = self.round(number) if number else self.folder / "start"
        return (folder / ADAPTER).read_bytes()

    def tensors(self, number: int) -> Tensors:
        """Return the tensors of the global adapter after a round."""
        return load_file((self.round(number) if number else self.folder / "start") / ADAPTER)

    def sent(self, client: str, number: int) -> Tensors:
        """Return what a client's worker made in a round."""
        return load_file(self.client(client) / "history" / f"{number}.safetensors")

    def rows(self, client: str) -> int:
        return len((self.folder / "data" / f"{client}.jsonl").read_text().splitlines())

    def expected(self, clients: Sequence[str], number: int, *, equal: bool = False) -> Tensors:
        """Return the mean of what clients made in a round, weighted with their rows."""
        weights = [1 if equal else self.rows(client) for client in clients]
        sent = [self.sent(client, number) for client in clients]
        return {name: exact_mean([tensors[name] for tensors in sent], weights) for name in sent[0]}


def exact_mean(tensors: Sequence[Any], weights: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return a weighted mean without any rounding but that to float32."""
    flat = [tensor.ravel().tolist() for tensor in tensors]
    means = [
        sum((Fraction(value) * weight for value, weight in zip(values, weights, strict=True)), Fraction())
        / sum(weights)
        for values in zip(*flat, strict=True)
    ]
    return np.array([float(mean) for mean in means]).astype(np.float32).reshape(tensors[0].shape)


def same(one: Tensors, other: Tensors) -> bool:
    """Return whether tensors are equal bit for bit."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


def make(
    root: Path,
    clients: int | Sequence[str] = 3,
    *,
    rounds: int = 2,
    min_clients: int = 1,
    aggregate: str = "fedavg",
    privacy: Privacy | None = None,
    launcher: int | None = None,
    epochs: float | None = None,
    timeout: float = SECONDS,
) -> Federation:
    """Lay out a federated training: an untrained adapter, jobs, and rows that hold words of their own."""
    names = tuple(f"client_{i + 1}" for i in range(clients)) if isinstance(clients, int) else tuple(clients)
    folder = root / "training"
    draw = np.random.default_rng(7)
    start = {A: draw.normal(size=(2, 6)).astype(np.float32), B: np.zeros((6, 2), np.float32)}
    (folder / "start").mkdir(parents=True)
    save_file(start, folder / "start" / ADAPTER)
    (folder / "start" / "adapter_config.json").write_text("{}")
    ServerJob(
        folder=str(folder),
        clients=list(names),
        rounds=rounds,
        min_clients=min_clients,
        aggregate=aggregate,
        learning_rates=[0.1 / (done + 1) for done in range(rounds)],
        seed=5,
        # A client can have all of its rows in each round.
        terms={"run": {"num_epochs": epochs or rounds}},
        timeout=timeout,
        launcher=launcher or os.getpid(),
        frame=frame(names, aggregate, privacy),
        privacy=asdict(privacy) if privacy else None,
    ).write(folder / SERVER_JOB)
    worker = root / "worker"
    script = Path(__file__).with_name("fake_worker.py")
    # -S: without the packages of this Python, it starts in no time. The folder is the last of four words.
    worker.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {shlex.quote(str(script))} "$3"\n')
    worker.chmod(0o755)
    for i, name in enumerate(names):
        _make_client(folder, name, 3 + 2 * i, worker)
    return Federation(folder, names)


def frame(names: Sequence[str], aggregate: str, privacy: Privacy | None) -> dict[str, Any]:
    """Return as much of a manifest as `summary` needs."""
    federated = {
        "clients": list(names),
        "partition": {"kind": "iid", "alpha": None},
        "aggregate": aggregate,
        "privacy": asdict(privacy) if privacy else None,
    }
    return {"built": {"trainable_parameters": 24}, "dataset": {"validation": 0}, "federated": federated}


def _make_client(folder: Path, name: str, rows: int, worker: Path) -> None:
    data = folder / "data" / f"{name}.jsonl"
    data.parent.mkdir(exist_ok=True)
    row = json.dumps({"context": f"Zanzibar bond of {name}", "target": "umbrella"})
    data.write_text(f"{row}\n" * rows)
    place = folder / CLIENTS / name
    place.mkdir(parents=True)
    ClientJob(
        name=name,
        run="run",
        config=str(folder / "config.json"),
        place=name,
        folder=str(place),
        data=str(data),
        shelf="",
        python=str(worker),
        environment={"PYTHONPATH": str(ROOT)},
    ).write(place / CLIENT_JOB)


def gone(pid: int, seconds: float = 10) -> bool:
    """Wait for a process to end, whoever started it; return whether it did."""
    with suppress(ProcessLookupError):
        poll = select.poll()
        poll.register(os.pidfd_open(pid), select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    return True


def asleep(federation: Federation, client: str) -> int:
    """Return the process of a worker that hit another one, and then slept."""
    pid: int = json.loads((federation.client(client) / "asleep.json").read_text())
    return pid
