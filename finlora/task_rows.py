"""The files of one task: its source converted, mended or as published, checked, each file with its card."""

import importlib
import json
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from finlora import __version__, cards, converters, data, files, mixing, sources
from finlora.converters import Converted, Dropped
from finlora.errors import DataError, Problem, UsageError
from finlora.tasks import Bring, Hub, Mix, Side, Task

OnEvent = Callable[[Mapping[str, Any]], None]
Convert = Callable[[Task, Mapping[str, Any], bool], Converted]


@dataclass(frozen=True)
class Options:
    """What the command line adds.

    Args:
        as_published: the published rows, faults included, under another name.
        accept_licence: the user accepts non-commercial and unstated terms.
        overwrite: replace files whatever made them, and fetch again what is there.
        offline: use the hub's cache alone.
        files: what the user got for a task whose files no hub has.
    """

    as_published: bool = False
    accept_licence: bool = False
    overwrite: bool = False
    offline: bool = False
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Args:
        task: its id.
        state: `fetched`, `there already`, `failed`, or what it needs.
        note: why it failed, what it needs, or what is unusual.
        rows: side to number of rows.
        dropped: records that became no row.
        files: the dataset files, relative to the project.
    """

    task: str
    state: str
    note: str = ""
    rows: Mapping[Side, int] = field(default_factory=dict)
    dropped: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Made:
    """Rows, and what their cards say of where they come from."""

    converted: Converted
    source: Mapping[str, Any]
    # File of the source to the split it belongs to, and split to records.
    splits: Mapping[str, str]
    records: Mapping[str, int]


def there(root: Path, task: Task, tasks: Mapping[str, Task], options: Options) -> Outcome | None:
    """Return the outcome of a task that has nothing left to do, or None.

    Its files were made as they would be now. With --overwrite, or files that the user gives, there always is
    something to do. Arguments as for `make`.
    """
    folder = root / "data"
    paths = _paths(folder, task, options.as_published)
    looks = {side: cards.look(path) for side, path in paths.items()}
    if options.overwrite or options.files or any(look.state != "made" for look in looks.values()):
        return None
    found = {side: look.card for side, look in looks.items() if look.card}
    recipe = _recipe(folder, task, tasks, options.as_published)
    if any(card.get("recipe") != recipe for card in found.values()):
        return None
    rows = {side: card["counts"]["rows"] for side, card in found.items()}
    dropped = sum(sum(card["counts"]["dropped"].values()) for card in found.values())
    names = tuple(str(path.relative_to(root)) for path in paths.values())
    return Outcome(task.id, "there already", "", rows, dropped, names)


def _paths(folder: Path, task: Task, as_published: bool) -> dict[Side, Path]:
    return {side: task.path(folder, side, as_published) for side in task.sides}


def make(root: Path, task: Task, tasks: Mapping[str, Task], options: Options, tell: OnEvent) -> Outcome:
    """Fetch, convert, check and write the files of a task.

    Args:
        root: the project's folder.
        task: with a source of kind hub, bring or mix; the parts of a mix are there.
        tasks: the registry.
        options: what the command line adds.
        tell: takes what happens: `task`, `doing`, and while fetching `path`, `bytes` and `size`.

    Raises:
        FinLoRAError: and what was there is there.
    """
    folder = root / "data"
    busy = f"'{task.id}' is being fetched already, by process"
    with files.hold(folder / f".fetch-{task.id}.lock", lambda pid: f"{busy} {pid}; wait for it, or end it"):
        if found := there(root, task, tasks, options):
            return found
        paths = _paths(folder, task, options.as_published)
        if not options.overwrite:
            _keep_foreign(root, paths)
        recipe = _recipe(folder, task, tasks, options.as_published)
        tell({"task": task.id, "doing": "fetching"})
        made = _make(folder, task, tasks, options, tell)
        contents = {side: _checked(paths[side], made.converted.rows.get(side, [])) for side in paths}
        for side, content in contents.items():
            card = _card(task, side, content, made, recipe, options.as_published)
            cards.publish(paths[side], content, card)
    notes = _unusual(task, made.converted, options.as_published)
    rows = {side: len(made.converted.rows[side]) for side in paths}
    names = tuple(str(path.relative_to(root)) for path in paths.values())
    return Outcome(task.id, "fetched", notes, rows, len(made.converted.dropped), names)


def converter(task: Task) -> Convert:
    """Return the function that turns a task's records into rows.

    It is looked up among the modules of `finlora.converters`, so that a task file can name no other code.

    Raises:
        UsageError: there is none of the name.
    """
    known = {found.name for found in pkgutil.iter_modules(converters.__path__)}
    how = task.convert.how
    if how not in known or (found := _convert_of(how)) is None:
        ways = ", ".join(name for name in sorted(known) if _convert_of(name))
        raise UsageError(f"task '{task.id}': there is no converter '{how}'; there are: {ways}")
    return found


def _convert_of(module: str) -> Convert | None:
    return getattr(importlib.import_module(f"finlora.converters.{module}"), "convert", None)


def _recipe(folder: Path, task: Task, tasks: Mapping[str, Task], as_published: bool) -> str:
    """Return a digest of what decides a task's rows besides its source's files."""
    parts = {}
    if isinstance(task.source, Mix):
        paths = {part: tasks[part].path(folder, "train", as_published) for part in task.source.parts}
        parts = {part: files.sha256(path) if path.is_file() else "" for part, path in paths.items()}
    return files.digest([task.model_dump(mode="json"), as_published, __version__, parts])


def _keep_foreign(root: Path, paths: Mapping[Side, Path]) -> None:
    """Refuse to overwrite what a fetch did not make."""
    looks = {side: cards.look(path) for side, path in paths.items()}
    why = {"unknown": "was not made by finlora data fetch (it has no card)", "changed": "was changed since"}
    lines = [
        f"{paths[side].relative_to(root)} {why[look.state]}"
        for side, look in looks.items()
        if look.state in why
    ]
    if lines:
        step = "Keep it under another name, or replace it with --overwrite"
        raise UsageError("\n".join([*lines, step]))


def _make(folder: Path, task: Task, tasks: Mapping[str, Task], options: Options, tell: OnEvent) -> _Made:
    if isinstance(task.source, Mix):
        return _mixed(folder, task, task.source, tasks, options.as_published)

    def on_bytes(path: str, count: int, size: int | None) -> None:
        tell({"task": task.id, "doing": "fetching", "path": path, "bytes": count, "size": size})

    if isinstance(task.source, Hub):
        known = _known(folder, task)
        source = sources.from_hub(task, task.source, known, options.offline, on_bytes)
    else:
        assert isinstance(task.source, Bring)
        source = sources.from_files(task, task.source, options.files)
    tell({"task": task.id, "doing": "converting"})
    converted = converter(task)(task, source.records, options.as_published)
    splits = {
        part.path if part.member is None else f"{part.path}/{part.member}": split
        for split, parts in task.source.files.items()
        for part in parts
    }
    return _Made(converted, source.facts, splits, {s: len(found) for s, found in source.records.items()})


def _mixed(folder: Path, task: Task, source: Mix, tasks: Mapping[str, Task], as_published: bool) -> _Made:
    paths = {part: tasks[part].path(folder, "train", as_published) for part in source.parts}
    parts = {part: [json.loads(raw) for _, raw in data.read_lines(path)] for part, path in paths.items()}
    rows = mixing.mix(
        parts,
        source.parts,
        balanced=source.balanced,
        as_published=as_published,
        seed=task.split.seed,
    )
    listed = [
        {
            "path": path.relative_to(folder).as_posix(),
            "sha256": files.sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in paths.values()
    ]
    facts = {"kind": "mix", "parts": dict(source.parts), "files": listed}
    kept = Converted({"train": [dict(row) for row in rows]})
    return _Made(kept, facts, {}, {"train": sum(map(len, parts.values()))})


def _known(folder: Path, task: Task) -> Mapping[str, Any] | None:
    """Return the source that a card of the task tells of, whatever the side and the form."""
    for side in task.files:
        for as_published in (False, True):
            card = cards.look(task.path(folder, side, as_published)).card
            if card and card.get("task") == task.id and isinstance(card.get("source"), dict):
                found: dict[str, Any] = card["source"]
                return found
    return None


def _checked(path: Path, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as the bytes of their file, checked as every command will check them."""
    if not rows:
        raise DataError([Problem("no row is left for it", str(path))])
    try:
        content = data.jsonl(rows)
    except UnicodeEncodeError:
        raise DataError([Problem("a row holds half a character (a lone surrogate)", str(path))]) from None
    data.parse_rows(list(enumerate(content.splitlines(), 1)), path)
    return content


