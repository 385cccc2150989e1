"""Which files `data check` looks at: those of a run, of a project, or one, and what belongs to each."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from finlora import tasks
from finlora.config import ConfigFile, RunConfig
from finlora.errors import UsageError, did_you_mean
from finlora.task_checks import made_of

ALL = "all"


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
        held_out: whether its rows are asked rather than trained, so that none is dropped.
        marks: the answer marks of its task, or of the tasks that its rows are put together from.
    """

    path: Path
    task: tasks.Task | None = None
    runs: Mapping[str, RunConfig] = field(default_factory=dict)
    against: tuple[Path, ...] = ()
    trained_by: tuple[Path, ...] = ()
    may_miss: bool = False
    held_out: bool = False
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What is to be checked.

    Args:
        what: a run, a task, a file, or `all`.
        run: for a file: the run whose tokenizer counts, and whose sequence_len for a training file.
        task: for a file: the task it belongs to.
        against: for a file: further files to compare it with.
    """

    what: str
    run: str | None = None
    task: str | None = None
    against: tuple[Path, ...] = ()


def chosen(file: ConfigFile | None, asked: Asked) -> list[Target]:
    """Return the files to check.

    Args:
        file: the config file, or None outside a project.
        asked: what to check.

    Raises:
        UsageError, ConfigError: no such run or task, or they are at fault.
    """
    registry = tasks.load(file.path if file else None)
    name = asked.what
    if name == ALL:
        _refuse_details(asked, "all")
        if file is None:
            raise UsageError("'all' means a project, and there is none here; name a file, or --config FILE")
        return _marked(_everything(file, registry), registry)
    if file is not None and name in file.names:
        _refuse_details(asked, "a run")
        run = file.pick(name)
        return _marked(_trained(file, registry, file.resolve(run.dataset_path), {name: run}), registry)
    if name in registry and not os.path.lexists(name):
        _refuse_details(asked, "a task")
        return _of_task(registry, registry[name], (file.root if file else Path.cwd()) / "data")
    path = Path(name)
    if os.path.lexists(path) or path.suffix or path.name != name:
        return _marked([_one(file, registry, path, asked)], registry)
    near = did_you_mean(name, [*(file.names if file else ()), *registry])
    raise UsageError(
        f"no run, no task and no file '{name}'{near}\n"
        "Check a file, a run (finlora configs list), a task (finlora data list), or: finlora data check all"
    )


def _marked(targets: Sequence[Target], registry: Mapping[str, tasks.Task]) -> list[Target]:
    return [replace(target, marks=_marks(target.task, registry)) for target in targets]


def _marks(task: tasks.Task | None, registry: Mapping[str, tasks.Task]) -> tuple[str, ...]:
    if task is None:
        return ()
    # Only the parts of a mix know the marks of its rows.
    parts = sorted(made_of(task.id, registry)) if task.parts else [task.id]
    marks = (registry[part].answer_mark for part in parts if part in registry and not registry[part].parts)
    return tuple(dict.fromkeys(mark for mark in marks if mark))


def _refuse_details(asked: Asked, what: str) -> None:
    if asked.run or asked.task or asked.against:
        raise UsageError(f"--run, --task and --against go with a file, not with {what}")


def _of_task(registry: Mapping[str, tasks.Task], task: tasks.Task, data: Path) -> list[Target]:
    """Return a task's files, its training rows beside the test files that belong to them."""
    targets = []
    for side in task.sides:
        path = task.path(data, side)
        tests = _tests(path, task, registry, data) if side == "train" else []
        targets.append(Target(_shown(path), task, against=tuple(map(_shown, tests)), held_out=side == "test"))
    return targets


def _one(file: ConfigFile | None, registry: Mapping[str, tasks.Task], path: Path, asked: Asked) -> Target:
    if asked.run and file is None:
        raise UsageError("--run names a run of a project, and there is none here; add --config FILE")
    runs = {asked.run: file.pick(asked.run)} if asked.run and file else {}
    task = tasks.pick(registry, asked.task) if asked.task else tasks.of_file(registry, path)
    tests, trains = _tests(path, task, registry), _trains(path)
    against = _once([*tests, *asked.against])
    return Target(path, task, runs, tuple(against), tuple(trains), held_out="test" in path.stem)


def _trained(
    file: ConfigFile, registry: Mapping[str, tasks.Task], path: Path, runs: Mapping[str, RunConfig]
) -> list[Target]:
    """Return a training file and the test files that belong to it."""
    task = tasks.of_file(registry, path)
    tests = _tests(path, task, registry, file.root / "data")
    shown = [_shown(test) for test in tests]
    return [
        Target(_shown(path), task, runs, tuple(shown)),
        *(Target(test, tasks.of_file(registry, test), runs, held_out=True) for test in shown),
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
            if target.path not in targets or target.runs:
                targets[target.path] = replace(target, may_miss=bool(target.runs) and not target.held_out)
    return list(targets.values())


def _shown(path: Path) -> Path:
    """Return a path as the user would type it here."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _tests(
    path: Path, task: tasks.Task | None, registry: Mapping[str, tasks.Task], data: Path | None = None
) -> list[Path]:
    """Return the test files of a training file: by its task, the tasks of a mix, and its name."""
    if "test" in path.stem:
        return []
    names: list[Path] = []
    if task is not None:
        # A mix may be made of mixes, and the tests are those of the tasks below.
        mixed = [registry[part] for part in sorted(made_of(task.id, registry)) if part in registry]
        # Like with like: the published split may be another than the mended one, and rows then cross over.
        published = path.stem.endswith("_as_published")
        names = [one.path(Path(), "test", published) for one in mixed if "test" in one.files]
    folders = [path.parent, path.parent.parent / "test", *([data / "test"] if data else [])]
    stem = path.stem.replace("train", "test") if "train" in path.stem else f"{path.stem}_test"
    wanted = [stem + path.suffix, *(name.name for name in names)]
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
    return _once(path for path in paths if path.is_file())


def _once(paths: Iterable[Path]) -> list[Path]:
    """Return each file once, whatever it is called."""
    # Not Path.resolve, which raises where links lead in a circle.
    return list({os.path.realpath(path): path for path in paths}.values())
