"""What the parts of a federated training are told: one file each, written by FinLoRA before they start."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from finlora import events
from finlora.files import write_json

Aggregate = Literal["fedavg", "ffa"]
"""How adapters become one: the mean of A and of B; or the mean of B alone, A being frozen (FFA-LoRA)."""

SERVER_JOB, CLIENT_JOB, CLIENTS = "server.json", "client.json", "clients"
"""Files of the server's and of each client's folder, and where a simulation has the latter."""

KEPT, GLOBAL, TRAINED = "kept", "global", "trained"
"""Folders of a client: tensors that never change, the adapter a round starts from, and what came of it."""

MANIFEST = "manifest.json"
"""File of the server: the manifest of the finished training."""

EVENTS = "client.jsonl"
"""File of a client that takes its events; those of its trainings lie beside it."""

DONE = "done"
"""File of a client: there once it has the finished adapter, or has no further part, and then says why."""

REQUEST, REPLY = "request.json", "reply.json"
"""What a client's worker is asked, and what it answers."""

COUNTS = ("rows", "dropped", "tokens", "trained_tokens", "steps")
"""Whole numbers that a client tells of a round, besides its loss; under differential privacy none."""


def travels(tensor: str, aggregate: Aggregate) -> bool:
    """Return whether a tensor of an adapter crosses between server and clients in every round."""
    return aggregate != "ffa" or ".lora_A." not in tensor


@dataclass(frozen=True)
class ServerJob:
    """A federated training, as its server is told.

    Args:
        folder: the training's folder; its `start/` holds the untrained adapter, its `rounds/` the rounds.
        clients: names of all clients.
        rounds: rounds to train in all.
        min_clients: updates a round needs; below that, it is lost.
        aggregate: how adapters become one.
        learning_rates: of each round.
        seed: the run's.
        terms: what every client must be about to train alike.
        timeout: seconds a client may take for its answer.
        launcher: process id of FinLoRA.
        frame: the manifest without the rounds (see `summary`).
        privacy: clip, noise, delta and max_epsilon; None for no differential privacy.
        patience: seconds to wait for the rest once `min_clients` clients are there.
        deliver: whether every client is to get the finished adapter.
    """

    folder: str
    clients: list[str]
    rounds: int
    min_clients: int
    aggregate: Aggregate
    learning_rates: list[float]
    seed: int
    terms: dict[str, Any]
    timeout: float
    launcher: int
    frame: dict[str, Any]
    privacy: dict[str, Any] | None = None
    patience: float = 0.0
    deliver: bool = False

    def write(self, path: Path) -> None:
        """Write the job where the server will read it."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "ServerJob":
        """Read a job that FinLoRA wrote."""
        return ServerJob(**json.loads(path.read_text(encoding="utf-8")))

    @property
    def events(self) -> Path:
        """File the server appends events to."""
        return Path(self.folder) / "events.jsonl"

    def emit(self, event: str, **values: Any) -> None:
        """Append one event."""
        events.append(self.events, event, **values)


@dataclass(frozen=True)
class ClientJob:
    """One client of a federated training, as its machine is told.

    Args:
        name: the client.
        run: the run of the config.
        config: the config file.
        place: its folder, as seen from the folder of all trainings.
        folder: the same, absolute.
        data: its rows.
        shelf: where the finished adapter is to lie; empty in a simulation, whose server publishes it.
        python: the Python of the training environment.
        processes: training processes; None takes the visible GPUs, or 1 on a CPU.
        deepspeed: as in `training_plan.Options`.
        allow_dropped_rows: the same.
        environment: variables of the training environment; None for one that is not set there.
    """

    name: str
    run: str
    config: str
    place: str
    folder: str
    data: str
    shelf: str
    python: str
    processes: int | None = None
    deepspeed: str | None = None
    allow_dropped_rows: bool = False
    environment: Mapping[str, str | None] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the job where the client will read it."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "ClientJob":
        """Read a job that FinLoRA wrote."""
        return ClientJob(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Task:
    """One thing a client is asked to do; crosses from the server as plain values.

    Args:
        kind: `setup`, `train` or `finish`.
        rounds: rounds in all.
        aggregate: how adapters become one.
        seed: of this round.
        round: from 1; 0 outside rounds.
        learning_rate: of this round.
        terms: JSON of what must be alike.
        manifest: JSON of the finished adapter's manifest, at the end.
        private: answer with tensors alone: counts and losses are not covered by differential privacy.
    """

    kind: str
    rounds: int
    aggregate: Aggregate
    seed: int
    round: int = 0
    learning_rate: float = 0.0
    terms: str = ""
    manifest: str = ""
    private: bool = False
