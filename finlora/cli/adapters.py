"""Commands about the shelf: what lies there, all about one adapter, whether it is sound."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from finlora.cli.shared import config_around, print_json, with_config, with_json


@click.group()
def adapters() -> None:
    """List, show and verify the adapters on the shelf, and write their cards."""


def _root(config: Path | None) -> Path | None:
    from finlora.config_place import project_root

    around = config_around(config)
    return project_root(around) if around else None


@adapters.command("list")
@with_config
@with_json
def list_(config: Path | None, as_json: bool) -> None:
    """List the adapters of this project: base model, method, rows, loss, size, kept scores.

    \b
    Example:
      finlora adapters list
    """
    from finlora import shelf, shelf_display
    from finlora.config_place import find_config, project_root

    entries = shelf.overview(project_root(find_config(config)))
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        shelf_display.shelf(entries)


@adapters.command()
@click.argument("name")
@with_config
@with_json
def show(name: str, config: Path | None, as_json: bool) -> None:
    """Show all about the adapter NAME (a run name on the shelf, or a folder) that a reviewer asks for.

    Where several variants have the name, as a central and a federated one, give VARIANT/NAME.

    \b
    Example:
      finlora adapters show formula_llama_3_1_8b_8bits_r8
      finlora adapters show 8bits_r8_fed/formula_llama_3_1_8b_8bits_r8
    """
    from finlora import adapters as shelved
    from finlora import display, shelf_page

    root = _root(config)
    about = shelf_page.describe(shelved.find(name, root), root)
    if as_json:
        print_json({**asdict(about), "folder": str(about.folder)})
    else:
        display.sections(str(about.folder), shelf_page.page(about))
    for note in about.notes:
        display.say(f"note: {note}")


@adapters.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@with_config
@with_json
def verify(names: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Prove that the adapters NAME, or all, are whole, trained, unedited and safe to hand on.

    Reads files, weights, adapter config and manifest; no model is loaded. Exit code 1 if one fails.

    \b
    Example:
      finlora adapters verify all
      finlora adapters verify formula_llama_3_1_8b_8bits_r8 --json
    """
    from finlora import shelf_checks, shelf_display

    verdicts = shelf_checks.verify(names, _root(config))
    if as_json:
        print_json([{**asdict(verdict), "ok": verdict.ok} for verdict in verdicts])
    else:
        shelf_display.verdicts(verdicts)
    if not all(verdict.ok for verdict in verdicts):
        sys.exit(1)


@adapters.command()
@click.argument("name")
@click.option(
    "--overwrite", is_flag=True, help="Put a new card in the place of any other, your own words included."
)
@with_config
def card(name: str, overwrite: bool, config: Path | None) -> None:
    """Write or renew the card (README.md) of the adapter NAME, with its scores, and print where it is.

    What you wrote into it is kept, above and below FinLoRA's part and in the front matter.

    \b
    Example:
      finlora adapters card formula_llama_3_1_8b_8bits_r8
    """
    from finlora import adapter_card
    from finlora import adapters as shelved

    root = _root(config)
    click.echo(adapter_card.write(root, shelved.find(name, root), overwrite))
