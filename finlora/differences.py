"""What differs between trainings, in their manifests: the method, and all else."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from finlora import record_checks
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
        "data": [Path(manifest["run"]["dataset_path"]).name for manifest in manifests],
        "base model": [manifest["base_model"]["name"] for manifest in manifests],
    }
    # Names are shown beside what differs; alone they are no difference.
    return tuple(
        replace(fact, values=tuple(f"{n}: {v}" for n, v in zip(named[fact.name], fact.values, strict=True)))
        if fact.name in named
        else fact
        for fact in _differing({**_circumstances(manifests), **_settings(manifests), **_versions(manifests)})
    )


def _circumstances(manifests: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what a training was besides its settings, as text, one for each adapter."""
    of: dict[str, Callable[[dict[str, Any]], str]] = {
        "data": lambda m: m["dataset"]["sha256"][:12],
        "rows trained on": lambda m: str(m["dataset"]["train"]),
        "rows held out": lambda m: str(m["dataset"]["validation"]),
        "rows dropped": lambda m: str(m["dataset"]["dropped"]["count"]),
        "base model": lambda m: m["base_model"]["identity"],
        "tokenizer": lambda m: m["base_model"]["tokenizer_sha256"][:12],
        "prompt": lambda m: f"{m['prompt']['style']} {_prompt_digest(m['prompt'])}",
        "steps": lambda m: str(m["steps"]),
        "effective batch": lambda m: str(m["effective_batch"]),
        "processes": lambda m: str(m["processes"]),
        "engine": lambda m: _engine(m["engine"]),
        "dtype": lambda m: m["dtype"],
        "CPU": lambda m: f"{m['hardware']['cpu']}, {m['hardware']['cores']} cores",
        "GPUs": lambda m: ", ".join(m["hardware"]["gpus"]) or "none",
    }
    return {name: [value(m) for m in manifests] for name, value in of.items()}


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


def _differing(values: dict[str, list[str]]) -> tuple[Fact, ...]:
    return tuple(Fact(name, "text", tuple(shown)) for name, shown in values.items() if len(set(shown)) > 1)
