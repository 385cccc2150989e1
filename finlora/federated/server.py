"""The server of a federated training: its rounds, over whatever Flower `Grid` reaches the clients."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flwr.serverapp import Grid

from finlora.errors import LaunchError
from finlora.federated import dp, rounds, updates, wire
from finlora.federated.clients import ANEW, FOR_GOOD, Clients, Counts, Replies
from finlora.federated.jobs import MANIFEST, ServerJob, Task, travels
from finlora.federated.round_rows import most_rows
from finlora.federated.summary import completed
from finlora.federated.updates import Tensors
from finlora.files import write_json

LOST_IN_A_ROW = 3
"""So many rounds without enough updates, one after another, end the training."""


class Server:
    """Leads clients through the rounds.

    Args:
        job: what is to be trained.
        grid: reaches the clients.
        connected: returns the names of the clients that are there now, by Flower's number.
    """

    def __init__(self, job: ServerJob, grid: Grid, connected: Callable[[], Mapping[int, str]]) -> None:
        self.job = job
        self.clients = Clients(job, grid, connected)
        self.privacy = dp.Privacy(**job.privacy) if job.privacy else None
        self.private = self.privacy is not None
        self.folder = Path(job.folder)
        self.rows: dict[str, int] = {}
        self.refused: dict[str, str] = {}

    def run(self) -> None:
        """Train the rounds that are left; each is on disk before the next one starts.

        Raises:
            LaunchError: no training comes of it; the rounds so far stay.
        """
        state = rounds.go_on(self.folder)
        tensors, records = state.tensors, list(state.records)
        self.clients.wait()
        while len(records) < self.job.rounds and not self._over_budget(records):
            record, tensors = self._round(len(records) + 1, tensors, records)
            records.append(record)
            self._check_lost(records)
        if all(record["lost"] for record in records):
            raise LaunchError("no round had enough updates, so nothing was trained")
        manifest = completed(self.job.frame, records)
        write_json(self.folder / MANIFEST, manifest)
        if self.job.deliver:
            self._deliver(tensors, manifest)
        self.job.emit("end", rounds=len(records))

    def _task(self, kind: str, round: int = 0, **more: Any) -> Task:
        # A client may have been started anew with another config: it compares each time.
        terms = json.dumps(self.job.terms, sort_keys=True)
        job, seed = self.job, self.job.seed + round
        return Task(kind, job.rounds, job.aggregate, seed, round, terms=terms, private=self.private, **more)

    def _forget(self, dropped: Mapping[str, str]) -> None:
        """Have clients that lost what they were set up with, or train something else, set up again."""
        for name, why in dropped.items():
            if why in ANEW:
                self.rows.pop(name, None)

    def _deliver(self, tensors: Tensors, manifest: Mapping[str, Any]) -> None:
        """Give every client that is there the finished adapter; the training is over whoever misses it."""
        self._set_up(tensors)
        task = self._task("finish", manifest=json.dumps(manifest))
        there = [name for name in self.clients.reachable() if name in self.rows]
        replies = self.clients.ask(task, tensors, there, lambda *_: None)
        self.job.emit("delivered", clients=sorted(replies.answers))

    def _set_up(self, tensors: Tensors) -> dict[str, str]:
        """Tell the clients that are new the terms, and give them what is never trained.

        Returns:
            Those that could not be set up now and may be in the next round, and why.
        """
        new = [
            name for name in self.clients.reachable() if name not in self.rows and name not in self.refused
        ]
        task = self._task("setup")
        kept = {name: tensor for name, tensor in tensors.items() if not travels(name, self.job.aggregate)}
        replies = self.clients.ask(task, kept, new, self._unfit_setup)
        for name, (counts, _) in sorted(replies.answers.items()):
            self.rows[name] = int(counts.get("rows", 0))
        self.refused |= {name: why for name, why in replies.dropped.items() if why in FOR_GOOD}
        told = {} if self.private else self.rows
        self.job.emit("setup", new=sorted(replies.answers), rows=told, refused=replies.dropped)
        if len(self.job.clients) - len(self.refused) < self.job.min_clients:
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(self.refused.items()))
            raise LaunchError(f"fewer than --min-clients {self.job.min_clients} clients are left: {reasons}")
        return {name: why for name, why in replies.dropped.items() if name not in self.refused}

    def _round(
        self, number: int, tensors: Tensors, records: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Any], Tensors]:
        """Train one round and keep it; return its record and the global adapter after it."""
        began = time.monotonic()
        self.job.emit("round", round=number, clients=len(self.job.clients))
        away = dict.fromkeys(self.job.clients, "it is not connected")
        away |= self._set_up(tensors) | self.refused
        sent = {name: tensor for name, tensor in tensors.items() if travels(name, self.job.aggregate)}
        rate = self.job.learning_rates[number - 1]
        task = self._task("train", round=number, learning_rate=rate)
        replies = self.clients.ask(task, sent, sorted(self.rows), partial(self._unfit, sent))
        self._forget(replies.dropped)
        self._drop_poisoned(replies, sent)
        replies.dropped |= {name: away[name] for name in self.job.clients if name not in self.rows}
        lost = len(replies.answers) < self.job.min_clients
        record = {
            "round": number,
            "learning_rate": rate,
            **self._told(replies),
            "dropped": dict(sorted(replies.dropped.items())),
            "lost": lost,
            "bytes": {
                "sent": replies.asked * wire.size(sent),
                "received": len(replies.answers) * wire.size(sent),
            },
            "seconds": round(time.monotonic() - began, 1),
        }
        if self.privacy and not lost:
            spent = sum(not record["lost"] for record in records) + 1
            record["epsilon"] = dp.epsilon(self.privacy.noise, spent, self.privacy.delta)
        if not lost:
            tensors = {**tensors, **self._mean(replies, sent)}
        rounds.keep(self.folder, record, None if lost else tensors)
        self.job.emit("kept", **record)
        return record, tensors

    def _told(self, replies: Replies) -> dict[str, Any]:
        """Return who took part, with rows and losses where these may be known."""
        names = sorted(replies.answers)
        if self.privacy:
            return {"clients": {name: {} for name in names}}
        counts = {name: replies.answers[name][0] for name in names}
        total = sum(int(counts[name]["rows"]) for name in names)
        weighed = sum(counts[name]["loss"] * counts[name]["rows"] for name in names)
        loss = weighed / total if total else None
        return {"clients": counts, "loss": loss, "rows": sum(self.rows.values())}

    def _mean(self, replies: Replies, sent: Tensors) -> Tensors:
        clients = {name: tensors for name, (_, tensors) in replies.answers.items()}
        if self.privacy is None:
            return updates.weighted_mean(
                clients, {name: int(counts["rows"]) for name, (counts, _) in replies.answers.items()}
            )
        changes = {name: updates.difference(tensors, sent) for name, tensors in clients.items()}
        noisy = dp.noisy_mean(changes, self.privacy)
        return {name: (sent[name].astype(np.float64) + noisy[name]).astype(np.float32) for name in sent}

    def _unfit_setup(self, name: str, counts: Counts, tensors: Tensors) -> str | None:
        if tensors:
            return "it sends tensors that nobody asked for"
        return None if self.private else updates.counts_fault(counts, updates.MOST_ROWS, ["rows"])

    def _unfit(self, sent: Tensors, name: str, counts: Counts, tensors: Tensors) -> str | None:
        """Return why an answer must not be averaged, or None."""
        if why := updates.fault(tensors, sent):
            return why
        if self.private:
            return None
        most = most_rows(self.rows[name], self.job.terms["run"]["num_epochs"], self.job.rounds)
        return updates.counts_fault(counts, most, ["rows", "loss"])

    def _drop_poisoned(self, replies: Replies, sent: Tensors) -> None:
        if self.private:
            # All are clipped to one norm, and none may be chosen by its size.
            return
        norms = {
            name: updates.norm(updates.difference(tensors, sent))
            for name, (_, tensors) in replies.answers.items()
        }
        for name, why in updates.poisoned(norms).items():
            del replies.answers[name]
            self.clients.drop(replies, name, why)

    def _over_budget(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether one more round would spend more than --max-epsilon; if so, say it."""
        if self.privacy is None or self.privacy.max_epsilon is None:
            return False
        spent = sum(not record["lost"] for record in records)
        next_one = dp.epsilon(self.privacy.noise, spent + 1, self.privacy.delta)
        if next_one <= self.privacy.max_epsilon:
            return False
        self.job.emit("budget", rounds=len(records), epsilon=next_one, max_epsilon=self.privacy.max_epsilon)
        return True

    def _check_lost(self, records: Sequence[Mapping[str, Any]]) -> None:
        last = records[-LOST_IN_A_ROW:]
        if len(last) == LOST_IN_A_ROW and all(record["lost"] for record in last):
            raise LaunchError(
                f"{LOST_IN_A_ROW} rounds in a row had fewer than {self.job.min_clients} updates; the adapter "
                f"of round {len(records) - LOST_IN_A_ROW} stays. What dropped out of the last: "
                + "; ".join(f"{name}: {why}" for name, why in last[-1]["dropped"].items())
            )
