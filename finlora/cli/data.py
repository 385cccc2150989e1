"""Commands about data: the tasks, and getting, making and checking their rows."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json, with_offline


@click.group("data")
def data_() -> None:
    """Get, make and check the datasets of the tasks."""


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
    from finlora import fetch as fetching
    from finlora import fetch_display as display
    from finlora import tasks as registry
    from finlora.task_rows import Options

    around = config_around(config)
    root = configs.project_root(around) if around else Path.cwd()
    options = Options(as_published, accept_licence, overwrite, offline, files)
    with display.Fetching() as shown:
        outcomes = fetching.run(root, registry.load(around), tasks, options, shown.show)
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    else:
        display.fetched(outcomes)
    if any(outcome.state == fetching.FAILED for outcome in outcomes):
        sys.exit(1)


@data_.command()
@click.argument("name")
@with_config
def build(name: str, config: Path | None) -> None:
    """Build the dataset NAME (sentiment_sample or formula_built) from this project's own material.

    \b
    Example:
      finlora data build sentiment_sample
    """
    from finlora import config as configs
    from finlora import project

    around = config_around(config)
    for path in project.build_dataset(configs.project_root(around) if around else Path.cwd(), name):
        click.echo(path)
