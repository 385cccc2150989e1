"""The registry of tasks: what each asks, where its data comes from, on what terms, and what is wrong with it.

The shipped tasks are the JSON files in `finlora/files/tasks/`; a project adds its own in `tasks/*.json`
beside its config, in the same form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finlora import task_checks
from finlora.errors import ConfigError, Problem, UsageError, did_you_mean
from finlora.json_text import KeyLines, Place, parse_object
from finlora.task_faults import faults
from finlora.task_schema import (
    SPLITS,
    UNPINNED,
    Bring,
    Built,
    Conversion,
    Defect,
    Hub,
    Licence,
    Mix,
    Part,
    Side,
    Split,
    Task,
    Unpublished,
)

__all__ = [
    "SPLITS",
    "UNPINNED",
    "Bring",
    "Built",
    "Conversion",
    "Defect",
    "Hub",
    "Licence",
    "Mix",
    "Part",
    "Side",
    "Split",
    "Task",
    "Unpublished",
    "load",
    "of_file",
    "pick",
    "read",
    "where_from",
]

SHIPPED = Path(__file__).parent / "files" / "tasks"
_LARGEST = 1 << 20


@dataclass(frozen=True)
class _File:
    """A task's file as read."""

    path: Path
    task: Task
    lines: KeyLines

    def problem(self, place: Place, message: str) -> Problem:
        """Return a fault of this file, with the line of what it is about."""
        return Problem(message, str(self.path), self.lines.of(*place))


def load(config: Path | None = None) -> Mapping[str, Task]:
    """Return every task by id: the shipped ones, then those of a project.

    Args:
        config: the project's config file; its own tasks lie in `tasks/*.json` beside it.

    Raises:
        ConfigError: a task file is faulty; every fault of every file, with its line.
    """
    files: dict[str, _File] = {}
    problems: list[Problem] = []
    own = _own(config, problems)
    for path in [*sorted(SHIPPED.glob("*.json")), *own]:
        try:
            file = _read(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if file.task.id in files:
            taken = f"the task '{file.task.id}' is shipped with FinLoRA; give yours another id and file name"
            problems.append(file.problem(("id",), taken))
            continue
        files[file.task.id] = file
    tasks = {name: file.task for name, file in files.items()}
    added = {name for name, file in files.items() if file.path in own}
    faulty = {Path(problem.file).stem for problem in problems}
    for name, place, message in task_checks.together(tasks, added, faulty):
        problems.append(files[name].problem(place, message))
    if problems:
        raise ConfigError(problems, "A whole task, under the key task: finlora data show tfns --json")
    return tasks


def _own(config: Path | None, problems: list[Problem]) -> list[Path]:
    if config is None:
        return []
    folder = config.resolve().parent / "tasks"
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem(f"can't be read: {error.strerror}", str(folder)))
        return []


def pick(tasks: Mapping[str, Task], name: str) -> Task:
    """Return the task called `name`.

    Raises:
        UsageError: no such task; the message names the nearest.
    """
    if name not in tasks:
        raise UsageError(
            f"no task '{name}'{did_you_mean(name, list(tasks))}\nSee all with: finlora data list"
        )
    return tasks[name]


def of_file(tasks: Mapping[str, Task], path: Path) -> Task | None:
    """Return the task whose file, published or mended, has the name of a path."""
    for task in tasks.values():
        for side in task.files:
            if path.name in {task.path(Path(), side, published).name for published in (False, True)}:
                return task
    return None


def where_from(task: Task) -> str:
    """Return how a task's missing file can be had."""
    if isinstance(task.source, Built):
        return f"Make it with: finlora data build {task.source.builder}"
    if isinstance(task.source, Unpublished):
        return "Nobody has published it: finlora data show " + task.id
    return f"Get it with: finlora data fetch {task.id}"


def read(path: Path) -> Task:
    """Read and check one task file.

    Raises:
        ConfigError: every fault, with its line.
    """
    return _read(path).task


def _read(path: Path) -> _File:
    text = _text(path)
    lines = KeyLines(text)
    entry = parse_object(text, str(path))
    found = faults(Task, entry)
    if not found:
        task = Task.model_validate(entry)
        found = task_checks.alone(task)
        if task.id != path.stem:
            found.append(
                (("id",), f"id is '{task.id}', the file's name says '{path.stem}'; they must be one")
            )
        if not found:
            return _File(path, task, lines)
    raise ConfigError([Problem(message, str(path), lines.of(*place)) for place, message in found])


def _text(path: Path) -> str:
    name = str(path)
    try:
        if path.is_symlink():
            raise ConfigError([Problem("is a link; a task is a file of its own", name)])
        if not path.is_file():
            raise ConfigError([Problem("is no file", name)])
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError([Problem("is larger than 1 MiB; a task's file holds words, no rows", name)])
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"not UTF-8 text ({error.reason})", name)]) from None
    except OSError as error:
        raise ConfigError([Problem(f"can't be read: {error.strerror}", name)]) from None
