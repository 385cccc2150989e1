"""Commands about data: the tasks, and getting, making and checking their rows."""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from finlora import display
from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json, with_offline


@click.group("data")
def data_() -> None:
    """Get, make and check the datasets of the tasks."""


@data_.command("list")
@click.option(
    "--family",
    type=click.Choice(["general", "reporting", "analysis", "certification"]),
    help="Only the tasks of this family.",
)
@with_config
@with_json
def list_(family: str | None, config: Path | None, as_json: bool) -> None:
    """List the tasks: rows, source, licence, and which files are here.

    \b
    Example:
      finlora data list --family reporting
    """
    from finlora import task_list, tasks
    from finlora.config import project_root

    around = config_around(config)
    root = project_root(around) if around else Path.cwd()
    lines = task_list.overview(tasks.load(around), root / "data", family)
    if as_json:
        print_json(task_list.records(lines))
    else:
        display.tasks(lines)


@data_.command()
@click.argument("task")
@with_config
@with_json
def show(task: str, config: Path | None, as_json: bool) -> None:
    """Show all about TASK: prompt, source, licence, split, faults, and the runs that train on it.

    \b
    Example:
      finlora data show tfns
    """
    from finlora import config as configs
    from finlora import task_list, tasks

    around = config_around(config)
    known = tasks.load(around)
    picked = tasks.pick(known, task)
    root = configs.project_root(around) if around else Path.cwd()
    shown = task_list.show(picked, known, root / "data", configs.load(around) if around else None)
    if as_json:
        print_json(shown)
    else:
        display.sections(f"{picked.name}: {picked.description}", task_list.page(shown))


@data_.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option(
    "--as-published", is_flag=True, help="The benchmark's own rows, faults included, under another file name."
)
@click.option("--accept-licence", is_flag=True, help="Accept non-commercial and unstated terms.")
@click.option(
    "--file",
    "files",
    type=FILE,
    multiple=True,
    help="A file or folder you got yourself, for one task that no hub has; may be repeated.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace files that were not made here; fetch again what is there."
)
@with_config
@with_offline
@with_json
def fetch(
    tasks: tuple[str, ...],
    as_published: bool,
    accept_licence: bool,
    files: tuple[Path, ...],
    overwrite: bool,
    config: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Fetch the rows of TASKs, or of `all`, from their sources, mended, each file with a card.

    \b
    Example:
      finlora data fetch tfns
      finlora data fetch all --accept-licence
      finlora data fetch tfns --as-published
      finlora data fetch fnxl --accept-licence --file ~/Downloads/test_sample.csv
    """
    from finlora import config as configs
    from finlora import data_display
    from finlora import fetch as fetching
    from finlora import tasks as registry
    from finlora.task_rows import Options

    around = config_around(config)
    root = configs.project_root(around) if around else Path.cwd()
    options = Options(as_published, accept_licence, overwrite, offline, files)
    with data_display.Fetching() as shown:
        outcomes = fetching.run(root, registry.load(around), tasks, options, shown.show)
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    else:
        data_display.fetched(outcomes)
    if any(outcome.state == fetching.FAILED for outcome in outcomes):
        sys.exit(1)


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
    """Make the dataset NAME: rows no licence stands in the way of.

    NAME is sentiment, headline, ner, formula, xbrl_extract (from filings you have, or from invented ones),
    or sentiment_sample, the fixed rows of the demo.

    Equal sizes and seeds give equal files, on any machine; training and test rows share no template.
    Files that hold other rows are replaced with --overwrite alone.

    \b
    Example:
      finlora data build sentiment_sample
      finlora data build formula --rows 20000 --seed 7 --overwrite
      finlora data build xbrl_extract --from filings
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
