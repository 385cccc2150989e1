"""What people see of a federated training: its rounds as they go, and all of them at the end."""

import shlex
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from finlora import display
from finlora.federated_facts import rounded_up

# Where nobody sees a bar, a long round says at times how far it is.
_LINE_SECONDS = 30.0


class Rounds:
    """Shows a federated training: a bar on a terminal, a line for each round in a log.

    Args:
        rounds: rounds in all.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._bar: Any = None
        self._task: Any = None
        self._began = time.monotonic()
        self._done = 0
        self._asked = 0
        self._said = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> "Rounds":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[figures]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("preparing", total=None, figures="")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Take one event of the server."""
        kind = event["event"]
        if kind == "round":
            self._round(event["round"], event["clients"])
        elif kind == "client" and event["task"] == "train":
            self._client(event)
        elif kind == "dropped":
            self.line(f"{event['client']} dropped out: {event['why']}")
        elif kind == "link":
            self.line(f"listening at {event['host']}:{event['port']}")
        elif kind == "waiting":
            self.line(f"waiting for {', '.join(event['clients'])}")
        elif kind == "setup":
            self._met(event)
        elif kind == "kept":
            self.line(_told(event, self._rounds) + self._left(event["round"]))
        elif kind == "budget":
            self.line(
                f"--max-epsilon {event['max_epsilon']:g} ends the training after {event['rounds']} of "
                f"{self._rounds} rounds: one more would spend epsilon {rounded_up(event['epsilon'])}"
            )

    def _met(self, event: dict[str, Any]) -> None:
        for name in event["new"]:
            rows = event["rows"].get(name)
            self.line(f"{name} takes part" + (f" with {rows:,} rows" if rows else ""))

    def _round(self, number: int, clients: int) -> None:
        if self._first is None:
            self._first = number
            self._began = time.monotonic()
        self._done, self._asked = 0, clients
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=f"round {number} of {self._rounds}",
                total=clients,
                completed=0,
                figures="",
            )

    def _client(self, event: dict[str, Any]) -> None:
        self._done += 1
        loss = f", loss {event['loss']:.4f}" if "loss" in event else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, figures=f"{event['client']}{loss}")
        elif time.monotonic() - self._said > _LINE_SECONDS:
            self.line(
                f"round {event['round']} of {self._rounds}: {self._done} of {self._asked} clients{loss}"
            )

    def _left(self, number: int) -> str:
        """Return the time that the rounds so far let expect."""
        left = self._rounds - number
        if not left or self._first is None:
            return ""
        seconds = (time.monotonic() - self._began) / (number - self._first + 1) * left
        return f"; about {seconds / 60:.0f} min left" if seconds >= 90 else f"; about {seconds:.0f} s left"

    def line(self, text: str) -> None:
        """Write a line for the user, above the bar where there is one."""
        self._said = time.monotonic()
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            display.say(text)


def task(event: dict[str, Any]) -> None:
    """Tell what a client of a federated training is asked to do, and hears of its server.

    Args:
        event: of the client.
    """
    kind, asked = event["event"], event.get("task")
    if kind == "server":
        _server(event)
    elif kind == "task" and asked == "train":
        display.say(f"round {event['round']} of {event['rounds']}: training")
    elif kind == "done" and asked == "setup":
        display.say("the server's terms are this machine's; waiting for the rounds")
    elif kind == "done" and asked == "train":
        counts = event["counts"]
        display.say(f"round {event['round']}: {counts['rows']} rows, loss {counts['loss']:.4f}; adapter sent")
    elif kind == "failed":
        display.say(f"failed: {event['why']}")


def _server(event: dict[str, Any]) -> None:
    if event["reached"]:
        display.say(f"reached {event['address']}; waiting for the server to ask")
    else:
        display.say(f"no answer from {event['address']}; trying on (has the server started? a firewall?)")


def _told(record: dict[str, Any], rounds: int) -> str:
    """Return a round in a line."""
    head = f"round {record['round']} of {rounds}"
    who = f"{len(record['clients'])} of {len(record['clients']) + len(record['dropped'])} clients"
    if record["lost"]:
        return f"{head} is lost: {who} answered, too few; the adapter stays as it was"
    loss = f", loss {record['loss']:.4f}" if record.get("loss") is not None else ""
    spent = f", epsilon {rounded_up(record['epsilon'])}" if "epsilon" in record else ""
    return f"{head}: {who}{loss}{spent}, {record['seconds']:.0f} s"


def finished(result: Any) -> None:
    """Print how a federated training ended: its rounds, and where the adapter is."""
    columns = ["round", "clients", "loss", "sent", "received", "seconds"]
    private = any("epsilon" in record for record in result.records)
    rows = [_row(record) for record in result.records]
    if private:
        columns[2] = "epsilon"
    display.table(columns, rows)
    if lost := sum(record["lost"] for record in result.records):
        click.echo(f"{lost} of {len(result.records)} rounds were lost: their rows were not trained", err=True)
    click.echo(f"adapter: {result.folder}")
    # The run's central adapter may have the same name.
    place = shlex.quote(_from_here(result.folder))
    click.echo(f"Ask it:    finlora infer --adapter {place}", err=True)
    click.echo(f"Score it:  finlora eval --adapter {place} --task TASK", err=True)


def _from_here(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _row(record: dict[str, Any]) -> list[str]:
    figure = f"{record['loss']:.4f}" if record.get("loss") is not None else "-"
    if "epsilon" in record:
        figure = rounded_up(record["epsilon"])
    clients = f"{len(record['clients'])} of {len(record['clients']) + len(record['dropped'])}"
    return [
        str(record["round"]),
        f"{clients} (lost)" if record["lost"] else clients,
        figure,
        *(f"{record['bytes'][way] / 1e6:.2f} MB" for way in ("sent", "received")),
        f"{record['seconds']:.0f}",
    ]
