"""Which rows a training will take together: dropped, held out, in order, batch by batch, step by step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from finlora import data
from finlora.memory import Batch
from finlora.row_lengths import RowLengths


@dataclass(frozen=True)
class PlannedRows:
    """The rows of a training.

    Args:
        rows: rows of the dataset.
        train: rows to train on.
        validation: rows held out.
        dropped: rows longer than sequence_len.
        longest: tokens of the longest row of the dataset.
        tokens: tokens of the training rows, once.
        steps: optimiser steps in all.
        batches: what each GPU takes at once in one epoch, in training order.
    """

    rows: int
    train: int
    validation: int
    dropped: int
    longest: int
    tokens: int
    steps: int
    batches: tuple[Batch, ...]


def planned_rows(
    lengths: RowLengths,
    *,
    sequence_len: int,
    val_set_size: float,
    seed: int,
    batch_size: int,
    accumulation: int,
    processes: int,
    epochs: float,
) -> PlannedRows:
    """Do with row lengths what `prepared_rows` and the trainer do with rows.

    Args:
        lengths: tokens of every row.
        sequence_len: tokens of the longest row that is not dropped.
        val_set_size: share of rows held out.
        seed: decides split and order.
        batch_size: rows a process takes at once.
        accumulation: batches of a step.
        processes: training processes.
        epochs: how often each row comes.
    """
    totals = lengths.totals
    kept = [i for i, total in enumerate(totals) if total <= sequence_len]
    train, validation = data.split(kept, val_set_size, seed)
    step_rows = batch_size * accumulation * processes
    order = [train[i] for i in data.length_order([totals[i] for i in train], step_rows, seed)]
    groups = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return PlannedRows(
        rows=len(totals),
        train=len(train),
        validation=len(validation),
        dropped=len(totals) - len(kept),
        longest=max(totals),
        tokens=sum(totals[i] for i in train),
        steps=steps(len(train), batch_size, accumulation, processes, epochs),
        batches=tuple(_batch(group, lengths, totals) for group in groups),
    )


def steps(rows: int, batch_size: int, accumulation: int, processes: int, epochs: float) -> int:
    """Return the optimiser steps of a training.

    Source: transformers' `Trainer.set_initial_training_values`; accelerate fills up the last round of
    batches, so that every process has one.
    """
    batches = math.ceil(math.ceil(rows / batch_size) / processes)
    return math.ceil(epochs * max(1, math.ceil(batches / accumulation))) if rows else 0


def _batch(group: Sequence[int], lengths: RowLengths, totals: Sequence[int]) -> Batch:
    """Return rows that are taken together; a position counts once when any row has an answer there."""
    positions = reached = 0
    for start, end in sorted((lengths.questions[i], totals[i]) for i in group):
        positions += max(0, end - max(start, reached))
        reached = max(reached, end)
    return Batch(len(group), max(totals[i] for i in group), positions)
