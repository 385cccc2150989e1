"""A federated training over a network: one machine leads, institutions join with their own rows."""

import os
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import data, federate, finetune, launch
from finlora.axolotl_yaml import OUTPUT
from finlora.config import ConfigFile
from finlora.errors import UsageError
from finlora.federate import Federated
from finlora.federated import credentials, deployment, environment, manifest, preparation
from finlora.federated.jobs import CLIENT_JOB, CLIENTS, DONE, EVENTS, SERVER_JOB, ClientJob
from finlora.federated.preparation import Ready, Wanted
from finlora.training_plan import Options, Plan

Say = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]

# How long a server waits for the last members once as many as a round needs are there.
PATIENCE_SECONDS = 600.0
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Joined:
    """A federated training in which this machine took part to its end.

    Args:
        folder: the adapter that came of it, on this machine's shelf.
    """

    folder: Path


def lead(
    file: ConfigFile, name: str, address: str, folder: Path, wanted: Wanted, say: Say, on_event: OnEvent
) -> Federated:
    """Run Flower's SuperLink, lead the members that dial it through the rounds, and publish the adapter.

    Args:
        file: the config file.
        name: the run.
        address: HOST:PORT to listen at, by which members reach this machine.
        folder: certificates and the members' public keys (see `credentials`).
        wanted: what the command line asks for.
        say: takes lines for the user.
        on_event: takes events of the server as they come.

    Raises:
        FinLoRAError: and nothing of what was published before is lost; rounds that are over stay.
    """
    host, port = parsed(address)
    if host in ("0.0.0.0", "::"):
        raise UsageError(f"--listen {address}: name the address by which members reach this machine")
    held = credentials.of_server(folder, host)
    flower = environment.python()
    environment.check(flower)
    made = preparation.planned(file, name, wanted)
    names = sorted(held.members)
    preparation.min_clients(wanted, len(names))
    made, base = finetune.resolved(file, made, offline=wanted.options.offline, say=say)
    # Nobody's rows are the run's own: the manifest, which members get too, names no file of this machine.
    run = made.run.model_copy(update={"dataset_path": "rows.jsonl"})
    made = replace(made, run=run, dataset=made.root / "rows.jsonl")
    ready = Ready(file, name, made, base, wanted)
    with finetune.alone(ready.folder, made.name):
        preparation.begin(ready, {"clients": names}, say)
        for line in federate.advice(ready, len(names)):
            say(line)
        link = _link(ready, held, host, port)
        dataset = {"sha256": None, "partition": None}
        frame = manifest.frame(ready, names, dataset)
        job = preparation.server_job(ready, names, frame, patience=PATIENCE_SECONDS, deliver=True)
        job.write(ready.folder / SERVER_JOB)
        link.write(ready.folder / "superlink.json")
        say(f"SuperLink: flower-superlink {shlex.join(link.arguments())}")
        named = f" --as {made.name}" if made.name != name else ""
        say(f"each member joins with: finlora federate {name} --join {address} --data ROWS.jsonl{named}")
        command = deployment.command(flower, "superlink", ready.folder / "superlink.json")
        federate.serve(
            ready, command, deployment.variables(flower, ready.folder, ready.folder / SERVER_JOB), on_event
        )
        return federate.publish(ready)


def _link(ready: Ready, held: credentials.ServerCredentials, host: str, port: int) -> deployment.SuperLink:
    return deployment.SuperLink(
        folder=str(ready.folder),
        host=host,
        port=port,
        authority=str(held.authority.absolute()),
        certificate=str(held.certificate.absolute()),
        key=str(held.key.absolute()),
        members={member: str(path.absolute()) for member, path in held.members.items()},
        events=str(ready.folder / "events.jsonl"),
        launcher=os.getpid(),
    )


def join(
    file: ConfigFile,
    name: str,
    address: str,
    rows: Path,
    member: credentials.MemberCredentials,
    options: Options,
    say: Say,
    on_event: OnEvent,
) -> Joined:
    """Run Flower's SuperNode with this institution's rows until the training is over.

    Args:
        file: the config file.
        name: the run, which must be the server's in all that decides the result.
        address: HOST:PORT of the server.
        rows: this institution's dataset; it never leaves.
        member: who this is.
        options: what any training's command line adds.
        say: takes lines for the user.
        on_event: takes events of the client as they come.

    Raises:
        FinLoRAError: it can't take part, or was ended.
    """
    parsed(address)
    flower = environment.python()
    environment.check(flower)
    made = _planned_member(file, name, rows, options)
    count = len(data.read_rows(made.dataset))
    made, base = finetune.resolved(file, made, offline=options.offline, say=say)
    folder = preparation.folder_of(made) / CLIENTS / member.name
    with finetune.alone(folder, f"{name} as {member.name}"):
        for left in (DONE, EVENTS):
            (folder / left).unlink(missing_ok=True)
        _client_job(file, name, made, member.name, options).write(folder / CLIENT_JOB)
        node = _node(address, folder, member)
        node.write(folder / "supernode.json")
        say(f"{member.name}: {count:,} rows, which stay here; base model {base.name}")
        say(f"SuperNode: flower-supernode {shlex.join(node.arguments())}")
        launch.train(
            deployment.command(flower, "supernode", folder / "supernode.json"),
            cwd=made.root,
            env=deployment.variables(flower, folder, folder / CLIENT_JOB),
            log=folder / "supernode.log",
            events=folder / EVENTS,
            on_event=on_event,
        )
    return Joined(preparation.place_of(made))


def _node(server: str, folder: Path, member: credentials.MemberCredentials) -> deployment.SuperNode:
    return deployment.SuperNode(
        server=server,
        authority=str(member.authority.absolute()),
        key=str(member.key.absolute()),
        done=str(folder / DONE),
        events=str(folder / EVENTS),
        launcher=os.getpid(),
    )


def _client_job(file: ConfigFile, name: str, made: Plan, member: str, options: Options) -> ClientJob:
    folder = preparation.folder_of(made) / CLIENTS / member
    return ClientJob(
        name=member,
        run=name,
        config=str(file.path.resolve()),
        place=str(folder.relative_to(made.root / OUTPUT)),
        folder=str(folder),
        data=str(made.dataset),
        shelf=str(preparation.place_of(made)),
        python=sys.executable,
        processes=options.processes,
        deepspeed=options.deepspeed,
        allow_dropped_rows=options.allow_dropped_rows,
        environment=environment.of_training(),
    )


def _planned_member(file: ConfigFile, name: str, rows: Path, options: Options) -> Plan:
    made = preparation.planned_client(file, name, options)
    if not rows.is_file():
        raise UsageError(f"--data {rows}: no such file; it holds this institution's rows")
    return replace(made, dataset=rows.absolute())


def parsed(address: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT.

    Raises:
        UsageError: it is no such thing.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"{address}: an address is HOST:PORT, such as bank-a.example:8000 or 10.0.0.1:8000")
    return found["host"].strip("[]"), int(found["port"])
