"""What differs between trainings, in their manifests: the method, and all else."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from finlora import federated_facts, record_checks
from finlora.json_text import shown

# What an adapter is made of. Dropout is not among it: it acts on the training only, as the learning
# rate does, and the variant does not name it.
_METHOD = {
    "quant_bits": "run.quant_bits",
    "lora_r": "run.lora_r",
    "lora_alpha": "run.lora_alpha",
    "peft_use_dora": "run.peft_use_dora",
    "peft_use_rslora": "run.peft_use_rslora",
    "lora_target_modules": "built.targets",
}
# Keys of a run that are compared by what came of them: a digest, the prompt itself, the engine, …
_COMPARED_BY_EFFECT = {
    *_METHOD,
    "axolotl",
    "base_model",
    "dataset_path",
    "deepspeed",
    "dtype",
    "global_batch_size",
    "prompt_style",
}


@dataclass(frozen=True)
class Fact:
    """One row of a comparison.

    Args:
        name: what it is.
        kind: `text`, `count`, `loss`, `seconds`, `bytes` or `score` (a `results.Result`).
        values: one for each adapter; None where it is not known.
    """

    name: str
    kind: str
    values: tuple[Any, ...]


def of_method(manifests: Sequence[dict[str, Any]]) -> tuple[Fact, ...]:
    """Return the parts of the method that are not the same in all.

    Args:
        manifests: of the adapters, whole.
    """
    return _differing(
        {name: [_quoted(record_checks.value_at(m, key)) for m in manifests] for name, key in _METHOD.items()}
    )


def besides_method(manifests: Sequence[dict[str, Any]]) -> tuple[Fact, ...]:
    """Return what is not the same in all and no part of the method; arguments as for `of_method`.

    Every key of a run is among what is compared, so that a difference that nobody thought of is named.
    """
    named = {
        "data": [_data(manifest) for manifest in manifests],
        "base model": [manifest["base_model"]["name"] for manifest in manifests],
    }
    differing = _differing(_compared(manifests))
    # Names are shown beside what differs; alone they are no difference.
    return tuple(
        replace(fact, values=tuple(f"{n}: {v}" for n, v in zip(named[fact.name], fact.values, strict=True)))
        if fact.name in named
        else fact
        for fact in differing
    )


def unknown(manifests: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of what may differ or not, as not every manifest tells it; as `besides_method`."""
    values = _compared(manifests)
    differing = {fact.name for fact in _differing(values)}
    return tuple(name for name, told in values.items() if None in told and name not in differing)


def _compared(manifests: Sequence[dict[str, Any]]) -> dict[str, Sequence[str | None]]:
    return {
        **_circumstances(manifests),
        **_federation(manifests),
        **_settings(manifests),
        **_versions(manifests),
    }


def _circumstances(manifests: Sequence[dict[str, Any]]) -> dict[str, list[str | None]]:
    """Return what a training was besides its settings, as text, one for each adapter; None: not told."""
    of: dict[str, Callable[[dict[str, Any]], str | None]] = {
        "data": lambda m: m["dataset"]["sha256"] and m["dataset"]["sha256"][:12],
        "rows trained on": lambda m: _figure(m["dataset"]["train"]),
        "rows held out": lambda m: str(m["dataset"]["validation"]),
        "rows dropped": _dropped,
        "base model": lambda m: m["base_model"]["identity"],
        "tokenizer": lambda m: m["base_model"]["tokenizer_sha256"][:12],
        "prompt": lambda m: f"{m['prompt']['style']} {_prompt_digest(m['prompt'])}",
        "steps": lambda m: _figure(m["steps"]),
        "effective batch": lambda m: str(m["effective_batch"]),
        "processes": lambda m: str(m["processes"]),
        "engine": lambda m: _engine(m["engine"]),
        "dtype": lambda m: m["dtype"],
        "CPU": lambda m: f"{m['hardware']['cpu']}, {m['hardware']['cores']} cores",
        "GPUs": lambda m: ", ".join(m["hardware"]["gpus"]) or "none",
    }
    return {name: [value(m) for m in manifests] for name, value in of.items()}


def _figure(value: int | None) -> str | None:
    return None if value is None else str(value)


def _data(manifest: dict[str, Any]) -> str:
    if federated_facts.has_own_rows(manifest):
        return "the clients' own"
    return Path(manifest["run"]["dataset_path"]).name


def _dropped(manifest: dict[str, Any]) -> str | None:
    count = manifest["dataset"]["dropped"]["count"]
    # A row counts in each round that comes by it.
    return f"{count} over all rounds" if count and federated_facts.is_federated(manifest) else _figure(count)


def _federation(manifests: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    told = [federated_facts.compared(manifest) for manifest in manifests]
    return {name: [one[name] for one in told] for name in told[0]}


def _prompt_digest(prompt: dict[str, Any]) -> str:
    literal = [prompt[part] for part in ("style", "head", "tail", "separator", "end", "stop")]
    return sha256(json.dumps(literal).encode()).hexdigest()[:12]


def _engine(engine: dict[str, Any]) -> str:
    stage = engine.get("zero_stage")
    return str(engine["class"]) if stage is None else f"{engine['class']} ZeRO-{stage}"


def _settings(manifests: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return every other key of the runs; one that an older FinLoRA did not have yet is absent."""
    runs = [manifest["run"] for manifest in manifests]
    keys = dict.fromkeys(key for run in runs for key in run if key not in _COMPARED_BY_EFFECT)
    further = dict.fromkeys(key for run in runs for key in run["axolotl"])
    return {
        **{key: [_quoted(run.get(key)) for run in runs] for key in keys},
        **{f"axolotl.{key}": [_quoted(run["axolotl"].get(key)) for run in runs] for key in further},
    }


def _versions(manifests: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    packages = dict.fromkeys(package for manifest in manifests for package in manifest["versions"])
    return {
        f"{package} version": [manifest["versions"].get(package, "absent") for manifest in manifests]
        for package in packages
    }


def _quoted(value: Any) -> str:
    """Return a value as it is shown and compared: the text "16" is not the number."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else shown(value)


def _differing(values: Mapping[str, Sequence[str | None]]) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, "text", tuple(federated_facts.NOT_TOLD if one is None else one for one in told))
        for name, told in values.items()
        if len(set(told) - {None}) > 1
    )
