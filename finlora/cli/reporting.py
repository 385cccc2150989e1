"""The command that brings all results together."""

from pathlib import Path

import click

from finlora.cli.shared import FILE, print_json, with_config, with_json


@click.command()
@with_config
@click.option(
    "--output", type=FILE, metavar="FOLDER", help="Where to write; default: report/ of the project. Replaces."
)
@with_json
def report(config: Path | None, output: Path | None, as_json: bool) -> None:
    """Bring all results of this project together, as one HTML page and as Markdown.

    Writes report.html (no scripts, nothing to load; opens anywhere, prints well) and report.md.
    A damaged result is named and left out.

    \b
    Example:
      finlora report
      finlora report --output to_model_risk
    """
    from finlora import display, report_page, report_record
    from finlora import report as reports
    from finlora.config_place import find_config, project_root

    root = project_root(find_config(config))
    built = reports.build(root)
    page, text = report_page.write(built, output or root / "report")
    if as_json:
        print_json({"html": str(page), "markdown": str(text), **report_record.to_record(built)})
    else:
        click.echo(f"{page}\n{text}")
    for where, fault in built.damaged:
        display.say(f"note: {where} is left out: {fault}")
