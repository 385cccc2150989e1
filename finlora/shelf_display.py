"""What people see of the shelf: the list, and what was proved. Only `cli` uses it."""

from collections.abc import Sequence
from typing import Any

import click

from finlora import display
from finlora.json_text import printable


def shelf(entries: Sequence[Any]) -> None:
    """Print the adapters of a shelf, a line each."""
    if not entries:
        display.say(
            "the shelf is empty. See the runs with: finlora configs list\n"
            "Train one with: finlora finetune NAME"
        )
        return
    columns = ["run", "variant", "base model", "method", "rank", "rows", "loss", "MiB", "scores", ""]
    rows = []
    for entry in entries:
        known = [(entry.rank, "d"), (entry.rows, ",d"), (entry.final_loss, ".4f")]
        figures = ["-" if value is None else format(value, form) for value, form in known]
        size = "-" if entry.bytes is None else f"{entry.bytes / 2**20:.1f}"
        old = {False: " (of other weights)"}
        scores = ", ".join(f"{s.title} {s.score:.1%}{old.get(s.current, '')}" for s in entry.scores)
        words = [entry.run, entry.variant, entry.base_model or "-", entry.method or "-"]
        rows.append([*words, *figures, size, scores or "-", entry.fault or ""])
    display.table(columns, [[printable(cell) for cell in row] for row in rows])
    if any(entry.fault for entry in entries):
        display.say("What is wrong with the damaged ones: finlora adapters verify all")


def verdicts(found: Sequence[Any]) -> None:
    """Print what was proved about adapters: a line each, and one for each fault and note."""
    for verdict in found:
        state = click.style("ok  ", fg="green") if verdict.ok else click.style("fail", fg="red")
        click.echo(f"{state}  {printable(verdict.name)}: {verdict.seen}")
        for fault in verdict.faults:
            click.echo(f"      {printable(fault)}")
        for note in verdict.notes:
            click.echo(f"      note: {printable(note)}")
    failed = [verdict for verdict in found if not verdict.ok]
    if failed:
        display.say(
            f"{len(failed)} of {len(found)} failed. Copy such an adapter again from where it was sound, or "
            "train it again: finlora finetune RUN --overwrite"
        )
