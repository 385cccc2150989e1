"""The leaderboard of a report: rows are tasks, columns who was scored; only what compares shares a row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finlora.report_sources import Entry, Respondent

# Families in the benchmark's order; the last one is for tasks of no family.
OWN = "own"
FAMILIES = {
    "general": "General: sentiment, headlines, names",
    "certification": "Certification: exam questions",
    "reporting": "Reporting: tags and terms",
    "analysis": "Analysis: filings and maths",
    OWN: "Your own files",
}
METRICS = {"accuracy": "accuracy, %", "bertscore_f1": "BERTScore F1", "rouge_l": "ROUGE-L"}
DECODES = {"labels": "the likeliest label", "generate": "generated text, then parsed"}
# Columns that are shown at once; the others are folded into a list.
COLUMNS = 12
_OTHERS_FIRST = 4
_KINDS = ("base", "endpoint", "adapter")


@dataclass(frozen=True)
class Row:
    """One task on one set of rows, scored one way.

    Args:
        task: its id.
        title: its name for people.
        dataset: file name of the rows.
        dataset_sha256: digest of that file.
        rows: how many were asked.
        majority: score of always giving the most frequent right answer; None for free text.
        apart: why its scores can't stand among the full ones, in words.
        cells: one for each column of the table; None where it was not scored.
    """

    task: str
    title: str
    dataset: str
    dataset_sha256: str
    rows: int
    majority: float | None
    apart: tuple[str, ...]
    cells: tuple[Entry | None, ...]


@dataclass(frozen=True)
class Block:
    """Rows that may be averaged: one metric, one way of asking.

    Args:
        metric: key of METRICS.
        decode: key of DECODES.
        rows: by title.
        averages: for each column; None where it is not averaged.
        averaged: rows that every column with a score in the block has.
    """

    metric: str
    decode: str
    rows: tuple[Row, ...]
    averages: tuple[float | None, ...]
    averaged: int


@dataclass(frozen=True)
class Table:
    """Scores of one family.

    Args:
        columns: who was scored: base models, hosted models, then adapters, by how far they lie above the
            average of their rows.
        shown: how many of the columns stand side by side; the others are folded.
        blocks: the rows.
    """

    columns: tuple[Respondent, ...]
    shown: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Family:
    """A task family.

    Args:
        name: key of FAMILIES.
        full: scores on all mended rows by our own scorer; None without any.
        apart: all others: other rows, another scorer, or weights that are no more; None without any.
    """

    name: str
    full: Table | None
    apart: Table | None


def families(entries: Sequence[Entry], titles: Mapping[str, str]) -> tuple[Family, ...]:
    """Return the families that have scores, in the benchmark's order.

    Args:
        entries: all results.
        titles: names of the tasks for people, by id.
    """
    found = []
    for name in FAMILIES:
        own = [entry for entry in entries if family_of(entry) == name]
        full = _table([entry for entry in own if not entry.apart], titles)
        apart = _table([entry for entry in own if entry.apart], titles)
        if full or apart:
            found.append(Family(name, full, apart))
    return tuple(found)


def family_of(entry: Entry) -> str:
    """Return the family of a result's task."""
    family = entry.result.family
    return family if family in FAMILIES and family is not None else OWN


def key_of(entry: Entry) -> tuple[Any, ...]:
    """Return what two results share if they may stand in one row: rows, metric, way of asking, scorer."""
    result, settings = entry.result, entry.result.settings
    drawn = (result.limit, repr(settings.get("rows_seed"))) if result.limit else None
    encoder = None
    if result.metric == "bertscore_f1":
        encoder = (repr(settings.get("bert_model")), repr(settings.get("bert_layers")))
    asked = (result.task, result.dataset, result.dataset_sha256, result.rows, drawn)
    return (result.metric, result.decode, *asked, encoder, entry.apart)


def _table(entries: Sequence[Entry], titles: Mapping[str, str]) -> Table | None:
    if not entries:
        return None
    rows: dict[tuple[Any, ...], dict[Respondent, Entry]] = {}
    for entry in entries:
        rows.setdefault(key_of(entry), {})[entry.who] = entry
    columns = _ordered(rows)
    shown = len(columns) if len(columns) <= COLUMNS else COLUMNS
    groups: dict[tuple[str, str], list[Row]] = {}
    for key, cells in rows.items():
        groups.setdefault((key[0], key[1]), []).append(_row(cells, columns, titles))
    order = [(metric, decode) for metric in METRICS for decode in DECODES]
    blocks = [_block(*key, groups[key], shown) for key in order if key in groups]
    return Table(columns, shown, tuple(blocks))


def _ordered(rows: Mapping[tuple[Any, ...], Mapping[Respondent, Entry]]) -> tuple[Respondent, ...]:
    """Return the columns: kinds apart, the best first; of very many, few base and hosted models lead."""
    leads: dict[Respondent, list[float]] = {}
    for cells in rows.values():
        mean = math.fsum(entry.result.score for entry in cells.values()) / len(cells)
        for who, entry in cells.items():
            leads.setdefault(who, []).append(entry.result.score - mean)

    def place(who: Respondent) -> tuple[int, float, str]:
        return (_KINDS.index(who.kind), -round(math.fsum(leads[who]) / len(leads[who]), 9), who.name)

    ordered = sorted(leads, key=place)
    if len(ordered) > COLUMNS:
        others = [who for who in ordered if who.kind != "adapter"]
        own = [who for who in ordered if who.kind == "adapter"]
        ordered = [*others[:_OTHERS_FIRST], *own, *others[_OTHERS_FIRST:]]
    return tuple(ordered)


def _row(cells: Mapping[Respondent, Entry], columns: Sequence[Respondent], titles: Mapping[str, str]) -> Row:
    first = next(iter(cells.values()))
    result = first.result
    return Row(
        task=result.task,
        title=titles.get(result.task, result.task),
        dataset=result.dataset,
        dataset_sha256=result.dataset_sha256,
        rows=result.rows,
        majority=next((e.result.majority for e in cells.values() if e.result.majority is not None), None),
        apart=first.apart,
        cells=tuple(cells.get(who) for who in columns),
    )


def _block(metric: str, decode: str, rows: Sequence[Row], shown: int) -> Block:
    """Return rows with the averages of the columns that are shown, over the rows that all of these have."""
    ordered = sorted(rows, key=lambda row: (row.title, row.apart, row.dataset, row.dataset_sha256))
    taking = [i for i in range(shown) if any(row.cells[i] for row in ordered)]
    common = [row for row in ordered if taking and all(row.cells[i] for i in taking)]
    averages: list[float | None] = [None] * shown
    for i in taking if common else []:
        scores = [entry.result.score for row in common if (entry := row.cells[i])]
        averages[i] = math.fsum(scores) / len(scores)
    return Block(metric, decode, tuple(ordered), tuple(averages), len(common))
