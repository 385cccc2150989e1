"""Replies that no honest client sends, read in Flower's environment; prints what the server makes of each."""

import io
import json
import sys
import zipfile
from contextlib import suppress
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from finlora.federated import wire
from finlora.federated.jobs import Task

TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 0, 0, 0
TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.full(2, 0.1, np.float32)}
COUNTS = {"rows": 3, "loss": 0.5}


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", "no array")
    return file.getvalue()


def reply(records: dict[str, Any] | Error) -> Message:
    question.metadata.__dict__["_message_id"] = "1"
    return Message(records if isinstance(records, Error) else RecordDict(records), reply_to=question)


def holding(data: bytes, stype: str = "numpy.ndarray") -> dict[str, Any]:
    array = Array(dtype="float32", shape=(2,), stype=stype, data=data)
    return {"arrays": ArrayRecord({"a": array}), "counts": MetricRecord(dict(COUNTS))}


task = Task("train", 3, "fedavg", 5, 2, 0.1, terms='{"a": 1}')
question = wire.ask(task, TENSORS, 1, 60)
huge = saved(np.zeros(2, np.float32)).replace(b"(2,), }          ", b"(2000000000000,), }")
CASES: dict[str, dict[str, Any] | Error] = {
    "another word": Error(100, "the row 'Zanzibar' can't be read"),
    "no word": Error(100),
    "nothing": {},
    "no counts": {"arrays": ArrayRecord({})},
    "no arrays": {"counts": MetricRecord(dict(COUNTS))},
    "numbers for arrays": {"arrays": MetricRecord(dict(COUNTS)), "counts": MetricRecord(dict(COUNTS))},
    "words for arrays": {"arrays": ConfigRecord({"a": "b"}), "counts": MetricRecord(dict(COUNTS))},
    "no numpy": holding(b"", "pickle"),
    "empty": holding(b""),
    "garbage": holding(b"\xff" * 100),
    "zip": holding(zipped()),
    "torn zip": holding(zipped()[:-9]),
    "pickle": holding(saved(np.array([{"a": 1}], dtype=object))),
    "torn": holding(saved(np.zeros(9, np.float32))[:-3]),
    "larger than memory": holding(huge),
}


def made_of(message: Message) -> str:
    found = wire.answered(message)
    return found if isinstance(found, str) else "believed"


def refused(counts: dict[str, float]) -> bool:
    with suppress(ValueError):
        wire.answer(question, counts, TENSORS)
        return False
    return True


def equal(tensors: dict[str, Any]) -> bool:
    return list(tensors) == ["a", "b"] and all(
        (one.dtype, one.shape, one.tobytes())
        == (TENSORS[name].dtype, TENSORS[name].shape, TENSORS[name].tobytes())
        for name, one in tensors.items()
    )


if __name__ == "__main__":
    assert huge != saved(np.zeros(2, np.float32))
    back, tensors = wire.asked(question)
    counts, returned = wire.answered(wire.answer(question, COUNTS, TENSORS))
    _, lies = wire.answered(reply(holding(saved(np.zeros((3, 1))))))
    found = {
        "cases": {name: made_of(reply(records)) for name, records in CASES.items()},
        "words": [wire.answered(wire.failure(question, word)) for word in wire.FAILURES],
        "task": back == task,
        "tensors": [equal(tensors), equal(returned)],
        "counts": counts,
        "refused": [refused(COUNTS), refused({**COUNTS, "balance": 3})],
        "what an array is, not what it says": [str(lies["a"].dtype), list(lies["a"].shape)],
        "size": wire.size(TENSORS),
    }
    sys.stdout.write(json.dumps(found))
