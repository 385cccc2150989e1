"""Which kept results are an adapter's own, and the base model's result beside each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finlora import adapters, results
from finlora.adapters import Adapter
from finlora.record_checks import value_at
from finlora.results import Result


@dataclass(frozen=True)
class CardScore:
    """A score that goes into a card.

    Args:
        result: the adapter's.
        base: of the untuned base model on the same rows; None where nobody asked it.
    """

    result: Result
    base: Result | None


def of(root: Path, adapter: Adapter) -> list[CardScore]:
    """Return the scores of an adapter's very weights, by task.

    Args:
        root: the project.
        adapter: with a manifest.

    Raises:
        FinLoRAError: a kept result is damaged; it is named.
    """
    variant, run = adapters.shelved(adapter.folder, root) or (results.ELSEWHERE, adapter.name)
    digest = adapter.weights_sha256()
    found = [result for result in results.kept(root, variant, run) if result.adapter_sha256 == digest]
    if not found:
        return []
    folders = sorted(path for path in (root / results.FOLDER / results.BASE).glob("*") if path.is_dir())
    bases = [result for folder in folders for result in results.kept(root, results.BASE, folder.name)]
    identity = value_at(adapter.manifest, "base_model.identity")
    bases = [result for result in bases if result.respondent.get("base_identity") == identity]
    return [CardScore(result, _beside(result, bases)) for result in sorted(found, key=_order)]


def _order(result: Result) -> tuple[str, ...]:
    return (result.task, result.dataset, str(result.limit), result.scorer, result.decode, result.key)


def _beside(result: Result, bases: Sequence[Result]) -> Result | None:
    """Return the base model's result on the same rows, asked as the adapter was where there are several."""
    same = [base for base in bases if base.respondent.get("kind") == "base" and _rows(base) == _rows(result)]
    return min(same, key=lambda base: (_ways(base, result), *_order(base)), default=None)


def _rows(result: Result) -> tuple[object, ...]:
    # Rows are drawn from a file by the seed.
    drawn = (result.limit, result.settings.get("seed")) if result.limit else None
    return (result.task, result.dataset_sha256, drawn, result.scorer, result.metric)


def _ways(base: Result, result: Result) -> int:
    """Count in how many ways a base model was asked otherwise."""
    keys = ("quant_bits", "prompt_style")
    others = sum(bool(base.respondent.get(key) != result.respondent.get(key)) for key in keys)
    return others + (len(keys) + 1 if base.decode != result.decode else 0)
