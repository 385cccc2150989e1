"""Merging an adapter into its unquantised base model: kept only where it is proved to answer alike.

Three things are proved. In float32 the merged model gives every answer of the unmerged one. What lies on the
disk is that model, number for number, in the base's own number type. And loaded from there, it still answers
like the unmerged one, but for what rounding to 16 bits does.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finlora import adapters, answering, inference, merged_folder, merged_weights, prompts
from finlora.errors import AdapterError, FinLoRAError, UsageError
from finlora.files import check_writable
from finlora.merged_weights import Agreement
from finlora.model_folder import weight_files
from finlora.models import BaseModel

_GIB = 2**30
# Adding a product to a weight rounds otherwise than adding the outputs: 2e-6 measured on 30 layers.
_MOST_FLOAT32 = 1e-4
# Rounding to bfloat16 moves a probability by 0.02 and parts 1 of 20 answers at two tokens about equally
# likely, measured with SmolLM2 135M: rounding is seen here, and not a fault, which is caught before.
_MOST_PROBABILITY = 0.1
_LEAST_EQUAL = 0.8
# Parts of the record that the folder's own record has.
_KEPT = ("dtype", "tensors", "bytes", "prompt_style", "exact", "saved", "notes")


@dataclass(frozen=True)
class Merge:
    """A merged folder and what was proved of it.

    Args:
        folder: where it lies.
        dtype: number type of its weights.
        tensors: weights the adapter changed.
        bytes: size of the weights.
        seconds: what it all took.
        exact: unmerged against merged, both in float32.
        saved: unmerged against merged as loaded from the disk.
        prompt_style: style of the adapter's prompt.
        command: asks the folder what the adapter was asked.
        notes: what the person at the prompt should know, a line each.
    """

    folder: Path
    dtype: str
    tensors: int
    bytes: int
    seconds: float
    exact: Agreement
    saved: Agreement
    prompt_style: str
    command: str
    notes: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "folder": str(self.folder), "seconds": round(self.seconds, 1)}


def merge(
    wanted: answering.Wanted,
    output: Path,
    config: Path | None,
    *,
    contexts: Sequence[str] = (),
    overwrite: bool = False,
    say: Callable[[str], None],
    progress: Callable[[], None],
) -> Merge:
    """Merge an adapter into its unquantised base model and prove that the two answer alike.

    Args:
        wanted: the adapter.
        output: the folder to make.
        config: the project's config file; None outside a project.
        contexts: what to ask first; texts of FinLoRA's own fill them up to 20.
        overwrite: an earlier merge may be there, and gives way.
        say: takes lines for the user.
        progress: told of each of the 60 answers.

    Raises:
        UsageError: the folder is not one to write to.
        AdapterError, BaseModelError: something does not fit, or the two do not answer alike.
        FinLoRAError: the disk is full or not writable. In all cases no folder is left.
    """
    started = time.monotonic()
    folder = output.expanduser().resolve()
    _check_output(folder, output, overwrite)
    adapter, base = answering.find(wanted, config, say)
    if adapter is None:
        raise UsageError("name what is to be merged: --adapter NAME")
    _check_apart(folder, output, (adapter.folder, base.folder))
    dtype = merged_weights.stored_type(base)
    _check_space(folder, base)
    asked = [*contexts, *prompts.PROBES][: len(prompts.PROBES)]
    try:
        with adapters.replacing(folder) as fresh:
            made = _merged(adapter, base, wanted, fresh, dtype, asked, say, progress)
            merged_folder.describe(fresh, adapter, base, _facts(made))
    except OSError as error:
        raise FinLoRAError(f"{output}: can't be written: {error.strerror or error}") from None
    command = merged_folder.command(output, made.prompt_style)
    return replace(made, folder=output, command=command, seconds=time.monotonic() - started)


def _merged(
    adapter: adapters.Adapter,
    base: BaseModel,
    wanted: answering.Wanted,
    fresh: Path,
    dtype: str,
    asked: list[str],
    say: Callable[[str], None],
    progress: Callable[[], None],
) -> Merge:
    """Fill a folder and prove it."""
    device = _device(base)
    say(f"loading {base.name} in float32 with {adapter.folder}")
    answerer, tuned = inference.load_parts(
        adapter,
        base,
        wanted.prompt_style,
        device=device,
        allow_other_base=wanted.base_model is not None,
        exact=True,
    )
    unmerged = merged_weights.read(answerer, asked, progress)
    answerer.model, tensors = merged_weights.merge(tuned)
    inside = merged_weights.read(answerer, asked, progress, unmerged.own)
    exact = merged_weights.agreement(unmerged, inside)
    _check_exact(exact, asked)
    merged_weights.save(answerer.model, dtype, fresh)
    merged_folder.complete(fresh, base, answerer.prompt, answerer.tokenizer)
    again, _ = inference.load_parts(
        None, replace(base, folder=fresh), answerer.prompt.style, device=device, exact=True
    )
    merged_weights.check_saved(answerer.model, again.model)
    notes = _notes(adapter, base, answerer.notes, same_prompt=again.prompt == answerer.prompt)
    again.prompt = answerer.prompt
    read = merged_weights.read(again, asked, progress, unmerged.own)
    saved = merged_weights.agreement(unmerged, read)
    _check_saved(saved, asked, dtype)
    size = sum(path.stat().st_size for path in weight_files(fresh, base.name))
    return Merge(fresh, dtype, tensors, size, 0.0, exact, saved, answerer.prompt.style, "", notes)


def _check_output(folder: Path, output: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{output} is a file; --output names the folder to make")
    if not folder.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}; make it first")
    if folder.is_dir() and any(folder.iterdir()):
        if not merged_folder.is_merged(folder):
            raise UsageError(f"{output} holds something else than a merge; name another folder")
        if not overwrite:
            raise UsageError(f"{output} holds an earlier merge; name another folder, or add --overwrite")
    check_writable(folder.with_name(f".{folder.name}.new"))


def _check_apart(folder: Path, output: Path, read: Sequence[Path]) -> None:
    for source in (place.resolve() for place in read):
        if folder.is_relative_to(source) or source.is_relative_to(folder):
            raise UsageError(f"{output}: {source} is read for the merge; name a folder apart from it")


def _check_space(folder: Path, base: BaseModel) -> None:
    """Refuse a disk that can't hold the base model once more, before anything is loaded."""
    needed = sum(path.stat().st_size for path in base.folder.iterdir() if path.is_file())
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise FinLoRAError(
            f"{folder.parent}: {free / _GIB:.1f} GiB free, a merge of {base.name} takes {needed / _GIB:.1f}; "
            "free some space, or name a folder on another disk with --output"
        )


