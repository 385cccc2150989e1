"""What people see of `finlora data fetch`: bars, lines in a log, the table at the end. Only `cli` uses it."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from finlora.display import say, table
from finlora.fetch import NEEDS_LICENCE, READ_TERMS
from finlora.task_rows import SIDES, Outcome


class Fetching:
    """Shows several tasks being fetched at once: a bar each on a terminal, a line for each step in a log."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._doing: dict[str, str] = {}
        # Bytes that came and bytes in all, by task and file.
        self._bytes: dict[str, dict[str, tuple[int, int]]] = {}

    def __enter__(self) -> "Fetching":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        """Take what a task is doing, and bytes that came."""
        task, doing = event["task"], event["doing"]
        if self._bars is not None:
            self._draw(task, doing, event)
        elif self._doing.get(task) != doing:
            say(f"{task}: {doing}")
        self._doing[task] = doing

    def _draw(self, task: str, doing: str, event: Mapping[str, Any]) -> None:
        files = self._bytes.setdefault(task, {})
        if "path" in event:
            came, size = files.get(event["path"], (0, 0))
            # A size comes where a download begins, or begins again.
            came, size = (0, event["size"]) if event["size"] is not None else (came, size)
            files[event["path"]] = came + event["bytes"], size
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=None)
        came, size = (sum(found[i] for found in files.values()) for i in (0, 1))
        self._bars.update(
            self._tasks[task], description=f"{task}: {doing}", completed=came, total=size or None
        )


def fetched(outcomes: Sequence[Outcome]) -> None:
    """Print what became of each task, then in full why some failed or what they need."""
    rows = [
        [
            o.task,
            o.state,
            *(f"{o.rows[side]:,}" if side in o.rows else "-" for side in SIDES),
            f"{o.dropped:,}" if o.rows else "-",
        ]
        for o in outcomes
    ]
    table(["task", "state", "train rows", "test rows", "dropped"], rows)
    for outcome in outcomes:
        if outcome.note:
            say(f"{outcome.task}: {outcome.note}")
    if any(outcome.state == NEEDS_LICENCE for outcome in outcomes):
        say(READ_TERMS)
