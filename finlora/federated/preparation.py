"""What a federated training needs before its first round: the run's plan, a folder, an untrained adapter."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finlora import adapters, axolotl_yaml, checkpoints, manifest, training_plan
from finlora.axolotl_yaml import OUTPUT
from finlora.config import ConfigFile
from finlora.errors import UsageError
from finlora.federated import drawing, rounds, worker
from finlora.federated.dp import Privacy
from finlora.federated.jobs import Aggregate, ServerJob
from finlora.files import write_json
from finlora.machine_checks import check_machine, check_packages
from finlora.models import BaseModel
from finlora.resume import differences
from finlora.training_plan import Options, Plan

# Begins with what no name of a run may begin with.
FOLDER = "_federated"
STATE = "state.json"
# What a client may take for its answer: an 8B model on many rows takes hours.
TIMEOUT_SECONDS = 86400.0
_SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of a federated training.

    Args:
        rounds: rounds in all.
        min_clients: updates a round needs; None takes half of the clients, or all under differential privacy.
        aggregate: how adapters become one.
        privacy: differential privacy; None for none.
        resume: go on with the rounds that are there.
        fresh: forget them.
        options: what any training's command line adds.
    """

    rounds: int
    min_clients: int | None = None
    aggregate: Aggregate = "fedavg"
    privacy: Privacy | None = None
    resume: bool = False
    fresh: bool = False
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Ready:
    """A federated training, checked.

    Args:
        file: the config file.
        run: the run's name; the adapter's may be another.
        plan: the run's plan on this machine, with the base model in place.
        base: the base model.
        wanted: what was asked for.
    """

    file: ConfigFile
    run: str
    plan: Plan
    base: BaseModel
    wanted: Wanted

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return folder_of(self.plan)

    @property
    def start(self) -> Path:
        """Where the untrained adapter lies."""
        return self.folder / rounds.START


def folder_of(made: Plan) -> Path:
    """Return the folder of a run's federated training."""
    return made.root / OUTPUT / FOLDER / made.name


def variant_of(made: Plan) -> str:
    """Return the variant of a run's federated adapter: `fp16_r8_fed`, …"""
    return f"{made.run.variant}_fed"


def place_of(made: Plan) -> Path:
    """Return where a run's federated adapter will lie."""
    return adapters.place(made.root, variant_of(made), made.name)


def planned(file: ConfigFile, name: str, wanted: Wanted) -> Plan:
    """Look the run up and check all that can be before anything is fetched, read or started.

    Raises:
        UsageError, ConfigError: the run or the options are at fault.
    """
    if wanted.resume and wanted.fresh:
        raise UsageError("--resume goes on with the rounds that are there, --fresh forgets them; take one")
    made = planned_client(file, name, wanted.options)
    rates(made, wanted.rounds)
    if wanted.aggregate == "ffa" and made.run.peft_use_dora:
        raise UsageError(
            f"--aggregate ffa freezes A and averages B; run '{name}' uses DoRA, whose magnitudes are trained "
            "too. Take --aggregate fedavg, or a run without peft_use_dora"
        )
    return made


def planned_client(file: ConfigFile, name: str, options: Options) -> Plan:
    """Look the run up and check what a client has to, too.

    Raises:
        UsageError, ConfigError: the run or the options are at fault.
    """
    made = training_plan.plan(file, name, options)
    check_machine(made)
    check_packages()
    adapters.mend(place_of(made))
    adapters.check_free(place_of(made), options.overwrite)
    return made


def rates(made: Plan, count: int) -> list[float]:
    """Return the learning rate of each round: the run's schedule, stepped from round to round.

    Args:
        made: the run's plan.
        count: rounds.

    Raises:
        UsageError: the schedule can't be stepped so.
    """
    named = axolotl_yaml.schedule(made.run)
    if named not in _SCHEDULES:
        raise UsageError(
            f"axolotl.lr_scheduler is {named!r}: over the rounds of a federated training the rate follows "
            f"{', '.join(_SCHEDULES)}; name one of these in the run"
        )
    return [made.run.learning_rate * _SCHEDULES[named](done / count) for done in range(count)]


