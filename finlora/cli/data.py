"""Commands about data: the tasks, and getting, making and checking their rows."""

from pathlib import Path

import click

from finlora.cli.previewing import preview
from finlora.cli.shared import config_around, with_config


@click.group("data")
def data_() -> None:
    """Get, make and check the datasets of the tasks."""


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


data_.add_command(preview)
