"""Answers from a base model, with an adapter or without: the only loader of models for generation.

Loading proves that the adapter took: its keys and shapes are those of the base model, its numbers
are finite and trained, and the logits differ with and without it.
"""

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finlora import adapter_weights, data, privacy, prompts
from finlora.adapters import MANIFEST, PEFT_CONFIG, WEIGHTS, Adapter
from finlora.answers import Answerer
from finlora.cpu_patches import multiply_plainly
from finlora.errors import AdapterError, BaseModelError, UsageError
from finlora.files import check_writable
from finlora.models import BaseModel

# Libraries that log build details of no use to the person who asks a question.
_CHATTY = ("accelerate", "bitsandbytes", "deepspeed", "DeepSpeed", "torch", "torchao", "transformers")


def load(
    adapter: Adapter | None,
    base: BaseModel,
    *,
    prompt_style: str | None,
    quant_bits: int,
    device: str | None = None,
    allow_other_base: bool = False,
    merge: bool = True,
) -> Answerer:
    """Load a base model, put an adapter on it and prove that it took.

    Args:
        adapter: what was trained; None answers with the untuned base model.
        base: the base model, present on this machine.
        prompt_style: for a base model alone or an adapter without `finlora.json`, which names its own.
        quant_bits: 4, 8 or 16.
        device: where to; None takes a GPU where there is one.
        allow_other_base: the user named another base model than the adapter's on purpose.
        merge: put the adapter's product into the base's weights where that changes no answer: in float32.
            That saves two products in each adapted layer.

    Raises:
        UsageError: a prompt style for an adapter that names its own.
        BaseModelError: the base model can't be read, or has no such prompt.
        AdapterError: the adapter does not fit, is damaged, was never trained or changes nothing.
    """
    answerer, tuned = load_parts(
        adapter, base, prompt_style, quant_bits, device=device, allow_other_base=allow_other_base
    )
    import torch

    if merge and tuned and quant_bits == 16 and answerer.model.dtype == torch.float32:
        answerer.model, answerer.is_merged = tuned.merge_and_unload(), True
    return answerer


def load_parts(
    adapter: Adapter | None,
    base: BaseModel,
    prompt_style: str | None,
    quant_bits: int = 16,
    *,
    device: str | None = None,
    allow_other_base: bool = False,
    exact: bool = False,
) -> tuple[Answerer, Any]:
    """Load as `load` does; `exact` computes in float32 on a GPU too.

    Returns:
        What answers, and PEFT's model around its model (None without an adapter).
    """
    if adapter and adapter.manifest:
        _check_manifest(adapter.folder, adapter.manifest, base, prompt_style, allow_other_base)
    prepare_process()
    import torch

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tuned = None
    with warnings.catch_warnings(action="ignore"):
        model, tokenizer = _load_base(base, quant_bits, where, exact)
        prompt, notes = _prompt(adapter, tokenizer, prompt_style)
        if adapter:
            probe = prompt.prompt_ids(tokenizer, [prompts.PROBE])
            tuned = _put_on(model, adapter, base, torch.tensor(probe, device=where))
    return Answerer(model, tokenizer, prompt, notes, base.identity), tuned


def prepare_process() -> None:
    """Go offline, and keep the libraries that come on top of torch from logging what helps nobody."""
    privacy.go_offline()
    # torch first, which sets their levels itself.
    import torch  # noqa: F401

    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.ERROR)


def _check_manifest(
    folder: Path, manifest: dict[str, Any], base: BaseModel, prompt_style: str | None, allow_other_base: bool
) -> None:
    if prompt_style:
        raise UsageError(
            f"{folder / MANIFEST} names the prompt this adapter was trained with; leave the prompt style away"
        )
    trained = manifest.get("base_model", {})
    if trained.get("identity") != base.identity and not allow_other_base:
        raise AdapterError(
            f"{folder}: trained on {trained.get('name')} ({trained.get('identity')}), but the base model "
            f"here is {base.name} ({base.identity}).\n"
            "Get the base model it was trained on, or name another one on purpose with --base-model"
        )


def _prompt(
    adapter: Adapter | None, tokenizer: Any, style: str | None
) -> tuple[prompts.Prompt, tuple[str, ...]]:
    if adapter is None:
        return prompts.prompt_for(tokenizer, style), ()
    if adapter.manifest is None:
        prompt = prompts.prompt_for(tokenizer, style or "plain")
        note = f"{adapter.folder}: no {MANIFEST} names its prompt; prompt style used: {prompt.style}"
        return prompt, (note,)
    if "prompt" not in adapter.manifest:
        raise AdapterError(f"{adapter.folder / MANIFEST}: the prompt is missing")
    return prompts.from_record(adapter.manifest["prompt"], tokenizer), ()


