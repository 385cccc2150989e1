"""What people see: tables, the training's progress bar, plain lines in a log. Only `cli` uses it."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import click

_LINE_SECONDS = 30.0


def say(text: str) -> None:
    """Write a line for the user; stdout is kept for results."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout, as wide as it needs to be where nobody looks."""
    from rich.cells import cell_len

    lines = [[str(cell) for cell in row] for row in (columns, *rows)]
    wide = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    plain = all(cell.isprintable() for line in lines for cell in line)
    if not plain or (room is not None and sum(wide) + 2 * len(wide) > room):
        _folded(columns, rows, sum(wide) + 2 * len(wide))
        return
    # What fits needs no layout, which takes rich a second for a thousand rows.
    for place, line in enumerate(lines):
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, wide, strict=True))
        text = "  ".join(padded)
        click.echo(click.style(text, bold=True) if place == 0 else text)


def _folded(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> None:
    """Print a table whose cells have several lines each, where they have to."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=max(80, width))
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        # What a line is about stays in one piece: people copy it.
        grid.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        grid.add_row(*row)
    console.print(grid, soft_wrap=not sys.stdout.isatty(), markup=False)


class Training:
    """Shows a training: a bar on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._last_line = 0.0
        # What the training that this one resumes had done.
        self._resumed: tuple[int, float] = (0, 0.0)

    def __enter__(self) -> "Training":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, figures="")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Take one event of the training process."""
        kind = event["event"]
        if kind == "rows":
            self._rows(event["report"])
            self._doing("loading the base model")
        elif kind == "built":
            self.line(f"built as asked: {event['facts']['trainable_parameters']:,} trainable parameters")
            self._doing("held-out loss before training")
        elif kind == "start" and event["step"]:
            self._resumed = (event["step"], event["seconds"])
            self.line(f"going on after step {event['step']} of {event['total']}")
        elif kind == "step":
            self._step(event)
        elif kind == "eval":
            self.line(f"held-out loss {event['loss']:.4f} at step {event['step']}")

    def _rows(self, report: dict[str, Any]) -> None:
        self.line(
            f"{report['train']} rows to train on, {report['validation']} held out; "
            f"{report['tokens']:,} tokens, {report['trained_tokens']:,} of them trained"
        )
        if report["dropped"]["count"]:
            lines = ", ".join(map(str, report["dropped"]["lines"][:5]))
            self.line(
                f"{report['dropped']['count']} rows dropped ({report['dropped']['reason']}); "
                f"first lines: {lines}"
            )

    def _step(self, event: dict[str, Any]) -> None:
        speed = event["tokens"] / event["seconds"] if event["seconds"] else 0.0
        figures = f"loss {event['loss']:.4f}  {speed:,.0f} tokens/s"
        steps, seconds = event["step"] - self._resumed[0], event["seconds"] - self._resumed[1]
        left = seconds / steps * (event["total"] - event["step"])
        figures += f"  {left:,.0f} s left"
        if self._bar is not None:
            self._bar.update(
                self._task,
                description="training",
                total=event["total"],
                completed=event["step"],
                figures=figures,
            )
        elif time.monotonic() - self._last_line > _LINE_SECONDS or event["step"] == event["total"]:
            self._last_line = time.monotonic()
            say(f"step {event['step']}/{event['total']}  {figures}")

    def _doing(self, what: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=what)

    def line(self, text: str) -> None:
        """Write a line for the user, above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            say(text)


class Counting:
    """Shows how many rows are done: a bar on a terminal, nothing in a log.

    Args:
        what: what is being done.
        total: rows in all, if known.
    """

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what, self._total = what, total
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Counting":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int) -> None:
        """Take the number of finished rows."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def advance(self) -> None:
        """Count one more row."""
        if self._bar is not None:
            self._bar.advance(self._task)


def comparison(compared: Any) -> None:
    """Print adapters side by side, and below what differs between them besides the method."""
    table(
        ["", *compared.columns],
        [[fact.name, *(_figure(fact.kind, value) for value in fact.values)] for fact in compared.rows],
    )
    click.echo(f"\n{compared.verdict}")
    if compared.differences:
        click.echo()
        differing = [[fact.name, *fact.values] for fact in (*compared.method, *compared.differences)]
        table(["differs in", *compared.columns], differing)


def _figure(kind: str, value: Any) -> str:
    """Write one value of a comparison."""
    if value is None:
        return "-"
    if kind == "score":
        low, high = value.interval
        return f"{value.score:.1%} ({low:.1%}-{high:.1%})"
    if kind == "bytes":
        return f"{value / 2**30:.2f} GiB"
    return format(value, {"text": "", "count": ",", "loss": ".4f", "seconds": ",.1f"}[kind])


def rehearsal(record: Any) -> None:
    """Print a rehearsal: its stages, what was done otherwise, what was not tried."""
    rows = [
        [stage.name, "ok" if stage.ok else "failed", f"{stage.seconds:.1f}", stage.seen]
        for stage in record.stages
    ]
    table(["stage", "", "seconds", "seen"], rows)
    for title, lines in (("otherwise here", record.otherwise), ("not tried", record.not_tried)):
        click.echo(f"\n{title}:")
        for line in lines:
            click.echo(f"  - {line}")
    seconds = sum(stage.seconds for stage in record.stages)
    say("")
    if record.ok:
        say(f"{record.run}: everything that can be tried here went well, in {seconds:.0f} s")
    else:
        say(f"{record.run}: failed at '{record.stages[-1].name}' after {seconds:.0f} s")
    say(f"YAML, log and adapter of the rehearsal: {record.folder}")


def tasks(lines: Iterable[Any]) -> None:
    """Print the tasks, a line each."""
    rows = []
    for line in lines:
        counts = " / ".join(
            f"{line.rows[side]:,}" if side in line.rows else "-" for side in ("train", "test")
        )
        here = " ".join(line.here) or "-"
        licence = line.licence + " *" * (line.terms != "free")
        rows.append([line.task, line.answer, counts, licence, here, line.source])
    table(["task", "answer", "train / test", "licence", "here", "source"], rows)
    say("* wants --accept-licence. All about one: finlora data show TASK")


def sections(title: str, parts: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print a title, and below it headings with their lines."""
    click.echo(title)
    for heading, lines in parts:
        click.echo(f"\n{click.style(heading, bold=True)}")
        for line in lines:
            click.echo(textwrap.indent(line, "  "))


def checks(found: Iterable[Any]) -> list[Any]:
    """Print the doctor's checks as they come, and return them."""
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    seen = []
    for check in found:
        seen.append(check)
        click.echo(
            f"{click.style(f'{check.state:<4}', fg=colours[check.state])}  {check.name}: {check.found}"
        )
        if check.fix:
            click.echo(f"      {check.fix}")
    return seen


def chat(answer: Callable[[str], Iterator[str]]) -> None:
    """Talk on a terminal until the user leaves; every question stands alone, as in training.

    Args:
        answer: turns a question into pieces of its answer.
    """
    say("Ask in the form of the training data (\\n for a line break); an empty line or Ctrl-D ends.")
    while True:
        try:
            question = click.prompt(">", prompt_suffix=" ", default="", show_default=False, err=True)
        except click.Abort:
            say("")
            return
        if not question.strip():
            return
        for piece in answer(question.replace("\\n", "\n")):
            click.echo(piece, nl=False)
        click.echo()
