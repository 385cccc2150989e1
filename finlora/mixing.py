"""Training rows of several tasks put together."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from finlora.converters.mending import without_duplicates

_Rows = Sequence[Mapping[str, Any]]
# The published code set none.
_SEED = 42


def mix(
    parts: Mapping[str, _Rows],
    repeats: Mapping[str, int],
    *,
    balanced: bool,
    as_published: bool,
    seed: int | None,
) -> list[Mapping[str, Any]]:
    """Put the rows of several tasks together.

    As published, each part's rows are repeated and follow in the parts' order; a balanced mix takes as many
    of each part, drawn at random, as the smallest has then, and is shuffled. Mended, each row of each part
    stands once, and the rows are shuffled: balanced without repeats, the smallest part would take nearly
    all rows away.

    Args:
        parts: task to rows.
        repeats: task to how often the published mix repeats its rows.
        balanced: the same number of rows of each part, as published.
        as_published: with the repeats.
        seed: decides what is drawn, and the order.
    """
    chance = random.Random(_SEED if seed is None else seed)
    if as_published:
        return _published(parts, repeats, balanced, chance)
    mixed: list[Mapping[str, Any]] = []
    for rows in parts.values():
        mixed += [rows[i] for i in without_duplicates(rows, apart_from=mixed)]
    chance.shuffle(mixed)
    return mixed


def _published(
    parts: Mapping[str, _Rows], repeats: Mapping[str, int], balanced: bool, chance: random.Random
) -> list[Mapping[str, Any]]:
    taken = [list(rows) * repeats[task] for task, rows in parts.items()]
    if balanced:
        least = min(map(len, taken))
        taken = [chance.sample(rows, least) for rows in taken]
    mixed = [row for rows in taken for row in rows]
    if balanced:
        chance.shuffle(mixed)
    return mixed
