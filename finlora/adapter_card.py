"""The adapter card: `README.md` of an adapter, complete enough for `hf upload`.

FinLoRA's part stands between two marks and is renewed; what the author adds is kept (see `card_edit`).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from finlora import (
    builtin,
    card_data,
    card_edit,
    card_front,
    card_scores,
    federated_facts,
    manifest_shape,
    record_checks,
)
from finlora.adapters import CARD, Adapter, typed
from finlora.card_data import Source
from finlora.card_scores import CardScore
from finlora.card_words import FILTERS
from finlora.errors import AdapterError, UsageError
from finlora.files import sweep, write_atomic
from finlora.results import Result
from finlora.tasks import Task

_TEMPLATE = Path(__file__).parent / "files" / "adapter_card.md.jinja"
_NEEDED: dict[str, record_checks.Check] = {
    "run_name": record_checks.text,
    **dict.fromkeys(["run.lora_dropout", "run.learning_rate", "run.num_epochs"], record_checks.number),
    **dict.fromkeys(["run.sequence_len", "run.seed"], record_checks.count),
}
_ANSWER_TOKENS = 64
_DECODES = {"labels": "chosen as the likeliest of the labels", "generate": "generated, then parsed"}
_SCORERS = {"finlora": "FinLoRA's scorer", "reference": "the FinLoRA benchmark's own rule"}


def first(root: Path, manifest: Mapping[str, Any], folder: Path) -> str:
    """Return the card of an adapter that is about to be published, without scores.

    Args:
        root: the project.
        manifest: the adapter's.
        folder: where it will lie; what the author wrote into the card of the one that lies there is kept.
    """
    entries, body = _composed(manifest, card_data.known_tasks(root, strict=False), root, ())
    path = folder / CARD
    # A card nobody can renew goes with the adapter it speaks of: a finished training is worth more.
    with suppress(AdapterError):
        text = _text(path)
        if text is not None and card_edit.is_ours(text):
            return card_edit.merged(text, entries, body, path)
    return card_edit.fresh(entries, body)


def refresh(root: Path, adapter: Adapter) -> Path | None:
    """Renew an adapter's card with the scores that are kept for its weights.

    Args:
        root: the project.
        adapter: which.

    Returns:
        The card; None where there is none to renew: no manifest, or a card that is not FinLoRA's.

    Raises:
        FinLoRAError: the card's marks or a kept result are damaged, or it can't be written.
    """
    text = _text(adapter.folder / CARD)
    if adapter.manifest is None or (text is not None and not card_edit.is_ours(text)):
        return None
    return write(root, adapter)


def write(root: Path | None, adapter: Adapter, overwrite: bool = False) -> Path:
    """Write or renew an adapter's card.

    Args:
        root: the project, for scores and tasks; None outside one.
        adapter: which.
        overwrite: put a new card in the place of any other, with all that the author wrote.

    Returns:
        The card.

    Raises:
        UsageError: there is a card that is not FinLoRA's.
        AdapterError: no manifest says how the adapter was trained; manifest or card are damaged.
        FinLoRAError: a kept result is damaged, or the card can't be written.
    """
    manifest = adapter.manifest_with({**manifest_shape.needed(adapter.manifest), **_NEEDED})
    path = adapter.folder / CARD
    text = None if overwrite else _text(path)
    if text is not None and not card_edit.is_ours(text):
        raise UsageError(
            f"{path} is not FinLoRA's: it lacks the marks (<!-- finlora card: ... -->), so it stays\n"
            f"Put FinLoRA's card in its place with: finlora adapters card "
            f"{typed(adapter.folder, root)} --overwrite"
        )
    scores = card_scores.of(root, adapter) if root else []
    entries, body = _composed(manifest, card_data.known_tasks(root, strict=True), root, scores)
    new = card_edit.fresh(entries, body) if text is None else card_edit.merged(text, entries, body, path)
    if new != text:
        sweep(path)
        write_atomic(path, new)
    return path


def _text(path: Path) -> str | None:
    """Return a card as it is, line ends included; None where there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AdapterError(f"{path}: can't be read: {error}; move it away, or mend it") from None


def _composed(
    manifest: Mapping[str, Any], known: Mapping[str, Task], root: Path | None, scores: Sequence[CardScore]
) -> tuple[dict[str, Any], str]:
    """Return the front matter and FinLoRA's part of a card."""
    source = card_data.of(manifest, known, root)
    entries = card_front.front(manifest, source, known, scores)
    return entries, _rendered({**_facts(manifest), **_terms(manifest, source), **_figures(scores)})


def _rendered(values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    # Whatever reaches the page without one of the filters is escaped as HTML at least.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(FILTERS)
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(values)
    return re.sub(r"\n{3,}", "\n\n", text)


def _facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says about model, method and prompt; no time, so that equal runs agree."""
    run, base, losses = manifest["run"], manifest["base_model"], manifest["losses"]
    hub_id = card_front.base_on_hub(manifest)
    federated = federated_facts.is_federated(manifest)
    training = "mean training loss of a round" if federated else "training loss"
    curves = ((training, losses["train"]), ("held-out loss", losses["validation"]))
    return {
        "name": manifest["run_name"],
        "variant": manifest["variant"],
        "run": run,
        "base": base,
        "hub_id": hub_id,
        "revision": base["identity"].rpartition("@")[2],
        "builtin": base["name"] == builtin.NAME,
        "method": "DoRA" if run["peft_use_dora"] else "rsLoRA" if run["peft_use_rslora"] else "LoRA",
        "dtype": manifest["dtype"],
        "built": manifest["built"],
        "targets": sorted(manifest["built"]["targets"]),
        "steps": manifest["steps"],
        "batch": manifest["effective_batch"],
        "losses": [(kind, curve[:: len(curve) - 1 or 1]) for kind, curve in curves if curve],
        "versions": manifest["versions"],
        "prompt": manifest["prompt"],
        "data": manifest["dataset"],
        "federated": manifest[federated_facts.KEY] if federated else None,
        "federated_facts": federated_facts.described(manifest) if federated else (),
        "private": federated_facts.is_private(manifest),
    }


def _terms(manifest: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return what is known about the training data and the licences."""
    task = source.task
    own = (task, *source.parts) if task else ()
    return {
        "source": source,
        "task": task,
        "known_defects": [(part.id, defect) for part in own for defect in part.defects],
        "non_commercial": [
            part.id for part in own if part.licence.terms == "non-commercial" and not part.parts
        ],
        "base_licence": card_front.base_licence(manifest["base_model"]["name"]),
        "licence": card_front.licence(manifest, source),
        "max_new_tokens": (task.max_new_tokens if task else None) or _ANSWER_TOKENS,
    }


def _figures(scores: Sequence[CardScore]) -> dict[str, Any]:
    counts = sorted({score.result.rows for score in scores})
    text = f"{counts[0]:,} rows" if counts else ""
    return {
        "scores": scores,
        "rows_range": text if len(counts) < 2 else f"{counts[0]:,} to {counts[-1]:,} rows each",
        "rows_of": _rows_of,
        "decodes": _DECODES,
        "scorers": _SCORERS,
    }


def _rows_of(result: Result) -> str:
    if result.limit is None:
        return f"all {result.rows:,} rows"
    return f"{result.rows:,} rows of it, drawn with seed {result.settings.get('seed')}"
