"""The command that measures what tuning cost in general ability."""

from pathlib import Path
from typing import Any

import click

from finlora.cli.shared import FILE, config_around, print_json, with_config, with_json, with_offline


@click.command()
@click.option("--adapter", required=True, metavar="NAME", help="Run name on the shelf, or an adapter folder.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    default=("mmlu", "gsm8k"),
    show_default=True,
    metavar="NAME",
    help="Benchmark of the harness, or of --task-folder; may be repeated.",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Rows of each task, from its first: for a trial, not a score."
)
@click.option(
    "--task-folder", type=FILE, metavar="DIR", help="Task files of your own; code that they name is run."
)
@click.option("--base-model", metavar="MODEL", help="Another base model than the adapter's.")
@with_config
@with_offline
@with_json
def forgetting(
    config: Path | None,
    as_json: bool,
    tasks: tuple[str, ...],
    limit: int | None,
    task_folder: Path | None,
    **wanted: Any,
) -> None:
    """Measure what tuning cost: general benchmarks, with the adapter and with its untuned base.

    EleutherAI's lm-evaluation-harness asks both the same rows, in prompts of its own and without a chat
    template. Kept in results/forgetting/.

    \b
    Example:
      finlora forgetting --adapter NAME --task mmlu --task gsm8k
      finlora forgetting --adapter NAME --task mmlu --limit 5
    """
    from finlora import answering, display
    from finlora import forgetting as measuring

    around = config_around(config)
    found = list(
        measuring.measure(
            answering.Wanted(**wanted), tasks, around, folder=task_folder, limit=limit, say=display.say
        )
    )
    if as_json:
        print_json([one.to_record() for one in found])
        return
    display.table(
        ["benchmark", "metric", "adapter", "base model", "adapter - base", "95% interval", "p"],
        [
            [one.task, name.removesuffix(",none"), *_figures(change)]
            for one in found
            for name, change in one.metrics.items()
        ],
    )
    for one in found:
        few_shot = sorted({part["few_shot"] for part in one.parts.values()})
        examples = " to ".join(str(n) for n in dict.fromkeys((few_shot[0], few_shot[-1])))
        display.say(f"{one.task}: {one.rows:,} rows, {examples} solved examples before each")
    if limit:
        display.say(f"only the first {limit} rows of each task: a trial, not a score")


def _figures(change: Any) -> list[str]:
    low_high = "{:+.4f} to {:+.4f}".format(*change.interval) if change.interval else "-"
    return [
        _with_error(change.adapter, change.adapter_stderr),
        _with_error(change.base, change.base_stderr),
        f"{change.difference:+.4f}",
        low_high,
        "-" if change.p_value is None else f"{change.p_value:.3f}",
    ]


def _with_error(value: float, stderr: float | None) -> str:
    return f"{value:.4f}" + (f" ± {stderr:.4f}" if stderr is not None else "")
