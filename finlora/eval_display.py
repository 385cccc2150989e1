"""What people see of scores: who reached what, what changed, and each class. Only `cli` uses it."""

from collections.abc import Iterable, Sequence
from typing import Any

import click

from finlora import display
from finlora.json_text import printable

# Labels that a table of classes has room for.
_MOST_CLASSES = 8
# Rows that are named on the screen; the result has all.
_MOST_LINES = 12


def scores(done: Sequence[Any]) -> None:
    """Print evaluations: a table of scores, one of differences, one of classes."""
    results = [one.result for one in done]
    tasks = list(dict.fromkeys(result.title for result in results))
    names = _names(results)
    rows = []
    for task in tasks:
        those = [result for result in results if result.title == task]
        if those[0].majority is not None:
            rows.append([task, "always the most frequent", f"{those[0].majority:.1%}", *["-"] * 5])
        rows += [[task, names[_id(result)], *_figures(result)] for result in those]
    click.echo("; ".join(tasks) if len(tasks) == 1 else f"{len(tasks)} tasks")
    columns = ["task", "who", _metric(results), "95% interval", "F1", "rows", "unparsed", "rows/s"]
    # One task needs no column of its own.
    start = 1 if len(tasks) == 1 else 0
    display.table(columns[start:], _printable(row[start:] for row in rows))
    _differences([result for result in results if result.against], names)
    _classes(results, names)


def _figures(result: Any) -> list[str]:
    low, high = result.interval
    speed = "-" if result.rows_per_second is None else f"{result.rows_per_second:,.1f}"
    return [
        f"{result.score:.1%}",
        f"{low:.1%}-{high:.1%}",
        _share(result.weighted_f1),
        f"{result.rows:,}",
        f"{result.unparsed:.1%}",
        speed,
    ]


def _id(result: Any) -> tuple[str, ...]:
    who = result.respondent
    return (who["kind"], who["name"], who.get("adapter_sha256") or "", who.get("base_identity") or "")


def _names(results: Sequence[Any]) -> dict[tuple[str, ...], str]:
    """Return what everybody is called: by the kind where there is one of it, else by a name of its own."""
    everybody = {_id(result): result.respondent for result in results}
    kinds = [kind for kind, *_ in everybody]
    plain = [name for _, name, *_ in everybody]
    words = {"base": "base model", "adapter": "adapter", "endpoint": "hosted model"}
    named = {
        who: f"{facts['variant']}/{who[1]}" if plain.count(who[1]) > 1 and facts.get("variant") else who[1]
        for who, facts in everybody.items()
    }
    return {who: words[who[0]] if kinds.count(who[0]) == 1 else name for who, name in named.items()}


def _differences(results: Sequence[Any], names: dict[tuple[str, ...], str]) -> None:
    if not results:
        return
    rows = []
    for result in results:
        pair = result.against
        low, high = pair["interval"]
        p = "-" if pair["p_value"] is None else _p_value(pair["p_value"])
        change = f"{100 * pair['difference']:+.1f} points"
        interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
        counts = [f"{pair['better']:,}", f"{pair['worse']:,}"]
        rows.append([result.title, names[_id(result)], change, interval, p, *counts])
    click.echo()
    columns = ["task", "against the base model", "difference", "95% interval", "McNemar p", "better", "worse"]
    start = 1 if len({result.title for result in results}) == 1 else 0
    display.table(columns[start:], _printable(row[start:] for row in rows))
    for result in results:
        if worse := result.against["got_worse"]:
            lines = ", ".join(map(str, worse[:_MOST_LINES])) + ", …" * (len(worse) > _MOST_LINES)
            click.echo(f"got worse: lines {lines} of {printable(result.dataset)}")


def _classes(results: Sequence[Any], names: dict[tuple[str, ...], str]) -> None:
    """Print the recall of each label, for tasks with few labels."""
    for task in dict.fromkeys(result.title for result in results):
        those = [result for result in results if result.title == task]
        labels = list(those[0].classes)
        if not labels or len(labels) > _MOST_CLASSES or those[0].kind not in ("label", "letter"):
            continue
        rows = [
            [
                names[_id(result)],
                *(_share(result.classes.get(label, {}).get("recall"), 0) for label in labels),
            ]
            for result in those
        ]
        click.echo()
        counts = [f"{label} ({those[0].classes[label]['rows']:,})" for label in labels]
        display.table([f"recall: {task}", *counts], _printable(rows))


def _metric(results: Sequence[Any]) -> str:
    metrics = {result.metric for result in results}
    names = {"accuracy": "accuracy", "bertscore_f1": "BERTScore", "rouge_l": "ROUGE-L"}
    return " or ".join(names[metric] for metric in sorted(metrics))


def _share(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}%}"


def _p_value(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _printable(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[printable(cell) for cell in row] for row in rows]
