"""Commands about a project: its runs, its data, its files, its machine."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from finlora.cli.shared import (
    FILE,
    config_around,
    load_config,
    print_json,
    warn_of_others,
    with_config,
    with_json,
    with_offline,
)


@click.command("fetch-deepspeed")
@with_config
@click.option(
    "--upstream", metavar="REF", help="Fetch Axolotl's own files of a tag or commit instead (network)."
)
@click.option("--force", is_flag=True, help="Replace edited files too.")
@with_json
def fetch_deepspeed(config: Path | None, upstream: str | None, force: bool, as_json: bool) -> None:
    """Write the DeepSpeed configurations (ZeRO-1, 2, 3, with and without offload), offline.

    \b
    Example:
      finlora fetch-deepspeed
      finlora fetch-deepspeed --upstream v0.19.0
    """
    from finlora import config as configs
    from finlora import deepspeed

    around = config_around(config)
    folder = (configs.project_root(around) if around else Path.cwd()) / "deepspeed_configs"
    report = (
        deepspeed.fetch_upstream(folder, upstream, force=force)
        if upstream
        else deepspeed.write_shipped(folder, force)
    )
    if as_json:
        print_json({**asdict(report), "folder": str(report.folder)})
        return
    for what in ("new", "replaced", "unchanged", "kept"):
        for name in getattr(report, what):
            click.echo(f"{what:<9}  {report.folder / name}")
    if report.kept:
        click.echo("kept files were edited here; replace them with --force", err=True)
    click.echo(f"source: {report.source}", err=True)


@click.command()
@with_config
@with_offline
@with_json
def doctor(config: Path | None, offline: bool, as_json: bool) -> None:
    """Try what this machine can run, and say how to mend what it can't.

    \b
    Example:
      finlora doctor
    """
    from finlora import config as configs
    from finlora import display, doctor

    around = config_around(config)
    found = doctor.checks(configs.project_root(around) if around else None, offline)
    checks = list(found) if as_json else display.checks(found)
    if as_json:
        print_json([asdict(check) for check in checks])
    if any(check.state == "fail" for check in checks):
        sys.exit(1)


@click.command()
@click.argument("folder", type=FILE, default=".")
def init(folder: Path) -> None:
    """Lay out a new project in FOLDER: config with examples, folders, sample data.

    \b
    Example:
      finlora init my_project
    """
    from finlora import project

    for name in project.init(folder).files:
        click.echo(folder / name)
    click.echo(f"Next: cd {folder} && finlora configs list", err=True)


@click.group()
def configs() -> None:
    """List, show and check the runs of the config file."""


@configs.command("list")
@with_config
@with_json
def list_(config: Path | None, as_json: bool) -> None:
    """List the runs: base model, variant, whether dataset and adapter are there.

    \b
    Example:
      finlora configs list --json
    """
    from finlora import configs, display

    file = load_config(config)
    lines = configs.overview(file)
    if as_json:
        print_json(configs.records(lines))
    else:
        marks = {True: "yes", False: "-"}
        display.table(
            ["run", "base model", "variant", "dataset", "adapter"],
            [
                [r.run, r.base_model, r.variant, marks[r.dataset_present], marks[r.adapter_present]]
                for r in lines
            ],
        )
    warn_of_others(file, "")


@configs.command()
@click.argument("name")
@with_config
@with_json
def show(name: str, config: Path | None, as_json: bool) -> None:
    """Show the run NAME with every default in place.

    \b
    Example:
      finlora configs show formula_llama_3_1_8b_8bits_r8
    """
    from finlora import configs, display

    shown = configs.show(name, load_config(config).pick(name))
    if as_json:
        print_json(shown)
        return
    click.echo(f"{name} ({shown['variant']})", err=True)
    values = {key: json.dumps(value, ensure_ascii=False) for key, value in shown["settings"].items()}
    display.table(
        ["key", "value", ""], [[k, v, "default" if k in shown["defaults"] else ""] for k, v in values.items()]
    )


@configs.command()
@with_config
@with_json
def validate(config: Path | None, as_json: bool) -> None:
    """Check every run, and report every fault at once.

    \b
    Example:
      finlora configs validate
    """
    from finlora import configs
    from finlora.errors import ConfigError

    file = load_config(config)
    problems = configs.validate(file)
    if as_json:
        print_json([asdict(problem) for problem in problems])
        sys.exit(2 if problems else 0)
    if problems:
        raise ConfigError(problems)
    click.echo(f"{file.path}: {len(file.runs)} runs, no fault")


@configs.command()
def schema() -> None:
    """Print the JSON Schema of the config file, for editors.

    \b
    Example:
      finlora configs schema > configs/finetune_configs.schema.json
    """
    from finlora.config import json_schema

    print_json(json_schema())
