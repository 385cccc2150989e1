"""The `data check` verb: everything that can be known of datasets before a GPU is paid for."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finlora import tasks
from finlora.checks import (
    Finding,
    Rows,
    duplicates,
    encoding,
    finding,
    labels,
    leaks,
    lengths,
    marks,
    near,
    personal,
)
from finlora.checks.schema import read
from finlora.config import ConfigFile, RunConfig
from finlora.errors import BaseModelError, UsageError, did_you_mean
from finlora.plan import tokenizer_of
from finlora.row_lengths import lengths_of

ALL = "all"
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Target:
    """One file to check.

    Args:
        path: the file.
        task: the task it belongs to, or None.
        runs: the runs that train on it, by name.
        against: test files to compare with, for a training file.
        trained_by: training files to compare with, for a test file that is checked alone.
        may_miss: whether it is no fault that the file is not there.
    """

    path: Path
    task: tasks.Task | None = None
    runs: Mapping[str, RunConfig] = field(default_factory=dict)
    against: tuple[Path, ...] = ()
    trained_by: tuple[Path, ...] = ()
    may_miss: bool = False


@dataclass(frozen=True)
class CheckedFile:
    """What was found in a file, worst first.

    Args:
        file: its path.
        rows: sound rows.
        task: the task it belongs to, or None.
        runs: runs that train on it.
        against: files it was compared with.
        findings: all of them.
    """

    file: str
    rows: int
    task: str | None
    runs: tuple[str, ...]
    against: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class CheckReport:
    """What was found in all files."""

    files: tuple[CheckedFile, ...]

    def count(self, severity: str) -> int:
        """Return how many findings are `error`, `warning` or `note`."""
        return sum(found.severity == severity for file in self.files for found in file.findings)

    def to_record(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "files": [
                {**vars(file), "findings": [found.to_record() for found in file.findings]}
                for file in self.files
            ],
            "errors": self.count("error"),
            "warnings": self.count("warning"),
        }


@dataclass(frozen=True)
class Asked:
    """What is to be checked.

    Args:
        what: a run, a file, or `all`.
        run: for a file: the run whose tokenizer and sequence_len count.
        task: for a file: the task it belongs to.
        against: for a file: further files to compare it with.
    """

    what: str
    run: str | None = None
    task: str | None = None
    against: tuple[Path, ...] = ()


def check(file: ConfigFile | None, asked: Asked, done: Callable[[int], None] = lambda _: None) -> CheckReport:
    """Check datasets: nothing is changed, no network is used.

    Args:
        file: the config file, or None outside a project.
        asked: what to check.
        done: called with how much is done, in percent.

    Returns:
        What was found. A file that can't be read is a finding, too.

    Raises:
        UsageError, ConfigError: no such run or task, or they are at fault.
    """
    targets = chosen(file, asked)
    checked: list[CheckedFile] = []
    for number, target in enumerate(targets):
        done(100 * number // len(targets))
        checked.append(_checked(target, file))
    done(100)
    return CheckReport(tuple(checked))


def chosen(file: ConfigFile | None, asked: Asked) -> list[Target]:
    """Return the files to check; arguments and errors as in `check`."""
    registry = tasks.load(file.path if file else None)
    name = asked.what
    if name == ALL:
        _refuse_details(asked, "all")
        if file is None:
            raise UsageError("'all' means a project, and there is none here; name a file, or --config FILE")
        return _everything(file, registry)
    if file is not None and name in file.names:
        _refuse_details(asked, "a run")
        run = file.pick(name)
        return _trained(file, registry, file.resolve(run.dataset_path), {name: run})
    path = Path(name)
    if os.path.lexists(path) or path.suffix or path.name != name:
        return [_one(file, registry, path, asked)]
    near = did_you_mean(name, file.names) if file else ""
    raise UsageError(
        f"no run and no file '{name}'{near}\n"
        "Check a file, a run (see them with: finlora configs list), or: finlora data check all"
    )


def _refuse_details(asked: Asked, what: str) -> None:
    if asked.run or asked.task or asked.against:
        raise UsageError(f"--run, --task and --against go with a file, not with {what}")


def _one(file: ConfigFile | None, registry: Mapping[str, tasks.Task], path: Path, asked: Asked) -> Target:
    if asked.run and file is None:
        raise UsageError("--run names a run of a project, and there is none here; add --config FILE")
    runs = {asked.run: file.pick(asked.run)} if asked.run and file else {}
    task = tasks.pick(registry, asked.task) if asked.task else _task_of(registry, path)
    tests, trains = _tests(path, task, registry), _trains(path)
    return Target(path, task, runs, (*tests, *asked.against), tuple(trains))


def _trained(
    file: ConfigFile, registry: Mapping[str, tasks.Task], path: Path, runs: Mapping[str, RunConfig]
) -> list[Target]:
    """Return a training file and the test files that belong to it."""
    task = _task_of(registry, path)
    tests = _tests(path, task, registry, file.root / "data")
    shown = [_shown(test) for test in tests]
    return [
        Target(_shown(path), task, runs, tuple(shown)),
        *(Target(test, _task_of(registry, test)) for test in shown),
    ]


def _everything(file: ConfigFile, registry: Mapping[str, tasks.Task]) -> list[Target]:
    runs: dict[Path, dict[str, RunConfig]] = {}
    for name, run in file.runs.items():
        runs.setdefault(file.resolve(run.dataset_path), {})[name] = run
    for path in sorted((file.root / "data").rglob("*.jsonl")):
        runs.setdefault(path.absolute(), {})
    targets: dict[Path, Target] = {}
    for path, these in sorted(runs.items()):
        for target in _trained(file, registry, path, these):
            # A test file is met twice: beside its training file, and by itself.
            if target.path not in targets or target.against or target.runs:
                targets[target.path] = replace(target, may_miss=bool(target.runs))
    return list(targets.values())


def _shown(path: Path) -> Path:
    """Return a path as the user would type it here."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _task_of(registry: Mapping[str, tasks.Task], path: Path) -> tasks.Task | None:
    """Return the task whose file, published or mended, has this name."""
    for task in registry.values():
        for side in task.files:
            if path.name in {task.path(Path(), side, published).name for published in (False, True)}:
                return task
    return None


