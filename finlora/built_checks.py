"""What was really built, beside what was asked: a training that is something else must not run."""

import math
from typing import Any

from finlora.events import Asked

_LAYER_CLASSES = {4: "Linear4bit", 8: "Linear8bitLt", 16: "Linear"}


def observe(model: Any) -> dict[str, Any]:
    """Return what stands in a model that PEFT has wrapped.

    Args:
        model: the PeftModel, loaded and not yet trained.

    Returns:
        layers (count), targets (names), base_classes, ranks, scalings, dora (True, False or "mixed"),
        quant_types and double_quant (4-bit layers), trainable_parameters, lora_parameters
        (what of these layers must be trainable), a_frozen (whether no A is), base_dtype.
    """
    layers = {
        name: m for name, m in model.named_modules() if hasattr(m, "lora_A") and hasattr(m, "base_layer")
    }
    first = next(iter(layers.values()), None)
    adapter = next(iter(first.lora_A), "default") if first is not None else "default"
    four_bit = [m.base_layer.weight for m in layers.values() if hasattr(m.base_layer.weight, "quant_state")]
    dora = {bool(m.use_dora.get(adapter)) for m in layers.values()}
    a_frozen = not any(m.lora_A[adapter].weight.requires_grad for m in layers.values())
    return {
        "layers": len(layers),
        "targets": sorted({name.rpartition(".")[2] for name in layers}),
        "base_classes": sorted({type(m.base_layer).__name__ for m in layers.values()}),
        "quant_types": sorted({str(w.quant_type) for w in four_bit}),
        "double_quant": all(w.compress_statistics for w in four_bit) if four_bit else None,
        "ranks": sorted({m.r[adapter] for m in layers.values()}),
        "scalings": sorted({round(float(m.scaling[adapter]), 9) for m in layers.values()}),
        "dora": dora.pop() if len(dora) == 1 else "mixed",
        "trainable_parameters": sum(_count(p) for p in model.parameters() if p.requires_grad),
        "lora_parameters": sum(_expected(m, adapter, a_frozen) for m in layers.values()),
        "a_frozen": a_frozen,
        "base_dtype": str(next(iter(model.parameters())).dtype).removeprefix("torch."),
    }


def _count(parameter: Any) -> int:
    # ZeRO-3 leaves an empty shard and keeps the true size aside.
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def _expected(layer: Any, adapter: str, a_frozen: bool) -> int:
    outside = layer.base_layer.out_features
    inside = 0 if a_frozen else layer.base_layer.in_features
    magnitude = outside if layer.use_dora.get(adapter) else 0
    return int(layer.r[adapter] * (inside + outside) + magnitude)


def freeze_a(model: Any) -> None:
    """Leave the A matrices of a PeftModel as they are, and B alone to be trained.

    Source: Sun et al. 2024 (FFA-LoRA, arXiv 2403.12313), section 3.
    """
    for name, parameter in model.named_parameters():
        if ".lora_A." in name:
            parameter.requires_grad_(False)


def scaling(asked: Asked) -> float:
    """Return the factor on BA: alpha / r, or alpha / sqrt(r) for rsLoRA.

    Source: Hu et al. 2021 (LoRA, arXiv 2106.09685), section 4.1; Kalajdzievski 2023 (rsLoRA,
    arXiv 2312.03732), theorem 3.2.
    """
    return asked.lora_alpha / (math.sqrt(asked.lora_r) if asked.rslora else asked.lora_r)


def differences(asked: Asked, built: dict[str, Any]) -> list[str]:
    """Return one line for each way in which what was built is not what was asked.

    Args:
        asked: the run's wishes.
        built: what `observe` returned.
    """
    wanted = {
        "targets": sorted(asked.targets),
        "base_classes": [_LAYER_CLASSES[asked.quant_bits]],
        "ranks": [asked.lora_r],
        "scalings": [round(scaling(asked), 9)],
        "dora": asked.dora,
        "a_frozen": asked.a_frozen,
        "trainable_parameters": built["lora_parameters"],
    }
    if asked.quant_bits == 4:
        wanted |= {"quant_types": ["nf4"], "double_quant": True}
    return [
        f"{key.replace('_', ' ')}: asked {value}, built {built[key]}"
        for key, value in wanted.items()
        if built[key] != value
    ]


def engine_difference(asked: Asked, engine: str, zero_stage: int | None, processes: int) -> str | None:
    """Return what is wrong with the engine that trains, or None.

    Args:
        asked: the run's wishes.
        engine: class name of the wrapped model.
        zero_stage: its ZeRO stage; None when it is not DeepSpeed.
        processes: training processes.
    """
    if processes != asked.processes:
        return f"asked {asked.processes} processes, training has {processes}"
    if asked.zero_stage is None:
        return f"asked no DeepSpeed, but {engine} would train" if engine == "DeepSpeedEngine" else None
    if engine != "DeepSpeedEngine" or zero_stage != asked.zero_stage:
        return (
            f"asked DeepSpeed ZeRO-{asked.zero_stage}, but {engine} would train"
            f"{'' if zero_stage is None else f' at ZeRO-{zero_stage}'}"
        )
    return None
