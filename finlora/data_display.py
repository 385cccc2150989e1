"""What people see of the commands about data. Only `cli` uses it."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from finlora.display import say, table
from finlora.fetch import NEEDS_LICENCE, READ_TERMS
from finlora.json_text import printable_lines
from finlora.task_rows import Outcome
from finlora.tasks import SPLITS

# So many missing files are told of one by one.
_FEW = 3


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
            *(f"{o.rows[side]:,}" if side in o.rows else "-" for side in SPLITS),
            f"{o.dropped:,}" if o.rows else "-",
        ]
        for o in outcomes
    ]
    table(["task", "state", "train rows", "test rows", "dropped"], rows)
    for outcome in outcomes:
        if outcome.note:
            say(printable_lines(f"{outcome.task}: {outcome.note}"))
    if any(outcome.state == NEEDS_LICENCE for outcome in outcomes):
        say(READ_TERMS)


def checked_data(report: Any) -> None:
    """Print what was found in datasets, file by file, and what to do about it."""
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    absent = [file for file in report.files if [one.code for one in file.findings] == ["missing"]]
    few = len(absent) < _FEW
    for file in report.files:
        if file in absent and not few:
            continue
        about = [f"{file.rows:,} row{'s' * (file.rows != 1)}"]
        about += [f"task {file.task}"] * bool(file.task)
        about += [f"against {', '.join(file.against)}"] * bool(file.against)
        click.echo(click.style(f"{file.file}", bold=True) + f" ({'; '.join(about)})")
        for found in file.findings:
            severity = click.style(f"{found.severity:<7}", fg=colours[found.severity])
            click.echo(f"  {severity}  {found.code}: {found.message}")
            if place := _place(found, file.file):
                click.echo(f"           at {place}")
            if found.advice:
                click.echo(f"           {found.advice}")
        click.echo()
    if not few:
        click.echo(f"not there, though runs name them: {', '.join(file.file for file in absent)}")
        click.echo("Where each comes from: finlora data list\n")
    click.echo(
        f"{', '.join(_counted(report.count(kind), kind) for kind in colours)} "
        f"in {len(report.files)} file{'s' * (len(report.files) != 1)}"
    )


def _place(found: Any, file: str) -> str:
    """Return the lines of a finding, each with its partner, or the name of another file."""
    if not found.lines:
        return found.file if found.file != file else ""
    partners = found.against_lines
    if len(partners) == len(found.lines):
        lines = [f"{line} = {other}" for line, other in zip(found.lines, partners, strict=True)]
    else:
        lines = [str(line) for line in found.lines]
    more = f" and {found.count - len(lines):,} more" if found.count > len(lines) else ""
    other = f" (of {found.against})" if found.against and found.against != found.file and partners else ""
    return f"{found.file}:{', '.join(lines)}{more}{other}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
