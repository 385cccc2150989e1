"""The command that scores: eval."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from finlora.cli.endpoint_options import with_endpoint
from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json, with_offline


@click.command("eval")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="NAME",
    help="Run name, VARIANT/NAME or folder; repeatable.",
)
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Of `finlora data list`; repeatable.")
@click.option("--data", "file", type=FILE, help="Rows of your own: JSONL with context and target.")
@click.option(
    "--metric",
    metavar="KIND",
    help="What the answers of --data are: label, letter, number, tags, formula, text or mixed.",
)
@click.option("--baseline", is_flag=True, help="Score the untuned base model too, and compare row by row.")
@click.option(
    "--base-model",
    metavar="MODEL",
    help="Another base model than the adapter's; without --adapter, the model to score alone.",
)
@click.option(
    "--prompt-style",
    type=click.Choice(["chat", "inst", "plain"]),
    help="For an adapter without finlora.json, or a base model alone.",
)
@click.option(
    "--decode",
    type=click.Choice(["labels", "generate"]),
    help="Weigh closed labels (the default where there are any), or generate and parse.",
)
@click.option(
    "--scorer",
    type=click.Choice(["finlora", "reference"]),
    default="finlora",
    show_default=True,
    help="The benchmark's own rule is for comparing with published numbers.",
)
@click.option("--as-published", is_flag=True, help="The task's published test rows, faults included.")
@click.option("--limit", type=click.IntRange(1), help="Rows to draw from the test file; all unless given.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Of draws and intervals."
)
@click.option("--max-new-tokens", type=click.IntRange(1), help="Longest answer; else the task's own, or 128.")
@click.option(
    "--bert-model", metavar="MODEL", help="Encoder for free text: a folder, or a hub id in the hub's cache."
)
@click.option("--fresh", is_flag=True, help="Ask every row anew, whatever was answered before.")
@with_config
@with_offline
@with_json
@with_endpoint
def evaluate_(config: Path | None, as_json: bool, **wanted: Any) -> None:
    """Score adapters on tasks: how well, how sure, and what changed against the base model.

    Every answer is kept beside its score in results/; an evaluation that was cut off goes on where it was.

    \b
    Example:
      finlora eval --adapter NAME --task fpb --task headline --baseline
      finlora eval --adapter A --adapter B --data held_out.jsonl --metric number
      finlora eval --adapter NAME --task formula --as-published --scorer reference
      finlora eval --endpoint http://localhost:8000/v1 --model NAME --task fpb --limit 100
    """
    from finlora import display, eval_display, scoreboard

    around = config_around(config)
    done = scoreboard.run(scoreboard.Wanted(**wanted), around, display.say, display.Counting)
    if as_json:
        print_json([one.to_record() for one in done])
    else:
        eval_display.scores(done)
    _tell(done)


def _tell(done: Sequence[Any]) -> None:
    from finlora import display

    for note in dict.fromkeys(note for one in done for note in one.notes):
        display.say(note)
    for path in dict.fromkeys(one.path for one in done):
        display.say(f"kept: {path}")
    if any(one.result.errors for one in done):
        sys.exit(1)
