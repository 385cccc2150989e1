"""Commands about data: the tasks, and getting, making and checking their rows."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from finlora import display
from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json


@click.group("data")
def data_() -> None:
    """Get, make and check the datasets of the tasks."""


@data_.command()
@click.argument("name")
@click.option("--rows", type=click.IntRange(1), help="Training rows to make.")
@click.option("--test-rows", type=click.IntRange(1), help="Test rows to make.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Another seed, other rows; default: 42.")
@click.option(
    "--from",
    "folder",
    type=FILE,
    metavar="FOLDER",
    help="Make the rows from what lies there, where NAME can read it.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that hold other rows.")
@with_config
@with_json
def build(
    name: str,
    rows: int | None,
    test_rows: int | None,
    seed: int | None,
    folder: Path | None,
    overwrite: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Make the dataset NAME (sentiment_sample or formula): rows no licence stands in the way of.

    Equal sizes and seeds give equal files, on any machine; training and test rows share no template.
    Files that hold other rows are replaced with --overwrite alone.

    \b
    Example:
      finlora data build sentiment_sample
      finlora data build formula --rows 20000 --test-rows 1000 --seed 7
    """
    from finlora import build as builds
    from finlora import cards
    from finlora import config as configs

    around = config_around(config)
    root = configs.project_root(around) if around else Path.cwd()
    built = builds.build(
        root,
        builds.Order(name, rows, test_rows, seed, folder),
        existing="replace" if overwrite else "refuse",
    )
    if any(file.is_written for file in built.files):
        cards.index(root / "data")
    if as_json:
        print_json(asdict(built) | {"files": [{**asdict(f), "path": str(f.path)} for f in built.files]})
        return
    for file in built.files:
        click.echo(file.path)
        display.say(f"  {file.state}: {file.rows:,} rows, seed {built.seed}")
    for why, count in Counter(item.why for item in built.skipped).most_common():
        display.say(f"  passed over: {count:,}: {why}")