def _tests(
    path: Path, task: tasks.Task | None, registry: Mapping[str, tasks.Task], data: Path | None = None
) -> list[Path]:
    """Return the test files of a training file: by its task, the tasks of a mix, and its name."""
    if "train" not in path.stem:
        return []
    names: list[Path] = []
    if task is not None:
        parts = task.source.parts if isinstance(task.source, tasks.Mix) else {}
        mixed = [task, *(registry[part] for part in parts if part in registry)]
        names = [
            one.path(Path(), "test", published)
            for one in mixed
            if "test" in one.files
            for published in (False, True)
        ]
    folders = [path.parent, path.parent.parent / "test", *([data / "test"] if data else [])]
    wanted = [path.stem.replace("train", "test") + path.suffix, *(name.name for name in names)]
    found = [folder / name for name in dict.fromkeys(wanted) for folder in folders]
    found += [data / name for name in names if data]
    return _present(found)


def _trains(path: Path) -> list[Path]:
    """Return the training file of a test file's name, where it is there."""
    if "test" not in path.stem:
        return []
    name = path.stem.replace("test", "train") + path.suffix
    return _present([path.with_name(name), path.parent.parent / "train" / name])


def _present(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are there, each once."""
    return list({path.resolve(): path for path in paths if path.is_file()}.values())


def _checked(target: Target, file: ConfigFile | None) -> CheckedFile:
    if target.may_miss and not os.path.lexists(target.path):
        rows, found = Rows(str(target.path), ()), [_not_there(target)]
    else:
        rows, found = read(target.path)
    if rows.rows:
        found += _alone(rows, target, file)
        for other in target.against:
            found += _compared(other, lambda test: _between(rows, test))
        for other in target.trained_by:
            found += _compared(other, lambda train: _between(train, rows))
    found.sort(key=lambda one: _ORDER[one.severity])
    return CheckedFile(
        file=rows.file,
        rows=len(rows.rows),
        task=target.task.id if target.task else None,
        runs=tuple(target.runs),
        against=tuple(str(path) for path in (*target.against, *target.trained_by)),
        findings=tuple(found),
    )


def _not_there(target: Target) -> Finding:
    names = ", ".join(list(target.runs)[:3]) + " and more" * (len(target.runs) > 3)
    words = f"the dataset of {names} is not there"
    return finding(
        "note", "missing", str(target.path), [], words, "finlora data list says where each comes from"
    )


def _compared(other: Path, compare: Callable[[Rows], list[Finding]]) -> list[Finding]:
    rows, faults = read(other)
    return compare(rows) if rows.rows else faults


def _alone(rows: Rows, target: Target, file: ConfigFile | None) -> list[Finding]:
    task = target.task
    repeats, repeated = duplicates.inside(rows)
    return [
        *encoding.check(rows),
        *repeats,
        *near.inside(rows, repeated),
        *labels.check(rows, task.labels if task else ()),
        *marks.check(rows, task.answer_mark if task else None),
        *personal.check(rows),
        *_lengths(rows, target, file),
    ]


def _between(train: Rows, test: Rows) -> list[Finding]:
    return [
        *duplicates.between(train, test),
        *near.between(train, test),
        *labels.between(train, test),
        *leaks.between(train, test),
    ]


def _lengths(rows: Rows, target: Target, file: ConfigFile | None) -> list[Finding]:
    """Count once for all runs that count alike; estimate where no run is known."""
    limit = target.task.max_new_tokens if target.task else None
    if not target.runs or file is None:
        return lengths.check(rows, lengths_of(rows.rows, None, "", None), None, (), limit)
    alike: dict[tuple[str, str | None, int], list[str]] = {}
    for name, run in target.runs.items():
        alike.setdefault((run.base_model, run.prompt_style, run.sequence_len), []).append(name)
    found: list[Finding] = []
    for (_, style, sequence_len), names in alike.items():
        place, who = tokenizer_of(target.runs[names[0]], file.path.resolve().parent)
        found += lengths.check(rows, _counted(rows, place, who, style), sequence_len, names, limit)
    return found


def _counted(rows: Rows, place: Path | None, who: str, style: str | None) -> Any:
    try:
        return lengths_of(rows.rows, place, who, style)
    except BaseModelError:
        # The stand-in has not the style that the run asks for; its tokens are near enough.
        return lengths_of(rows.rows, None, who, None)
