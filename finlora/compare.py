"""Adapters side by side: what each reached and cost, and what differs between them besides the method."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import adapters, differences, record_checks, results
from finlora.adapters import Adapter
from finlora.differences import Fact
from finlora.errors import UsageError
from finlora.loss_plot import Curve

_CURVE = record_checks.pair_of(record_checks.count, record_checks.number)
# What a whole manifest holds.
NEEDED: dict[str, record_checks.Check] = {
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


@dataclass(frozen=True)
class Comparison:
    """Adapters side by side.

    Args:
        columns: the adapters' names; with the variant, or as given, where names are equal.
        rows: what they reached and what it cost.
        method: the parts of the method in which they differ.
        differences: what differs besides the method, as text.
        notes: what to know about single values.
        curves: their losses.
    """

    columns: tuple[str, ...]
    rows: tuple[Fact, ...]
    method: tuple[Fact, ...]
    differences: tuple[Fact, ...]
    notes: tuple[str, ...]
    curves: tuple[Curve, ...]

    @property
    def verdict(self) -> str:
        """Whether this is a comparison of methods, in a sentence."""
        method = ", ".join(fact.name for fact in self.method)
        others = ", ".join(fact.name for fact in self.differences)
        if method and others:
            return (
                f"These differ besides the method ({method}): {others}; "
                "the scores are not a comparison of methods alone"
            )
        if others:
            return f"The method is the same; these differ: {others}"
        if method:
            return f"Same in everything but the method ({method})"
        return "Same in everything, the method too"


def compare(names: Sequence[str], root: Path | None) -> Comparison:
    """Put adapters side by side.

    The method is what an adapter is made of: bits of the frozen weights, rank, alpha, DoRA, rsLoRA and
    the modules that are adapted. All else that a manifest tells is compared too.

    Args:
        names: two adapters or more: folders, or run names on the shelf.
        root: the project, for its shelf and its scores; None outside a project.

    Raises:
        UsageError: fewer than two, one twice, or no such adapter.
        AdapterError: no manifest, or a damaged one.
        FinLoRAError: a kept score is damaged.
    """
    if len(names) < 2:
        raise UsageError(
            "compare wants two adapters or more: finlora compare NAME NAME\n"
            "See the runs and their adapters with: finlora configs list"
        )
    found = [adapters.find(name, root) for name in names]
    _refuse_twins(names, found)
    manifests = [adapter.manifest_with(NEEDED) for adapter in found]
    columns = _columns(names, found, manifests)
    scores, notes = _scores(found, columns, root)
    losses = [manifest["losses"] for manifest in manifests]
    return Comparison(
        columns=columns,
        rows=(*scores, *facts(manifests)),
        method=differences.of_method(manifests),
        differences=differences.besides_method(manifests),
        notes=tuple(notes),
        curves=tuple(
            Curve(column, [(s, v) for s, v in loss["train"]], [(s, v) for s, v in loss["validation"]])
            for column, loss in zip(columns, losses, strict=True)
        ),
    )


def _refuse_twins(names: Sequence[str], found: Sequence[Adapter]) -> None:
    seen: dict[Path, str] = {}
    for name, adapter in zip(names, found, strict=True):
        folder = adapter.folder.resolve()
        if folder in seen:
            also = f" (also as '{seen[folder]}')" if seen[folder] != name else ""
            raise UsageError(f"'{name}' is named twice{also}; name two different adapters: {folder}")
        seen[folder] = name


def _columns(
    names: Sequence[str], found: Sequence[Adapter], manifests: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    short = [adapter.name for adapter in found]
    longer = [f"{m['variant']}/{name}" for m, name in zip(manifests, short, strict=True)]
    return next(
        (tuple(labels) for labels in (short, longer) if len(set(labels)) == len(labels)), tuple(names)
    )


def facts(manifests: Sequence[Mapping[str, Any]]) -> list[Fact]:
    """Return what adapters reached and what it cost, but for their scores.

    Args:
        manifests: of the adapters, whole.
    """
    columns: dict[tuple[str, str], Callable[[Mapping[str, Any]], Any]] = {
        ("variant", "text"): lambda m: m["variant"],
        ("first training loss", "loss"): lambda m: m["losses"]["train"][0][1],
        ("last training loss", "loss"): lambda m: m["losses"]["train"][-1][1],
        ("first held-out loss", "loss"): lambda m: next(
            (loss for _, loss in m["losses"]["validation"]), None
        ),
        ("last held-out loss", "loss"): lambda m: next(
            (loss for _, loss in reversed(m["losses"]["validation"])), None
        ),
        ("seconds", "seconds"): lambda m: m["seconds"],
        ("tokens", "count"): lambda m: round(m["dataset"]["tokens"] * _passes(m)),
        ("answer tokens trained", "count"): lambda m: round(m["dataset"]["trained_tokens"] * _passes(m)),
        ("tokens per second", "count"): _speed,
        ("steps", "count"): lambda m: m["steps"],
        ("effective batch", "count"): lambda m: m["effective_batch"],
        ("trainable parameters", "count"): lambda m: m["built"]["trainable_parameters"],
        ("GPU memory peak", "bytes"): lambda m: m.get("gpu_peak_bytes") or None,
        ("CPU memory peak", "bytes"): lambda m: m.get("cpu_peak_bytes") or None,
    }
    found = [Fact(name, kind, tuple(map(value, manifests))) for (name, kind), value in columns.items()]
    return [fact for fact in found if any(value is not None for value in fact.values)]


def _passes(manifest: Mapping[str, Any]) -> float:
    """Return how often the rows were gone through; part of a pass counts by its share of steps."""
    rows, batch, steps = manifest["dataset"]["train"], manifest["effective_batch"], manifest["steps"]
    return float(steps / math.ceil(rows / batch))


def _speed(manifest: Mapping[str, Any]) -> int | None:
    """Return tokens per second over all steps."""
    seconds = manifest["seconds"]
    return round(manifest["dataset"]["tokens"] * _passes(manifest) / seconds) if seconds > 0 else None


def _scores(
    found: Sequence[Adapter], columns: Sequence[str], root: Path | None
) -> tuple[list[Fact], list[str]]:
    """Return a fact for each dataset on which the scores compare, and why others do not."""
    notes = []
    sides: list[dict[str, results.Result]] = []
    for adapter, column in zip(found, columns, strict=True):
        place = adapters.shelved(adapter.folder, root) if root else None
        kept = results.kept(root, *place) if root and place else []
        # Read only where it is compared with something: weights may be large.
        digest = adapter.weights_sha256() if kept else ""
        sides.append({score.title: score for score in kept if score.adapter_sha256 == digest})
        notes += [
            f"{column}: its score on {score.title} belongs to an earlier adapter of that name and is left "
            f"out; score it again: finlora eval --adapter {adapter.name} --task {score.task}"
            for score in kept
            if score.adapter_sha256 != digest
        ]
    facts = []
    for title in sorted({title for side in sides for title in side}):
        values = tuple(side.get(title) for side in sides)
        asked = {
            (score.dataset_sha256, score.metric, score.settings.get("rows_seed")) for score in values if score
        }
        metrics = sorted(metric.replace("_", " ") for _, metric, _ in asked)
        if len(asked) == 1:
            facts.append(Fact(f"{metrics[0]} on {title}", "score", values))
        else:
            notes.append(
                f"scores on {title} are left out: the adapters were scored on different rows, or by "
                "different metrics; score all alike: finlora eval --adapter NAME --adapter NAME --task TASK"
            )
    if not facts and not notes:
        notes.append("no scores to compare: finlora eval --adapter NAME --task TASK keeps one")
    return facts, notes
