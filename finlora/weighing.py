"""Weighing given answers: the log-likelihood of every label behind every prompt of a batch."""

import copy
from typing import Any

from finlora import decoding

# Rows of one pass where labels are read one after another, and places whose logits (places times
# vocabulary) are held at once where they are read together.
_MOST_CONTINUATIONS = 64
_MOST_PLACES = 2048


def weigh(
    model: Any, ids: Any, mask: Any, shared: int, cache: Any, answers: list[list[list[int]]], pad: int
) -> list[list[float]]:
    """Return ln p of every answer behind its prompt, the sum over its tokens.

    Args:
        model: a causal language model.
        ids: left-padded prompts, rows x width.
        mask: 1 for tokens, 0 for padding, in the shape of `ids`.
        shared: columns that the cache holds already.
        cache: of these columns, for all rows; None if nothing was read. It is used up.
        answers: token ids of each answer to each prompt, as many answers for each.
        pad: a token for padding.

    Returns:
        As `answers`, a number for each.
    """
    width = max(len(answer) for row in answers for answer in row) - 1
    places = len(ids) * (1 + len(answers[0]) * width)
    together = width > 0 and places <= _MOST_PLACES and _takes_masks(model)
    read = _together if together else _one_by_one
    found: list[list[float]] = read(model, ids, mask, shared, cache, answers, pad).tolist()
    return found


def repeated(cache: Any, times: int) -> Any:
    """Return a copy of a cache with every row several times; no cache stays none."""
    if cache is None:
        return None
    cache = copy.deepcopy(cache)
    cache.batch_repeat_interleave(times)
    return cache


def _takes_masks(model: Any) -> bool:
    """Tell whether a model obeys a mask of what each token sees: rotary positions, whole attention."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        getattr(config, "_attn_implementation", None) in ("sdpa", "eager")
        and bool(getattr(config, "rope_parameters", None))
        and not getattr(config, "sliding_window", None)
        and kinds == {"full_attention"}
    )


def _together(
    model: Any, ids: Any, mask: Any, shared: int, cache: Any, answers: list[list[list[int]]], pad: int
) -> Any:
    """Read each prompt and all its answers in one pass: an answer sees the prompt and itself, no other."""
    import torch

    tokens, real = _padded(answers, pad, ids.device)
    n, labels, width = tokens.shape[0], tokens.shape[1], tokens.shape[2] - 1
    places = decoding.positions(mask)
    behind = places[:, -1:] + 1 + torch.arange(width, device=ids.device).repeat(labels)
    out = model(
        input_ids=torch.cat([ids[:, shared:], tokens[..., :-1].reshape(n, -1)], 1),
        attention_mask=_bias(mask, shared, labels, width, model.dtype),
        position_ids=torch.cat([places[:, shared:], behind], 1),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=torch.arange(ids.shape[1] - shared - 1, ids.shape[1] - shared + labels * width),
    )
    logits = out.logits.float()
    chances = logits.logsumexp(-1)
    first = logits[:, 0].gather(1, tokens[..., 0]) - chances[:, :1]
    rest = logits[:, 1:].reshape(n, labels, width, -1).gather(3, tokens[..., 1:, None])[..., 0]
    rest = rest - chances[:, 1:].reshape(n, labels, width)
    return first + (rest * real[..., 1:]).sum(2)


def _bias(mask: Any, shared: int, labels: int, width: int, dtype: Any) -> Any:
    """Return what is added to the attention: 0 where a token sees another, the least number where not."""
    import torch

    n, columns = mask.shape
    own, behind = columns - shared, labels * width
    prompt = mask.bool()[:, None]
    sees = torch.zeros(n, own + behind, columns + behind, dtype=torch.bool, device=mask.device)
    causal = torch.ones(own, columns, dtype=torch.bool, device=mask.device).tril(shared)
    # Padding has to see something: itself.
    itself = torch.eye(own, columns, dtype=torch.bool, device=mask.device).roll(shared, 1)
    sees[:, :own, :columns] = (prompt & causal) | itself
    sees[:, own:, :columns] = prompt
    block = torch.ones(width, width, device=mask.device).tril()
    sees[:, own:, columns:] = torch.block_diag(*[block] * labels).bool()
    bias = torch.zeros(n, 1, own + behind, columns + behind, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~sees[:, None], torch.finfo(dtype).min)


def _one_by_one(
    model: Any, ids: Any, mask: Any, shared: int, cache: Any, answers: list[list[list[int]]], pad: int
) -> Any:
    """Read each prompt once; its cache then serves one answer after another."""
    logits, cache = decoding.last_logits(
        model, ids[:, shared:], mask, decoding.positions(mask)[:, shared:], cache
    )
    tokens, real = _padded(answers, pad, ids.device)
    total = logits.log_softmax(-1).gather(1, tokens[..., 0])
    wide = max(1, _MOST_CONTINUATIONS // len(ids))
    for start in range(0, total.shape[1] if tokens.shape[2] > 1 else 0, wide):
        part = slice(start, start + wide)
        total[:, part] += _continue(model, cache, mask, tokens[:, part], real[:, part])
    return total


def _continue(model: Any, cache: Any, mask: Any, tokens: Any, real: Any) -> Any:
    """Return ln p of each answer's tokens after its first, rows x answers."""
    import torch

    n, times, width = tokens.shape
    tokens, real = tokens.reshape(n * times, width), real.reshape(n * times, width)
    whole = torch.cat([mask.repeat_interleave(times, 0), real[:, :-1]], 1)
    out = model(
        input_ids=tokens[:, :-1],
        attention_mask=whole,
        position_ids=decoding.positions(whole)[:, 1 - width :],
        past_key_values=repeated(cache, times),
        use_cache=True,
    )
    found = out.logits.float().log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]
    return (found * real[:, 1:]).sum(1).view(n, times)


def _padded(answers: list[list[list[int]]], pad: int, device: Any) -> tuple[Any, Any]:
    """Return tokens and mask of answers, rows x answers x width."""
    import torch

    width = max(len(answer) for row in answers for answer in row)
    tokens = [[answer + [pad] * (width - len(answer)) for answer in row] for row in answers]
    real = [[[1] * len(answer) + [0] * (width - len(answer)) for answer in row] for row in answers]
    return torch.tensor(tokens, device=device), torch.tensor(real, device=device)
