"""Trains a run over the rows of several institutions, which keep them: here all of them on one machine."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import adapter_card, adapters, data, finetune, launch
from finlora import manifest as manifests
from finlora.axolotl_yaml import OUTPUT
from finlora.config import ConfigFile
from finlora.errors import LaunchError, UsageError
from finlora.federated import dp_words, environment, manifest, partition, preparation, rounds, shards
from finlora.federated.jobs import CLIENT_JOB, CLIENTS, MANIFEST, SERVER_JOB, ClientJob
from finlora.federated.partition import Partition
from finlora.federated.preparation import Ready, Wanted
from finlora.federated.round_rows import check_enough
from finlora.federated.shards import Shards
from finlora.files import digest
from finlora.training_plan import Plan

Say = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]

CLIENTS_BY_DEFAULT = 4


@dataclass(frozen=True)
class Federated:
    """A federated training that ended well.

    Args:
        folder: the published adapter.
        manifest: how it was trained.
        records: what is known of each round.
    """

    folder: Path
    manifest: dict[str, Any]
    records: tuple[dict[str, Any], ...]


def simulate(
    file: ConfigFile,
    name: str,
    division: Partition,
    clients: int | None,
    wanted: Wanted,
    say: Say,
    on_event: OnEvent,
) -> Federated:
    """Train a run with all clients on this machine, one after the other, and publish its adapter.

    Args:
        file: the config file.
        name: the run.
        division: which client has which rows.
        clients: how many; None takes 4, or as many as there are files.
        wanted: what the command line asks for.
        say: takes lines for the user.
        on_event: takes events of the server as they come.

    Raises:
        FinLoRAError: and nothing of what was published before is lost; rounds that are over stay.
    """
    flower = environment.python()
    environment.check(flower)
    made = preparation.planned(file, name, wanted)
    parts = _parts(made, division, clients)
    names = sorted(parts)
    preparation.min_clients(wanted, len(names))
    check_enough({client: len(rows) for client, rows in parts.items()}, made.run.num_epochs, wanted.rounds)
    made, base = finetune.resolved(file, made, offline=wanted.options.offline, say=say)
    ready = Ready(file, name, made, base, wanted)
    with finetune.alone(ready.folder, made.name):
        told = {
            client: f"{len(rows)} rows, {digest([[r.context, r.target] for r in rows])[:12]}"
            for client, rows in parts.items()
        }
        preparation.begin(ready, {"partition": [division.kind, division.alpha], "clients": told}, say)
        sources = list(division.files) or [made.dataset]
        divided = shards.write(ready.folder / "shards", parts, division, made.run.seed, sources)
        _tell(made, divided, say)
        for line in advice(ready, len(names)):
            say(line)
        _write_jobs(ready, divided)
        command = [str(flower), "-m", "finlora.federated.local_grid", str(ready.folder)]
        serve(ready, command, environment.variables(), on_event)
        return publish(ready)


def _parts(made: Plan, division: Partition, clients: int | None) -> dict[str, list[data.Row]]:
    if division.kind == "files":
        parts = partition.of_files(division, clients)
    else:
        count = clients or CLIENTS_BY_DEFAULT
        parts = partition.shares(data.read_rows(made.dataset), division, count, made.run.seed)
    if len(parts) < 2:
        raise UsageError("a federated training has two clients or more; for one: finlora finetune NAME")
    return parts


def _tell(made: Plan, divided: Shards, say: Say) -> None:
    counts = ", ".join(f"{one.client} {one.rows:,}" for one in divided.clients)
    rows = sum(one.rows for one in divided.clients)
    say(f"{made.name}: {rows:,} rows over {len(divided.clients)} clients: {counts}")
    if made.run.val_set_size:
        say("nothing is held out of a federated training: val_set_size is not used")


def advice(ready: Ready, clients: int) -> list[str]:
    """Return what is said of the privacy before the start; nothing where none is asked for."""
    wanted = ready.wanted
    if wanted.privacy is None:
        return []
    count = preparation.trained_parameters(ready)
    frozen = wanted.aggregate == "ffa"
    return dp_words.advice(wanted.privacy, wanted.rounds, count, clients, frozen_a=frozen)


def _write_jobs(ready: Ready, divided: Shards) -> None:
    """Write what the server and each client are told."""
    options = ready.wanted.options
    names = [one.client for one in divided.clients]
    server = preparation.server_job(ready, names, _frame(ready, divided))
    # They work one after the other, and the last one waits for all.
    replace(server, timeout=server.timeout * len(names)).write(ready.folder / SERVER_JOB)
    shutil.rmtree(ready.folder / CLIENTS, ignore_errors=True)
    for one in divided.clients:
        folder = ready.folder / CLIENTS / one.client
        job = ClientJob(
            name=one.client,
            run=ready.run,
            config=str(ready.file.path.resolve()),
            place=str(folder.relative_to(ready.plan.root / OUTPUT)),
            folder=str(folder),
            python=sys.executable,
            environment=environment.of_training(),
            data=str(divided.file(one.client)),
            shelf="",
            processes=options.processes,
            deepspeed=options.deepspeed,
            allow_dropped_rows=options.allow_dropped_rows,
        )
        job.write(folder / CLIENT_JOB)


def _frame(ready: Ready, divided: Shards) -> dict[str, Any]:
    sources = dict(divided.sources)
    dataset: dict[str, Any] = {
        "sha256": next(iter(sources.values())) if len(sources) == 1 else digest(sources),
        "partition": {
            "kind": divided.kind,
            "alpha": divided.alpha,
            "rows": {one.client: one.rows for one in divided.clients},
        },
    }
    if ready.wanted.privacy:
        # What depends on the rows and is not noised must not stand in what is published.
        dataset = {"sha256": None, "partition": {"kind": divided.kind, "alpha": divided.alpha}}
    return manifest.frame(ready, [one.client for one in divided.clients], dataset)


def serve(ready: Ready, command: list[str], variables: Mapping[str, str | None], on_event: OnEvent) -> None:
    """Have the server of Flower lead its clients through the rounds that are left.

    Args:
        ready: the training, its job files written.
        command: what to start.
        variables: for its environment.
        on_event: takes events of the server as they come.

    Raises:
        LaunchError: it failed or was interrupted; rounds that are over stay.
    """
    for name in ("events.jsonl", MANIFEST):
        (ready.folder / name).unlink(missing_ok=True)
    try:
        launch.train(
            command,
            cwd=ready.plan.root,
            env=variables,
            log=ready.folder / "server.log",
            events=ready.folder / "events.jsonl",
            on_event=on_event,
        )
    except LaunchError as error:
        kept = rounds.done(ready.folder)
        more = f"\nRound {kept} is kept; the same command with --resume goes on." if kept else ""
        raise type(error)(f"{error}{more}", error.exit_code) from None


def publish(ready: Ready) -> Federated:
    """Publish the adapter of the last round.

    Args:
        ready: the training, whose server has ended well.

    Raises:
        LaunchError: the server ended without a word that it had finished.
        FinLoRAError: it can't be published; the rounds stay.
    """
    whole = ready.folder / MANIFEST
    if not whole.is_file():
        raise LaunchError(
            "Flower ended without an error, but its server never said that the rounds are over; nothing is "
            f"published.\nThe same command with --resume goes on. The log: {ready.folder / 'server.log'}"
        )
    state = rounds.latest(ready.folder)
    content = json.loads(whole.read_text(encoding="utf-8"))
    place = preparation.place_of(ready.plan)
    card = adapter_card.first(ready.plan.root, content, place)
    base = manifests.without_folder(ready.base.name)
    adapter = adapters.publish(state.folder, place, content, base, card)
    # The rounds stay for those who want to look at them; the next training of the run clears them.
    (ready.folder / preparation.STATE).unlink()
    return Federated(adapter.folder, adapter.manifest_with({}), state.records)
