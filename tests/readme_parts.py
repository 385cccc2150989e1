"""The parts of the pages that are made from the code: commands, keys of a run and a task, runs, tasks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from finlora import axolotl_yaml, results, task_list, task_schema, tasks
from finlora.cli import cli
from finlora.config import CONFIG_NAME, RunConfig, load
from tests import scorer_table

ROOT = Path(__file__).parents[1]
Command = tuple[str, click.Command, click.Context]


def leaves() -> Iterator[Command]:
    """Yield every command that is no group: its full name, the command, a context for it."""
    root = click.Context(cli, info_name="finlora")
    yield from _leaves(cli, root)


def _leaves(group: click.Group, context: click.Context) -> Iterator[Command]:
    for name, command in sorted(group.commands.items()):
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _leaves(command, inner)
        else:
            yield inner.command_path, command, inner


def commands() -> str:
    """Return the table of commands."""
    rows = []
    for name, command, context in leaves():
        arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        what = " ".join(command.get_short_help_str(limit=200).split())
        rows.append(f"| `{' '.join([name, *arguments])}` | {what} |")
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def keys() -> str:
    """Return the table of the keys of a run, and what its `axolotl` object may hold."""
    rows = []
    for key, field in RunConfig.model_fields.items():
        default = (
            "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        )
        rows.append(f"| `{key}` | {default} | {field.description} |")
    table = "\n".join(["| key | default | allowed |", "| --- | --- | --- |", *rows])
    shared = ", ".join(f"`{key}` {_text(value)}" for key, value in axolotl_yaml._DEFAULTS.items())
    return (
        f"{table}\n\n"
        "The object `axolotl` takes any other key of Axolotl's schema; one that is not in the schema is\n"
        "an error. Keys that FinLoRA writes from the run and the machine can't be set there, except these\n"
        f"defaults, which all runs share: {shared}."
    )


def _default(value: Any) -> str:
    return "absent" if value is None else f"`{_text(value)}`"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def runs() -> str:
    """Return the table of the shipped runs: a line for all variants of one task on one base model."""
    lines: dict[tuple[object, ...], list[str]] = {}
    for name, run in load(ROOT / "configs" / CONFIG_NAME).runs.items():
        shared = (
            name.removesuffix(f"_{run.variant}"),
            Path(run.dataset_path).relative_to("../data/train"),
            f"{run.num_epochs:g}",
            run.batch_size,
            run.gradient_accumulation_steps,
        )
        lines.setdefault(shared, []).append(run.variant)
    rows = [
        f"| `{name}_…` | `{dataset}` | {' '.join(f'`{variant}`' for variant in variants)} "
        f"| {epochs} | {batch} | {accumulation} |"
        for (name, dataset, epochs, batch, accumulation), variants in lines.items()
    ]
    columns = ["run", "dataset in `data/train`", "variants", "epochs", "batch", "accumulation"]
    return "\n".join([f"| {' | '.join(columns)} |", "| --- | --- | --- | ---: | ---: | ---: |", *rows])


def task_table() -> str:
    """Return the table of the shipped tasks, family by family."""
    shipped = tasks.load()
    rows = []
    for line in task_list.overview(shipped, ROOT / "data"):
        counts = [f"{line.rows[side]:,}" if side in line.rows else "-" for side in ("train", "test")]
        terms = line.licence + ("" if line.terms in ("free", line.licence) else f", {line.terms}")
        what = shipped[line.task].description
        rows.append(
            f"| `{line.task}` | {line.family} | {line.answer} | {what} | {' | '.join(counts)} "
            f"| {line.source} | {terms} |"
        )
    columns = ["task", "family", "answer", "what is asked", "train", "test", "source", "licence"]
    return "\n".join(
        [f"| {' | '.join(columns)} |", "| --- | --- | --- | --- | ---: | ---: | --- | --- |", *rows]
    )


def task_keys() -> str:
    """Return the table of the keys of a task, those inside its objects after them."""
    return "\n".join(
        ["| key | default | allowed |", "| --- | --- | --- |", *_task_keys(task_schema.Task, "")]
    )


def _task_keys(model: Any, outer: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        if key == "kind":
            continue
        default = "required" if field.is_required() else "absent"
        if not field.is_required() and field.get_default(call_default_factory=True) not in (None, [], {}, ""):
            value = field.get_default(call_default_factory=True)
            default = "absent" if isinstance(value, task_schema.Entry) else f"`{_text(value)}`"
        yield f"| `{outer}{key}` | {default} | {field.description} |"
        for inner, name in _INSIDE.get((model, key), ()):
            yield from _task_keys(inner, f"{outer}{name}")


# Field of a task: the objects it holds, each with how its keys are written.
_PART = (task_schema.Part, "files.SPLIT[].")
_INSIDE = {
    (task_schema.Task, "source"): (
        (task_schema.Hub, "source (hub)."),
        (task_schema.Bring, "source (bring)."),
        (task_schema.Built, "source (built)."),
        (task_schema.Mix, "source (mix)."),
    ),
    (task_schema.Task, "convert"): ((task_schema.Conversion, "convert."),),
    (task_schema.Task, "licence"): ((task_schema.Licence, "licence."),),
    (task_schema.Task, "split"): ((task_schema.Split, "split."),),
    (task_schema.Hub, "files"): (_PART,),
}


def demo() -> str:
    """Return the table of what the demo reaches, from the results that `benchmarks/demo.py` keeps."""
    rows = []
    for path in sorted((ROOT / "benchmarks" / "demo").glob("*_base.json"), reverse=True):
        base, adapter = (
            results.read(path),
            results.read(path.with_name(path.name.replace("_base", "_adapter"))),
        )
        against = adapter.against or {}
        for who, one in (("base model", base), ("adapter", adapter)):
            low, high = one.interval
            change = f"{100 * against['difference']:+.1f} points" if one is adapter else ""
            rows.append(
                f"| `{one.task}`, {one.rows:,} rows | {who} | {one.score:.1%} | {low:.1%}-{high:.1%} "
                f"| {one.weighted_f1:.1%} | {change} |"
            )
    columns = ["task", "who", "accuracy", "95% interval", "F1", "difference"]
    return "\n".join([f"| {' | '.join(columns)} |", "| --- | --- | ---: | ---: | ---: | ---: |", *rows])


# Page: its generated parts, by name.
PARTS = {
    "README.md": {"commands": commands, "demo": demo, "keys": keys},
    "docs/runs.md": {"runs": runs},
    "docs/data.md": {"tasks": task_table, "task-keys": task_keys},
    "docs/scores.md": {"scorers": scorer_table.table},
}


def filled(page: str, text: str) -> str:
    """Return a page with its generated parts as they should be.

    Args:
        page: its path in the project, one of PARTS.
        text: the page; each part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
    """
    for name, part in PARTS[page].items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}{part()}\n{end}{rest.partition(end)[2]}"
    return text
