"""The clients as the server of a federated training sees them: who is there, and what they answer."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import Message
from flwr.serverapp import Grid

from finlora.federated import wire
from finlora.federated.jobs import ServerJob, Task
from finlora.federated.updates import Tensors

_POLL_SECONDS = 0.5
# What a client's failure means to the others; its own log tells more.
_WORDS = {
    "terms": "it would train something else: config, base model or version differ (its log names what)",
    "rows": "its rows are too few for these rounds, or too long (its log tells which)",
    "training": "its training failed (its log tells why)",
    "state": "it lost what it was set up with, and is set up again",
    "gone": "it went away, or was ended",
    "fault": "its answer can't be read",
}
_GONE = "it went away, or took too long"
FOR_GOOD = (_WORDS["rows"],)
"""Failures that no later round would mend."""

ANEW = (_WORDS["terms"], _WORDS["state"])
"""Failures after which a client is set up again, should it come back."""

Counts = Mapping[str, float | int]


@dataclass
class Replies:
    """What came of one question to the clients.

    Args:
        asked: how many it went to.
        answers: counts and tensors, by client.
        dropped: why there is no answer that is fit, by client.
    """

    asked: int = 0
    answers: dict[str, tuple[dict[str, float | int], Tensors]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)


class Clients:
    """Asks clients over a Flower `Grid`.

    Args:
        job: the training.
        grid: reaches them.
        connected: returns the names of those that are there now, by Flower's number.
    """

    def __init__(self, job: ServerJob, grid: Grid, connected: Callable[[], Mapping[int, str]]) -> None:
        self.job, self.grid, self._connected = job, grid, connected

    def wait(self) -> None:
        """Wait for all clients, for some time longer than for as many as a round needs."""
        end = None
        told: list[str] = []
        while missing := sorted(set(self.job.clients) - set(self.reachable())):
            if len(self.job.clients) - len(missing) >= self.job.min_clients:
                end = end or time.monotonic() + self.job.patience
                if time.monotonic() >= end:
                    return
            if missing != told:
                self.job.emit("waiting", clients=missing)
                told = missing
            time.sleep(_POLL_SECONDS)

    def drop(self, replies: Replies, name: str, why: str) -> None:
        """Leave a client out, and say why."""
        replies.dropped[name] = why
        self.job.emit("dropped", client=name, why=why)

    def ask(
        self,
        task: Task,
        tensors: Tensors,
        names: Sequence[str],
        unfit: Callable[[str, Counts, Tensors], str | None],
    ) -> Replies:
        """Ask clients, and gather the answers that are fit; `unfit` says in words why one is not."""
        numbers = {name: node for node, name in self._connected().items() if name in names}
        replies = Replies(len(numbers))
        for name in sorted(set(names) - numbers.keys()):
            self.drop(replies, name, _GONE)
        for name, message in self._exchange(task, tensors, numbers):
            found = wire.answered(message) if message else _GONE
            if isinstance(found, str):
                self.drop(replies, name, _WORDS.get(found, found))
            elif why := unfit(name, *found):
                self.drop(replies, name, why)
            else:
                # What a client tells although it should not is known to nobody else.
                counts = {} if self.job.privacy else found[0]
                replies.answers[name] = counts, found[1]
                self.job.emit("client", client=name, task=task.kind, round=task.round, **counts)
        return replies

    def _exchange(
        self, task: Task, tensors: Tensors, numbers: Mapping[str, int]
    ) -> Iterator[tuple[str, Message | None]]:
        """Send a task to clients and yield their replies as they come; None for one that has gone."""
        names = sorted(numbers)
        messages = [wire.ask(task, tensors, numbers[name], self.job.timeout) for name in names]
        waiting = dict(zip(self.grid.push_messages(messages), names, strict=True))
        end = time.monotonic() + self.job.timeout
        while waiting:
            reachable = self.reachable()
            late = time.monotonic() > end
            messages = list(self.grid.pull_messages(list(waiting)))
            for message in messages:
                name = waiting.pop(message.metadata.reply_to_message_id, None)
                if name is not None:
                    yield name, message
            for number, name in list(waiting.items()):
                if late or name not in reachable:
                    del waiting[number]
                    yield name, None
            if waiting and not messages:
                time.sleep(_POLL_SECONDS)

    def reachable(self) -> list[str]:
        """Return who is there now, by name."""
        return sorted(set(self._connected().values()) & set(self.job.clients))
