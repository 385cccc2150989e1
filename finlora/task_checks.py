"""What one field of a task says about another, and one task about another."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from finlora.errors import did_you_mean
from finlora.json_text import Place
from finlora.task_schema import Bring, Hub, Mix, Task, Unpublished

Fault = tuple[Place, str]

# What a mix may not be freer than: the strictest of its parts.
_TERMS = ("free", "unstated", "non-commercial")


def alone(task: Task) -> list[Fault]:
    """Return what does not fit together inside one task, each fault with the place of its key."""
    return [*_labels(task), *_prompt(task), *_files(task), *_parts(task)]


def _labels(task: Task) -> Iterator[Fault]:
    for place, label in enumerate(task.labels):
        if label in task.labels[:place]:
            yield ("labels", place), f"labels has '{label}' twice"
    for name in ("labels", "published_labels"):
        for written, label in getattr(task.convert, name).items():
            if task.labels and label not in task.labels:
                yield (
                    ("convert", name, written),
                    f"convert.{name} gives '{label}', which is not in labels: {', '.join(task.labels)}",
                )
    if strange := [key for key in task.convert.published_labels if key not in task.convert.labels]:
        yield (
            ("convert", "published_labels", strange[0]),
            f"convert.published_labels has '{strange[0]}', which convert.labels does not have",
        )


def _prompt(task: Task) -> Iterator[Fault]:
    if isinstance(task.source, Mix | Unpublished):
        return
    if not task.prompt:
        yield ("prompt",), "the key 'prompt' is missing (only a mix has none)"
    elif not task.answer_mark:
        yield ("answer_mark",), "answer_mark is empty; only a mix, whose parts differ, has none"
    elif not task.prompt.strip().endswith(task.answer_mark.strip()):
        yield (
            ("prompt",),
            f"prompt must end with the answer mark '{task.answer_mark}'; else answer_mark says what it is",
        )
    if isinstance(task.source, Hub | Bring) and task.convert.how == "columns":
        if task.prompt and not task.columns:
            yield ("prompt",), "prompt names no column: write {column} where the text of a record goes"
        if task.convert.target is None:
            yield ("convert", "target"), "the key 'target' of convert is missing: the column with the answer"


def _files(task: Task) -> Iterator[Fault]:
    if len(set(task.files.values())) < len(task.files):
        yield ("files", "test"), "files: train and test are one file"
    if isinstance(task.source, Mix) and "test" in task.files:
        yield ("files", "test"), "files.test: a mix is made of training rows; its parts have the test files"
    for name in ("rows", "mended_rows"):
        for side in getattr(task, name):
            if side not in task.files:
                yield (name, side), f"{name}.{side} counts rows of a file that files does not name"


def _parts(task: Task) -> Iterator[Fault]:
    if not isinstance(task.source, Hub | Bring):
        return
    for split, parts in task.source.files.items():
        for number, part in enumerate(parts):
            place = ("source", "files", split, number)
            if part.member and not part.path.endswith(".zip"):
                yield (*place, "member"), f"member is for a zip archive; path is '{part.path}'"
            if (part.columns is None) != (part.separator is None):
                key = "separator" if part.columns is None else "columns"
                yield (*place, key), "columns and separator go together: both or none"


def together(tasks: Mapping[str, Task], own: set[str], faulty: set[str]) -> list[tuple[str, Place, str]]:
    """Return what does not fit between tasks, each fault with the task and the place of its key.

    Args:
        tasks: every task by id; the shipped ones first.
        own: the ids of those a project added.
        faulty: the ids of tasks left out for their faults, which others may well name.
    """
    found = list(_shared_files(tasks))
    for name, task in tasks.items():
        faults = list(_mix(task, tasks, faulty))
        if name in own and isinstance(task.source, Unpublished):
            kinds = "a task of your own has kind hub, bring, built or mix"
            faults.append((("source", "kind"), f"source.kind is 'unpublished'; {kinds}"))
        found += [(name, *fault) for fault in faults]
    return found


def _mix(task: Task, tasks: Mapping[str, Task], faulty: set[str]) -> Iterator[Fault]:
    for part in task.parts:
        place = ("source", "parts", part) if isinstance(task.source, Mix) else ("source", "parts")
        if part in faulty:
            continue
        if part not in tasks:
            near = did_you_mean(part, list(tasks)) or "; see all with: finlora data list"
            yield place, f"source.parts names '{part}', which is no task{near}"
        elif task.id in made_of(part, tasks):
            yield place, f"source.parts: '{part}' is made of '{task.id}' itself"
        elif isinstance(task.source, Mix) and "train" not in tasks[part].files:
            yield place, f"source.parts: '{part}' has no training rows"
        elif _TERMS.index(task.licence.terms) < _TERMS.index(tasks[part].licence.terms):
            terms = tasks[part].licence.terms
            yield (
                ("licence", "terms"),
                f"licence.terms is '{task.licence.terms}', but those of '{part}' are {terms}",
            )


def made_of(name: str, tasks: Mapping[str, Task]) -> set[str]:
    """Return a task and all it is made of."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += tasks[name].parts if name in tasks else ()
    return seen


def _shared_files(tasks: Mapping[str, Task]) -> Iterator[tuple[str, Place, str]]:
    # The rows as published lie beside the mended ones, under a name that no other task may take.
    owners: dict[str, str] = {}
    for name, task in tasks.items():
        for side, file in task.files.items():
            names = {str(task.path(Path(), side, as_published)).lower() for as_published in (False, True)}
            others = {owners.setdefault(one, name) for one in names} - {name}
            for other in others:
                message = f"files.{side} is '{file}', a file of the task '{other}'; rename it"
                yield name, ("files", side), message