def begin(ready: Ready, parts: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Go on with the rounds that are there, or start with none; then see to the untrained adapter.

    Args:
        ready: the training; its folder is held by this process.
        parts: what it depends on besides the run: the clients and their rows.
        say: takes lines for the user.

    Raises:
        UsageError: rounds are there and nothing says what to do with them, or they are of another training.
        LaunchError: the adapter could not be drawn.
    """
    now = json.loads(json.dumps({**_ingredients(ready), **parts}))
    state = ready.folder / STATE
    done = rounds.done(ready.folder) if state.is_file() else 0
    wanted = ready.wanted
    if wanted.resume and not state.is_file():
        raise UsageError(
            f"--resume: no federated training of '{ready.plan.name}' was cut off here; leave it out"
        )
    if done and not (wanted.resume or wanted.fresh):
        raise UsageError(
            f"{done} of {wanted.rounds} rounds of '{ready.plan.name}' are there already.\n"
            "Go on with them: --resume. Leave them behind and start anew: --fresh"
        )
    if wanted.resume:
        before = checkpoints.read_state(state)
        if not before:
            raise UsageError(
                f"{state}: can't be read, so nobody knows of what the rounds are; --fresh forgets them"
            )
        if changed := differences(before, now):
            raise UsageError(
                f"the rounds that are there ({done}) are of another training: {'; '.join(changed)}\n"
                "Put that back to go on, or leave them behind and start anew with --fresh"
            )
        say(f"going on after round {done} of {wanted.rounds}")
    else:
        for path in (ready.folder / rounds.FOLDER, ready.start):
            shutil.rmtree(path, ignore_errors=True)
        for name in (STATE, "events.jsonl", "server.log"):
            (ready.folder / name).unlink(missing_ok=True)
    if not drawing.is_drawn(ready.start):
        drawing.draw(ready.plan, ready.base, ready.start, frozen_a=wanted.aggregate == "ffa")
    write_json(state, now)


def _ingredients(ready: Ready) -> dict[str, Any]:
    wanted = ready.wanted
    privacy = wanted.privacy
    return {
        "settings": ready.plan.public(ready.base.name).mapping(),
        "base model": ready.base.identity,
        "prompt style": ready.plan.run.prompt_style,
        "rounds": wanted.rounds,
        "aggregate": wanted.aggregate,
        "privacy": [privacy.clip, privacy.noise, privacy.delta] if privacy else None,
        "versions": manifest.versions(),
    }


def server_job(ready: Ready, clients: list[str], frame: dict[str, Any], **network: Any) -> ServerJob:
    """Return what the server is told.

    Args:
        ready: the training.
        clients: their names.
        frame: the manifest without the rounds.
        network: `patience` and `deliver`, where clients are on other machines.
    """
    wanted = ready.wanted
    return ServerJob(
        folder=str(ready.folder),
        clients=clients,
        rounds=wanted.rounds,
        min_clients=min_clients(wanted, len(clients)),
        aggregate=wanted.aggregate,
        learning_rates=rates(ready.plan, wanted.rounds),
        seed=ready.plan.run.seed,
        terms=worker.terms(ready.plan, ready.base),
        timeout=TIMEOUT_SECONDS,
        launcher=os.getpid(),
        frame=frame,
        privacy=asdict(wanted.privacy) if wanted.privacy else None,
        **network,
    )


def min_clients(wanted: Wanted, clients: int) -> int:
    """Return how many updates a round needs.

    Raises:
        UsageError: it can't be so many.
    """
    asked = wanted.min_clients
    if asked is not None and not 1 <= asked <= clients:
        raise UsageError(f"--min-clients {asked}: there are {clients} clients; allowed: 1 to {clients}")
    if wanted.privacy:
        if asked not in (None, clients):
            raise UsageError(
                f"--min-clients {asked}: under differential privacy every client must answer in every round, "
                "since the noise is measured for all of them. Leave --min-clients out"
            )
        return clients
    return asked or math.ceil(clients / 2)


def trained_parameters(ready: Ready) -> int:
    """Return how many numbers of the adapter are trained, and so are noised under differential privacy."""
    drawn = json.loads((ready.start / drawing.DRAWN).read_text(encoding="utf-8"))
    count: int = drawn["built"]["trainable_parameters"]
    return count
