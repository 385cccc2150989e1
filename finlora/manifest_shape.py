"""What a whole manifest holds: that of a training on one file, and that of a federated one."""

from typing import Any

from finlora import federated_facts, record_checks

_CURVE = record_checks.pair_of(record_checks.count, record_checks.number)
_NEEDED: dict[str, record_checks.Check] = {
    "run": record_checks.record,
    "run.axolotl": record_checks.record,
    **dict.fromkeys(["run.quant_bits", "run.lora_r", "run.lora_alpha"], record_checks.positive),
    **dict.fromkeys(["run.peft_use_dora", "run.peft_use_rslora"], record_checks.flag),
    **dict.fromkeys(
        ["variant", "dtype", "base_model.name", "base_model.identity", "base_model.tokenizer_sha256"],
        record_checks.text,
    ),
    **dict.fromkeys(
        [f"prompt.{part}" for part in ("style", "head", "tail", "separator", "end")], record_checks.text
    ),
    "prompt.stop": record_checks.list_of(record_checks.text),
    "run.dataset_path": record_checks.text,
    "dataset.sha256": record_checks.text,
    "dataset.train": record_checks.positive,
    **dict.fromkeys(
        [f"dataset.{part}" for part in ("validation", "tokens", "trained_tokens", "dropped.count")],
        record_checks.count,
    ),
    "built.targets": record_checks.list_of(record_checks.text, least=1),
    "built.trainable_parameters": record_checks.positive,
    "engine.class": record_checks.text,
    "engine.zero_stage": record_checks.optional(record_checks.count),
    **dict.fromkeys(["processes", "effective_batch", "steps"], record_checks.positive),
    "seconds": record_checks.number,
    **dict.fromkeys(["gpu_peak_bytes", "cpu_peak_bytes"], record_checks.optional(record_checks.count)),
    "losses.train": record_checks.list_of(_CURVE, least=1),
    "losses.validation": record_checks.list_of(_CURVE),
    "hardware.cpu": record_checks.text,
    "hardware.cores": record_checks.count,
    "hardware.gpus": record_checks.list_of(record_checks.text),
    "versions": record_checks.values_of(record_checks.text),
}


def needed(manifest: Any) -> dict[str, record_checks.Check]:
    """Return what a manifest must hold to be whole, by dotted key (see `record_checks`).

    Args:
        manifest: decides which of the two kinds it is.
    """
    if not federated_facts.is_federated(manifest):
        return _NEEDED
    private = {"losses.train": record_checks.list_of(_CURVE)} if federated_facts.is_private(manifest) else {}
    return {**_NEEDED, **federated_facts.needed(manifest), **private}


def faults(manifest: Any) -> list[str]:
    """Return the dotted keys of a manifest that are missing or damaged."""
    return record_checks.faults(manifest, needed(manifest))
