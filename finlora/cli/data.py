"""Commands about data: the tasks, and getting, making and checking their rows."""

from pathlib import Path

import click

from finlora.cli.shared import config_around, print_json, with_config, with_json


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
    from finlora import display, task_list, tasks
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
    from finlora import display, task_list, tasks

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
