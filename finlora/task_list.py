"""The `data list` and `data show` verbs: what tasks there are, what is here, which runs train on it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from finlora.config import ConfigFile
from finlora.task_checks import made_of
from finlora.tasks import Bring, Built, Hub, Mix, Task

FAMILIES = ("general", "reporting", "analysis", "certification")


@dataclass(frozen=True)
class TaskLine:
    """One task as `data list` shows it.

    Args:
        task: its id.
        family: general, reporting, analysis or certification.
        answer: what an answer is: a label, a number, tags, a formula, text or several of these.
        rows: train and test to the published number of rows, where there are such rows.
        source: where the rows come from, in a few words.
        licence: as its source states it.
        terms: free, non-commercial or unstated.
        here: the sides whose mended rows lie in the project.
    """

    task: str
    family: str
    answer: str
    rows: Mapping[str, int]
    source: str
    licence: str
    terms: str
    here: tuple[str, ...]


def overview(tasks: Mapping[str, Task], data: Path, family: str | None = None) -> list[TaskLine]:
    """Return every task, family by family.

    Args:
        tasks: by id.
        data: the project's data folder.
        family: the only family to return; None for all.
    """
    return [
        TaskLine(
            task=task.id,
            family=task.family,
            answer=task.answer,
            rows={str(side): count for side, count in task.rows.items()},
            source=source_of(task),
            licence=task.licence.stated,
            terms=task.licence.terms,
            here=tuple(side for side in task.files if task.path(data, side).is_file()),
        )
        for task in sorted(tasks.values(), key=lambda task: (FAMILIES.index(task.family), task.id))
        if family in (None, task.family)
    ]


def source_of(task: Task) -> str:
    """Return where a task's rows come from, in a few words."""
    source = task.source
    if isinstance(source, Hub):
        return source.repo
    if isinstance(source, Bring):
        return "a file to bring"
    if isinstance(source, Built):
        return f"built here ({source.builder})"
    if isinstance(source, Mix):
        return f"a mix of {len(source.parts)} tasks"
    return "never published"


def show(task: Task, tasks: Mapping[str, Task], data: Path, file: ConfigFile | None) -> dict[str, Any]:
    """Return all that is known of a task: its entry, what is here of it, and the runs that train on it.

    Args:
        task: one of `tasks`.
        tasks: by id.
        data: the project's data folder.
        file: the project's config file, if there is one.
    """
    entry = task.model_dump(mode="json", exclude_none=True)
    here = {
        str(side): [
            str(path)
            for as_published in (False, True)
            if (path := task.path(data, side, as_published)).is_file()
        ]
        for side in task.files
    }
    return {"task": entry, "here": here, "runs": runs_of(task, tasks, file) if file else []}


def page(shown: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return what `show` found for people: headings with their lines."""
    task = shown["task"]
    parts = [
        ("family", [f"{task['family']}; an answer is: {task['answer']}"]),
        ("labels", [", ".join(task["labels"])] if task["labels"] else []),
        ("prompt", [_filled(task["prompt"])] if task["prompt"] else []),
        ("scored by", [", ".join(task["metrics"])] if task["metrics"] else []),
        ("longest answer", [f"{task['max_new_tokens']} tokens"] if "max_new_tokens" in task else []),
        ("source", list(_source(task["source"]))),
        ("licence", list(_licence(task["licence"]))),
        ("split", [", ".join(_split(task["split"]))]),
        ("rows as published", list(_rows(task["rows"], task.get("rows_note")))),
        ("rows mended", list(_rows(task["mended_rows"], None))),
        ("files", [f"data/{path} ({_here(shown['here'][side])})" for side, path in task["files"].items()]),
        ("runs that train on it", shown["runs"] or ["none"]),
        ("known faults", [_defect(defect) for defect in task["defects"]] or ["none"]),
    ]
    return [(heading, lines) for heading, lines in parts if lines]


def _source(source: Mapping[str, Any]) -> Iterator[str]:
    if source["kind"] == "hub":
        yield f"{source['repo']} on the Hugging Face hub, revision: {source['revision']}"
    elif source["kind"] == "mix":
        yield "a mix; the published one has the rows of its parts so often:"
        yield ", ".join(f"{part} x{times}" for part, times in source["parts"].items())
        if source["balanced"]:
            yield "and takes as many of each as the smallest has then"
    elif source["kind"] == "bring":
        yield f"files to bring: {source['where']}"
    elif source["kind"] == "built":
        yield f"made here: finlora data build {source['builder']}"
    else:
        yield f"never published: {source['why']}"
    for split, files in source.get("files", {}).items():
        for file in files:
            yield f"{split}: {file['path']}" + (f", in it {file['member']}" if "member" in file else "")


def _licence(licence: Mapping[str, str]) -> Iterator[str]:
    needs = "" if licence["terms"] == "free" else f"; {licence['terms']}, so it wants --accept-licence"
    yield licence["stated"] + needs
    if "note" in licence:
        yield licence["note"]


def _split(split: Mapping[str, Any]) -> Iterator[str]:
    yield split["rule"]
    if "seed" in split:
        yield f"seed {split['seed']}"


def _rows(rows: Mapping[str, int], note: str | None) -> Iterator[str]:
    if rows:
        yield ", ".join(f"{side} {count:,}" for side, count in rows.items())
        if note:
            yield note


def _here(paths: list[str]) -> str:
    return f"here: {', '.join(Path(path).name for path in paths)}" if paths else "not here"


def _defect(defect: Mapping[str, str]) -> str:
    return f"- {defect['what']}\n  " + (f"mended: {defect['mended']}" if "mended" in defect else "stays")


def runs_of(task: Task, tasks: Mapping[str, Task], file: ConfigFile) -> list[str]:
    """Return the runs that train on a task's rows, or on a set that its rows are part of; in file order.

    Args:
        task: one of `tasks`.
        tasks: by id.
        file: the project's config file.
    """
    data = file.root / "data"
    holding = [other for other in tasks.values() if task.id in made_of(other.id, tasks)]
    files = {
        path.resolve()
        for other in holding
        if "train" in other.files
        for path in (other.path(data, "train"), other.path(data, "train", as_published=True))
    }
    return [name for name, run in file.runs.items() if file.resolve(run.dataset_path) in files]


def records(lines: list[TaskLine]) -> list[dict[str, Any]]:
    """Return the overview for programs."""
    return [asdict(line) for line in lines]


def _filled(prompt: str) -> str:
    """Return a prompt with its columns as ‹column›, and its own braces as they will stand in a row."""
    return "".join(
        text + (f"‹{column}›" if column is not None else "")
        for text, column, _, _ in Formatter().parse(prompt)
    )
