"""What crosses between server and clients, and nothing else: tensors and plain numbers.

A client's failure crosses as one of a few fixed words: an exception's text may quote a row or a path.
"""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from finlora.federated.jobs import COUNTS, Task
from finlora.federated.updates import Tensors

FAILURES = ("terms", "rows", "training", "state", "fault")
"""Why a client has no answer: it would train something else; too few rows; its training failed; it was
never set up; a fault of the program. Its own log tells the rest."""

_ARRAYS, _TASK, _COUNTS = "arrays", "task", "counts"
_ALLOWED = {*COUNTS, "loss"}


def ask(task: Task, tensors: Tensors, node: int, seconds: float) -> Message:
    """Return the message that asks a client to do something.

    Args:
        task: what.
        tensors: the adapter's tensors that it needs.
        node: Flower's number of the client.
        seconds: how long message and answer are valid.
    """
    content = RecordDict({_ARRAYS: _record(tensors), _TASK: ConfigRecord(asdict(task))})
    kind = "train" if task.kind == "train" else f"query.{task.kind}"
    return Message(content, node, kind, ttl=seconds, group_id=str(task.round))


def asked(message: Message) -> tuple[Task, Tensors]:
    """Return what a message asks for, and the tensors that came with it."""
    return Task(**message.content[_TASK]), _tensors(message.content[_ARRAYS])


def answer(message: Message, counts: Mapping[str, float | int], tensors: Tensors) -> Message:
    """Return a client's answer: counts, a loss and tensors.

    Raises:
        ValueError: a count has a name that may not cross.
    """
    if more := counts.keys() - _ALLOWED:
        raise ValueError(f"{sorted(more)} may not leave a client")
    content = RecordDict({_ARRAYS: _record(tensors), _COUNTS: MetricRecord(dict(counts))})
    return Message(content, reply_to=message)


def failure(message: Message, word: str) -> Message:
    """Return a client's answer that it has none; `word` is one of FAILURES."""
    return Message(Error(code=100 + FAILURES.index(word), reason=word), reply_to=message)


def answered(message: Message) -> tuple[dict[str, float | int], Tensors] | str:
    """Return counts and tensors of an answer, or a word of FAILURES (`fault` for anything unreadable)."""
    if message.has_error():
        # Flower answers for a client that has gone.
        return message.error.reason if message.error.reason in FAILURES else "gone"
    try:
        counts = dict(message.content[_COUNTS])
        return counts, _tensors(message.content[_ARRAYS])
    except Exception:
        # Another machine chose these bytes, and there are many ways not to be an array.
        return "fault"


def size(tensors: Tensors) -> int:
    """Return the bytes of tensors as they cross, names and envelope not counted."""
    return sum(tensor.nbytes for tensor in tensors.values())


def _record(tensors: Tensors) -> ArrayRecord:
    return ArrayRecord({name: Array(tensors[name]) for name in sorted(tensors)})


def _tensors(record: ArrayRecord) -> Tensors:
    tensors = {name: array.numpy() for name, array in record.items()}
    # NumPy loads archives of arrays too.
    if not all(isinstance(tensor, np.ndarray) for tensor in tensors.values()):
        raise ValueError("an array was expected")
    return tensors
