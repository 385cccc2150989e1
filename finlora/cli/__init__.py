"""The command line: every command parses, calls one function, prints its record. click lives here."""

import os
import sys

import click

from finlora import __version__
from finlora.cli import (
    adapters,
    answering,
    checking,
    comparing,
    data,
    evaluating,
    federating,
    forgetting,
    merging,
    planning,
    previewing,
    project,
    rehearsing,
    reporting,
    training,
)
from finlora.errors import FinLoRAError
from finlora.privacy import be_quiet

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code (see `finlora.errors`)."""
    be_quiet()
    try:
        sys.exit(cli(argv, prog_name="finlora", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except FinLoRAError as error:
        if os.environ.get("FINLORA_DEBUG"):
            raise
        click.echo(f"{click.style('Error:', fg='red')} {_safe(str(error))}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: not an error, and nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if os.environ.get("FINLORA_DEBUG"):
            raise
        place = _safe(f"{error.filename}: ") if error.filename else ""
        click.echo(f"{click.style('Error:', fg='red')} {place}{error.strerror or error}", err=True)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("FINLORA_DEBUG"):
            raise
        click.echo(
            f"{click.style('Unexpected error:', fg='red')} {type(error).__name__}: {_safe(str(error))}\n"
            "This is a fault of FinLoRA; the traceback: run the command again with FINLORA_DEBUG=1",
            err=True,
        )
        sys.exit(1)


def _safe(text: str) -> str:
    """Return an error's text as a terminal may have it: names in it may come from somebody else's files."""
    from finlora.json_text import printable_lines

    return printable_lines(text)


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="finlora")
def cli() -> None:
    """Tune language models for finance with LoRA, and know what was trained.

    \b
    Example:
      finlora configs list
      finlora finetune sentiment_smollm2_135m_fp16_r8
      finlora infer --adapter sentiment_smollm2_135m_fp16_r8
    """


for command in (
    training.finetune,
    federating.federate,
    answering.infer,
    evaluating.evaluate_,
    forgetting.forgetting,
    comparing.compare,
    reporting.report,
    adapters.adapters,
    merging.merge,
    project.configs,
    training.render,
    planning.plan,
    rehearsing.rehearse,
    project.fetch_deepspeed,
    data.data_,
    project.doctor,
    project.init,
):
    cli.add_command(command)
for command in (checking.check, previewing.preview):
    data.data_.add_command(command)