def _card(
    task: Task, side: Side, content: bytes, made: _Made, recipe: str, as_published: bool
) -> dict[str, Any]:
    dropped = [drop for drop in made.converted.dropped if _side(drop, made.splits, task) == side]
    return {
        "schema": cards.SCHEMA,
        "task": task.id,
        "form": "as_published" if as_published else "mended",
        "side": side,
        "sha256": sha256(content).hexdigest(),
        "source": dict(made.source),
        "licence": task.licence.model_dump(exclude_none=True),
        "rule": task.split.model_dump(exclude_none=True),
        "counts": {
            "records": dict(made.records),
            "rows": len(made.converted.rows[side]),
            "published_rows": task.rows.get(side),
            "dropped": dict(Counter(drop.why for drop in dropped)),
            "mended": dict(made.converted.mended),
        },
        "dropped": cards.listed(dropped),
        "recipe": recipe,
        "date": datetime.now(UTC).date().isoformat(),
        "finlora": __version__,
    }


def _side(drop: Dropped, splits: Mapping[str, str], task: Task) -> str:
    """Return the side on whose card a dropped record stands: its split's, or the task's first."""
    split = splits.get(drop.file)
    return next((side for side in task.files if side == split), next(iter(task.files)))


def _unusual(task: Task, converted: Converted, as_published: bool) -> str:
    """Return a word where the rows are not as many as the task's entry says."""
    expected = task.rows if as_published else task.mended_rows
    return "; ".join(
        f"{side}: {len(converted.rows.get(side, [])):,} rows, the task says {count:,}"
        for side, count in expected.items()
        if side in task.files and len(converted.rows.get(side, [])) != count
    )
