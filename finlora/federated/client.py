"""A client of a federated training: takes the server's tasks, and has a worker do them where Axolotl is.

Flower and Axolotl can't live in one environment, so the work is done by a process in another. What the worker
says stays here, in the client's log; only tensors, counts and a loss go back.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from flwr.app import Message
from safetensors.numpy import load_file, save_file

from finlora import events, launch
from finlora.adapters import WEIGHTS
from finlora.errors import FinLoRAError, InterruptedLaunchError
from finlora.federated import wire
from finlora.federated.jobs import (
    DONE,
    EVENTS,
    GLOBAL,
    KEPT,
    REPLY,
    REQUEST,
    TRAINED,
    ClientJob,
    Task,
    travels,
)
from finlora.federated.updates import Tensors
from finlora.files import write_json

WORKER_LOG, WORKER_EVENTS = "worker.log", "worker.jsonl"


def handle(message: Message, job: ClientJob) -> Message:
    """Do what a message asks for and return the answer; a failure becomes one fixed word.

    Args:
        message: from the server.
        job: what this client is.

    Raises:
        InterruptedLaunchError: this process was told to end.
    """
    seen = Path(job.folder) / EVENTS
    try:
        task, tensors = wire.asked(message)
        events.append(seen, "task", task=task.kind, round=task.round, rounds=task.rounds)
        reply = _work(task, tensors, job)
        if "failure" in reply:
            why = reply.get("why", reply["failure"])
            events.append(seen, "failed", why=why)
            if reply["failure"] in ("terms", "rows") or task.kind == "finish":
                # No later task would go better.
                (Path(job.folder) / DONE).write_text(why, encoding="utf-8")
            return wire.failure(message, reply["failure"])
        update = _update(task, Path(job.folder)) if task.kind == "train" else {}
        events.append(seen, "done", task=task.kind, round=task.round, counts=reply["counts"])
        if task.kind == "finish":
            (Path(job.folder) / DONE).touch()
        return wire.answer(message, {} if task.private else reply["counts"], update)
    except InterruptedLaunchError:
        raise
    except FinLoRAError as error:
        events.append(seen, "failed", why=str(error))
        return wire.failure(message, "training")
    except Exception as error:
        # Nothing of it may cross: its text can hold a row or a path.
        events.append(seen, "failed", why=f"{type(error).__name__}: {error}")
        return wire.failure(message, "fault")


def _work(task: Task, tensors: Tensors, job: ClientJob) -> dict[str, Any]:
    """Hand a task to the worker, wait for it, and return its reply."""
    folder = Path(job.folder)
    place = folder / (KEPT if task.kind == "setup" else GLOBAL)
    if task.kind == "setup":
        _save(tensors, place)
    else:
        kept = folder / KEPT / WEIGHTS
        if not kept.is_file():
            why = "what this client was set up with is gone; the server sets it up again in the next round"
            return {"failure": "state", "why": why}
        _save({**load_file(kept), **tensors}, place)
    write_json(folder / REQUEST, {**vars(task), "launcher": os.getpid()})
    # What the last round left would pass for this one's.
    (folder / REPLY).unlink(missing_ok=True)
    if task.kind == "train":
        shutil.rmtree(folder / TRAINED, ignore_errors=True)
    launch.train(
        [job.python, "-m", "finlora.federated.worker", str(folder)],
        cwd=folder,
        env=job.environment,
        log=folder / WORKER_LOG,
        events=folder / WORKER_EVENTS,
        on_event=lambda event: None,
    )
    reply: dict[str, Any] = json.loads((folder / REPLY).read_text(encoding="utf-8"))
    return reply


def _update(task: Task, folder: Path) -> Tensors:
    trained = load_file(folder / TRAINED / WEIGHTS)
    return {name: tensor for name, tensor in trained.items() if travels(name, task.aggregate)}


def _save(tensors: Tensors, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS)
