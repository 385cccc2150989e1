"""Decoding a batch of prompts: one forward pass a token, for the rows that are not done."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

# Tokens that a start of its own must save before rows are answered apart: about one small batch.
_WORTH_READING = 1024


def positions(mask: Any) -> Any:
    """Return the position of each token of an attention mask; padding has the one before it."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def batches(lengths: Sequence[int], room: int, tokens: int) -> list[list[int]]:
    """Put rows of about one length together, as many as a budget of tokens holds: hardly any padding.

    Args:
        lengths: tokens of each prompt.
        room: tokens each answer may have.
        tokens: the budget of a batch: its rows times (its longest prompt and the room).

    Returns:
        Row numbers; a row that is over the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    found: list[list[int]] = []
    for row in order:
        if found and (len(found[-1]) + 1) * (lengths[row] + room) <= tokens:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def starts(rows: Sequence[list[int]]) -> list[tuple[int, list[int]]]:
    """Put rows with a long beginning in common together, so that it can be read once.

    Prompts of one instruction share most of it; those of several ("this news", "this tweet") part early,
    and share much more within each.

    Args:
        rows: token ids of each prompt, none empty.

    Returns:
        Groups: the tokens that the group's rows share, leaving each at least one of its own, and the
        numbers of the rows.
    """
    shared = _common_start(rows)
    by_next: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        by_next.setdefault(row[shared], []).append(number)
    found: list[tuple[int, list[int]]] = []
    rest: list[int] = []
    for numbers in by_next.values():
        start = _common_start([rows[number] for number in numbers])
        if (len(numbers) - 1) * (start - shared) >= _WORTH_READING:
            found.append((start, numbers))
        else:
            rest.extend(numbers)
    return [*found, (shared, sorted(rest))] if rest else found


def _common_start(rows: Sequence[list[int]]) -> int:
    """Count the tokens that all rows start with, leaving each row at least one of its own."""
    if len(rows) < 2:
        return 0
    first, last = min(rows), max(rows)
    most = min(len(row) for row in rows) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def last_logits(model: Any, ids: Any, mask: Any, places: Any, cache: Any) -> tuple[Any, Any]:
    """Read tokens; return the float32 logits behind the last of each row (rows x vocabulary), and the cache.

    Args:
        model: a causal language model.
        ids: the tokens to read, rows x width.
        mask: 1 for tokens, 0 for padding, those in the cache included.
        places: the position of each token to read.
        cache: of what was read before; None if nothing was.
    """
    import torch

    # Index -1 as a tensor: a contiguous copy; a slice of bfloat16 would slow the output layer.
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor([-1], device=ids.device),
    )
    return out.logits[:, -1].float(), out.past_key_values


def decode(
    model: Any,
    ids: Any,
    mask: Any,
    read: int,
    cache: Any,
    stop: Collection[int],
    most: int,
    choose: Callable[[Any, list[int]], Any],
) -> list[list[int]]:
    """Return the answer tokens of left-padded prompts. A row that is done takes no further time.

    Args:
        model: a causal language model.
        ids: token ids, rows x width.
        mask: 1 for tokens, 0 for padding, in the shape of `ids`.
        read: how many columns the cache holds already.
        cache: that of the columns read, for all rows; None if none was read. It is used up.
        stop: the tokens that end an answer; the one that did is part of it.
        most: tokens of the longest answer.
        choose: picks a token for each row that goes on, from float32 logits (rows x vocabulary) and the
            numbers of these rows.
    """
    import torch

    answers: list[list[int]] = [[] for _ in ids]
    rows = list(range(len(answers)))
    places = positions(mask)[:, read:]
    ids = ids[:, read:]
    for _ in range(most):
        logits, cache = last_logits(model, ids, mask, places, cache)
        ids = choose(logits, rows)
        for row, token in zip(rows, ids.tolist(), strict=True):
            answers[row].append(token)
        going = [i for i, row in enumerate(rows) if answers[row][-1] not in stop]
        if not going:
            break
        if len(going) < len(rows):
            kept = torch.tensor(going, device=ids.device)
            cache.batch_select_indices(kept)
            ids, mask, rows = ids[kept], mask[kept], [rows[i] for i in going]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
        ids, places = ids[:, None], mask.sum(1, keepdim=True) - 1
    return answers


def chooser(
    temperature: float, seed: int, numbers: Sequence[int], device: Any
) -> Callable[[Any, list[int]], Any]:
    """Return what picks tokens: the likeliest, or drawn; a row's draws depend on its own number alone.

    Args:
        temperature: 0 takes the likeliest token each time; above, tokens are drawn.
        seed: decides the draws, together with the row's number.
        numbers: the number of each row of the batch.
        device: that of the model.
    """
    import torch

    if not temperature:
        return lambda logits, _: logits.argmax(-1)
    chance = [torch.Generator(device=device).manual_seed(seed + number) for number in numbers]

    def draw(logits: Any, rows: list[int]) -> Any:
        weights = (logits / temperature).softmax(-1)
        picked = [
            torch.multinomial(w, 1, generator=chance[row]) for w, row in zip(weights, rows, strict=True)
        ]
        return torch.cat(picked)

    return draw
