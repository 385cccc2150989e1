"""What an adapter's card can say about the training data: which task's file it was, and on what terms."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import cards, federated_facts, tasks
from finlora.errors import ConfigError
from finlora.record_checks import value_at
from finlora.tasks import Task


@dataclass(frozen=True)
class Source:
    """Where training rows come from.

    Args:
        file: name of the training file; empty where each client of a federated training had its own.
        task: whose training file it was; None for a file of the user's.
        parts: the tasks that a mix puts together, those of a mix inside it too.
        card: what FinLoRA recorded when it made this very file; None where no record has its digest.
        shipped: whether the task comes with FinLoRA.
    """

    file: str
    task: Task | None = None
    parts: tuple[Task, ...] = ()
    card: Mapping[str, Any] | None = None
    shipped: bool = False

    @property
    def repositories(self) -> list[str]:
        """The dataset repositories of the hub that the rows come from."""
        own = (self.task, *self.parts) if self.task else ()
        return sorted({task.source.repo for task in own if isinstance(task.source, tasks.Hub)})


def known_tasks(root: Path | None, strict: bool) -> Mapping[str, Task]:
    """Return every task by id.

    Args:
        root: the project, for the tasks of its own; None outside one.
        strict: whether a faulty task of the project is an error; else its own are left out.

    Raises:
        ConfigError: it is faulty; every fault with its line.
    """
    try:
        return tasks.load(_config_folder(root) / "any.json" if root else None)
    except ConfigError:
        if strict:
            raise
        return tasks.load()


def of(manifest: Mapping[str, Any], known: Mapping[str, Task], root: Path | None) -> Source:
    """Return where the training rows of an adapter come from.

    Args:
        manifest: the adapter's.
        known: tasks by id.
        root: the project, whose data folder may hold the file's card; None outside one.
    """
    if federated_facts.has_own_rows(manifest):
        return Source("")
    given, digest = str(value_at(manifest, "run.dataset_path")), value_at(manifest, "dataset.sha256")
    inside = _inside(given, root)
    for task in known.values():
        for as_published in (False, True) if "train" in task.files else ():
            place = task.path(Path("data"), "train", as_published)
            card = _card(root / place, digest) if root and Path(given).name == place.name else None
            # Of an absolute path the manifest keeps the name alone, which proves nothing by itself.
            if place == inside or (card and "/" not in given):
                shipped = (tasks.SHIPPED / f"{task.id}.json").is_file()
                return Source(place.name, task, _parts(task, known), card, shipped)
    return Source(Path(given).name)


def _parts(task: Task, known: Mapping[str, Task]) -> tuple[Task, ...]:
    found: dict[str, Task] = {}
    for part in [known[name] for name in task.parts if name in known]:
        found |= {part.id: part} | {inner.id: inner for inner in _parts(part, known)}
    return tuple(found.values())


def _config_folder(root: Path) -> Path:
    return root / "configs" if (root / "configs").is_dir() else root


def _inside(given: str, root: Path | None) -> Path:
    """Return a dataset's path as the project's root sees it; a manifest has it from the config's folder."""
    folder = _config_folder(root).relative_to(root) if root else Path("configs")
    return Path(os.path.normpath(folder / given))


def _card(rows: Path, digest: Any) -> Mapping[str, Any] | None:
    card = cards.look(rows).card
    return card if card and card.get("sha256") == digest else None