def _load_base(base: BaseModel, quant_bits: int, device: str, exact: bool) -> tuple[Any, Any]:
    """Load the base model, whole, from its folder alone; 16 bits are float32 on a CPU, or where asked."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    dtype = torch.float32 if exact or device == "cpu" else torch.bfloat16
    nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
    quantised = {4: {"load_in_4bit": True, **nf4}, 8: {"load_in_8bit": True}}.get(quant_bits)
    options = {"quantization_config": BitsAndBytesConfig(**quantised)} if quantised else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
        model, report = AutoModelForCausalLM.from_pretrained(
            base.folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            device_map={"": device},
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(f"{base.name}: can't be loaded from {base.folder}: {error}") from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise BaseModelError(
            f"{base.name}: {len(missing)} weights are missing in {base.folder}, the first is {missing[0]}; "
            "get the base model again"
        )
    if device == "cpu":
        multiply_plainly(model)
    # Its own settings for generation (sampling, penalties) would change answers in silence.
    model.generation_config = GenerationConfig()
    return model.eval(), tokenizer


def _put_on(model: Any, adapter: Adapter, base: BaseModel, probe: Any) -> Any:
    """Put an adapter's layers into a model and prove that it took; return PEFT's model around it."""
    import torch
    from peft import PeftModel

    if adapter.peft.get("peft_type") != "LORA":
        kind = adapter.peft.get("peft_type")
        raise AdapterError(f"{adapter.folder / PEFT_CONFIG}: peft_type is {kind}; FinLoRA reads LORA only")
    weights = _read_weights(adapter.folder / WEIGHTS)
    try:
        # Shapes are compared below, with a better word than PEFT's.
        tuned = PeftModel.from_pretrained(
            model, str(adapter.folder), torch_device=str(probe.device), ignore_mismatched_sizes=True
        ).eval()
    except (ValueError, TypeError, RuntimeError) as error:
        raise AdapterError(f"{adapter.folder}: does not fit the base model {base.name}: {error}") from None
    _check_fit(tuned, weights, adapter, base)
    with torch.inference_mode():
        with_adapter = tuned(input_ids=probe).logits
        with tuned.disable_adapter():
            without = tuned(input_ids=probe).logits
    if not with_adapter.isfinite().all():
        raise AdapterError(
            f"{adapter.folder}: with this adapter the model computes no numbers; train it again"
        )
    if with_adapter.equal(without):
        raise AdapterError(
            f"{adapter.folder}: the adapter changes nothing: the base model computes the same with it and "
            "without it; train it again"
        )
    return tuned


def _read_weights(path: Path) -> dict[str, Any]:
    """Read an adapter's tensors, once they are known to be numbers, and trained ones."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    adapter_weights.check_numbers(path)
    try:
        weights: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{path}: damaged, can't be read ({error}); {adapter_weights.AGAIN}") from None
    return weights


def _check_fit(tuned: Any, weights: dict[str, Any], adapter: Adapter, base: BaseModel) -> None:
    """Compare an adapter's tensors with the places the base model has for them."""
    from peft import get_peft_model_state_dict

    places = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    other = f"It was trained on another base model than {base.name}; its {PEFT_CONFIG} names " + str(
        adapter.peft.get("base_model_name_or_path")
    )
    if lost := sorted(weights.keys() - places.keys()):
        raise AdapterError(
            f"{adapter.folder}: {len(lost)} of its tensors have no place in the base model, "
            f"the first is {lost[0]}.\n{other}"
        )
    if missing := sorted(places.keys() - weights.keys()):
        raise AdapterError(
            f"{adapter.folder}: {len(missing)} tensors are missing in the adapter, "
            f"the first is {missing[0]}.\n{other}"
        )
    for key in sorted(weights):
        here, there = list(weights[key].shape), list(places[key].shape)
        if here != there:
            raise AdapterError(
                f"{adapter.folder}: {key} has shape {here}, the base model needs {there}.\n{other}"
            )


def check_target(source: Path, target: Path) -> None:
    """Refuse a file that the answers to another can't be written to, before a model is loaded.

    Raises:
        UsageError: it is the other file, or a folder.
        FinLoRAError: it can't be written.
    """
    if target.is_dir():
        raise UsageError(f"{target} is a folder; --output names the file for the answers")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target}: --output would overwrite --input; name another file")
    check_writable(target)


def answer_file(
    answerer: Answerer,
    source: Path,
    target: Path,
    *,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    seed: int = 42,
    batch_tokens: int | None = None,
    progress: Callable[[], None] | None = None,
) -> int:
    """Answer every row of a JSONL file; the answers are written whole or not at all.

    Args:
        answerer: who answers.
        source: rows with a `context`.
        target: gets the rows, in order: `context`, `target` where the source has one, `answer`.
        max_new_tokens: longest answer.
        temperature: see `Answerer.generate`.
        seed: see `Answerer.generate`.
        batch_tokens: see `Answerer.generate`.
        progress: told of each finished row.

    Returns:
        The number of rows.

    Raises:
        UsageError: the answers would overwrite the rows, or go to a folder; a row is too long.
        DataError: faulty rows.
        FinLoRAError: the answers can't be written.
    """
    check_target(source, target)
    rows = data.read_rows(source, columns=("context",))
    contexts = [row.context for row in rows]
    done = (lambda *_: progress()) if progress else None
    answers = answerer.generate(contexts, max_new_tokens, temperature, seed, batch_tokens, done)
    lines = source.read_bytes().split(b"\n")
    written = []
    for row, answer in zip(rows, answers, strict=True):
        given = json.loads(lines[row.line - 1])
        written.append({key: given[key] for key in data.COLUMNS if key in given} | {"answer": answer})
    data.write_rows(target, written)
    return len(rows)
