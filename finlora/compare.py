"""Adapters side by side: what each reached and cost, and what differs between them besides the method."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import adapters, differences, federated_facts, manifest_shape, results
from finlora.adapters import Adapter
from finlora.differences import Fact
from finlora.errors import UsageError
from finlora.loss_plot import Curve


@dataclass(frozen=True)
class Comparison:
    """Adapters side by side.

    Args:
        columns: the adapters' names; with the variant, or as given, where names are equal.
        rows: what they reached and what it cost.
        method: the parts of the method in which they differ.
        differences: what differs besides the method, as text.
        unknown: what can't be compared, as not every manifest tells it.
        notes: what to know about single values.
        curves: their losses.
    """

    columns: tuple[str, ...]
    rows: tuple[Fact, ...]
    method: tuple[Fact, ...]
    differences: tuple[Fact, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]
    curves: tuple[Curve, ...]

    @property
    def verdict(self) -> str:
        """Whether this is a comparison of methods, in a sentence."""
        untold = ", ".join(self.unknown)
        return self._verdict + (f"; not told by all, and so not compared: {untold}" if untold else "")

    @property
    def _verdict(self) -> str:
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
    manifests = [adapter.manifest_with(manifest_shape.needed(adapter.manifest)) for adapter in found]
    columns = _columns(names, found, manifests)
    scores, notes = _scores(found, columns, root)
    return Comparison(
        columns=columns,
        rows=(*scores, *facts(manifests)),
        method=differences.of_method(manifests),
        differences=differences.besides_method(manifests),
        unknown=differences.unknown(manifests),
        notes=(*notes, *_federated_notes(columns, manifests)),
        curves=curves(columns, manifests),
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


def curves(names: Sequence[str], manifests: Sequence[Mapping[str, Any]]) -> tuple[Curve, ...]:
    """Return the losses of adapters, without those that tell none.

    Args:
        names: of the adapters.
        manifests: of the adapters, whole.
    """
    losses = [manifest["losses"] for manifest in manifests]
    return tuple(
        Curve(name, [(s, v) for s, v in loss["train"]], [(s, v) for s, v in loss["validation"]])
        for name, loss in zip(names, losses, strict=True)
        if loss["train"]
    )


def _federated_notes(names: Sequence[str], manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what figures of federated trainings mean, as they stand beside those of others."""
    federated = [(n, m) for n, m in zip(names, manifests, strict=True) if federated_facts.is_federated(m)]
    private = [name for name, manifest in federated if federated_facts.is_private(manifest)]
    open_ = [name for name, _ in federated if name not in private]
    notes = []
    if open_:
        notes.append(
            f"{', '.join(open_)}: federated; a loss is the mean of all clients' in a round, steps are those "
            "of all clients together, and the seconds hold the start of every client's training"
        )
    if private:
        notes.append(
            f"{', '.join(private)}: federated under differential privacy; losses, steps and rows are not told"
        )
    return notes


def facts(manifests: Sequence[Mapping[str, Any]]) -> list[Fact]:
    """Return what adapters reached and what it cost, but for their scores.

    Args:
        manifests: of the adapters, whole.
    """
    columns: dict[tuple[str, str], Callable[[Mapping[str, Any]], Any]] = {
        ("variant", "text"): lambda m: m["variant"],
        ("clients", "count"): lambda m: len(m["federated"]["clients"]) if _federated(m) else None,
        ("rounds", "count"): lambda m: m["federated"]["rounds"] if _federated(m) else None,
        ("epsilon", "text"): federated_facts.epsilon,
        ("first training loss", "loss"): lambda m: next((loss for _, loss in m["losses"]["train"]), None),
        ("last training loss", "loss"): lambda m: next(
            (loss for _, loss in reversed(m["losses"]["train"])), None
        ),
        ("first held-out loss", "loss"): lambda m: next(
            (loss for _, loss in m["losses"]["validation"]), None
        ),
        ("last held-out loss", "loss"): lambda m: next(
            (loss for _, loss in reversed(m["losses"]["validation"])), None
        ),
        ("seconds", "seconds"): lambda m: m["seconds"],
        ("tokens", "count"): lambda m: _trained(m, "tokens"),
        ("answer tokens trained", "count"): lambda m: _trained(m, "trained_tokens"),
        ("tokens per second", "count"): _speed,
        ("steps", "count"): lambda m: m["steps"],
        ("effective batch", "count"): lambda m: m["effective_batch"],
        ("trainable parameters", "count"): lambda m: m["built"]["trainable_parameters"],
        ("GPU memory peak", "bytes"): lambda m: m.get("gpu_peak_bytes") or None,
        ("CPU memory peak", "bytes"): lambda m: m.get("cpu_peak_bytes") or None,
    }
    found = [Fact(name, kind, tuple(map(value, manifests))) for (name, kind), value in columns.items()]
    return [fact for fact in found if any(value is not None for value in fact.values)]


_federated = federated_facts.is_federated


def _trained(manifest: Mapping[str, Any], tokens: str) -> int | None:
    """Return how many tokens were trained in all; None where that is not told."""
    counted = manifest["dataset"][tokens]
    return None if counted is None else round(counted * _passes(manifest))


def _passes(manifest: Mapping[str, Any]) -> float:
    """Return how often the rows that are counted were gone through; part of a pass counts by its steps."""
    if _federated(manifest):
        # Its counts are of all rounds together.
        return 1.0
    rows, batch, steps = manifest["dataset"]["train"], manifest["effective_batch"], manifest["steps"]
    return float(steps / math.ceil(rows / batch))


def _speed(manifest: Mapping[str, Any]) -> int | None:
    """Return tokens per second over all steps; None where that is not told."""
    seconds, tokens = manifest["seconds"], manifest["dataset"]["tokens"]
    return None if tokens is None or seconds <= 0 else round(tokens * _passes(manifest) / seconds)


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
            f"out; score it again: finlora eval --adapter {adapters.typed(adapter.folder, root)} "
            f"--task {score.task}"
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
