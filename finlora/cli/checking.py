"""Commands that look at a dataset before it is trained on."""

import sys
from pathlib import Path

import click

from finlora import display
from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json


@click.command()
@click.argument("what")
@click.option("--run", metavar="NAME", help="For a FILE: the run whose tokenizer and sequence_len count.")
@click.option("--task", metavar="TASK", help="For a FILE: the task it belongs to, else by its name.")
@click.option("--against", type=FILE, multiple=True, help="For a training FILE: a test file to compare with.")
@with_config
@with_json
def check(
    what: str,
    run: str | None,
    task: str | None,
    against: tuple[Path, ...],
    config: Path | None,
    as_json: bool,
) -> None:
    """Check WHAT (a file, a run, a task, or `all`) before a GPU is paid for.

    Faulty rows, wrong encoding, repeated and nearly repeated rows (inside a file, and between train and
    test), labels, lengths, answer marks, leaks of company and time, personal data. Exit code 1 on errors,
    0 on warnings.

    \b
    Example:
      finlora data check all
      finlora data check sentiment_sample
      finlora data check data/train/mine_train.jsonl --against data/test/mine_test.jsonl
    """
    from finlora import data_check, data_display
    from finlora.config import load
    from finlora.data_targets import Asked

    around = config_around(config)
    asked = Asked(what, run, task, against)
    with display.Counting("checking", 100) as counting:
        report = data_check.check(load(around) if around else None, asked, counting.show)
    if as_json:
        print_json(report.to_record())
    else:
        data_display.checked_data(report)
    if report.count("error"):
        sys.exit(1)
