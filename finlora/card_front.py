"""The front matter of an adapter's card, as the Hugging Face hub reads it.

Source: https://huggingface.co/docs/hub/model-cards and
https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from finlora import federated_facts
from finlora.card_data import Source
from finlora.card_scores import CardScore
from finlora.json_text import printable
from finlora.model_folder import is_hub_id
from finlora.results import Result
from finlora.tasks import Hub, Task

# Source: https://huggingface.co/docs/hub/repositories-licenses (those that data and base models here have)
_LICENCES = {
    *("apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
}
# These two ask for no more than a notice, so another licence beside them says all.
_ONLY_A_NOTICE = {"apache-2.0", "mit"}
# Beginnings of base models' names whose licence is known.
_BASES = {
    "builtin:smollm2-": "apache-2.0",
    "HuggingFaceTB/SmolLM2-": "apache-2.0",
    "meta-llama/Llama-3.1-": "llama3.1",
    "meta-llama/Llama-3.2-": "llama3.2",
    "meta-llama/Llama-3.3-": "llama3.3",
}
# Metrics as the hub calls them.
_METRICS = {"accuracy": "accuracy", "bertscore_f1": "bertscore", "rouge_l": "rouge"}
_ORDER = (
    *("base_model", "base_model_relation", "library_name", "pipeline_tag", "language"),
    *("license", "license_name", "datasets", "tags", "metrics", "model-index"),
)


def front(
    manifest: Mapping[str, Any], source: Source, known: Mapping[str, Task], scores: Sequence[CardScore]
) -> dict[str, Any]:
    """Return the front matter, in its order.

    Args:
        manifest: the adapter's.
        source: where its training rows come from.
        known: tasks by id, for what was scored.
        scores: of these very weights.
    """
    from huggingface_hub import ModelCardData

    hub_id = base_on_hub(manifest)
    run = manifest["run"]
    method = "dora" if run["peft_use_dora"] else "rslora" if run["peft_use_rslora"] else "lora"
    tags = ["finlora", "axolotl", *dict.fromkeys(["lora", method])]
    if federated_facts.is_federated(manifest):
        tags.append("federated-learning")
    more: dict[str, Any] = {"base_model_relation": "adapter"} if hub_id else {}
    data: dict[str, Any] = ModelCardData(
        base_model=hub_id,
        library_name="peft",
        pipeline_tag="text-generation",
        language="en" if source.shipped else None,
        datasets=source.repositories or None,
        tags=[*tags, "finance", source.task.id] if source.task else tags,
        metrics=sorted({_METRICS[score.result.metric] for score in scores}) or None,
        model_name=printable(str(manifest["run_name"])) if scores else None,
        eval_results=[_entry(score, known.get(score.result.task)) for score in scores] or None,
        **(more | licence(manifest, source)),
    ).to_dict()  # type: ignore[no-untyped-call]
    return {key: data[key] for key in _ORDER if key in data}


def base_on_hub(manifest: Mapping[str, Any]) -> str | None:
    """Return the hub id of the base model; None for a folder and the built-in model, which are no hub's."""
    name, identity = manifest["base_model"]["name"], manifest["base_model"]["identity"]
    return name if is_hub_id(name) and identity.startswith(f"hub:{name}@") else None


def base_licence(name: str) -> str | None:
    """Return the hub's name for the licence of a base model, where it is known."""
    return next((licence for start, licence in _BASES.items() if name.startswith(start)), None)


def licence(manifest: Mapping[str, Any], source: Source) -> dict[str, str]:
    """Return the entries on the licence, where those of base model and data are both known."""
    base = base_licence(manifest["base_model"]["name"])
    data = source.task.licence.stated.lower().replace(" ", "-") if source.task else None
    if base is None or data not in _LICENCES:
        return {}
    both = sorted({base, data} - _ONLY_A_NOTICE) or sorted({base, data})
    if len(both) == 1 or set(both) <= _ONLY_A_NOTICE:
        return {"license": both[0]}
    return {"license": "other", "license_name": "-and-".join(both)}


def _entry(score: CardScore, task: Task | None) -> Any:
    from huggingface_hub import EvalResult

    result = score.result
    hub = task.source.repo if task and isinstance(task.source, Hub) else None
    return EvalResult(
        task_type="text-classification" if result.kind == "label" else "text-generation",
        dataset_type=hub or printable(result.task),
        dataset_name=task.name if task else printable(result.dataset),
        dataset_split="test" if task else None,
        metric_type=_METRICS[result.metric],
        metric_name=f"{result.metric} ({result.decode}, scorer {result.scorer})",
        metric_value=round(result.score, 4),
        metric_args=_facts(result, score.base),
    )


def _facts(result: Result, base: Result | None) -> dict[str, Any]:
    """Return what a score can't be read without; all of it, as results of one dataset share the rest."""
    facts: dict[str, Any] = {
        "rows": result.rows,
        "interval_95": [round(bound, 4) for bound in result.interval],
        "majority_baseline": None if result.majority is None else round(result.majority, 4),
        "base_model": None if base is None else round(base.score, 4),
        "unparsed": round(result.unparsed, 4),
        "data_sha256": printable(result.dataset_sha256),
        "limit": result.limit,
    }
    return {key: value for key, value in facts.items() if value is not None}
