"""The command that asks an adapter: infer."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import (
    FILE,
    config_around,
    print_json,
    with_opening,
)
from finlora.errors import UsageError


@click.command()
@with_opening
@click.option("--no-adapter", is_flag=True, help="Answer with the untuned base model, for comparison.")
@click.option(
    "--prompt", "questions", multiple=True, metavar="TEXT", help="A text to answer; may be repeated."
)
@click.option("--input", "source", type=FILE, help="JSONL file with a context column.")
@click.option("--output", "target", type=FILE, help="JSONL file for the answers to --input.")
@click.option(
    "--max-new-tokens",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Tokens of the longest answer.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="0 is greedy and repeatable.",
)
def infer(
    config: Path | None,
    as_json: bool,
    questions: tuple[str, ...],
    source: Path | None,
    target: Path | None,
    max_new_tokens: int,
    temperature: float,
    **wanted: Any,
) -> None:
    """Answer with an adapter: given texts, a file of rows, or a chat on a terminal.

    \b
    Example:
      finlora infer --adapter NAME --prompt "a question like those of its data"
      finlora infer --adapter NAME --input rows.jsonl --output answers.jsonl
      finlora infer --adapter NAME
    """
    from finlora import answering, display
    from finlora.inference import answer_file, check_target

    if bool(source) != bool(target) or (questions and source):
        raise UsageError(
            "give --prompt TEXT, or --input FILE together with --output FILE, or neither on a terminal"
        )
    if not questions and not source and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "nothing to answer: give --prompt TEXT, or --input FILE and --output FILE "
            "(a chat needs a terminal)"
        )
    if source and target:
        check_target(source, target)
    answerer = answering.open_answerer(answering.Wanted(**wanted), config_around(config), display.say)
    limits: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature}
    if source and target:
        with display.Counting("answering") as progress:
            count = answer_file(answerer, source, target, progress=progress.advance, **limits)
        click.echo(
            json.dumps({"rows": count, "output": str(target)}) if as_json else f"{count} answers: {target}"
        )
    elif questions:
        answers = answerer.generate(questions, **limits)
        if as_json:
            print_json([{"prompt": q, "answer": a} for q, a in zip(questions, answers, strict=True)])
        else:
            click.echo("\n".join(answers))
    else:
        display.chat(lambda text: answerer.stream(text, **limits))