def _device(base: BaseModel) -> str:
    """Return `cuda` where a GPU holds the model in float32, and what it computes, else `cpu`."""
    inference.prepare_process()
    import torch

    stored = sum(path.stat().st_size for path in weight_files(base.folder, base.name))
    # Twice the 16-bit weights in float32, and as they are saved beside their first reading: three times.
    if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > 3.5 * stored:
        return "cuda"
    return "cpu"


def _check_exact(exact: Agreement, asked: Sequence[str]) -> None:
    if exact.first is None and exact.logits_relative <= _MOST_FLOAT32:
        return
    raise AdapterError(
        "merged and unmerged do not answer alike, in float32 already: "
        f"{_told(exact, asked)}; logits differ by up to {exact.logits:.2g}, {exact.logits_relative:.2g} of "
        f"the largest (allowed: {_MOST_FLOAT32:g}); nothing is kept.\n"
        "This adapter can't be merged into this base model; use it unmerged: finlora infer --adapter NAME"
    )


def _check_saved(saved: Agreement, asked: Sequence[str], dtype: str) -> None:
    # A base in float32 is rounded by nothing.
    exactly = dtype == "float32"
    least = saved.prompts if exactly else _LEAST_EQUAL * saved.prompts
    most = _MOST_FLOAT32 if exactly else _MOST_PROBABILITY
    if saved.equal >= least and saved.probabilities <= most:
        return
    raise AdapterError(
        f"merged and unmerged do not answer alike once the weights are rounded to {dtype}: "
        f"{_told(saved, asked)} (at least {least:.0f} are wanted); a token's probability differs by up to "
        f"{saved.probabilities:.2g} (allowed: {most:g}); nothing is kept.\n"
        "Give rows of its task with --data FILE; else use the adapter unmerged: finlora infer --adapter NAME"
    )


def _told(found: Agreement, asked: Sequence[str]) -> str:
    told = f"{found.equal} of {found.prompts} answers are equal"
    if found.first is None:
        return told
    return f"{told}, the first other one is to prompt {found.first} ({asked[found.first - 1][:60]!r})"


def _notes(
    adapter: adapters.Adapter, base: BaseModel, others: tuple[str, ...], same_prompt: bool
) -> tuple[str, ...]:
    manifest = adapter.manifest or {}
    notes = list(others)
    bits = manifest.get("run", {}).get("quant_bits", 16)
    if bits != 16:
        notes.append(
            f"the adapter was trained on a {bits}-bit base and is merged into the unquantised one: answers "
            "may differ from those of the run; score both with finlora eval"
        )
    trained = manifest.get("base_model", {}).get("identity")
    if trained not in (None, base.identity):
        notes.append(f"the adapter was trained on another base model ({trained}) than {base.identity}")
    if not same_prompt:
        notes.append(
            "the base model's own prompt differs from the one that was trained: ask the folder with the "
            "literal prompt in its finlora.json"
        )
    return tuple(notes)


def _facts(made: Merge) -> dict[str, Any]:
    """Return what goes into the folder's own record: nothing of this machine."""
    facts = made.to_record()
    return {key: facts[key] for key in _KEPT}
