"""An adapter's weights added to its base model's, and what shows that nothing was lost on the way."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora.answers import Answerer
from finlora.errors import AdapterError, BaseModelError
from finlora.model_folder import header, weight_files
from finlora.models import BaseModel

# Number types of weights as safetensors and as torch call them.
_TYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
ANSWER_TOKENS = 16
"""Tokens of the longest answer that is compared."""


@dataclass(frozen=True)
class Agreement:
    """How two models answered the same prompts.

    Args:
        prompts: how many there were.
        equal: how many greedy answers are equal.
        first: number of the first prompt, from 1, with another answer; None where all are equal.
        logits: largest difference of a logit over the first model's answers.
        logits_relative: the same as a share of the first model's largest logit.
        probabilities: largest difference of a token's probability, 0 to 1.
    """

    prompts: int
    equal: int
    first: int | None
    logits: float
    logits_relative: float
    probabilities: float


@dataclass(frozen=True)
class Read:
    """What a model answered.

    Args:
        answers: its greedy answers, or those it was made to read.
        logits: per prompt, before each token of those answers and of their ends; [tokens, vocabulary].
        own: its greedy answers.
    """

    answers: list[str]
    logits: list[Any]
    own: list[str]


def stored_type(base: BaseModel) -> str:
    """Return the number type of a base model's weights, by their bytes: `bfloat16`, `float16` or `float32`.

    Raises:
        BaseModelError: they are stored quantised, or a file of theirs is cut off.
    """
    held: dict[str, int] = {}
    for path in weight_files(base.folder, base.name):
        for entry in header(path).values():
            start, end = entry["data_offsets"]
            held[entry["dtype"]] = held.get(entry["dtype"], 0) + end - start
    most = max(held, key=lambda kind: held[kind])
    if most not in _TYPES:
        raise BaseModelError(
            f"{base.name}: its weights are stored as {most}; an adapter is merged into one whose weights are "
            f"{', '.join(_TYPES.values())}.\nName the unquantised base model with --base-model"
        )
    return _TYPES[most]


def merge(tuned: Any) -> tuple[Any, int]:
    """Add an adapter's weights to those they adapt, and check that each of them took.

    Args:
        tuned: PEFT's model, in float32.

    Returns:
        The model without the adapter's layers, and how many weights were changed.

    Raises:
        AdapterError: weights did not change, or what they became are no numbers.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = {
        name: layer
        for name, layer in tuned.get_base_model().named_modules()
        if isinstance(layer, BaseTunerLayer) and _trained(layer)
    }
    before = {name: _digest(layer.get_base_layer().weight) for name, layer in layers.items()}
    try:
        model = tuned.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise AdapterError(f"the adapter can't be merged: {error}") from None
    kept = [name for name, old in before.items() if _digest(model.get_submodule(name).weight) == old]
    if kept:
        raise AdapterError(
            f"{len(kept)} of the {len(before)} weights that the adapter changes were left as they were, the "
            f"first is {kept[0]}.weight; nothing is kept"
        )
    return model.eval(), len(before)


def _trained(layer: Any) -> bool:
    """Tell whether a layer's adapter adds anything: training may leave a module's B at zero."""
    pairs = [getattr(layer, name, {}).items() for name in ("lora_B", "lora_embedding_B")]
    return any(getattr(b, "weight", b).any() for found in pairs for _, b in found)


def _digest(weight: Any) -> bytes:
    return hashlib.blake2b(weight.detach().cpu().numpy().tobytes()).digest()


def save(model: Any, dtype: str, folder: Path) -> None:
    """Write a model's weights as safetensors of a number type, which its weights in memory have then too."""
    import torch

    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size="5GB")


def check_saved(model: Any, again: Any) -> None:
    """Check that what lies on the disk is what was saved, number for number.

    Args:
        model: as it was saved.
        again: as it was loaded, in float32.

    Raises:
        AdapterError: weights are missing or differ.
    """
    saved, loaded = model.state_dict(), again.state_dict()
    wrong = sorted(
        name
        for name in saved.keys() | loaded.keys()
        if name not in saved or name not in loaded or not saved[name].float().equal(loaded[name].float())
    )
    if wrong:
        raise AdapterError(
            f"{len(wrong)} of {len(saved)} weights were read back otherwise than they were saved, the first "
            f"is {wrong[0]}; nothing is kept.\nCheck the disk, then merge again"
        )


def read(
    answerer: Answerer,
    contexts: Sequence[str],
    progress: Callable[[], None],
    answers: list[str] | None = None,
) -> Read:
    """Let a model answer, and look at its logits along the answers.

    Args:
        answerer: who answers.
        contexts: what it is given.
        progress: told of each answer.
        answers: along which the logits are wanted; None for its own.
    """
    import torch

    own = answerer.generate(contexts, ANSWER_TOKENS, done=lambda *_: progress())
    along = own if answers is None else answers
    logits = []
    with torch.inference_mode():
        for prompt, answer in answerer.prompt.answer_ids(answerer.tokenizer, contexts, along):
            ids = torch.tensor([prompt + answer[:-1]], device=answerer.model.device)
            found = answerer.model(input_ids=ids, logits_to_keep=len(answer)).logits
            logits.append(found[0].float().cpu())
    return Read(along, logits, own)


def agreement(first: Read, second: Read) -> Agreement:
    """Compare what two models answered; the logits of both are along the answers of the first."""
    differing = [i for i, (a, b) in enumerate(zip(first.own, second.own, strict=True), 1) if a != b]
    pairs = list(zip(first.logits, second.logits, strict=True))
    away = max(float((a - b).abs().max()) for a, b in pairs)
    largest = max(float(a.abs().max()) for a, _ in pairs)
    return Agreement(
        prompts=len(pairs),
        equal=len(pairs) - len(differing),
        first=differing[0] if differing else None,
        logits=away,
        logits_relative=away / largest if largest else 0.0,
        probabilities=max(float((a.softmax(-1) - b.softmax(-1)).abs().max()) for a, b in pairs),
    )
