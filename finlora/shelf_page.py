"""All about one adapter, as a reviewer asks for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import adapters, federated_facts, record_checks, results
from finlora.adapters import Adapter
from finlora.files import sha256
from finlora.json_text import printable, shown


@dataclass(frozen=True)
class File:
    """One file of an adapter.

    Args:
        name: inside the folder.
        bytes: its size.
        sha256: digest of its content.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Description:
    """All about one adapter.

    Args:
        folder: where it lies.
        typed: what to type for it.
        files: what lies there.
        peft: its `adapter_config.json`.
        manifest: its `finlora.json`; None for a bare PEFT adapter.
        scores: kept for it.
        notes: what to know besides.
    """

    folder: Path
    typed: str
    files: tuple[File, ...]
    peft: dict[str, Any]
    manifest: dict[str, Any] | None
    scores: tuple[results.Result, ...]
    notes: tuple[str, ...]


def describe(adapter: Adapter, root: Path | None) -> Description:
    """Gather all about an adapter.

    Args:
        adapter: which.
        root: the project, for the scores; None outside a project.

    Raises:
        FinLoRAError: a kept score is damaged.
    """
    files = tuple(
        File(path.name, path.stat().st_size, sha256(path))
        for path in sorted(adapter.folder.iterdir())
        if path.is_file()
    )
    typed = adapters.typed(adapter.folder, root)
    place = adapters.shelved(adapter.folder, root) if root else None
    scores = tuple(results.kept(root, *place)) if root and place else ()
    digest = next(file.sha256 for file in files if file.name == adapters.WEIGHTS)
    notes = [
        f"the score on {score.title} is of other weights; score again: finlora eval --adapter "
        f"{typed} --task {score.task}"
        for score in scores
        if score.adapter_sha256 != digest
    ]
    if adapter.manifest is None:
        notes.insert(
            0, f"no {adapters.MANIFEST}: a bare PEFT adapter; nobody knows its prompt, its data or its losses"
        )
    return Description(adapter.folder, typed, files, adapter.peft, adapter.manifest, scores, tuple(notes))


# Heading: label and dotted key of the manifest.
_GROUPS: dict[str, dict[str, str]] = {
    "run": {"run": "run_name", "variant": "variant", "dataset file": "run.dataset_path"},
    "base model": {
        "name": "base_model.name",
        "identity": "base_model.identity",
        "tokenizer": "base_model.tokenizer_sha256",
    },
    "prompt": {
        "style": "prompt.style",
        "before the question": "prompt.head",
        "after it": "prompt.tail",
        "before the answer": "prompt.separator",
        "end of the answer": "prompt.end",
        "stops at": "prompt.stop",
    },
    "data": {
        "digest": "dataset.sha256",
        "rows": "dataset.rows",
        "trained on": "dataset.train",
        "held out": "dataset.validation",
        "dropped": "dataset.dropped",
        "longest row (tokens)": "dataset.longest",
        "tokens": "dataset.tokens",
        "tokens trained on": "dataset.trained_tokens",
    },
    "method as built": {
        "adapted modules": "built.targets",
        "layers": "built.layers",
        "ranks": "built.ranks",
        "scalings": "built.scalings",
        "DoRA": "built.dora",
        "base layers": "built.base_classes",
        "trainable parameters": "built.trainable_parameters",
        "frozen weights (bits)": "run.quant_bits",
    },
    "training": {
        "steps": "steps",
        "effective batch": "effective_batch",
        "processes": "processes",
        "machines": "machines",
        "dtype": "dtype",
        "engine": "engine.class",
        "ZeRO stage": "engine.zero_stage",
        "seconds": "seconds",
        "GPU memory (bytes)": "gpu_peak_bytes",
        "CPU memory (bytes)": "cpu_peak_bytes",
    },
    "hardware": {"CPU": "hardware.cpu", "cores": "hardware.cores", "GPUs": "hardware.gpus"},
}
_PROMPT = {"prompt.head", "prompt.tail", "prompt.separator", "prompt.end", "prompt.stop"}
# What a federated training may leave open.
_UNTOLD = {*(key for key in _GROUPS["data"].values() if key != "dataset.validation"), "steps"}
_PEFT = ("peft_type", "r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "target_modules")


def page(about: Description) -> list[tuple[str, list[str]]]:
    """Return a description as headings with their lines, for people."""
    manifest = about.manifest or {}
    parts = [
        (heading, [_line(name, _value(manifest, key)) for name, key in keys.items()])
        for heading, keys in _GROUPS.items()
        if about.manifest is not None
    ]
    if federated_facts.is_federated(manifest):
        parts.append(("federated", _federated(manifest)))
    if about.manifest is not None:
        parts.append(("losses", _losses(manifest)))
        versions = manifest.get("versions")
        parts.append(("versions", [_line(*item) for item in _texts(versions)]))
    peft = {**about.peft, "base model": about.peft.get("base_model_name_or_path")}
    parts.append(
        (adapters.PEFT_CONFIG, [_line(key, _text_of(peft.get(key))) for key in ("base model", *_PEFT)])
    )
    parts.append(
        ("files", [f"{file.sha256}  {file.bytes:>12,}  {printable(file.name)}" for file in about.files])
    )
    scores = [
        f"{printable(s.title)}: {s.metric.replace('_', ' ')} {s.score:.1%} "
        f"({s.interval[0]:.1%}-{s.interval[1]:.1%}), {s.rows:,} rows"
        + ("" if s.majority is None else f"; majority {s.majority:.1%}")
        for s in about.scores
    ]
    parts.append(
        ("scores", scores or [f"none; score it with: finlora eval --adapter {about.typed} --task TASK"])
    )
    return parts


def _line(name: str, value: str) -> str:
    return f"{printable(name):<24}{value}"


def _value(manifest: Mapping[str, Any], key: str) -> str:
    value = record_checks.value_at(manifest, key)
    if federated_facts.is_federated(manifest) and key in _UNTOLD:
        if key == "dataset.dropped" and isinstance(value, dict):
            # The reason alone tells nothing.
            value = None if value.get("count") is None else value
        value = federated_facts.NOT_TOLD if value is None else value
    # A prompt is shown as it is written in the file: spaces and line breaks count.
    return json.dumps(value, ensure_ascii=False) if key in _PROMPT else _text_of(value)


def _text_of(value: Any) -> str:
    if record_checks.list_of(record_checks.text)(value):
        return printable(", ".join(value)) or "none"
    return printable(shown(value))


def _texts(value: Any) -> list[tuple[str, str]]:
    return [(str(key), _text_of(text)) for key, text in value.items()] if isinstance(value, dict) else []


def _federated(manifest: Mapping[str, Any]) -> list[str]:
    damaged = record_checks.faults(manifest, federated_facts.needed(manifest))
    if damaged:
        return [f"missing or damaged: {', '.join(damaged)}"]
    return [_line(what, printable(told)) for what, told in federated_facts.described(manifest)]


def _losses(manifest: Mapping[str, Any]) -> list[str]:
    pair = record_checks.pair_of(record_checks.count, record_checks.number)
    lines = []
    for name, key in (("training", "losses.train"), ("held out", "losses.validation")):
        losses = record_checks.value_at(manifest, key)
        if record_checks.list_of(pair, least=1)(losses):
            (first, before), (last, after) = losses[0], losses[-1]
            lines.append(_line(name, f"{before:.4f} at step {first}, {after:.4f} at step {last}"))
        else:
            untold = federated_facts.is_private(manifest) and key == "losses.train"
            lines.append(_line(name, federated_facts.NOT_TOLD if untold else "none"))
    return lines
