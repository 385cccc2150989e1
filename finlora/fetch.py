"""`finlora data fetch`: tasks chosen and refused, several at once; `task_rows` makes the files of each."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from finlora import cards, hub, task_rows
from finlora.errors import FinLoRAError, UsageError
from finlora.task_rows import Options, Outcome
from finlora.tasks import Bring, Built, Hub, Mix, Task, Unpublished, pick

ALL = "all"
FAILED = "failed"
NEEDS_LICENCE = "needs --accept-licence"
READ_TERMS = "Read the terms (finlora data show TASK); if you accept them, add --accept-licence"
_AT_ONCE = 4
OnEvent = Callable[[Mapping[str, Any]], None]


def run(
    root: Path, tasks: Mapping[str, Task], names: Sequence[str], options: Options, on_event: OnEvent
) -> list[Outcome]:
    """Fetch the rows of tasks, several at once.

    Args:
        root: the project's folder.
        tasks: the registry.
        names: tasks, or `all`.
        options: what the command line adds.
        on_event: takes what happens: a task, what it is doing, and bytes that came. Called from several
            threads, never by two at once.

    Returns:
        What became of each task, in the registry's order.

    Raises:
        UsageError: a task that can't be fetched so; nothing was fetched then.
    """
    everything = ALL in names
    chosen = list(tasks.values()) if everything else [pick(tasks, name) for name in dict.fromkeys(names)]
    if not everything:
        chosen = _with_parts(root, tasks, chosen, options)
    # What is there needs nothing, though it may be made again: a mix, when its parts are.
    settled = {task.id for task in chosen if task_rows.there(root, task, tasks, options)}
    needs = {task.id: None if task.id in settled else _need(task, tasks, options) for task in chosen}
    if options.files and (everything or [t.source.kind for t in chosen] != ["bring"]):
        raise UsageError("--file belongs to one task whose files are brought; name that task alone")
    if not everything:
        _refuse([need for need in needs.values() if need])
    ready = [task for task in chosen if not needs[task.id]]
    guard = threading.Lock()

    def tell(event: Mapping[str, Any]) -> None:
        with guard:
            on_event(event)

    if any(isinstance(task.source, Hub) for task in ready):
        hub.load()
    one = [task for task in ready if not isinstance(task.source, Mix)]
    done = _at_once([lambda task=task: _outcome(root, task, tasks, options, tell) for task in one])  # type: ignore[misc]
    # A mix may be made of mixes: those with less under them come first.
    for task in sorted(ready, key=lambda task: len(_under(task, tasks))):
        if isinstance(task.source, Mix):
            done.append(_mix_outcome(root, task, tasks, options, everything, tell))
    if any(outcome.rows for outcome in done):
        cards.index(root / "data")
    done += [need for need in needs.values() if need]
    order = list(tasks)
    return sorted(done, key=lambda outcome: order.index(outcome.task))


def _with_parts(
    root: Path, tasks: Mapping[str, Task], chosen: Sequence[Task], options: Options
) -> list[Task]:
    """Return tasks with the parts of mixes that are not there yet."""
    wanted = {task.id: task for task in chosen}
    todo = list(chosen)
    while todo:
        source = todo.pop().source
        for part in source.parts if isinstance(source, Mix) else ():
            rows = pick(tasks, part).path(root / "data", "train", options.as_published)
            if part not in wanted and cards.look(rows).state == "missing":
                wanted[part] = tasks[part]
                todo.append(tasks[part])
    return list(wanted.values())


def _under(task: Task, tasks: Mapping[str, Task]) -> list[Task]:
    """Return a task and, before it, all that it is made of."""
    parts = task.source.parts if isinstance(task.source, Mix) else ()
    under = [found for part in parts for found in _under(pick(tasks, part), tasks)]
    return [*{found.id: found for found in under}.values(), task]


def _need(task: Task, tasks: Mapping[str, Task], options: Options) -> Outcome | None:
    """Return why a task can't be fetched now, before anything is asked of a network."""
    source = task.source
    if isinstance(source, Unpublished):
        return Outcome(task.id, "can't be had", source.why)
    if isinstance(source, Built):
        return Outcome(task.id, "is built here", f"finlora data build {source.builder}")
    strict = [t for t in _under(task, tasks) if t.licence.terms != "free" and not isinstance(t.source, Mix)]
    if isinstance(source, Bring) and not options.files:
        paths = dict.fromkeys(part.path for parts in source.files.values() for part in parts)
        files = [quote(f"PATH/{Path(path).name}") for path in paths]
        words = [f"finlora data fetch {task.id}", *(f"--file {file}" for file in files)]
        if strict:
            words.append("--accept-licence")
        return Outcome(task.id, "needs --file", f"get {source.where}\nThen: {' '.join(words)}")
    if strict and not options.accept_licence:
        return Outcome(task.id, NEEDS_LICENCE, "; ".join(_terms(t, task) for t in strict))
    return None


def _terms(part: Task, task: Task) -> str:
    licence = part.licence
    words = licence.stated if licence.stated == licence.terms else f"{licence.stated} ({licence.terms})"
    return words if part is task else f"{part.id}: {words}"


def _refuse(needs: Sequence[Outcome]) -> None:
    if not needs:
        return
    lines = [f"{need.task} {need.state}: {need.note}" for need in needs]
    if any(need.state == NEEDS_LICENCE for need in needs):
        lines.append(READ_TERMS)
    raise UsageError("\n".join(lines))


def _at_once(jobs: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Do jobs in a few threads, which end with this process: an interrupted download keeps nobody waiting."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        todo.put(number)
    done: dict[int, Outcome] = {}
    faults: list[BaseException] = []

    def work() -> None:
        while not faults:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done[number] = jobs[number]()
            except BaseException as error:
                faults.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return [done[number] for number in range(len(jobs))]


def _mix_outcome(
    root: Path, task: Task, tasks: Mapping[str, Task], options: Options, everything: bool, tell: OnEvent
) -> Outcome:
    assert isinstance(task.source, Mix)
    paths = {p: tasks[p].path(root / "data", "train", options.as_published) for p in task.source.parts}
    missing = [part for part, path in paths.items() if not path.is_file()]
    if missing:
        state = "needs its parts" if everything else FAILED
        return Outcome(task.id, state, f"not there: {', '.join(missing)}")
    return _outcome(root, task, tasks, options, tell)


def _outcome(root: Path, task: Task, tasks: Mapping[str, Task], options: Options, tell: OnEvent) -> Outcome:
    try:
        found = task_rows.make(root, task, tasks, options, tell)
    except FinLoRAError as error:
        found = Outcome(task.id, FAILED, str(error))
    except OSError as error:
        # A folder that can't be read or locked ends this task, not the others.
        found = Outcome(task.id, FAILED, f"{error.filename or root}: {error.strerror or error}")
    tell({"task": task.id, "doing": found.state})
    return found
