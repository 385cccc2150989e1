"""The cheapest changes that make a training fit on a GPU."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from finlora import gpus
from finlora.memory import GIB
from finlora.plan_needs import Setting, needs
from finlora.prepared_rows import MOST_DROPPED

_BITS = (16, 8, 4)
_LENGTH_SHARES = (0.99, 0.95, 0.90)
_MOST_GPUS = 8


@dataclass(frozen=True)
class Change:
    """One way to make a run fit.

    Args:
        keys: keys of the run with their new values.
        options: options of the command line with their new values.
        peak: bytes on each GPU then.
        price: what it costs besides.
    """

    keys: dict[str, Any]
    options: dict[str, Any]
    peak: int
    price: str


def cheapest_changes(setting: Setting, limit: int) -> tuple[Change, ...]:
    """Return changes that make a setting fit, the cheapest first; one of each kind.

    Args:
        setting: what does not fit.
        limit: bytes of a GPU.
    """
    kinds = (
        _smaller_batches(setting),
        _fewer_bits(setting),
        _both(setting),
        _shorter(setting),
        _cut_up(setting),
    )
    found = [next((c for c in kind if c.peak <= limit), None) for kind in kinds]
    batches, bits, both, *others = found
    # Two changes at once are worth a word when neither of them is enough.
    chosen = [batches, bits, both if not (batches or bits) else None, *others, _larger_gpu(setting, limit)]
    return tuple(change for change in chosen if change)


def _changed(
    setting: Setting, keys: dict[str, Any], price: str, options: dict[str, Any] | None = None, **other: Any
) -> Change:
    changed = replace(setting, run=setting.run.model_copy(update=keys), **other)
    return Change(keys, options or {}, needs(changed).memory.peak, price)


def _smaller_batches(setting: Setting) -> Iterator[Change]:
    for keys in _batch_keys(setting):
        yield _changed(setting, keys, "a little slower; a step has the same rows")


def _batch_keys(setting: Setting) -> list[dict[str, int]]:
    run = setting.run
    sizes = [size for size in range(run.batch_size - 1, 0, -1) if run.batch_size % size == 0]
    if run.global_batch_size is not None:
        return [{"batch_size": size} for size in sizes]
    return [
        {
            "batch_size": size,
            "gradient_accumulation_steps": run.gradient_accumulation_steps * (run.batch_size // size),
        }
        for size in sizes
    ]


def _fewer_bits(setting: Setting) -> Iterator[Change]:
    for bits in _BITS[_BITS.index(setting.run.quant_bits) + 1 :]:
        yield _changed(setting, {"quant_bits": bits}, "slower, and often a little less accurate")


def _both(setting: Setting) -> Iterator[Change]:
    for bits in _BITS[_BITS.index(setting.run.quant_bits) + 1 :]:
        for keys in _batch_keys(setting):
            yield _changed(setting, {"quant_bits": bits, **keys}, "slower, and often a little less accurate")


def _shorter(setting: Setting) -> Iterator[Change]:
    run = setting.run
    if setting.lengths is None:
        length = run.sequence_len // 2
        while length >= 128:
            yield _changed(setting, {"sequence_len": length}, "longer rows are dropped")
            length //= 2
        return
    totals = sorted(setting.lengths.totals)
    for share in _LENGTH_SHARES:
        length = totals[int(share * (len(totals) - 1))]
        lost = sum(total > length for total in totals)
        yield _changed(setting, {"sequence_len": length}, _lost(lost, len(totals)))


def _lost(rows: int, of: int) -> str:
    allowed = "" if rows <= MOST_DROPPED * of else "; asks for --allow-dropped-rows"
    return f"{rows} of {of} rows are dropped{allowed}"


def _cut_up(setting: Setting) -> Iterator[Change]:
    """Yield ZeRO-3 over more GPUs; stages 1 and 2 cut up only what is tiny in a LoRA training."""
    if setting.run.quant_bits != 16 or setting.run.peft_use_dora:
        return
    count = setting.gpus if setting.gpus > 1 and setting.zero_stage != 3 else setting.gpus + 1
    while count <= max(_MOST_GPUS, setting.gpus):
        options = {"gpus": count}
        yield _changed(
            setting, {"deepspeed": "zero3"}, "more GPUs, and slower", options, gpus=count, zero_stage=3
        )
        count += 1


def _larger_gpu(setting: Setting, limit: int) -> Change | None:
    peak = needs(setting).memory.peak
    large = [gpu for gpu in gpus.GPUS if limit < gpu.memory * GIB and peak <= gpu.memory * GIB]
    smallest = min(large, key=lambda gpu: gpu.memory, default=None)
    return Change({}, {"gpu": smallest.name}, peak, "a GPU with more memory") if smallest else None
