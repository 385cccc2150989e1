"""Whether adapters are whole, trained, unedited, and safe to hand on; no model is loaded."""

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import (
    adapter_weights,
    adapters,
    builtin,
    manifest_shape,
    model_folder,
    models,
    prompts,
    record_checks,
)
from finlora.adapter_weights import Tensor
from finlora.adapters import Adapter
from finlora.errors import BaseModelError, FinLoRAError, UsageError
from finlora.model_shapes import hub_cache, local_folder
from finlora.shelf import in_a_word

ALL = "all"
# Endings of files that torch and Python may load as pickles, which can run code.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
# Files that say something in words; weights have words in their header only.
_TEXTS = (".json", ".md", ".txt", ".yml", ".yaml", ".jinja", ".log")
# Two parts at least, so that a lone slash in a prompt is none; `~/x` and drives are places too.
_PLACE = re.compile(
    r"""(?:^|(?<=[\s"'=:(,]))(?:/[\w.@+-]+(?:/[\w.@+-]+)+|~/[\w.@+/-]+|[A-Za-z]:\\{1,2}\w+)"""
)
# A host's name that everybody's machine may have tells nothing.
_SHORTEST_HOST = 5
_LARGEST_TEXT = 1 << 24


@dataclass(frozen=True)
class Verdict:
    """What was found about one adapter.

    Args:
        name: variant and run on the shelf, or the folder.
        seen: what was looked at, in a few words.
        faults: what is wrong; none for a sound adapter.
        notes: what could not be proved, or is good to know.
    """

    name: str
    seen: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(names: Sequence[str], root: Path | None) -> list[Verdict]:
    """Check adapters.

    Args:
        names: run names on the shelf, or folders; none, or `all`, for the whole shelf.
        root: the project; None outside one.

    Raises:
        UsageError: nothing is called so, or there is nothing to check.
    """
    if names and ALL not in names:
        return [_verdict(_folder(name, root), root) for name in dict.fromkeys(names)]
    if len(set(names)) > 1:
        raise UsageError(f"'{ALL}' stands for every adapter; leave the other names out")
    if root is None:
        raise UsageError("no project here, so no shelf; name a folder: finlora adapters verify FOLDER")
    folders = adapters.places(root)
    if not folders:
        raise UsageError(
            f"nothing to verify: {root / adapters.SHELF} is empty\n"
            "Train an adapter with: finlora finetune NAME"
        )
    return [_verdict(folder, root) for folder in folders]


def _folder(name: str, root: Path | None) -> Path:
    """Return an adapter's folder, a damaged one's too; errors as in `adapters.find`."""
    if root is not None and name:
        on_shelf = [place for place in adapters.places(root) if adapters.is_called(place, name)]
        if len(on_shelf) == 1 and not Path(name).exists():
            return on_shelf[0]
    if name and Path(name).is_dir():
        return Path(name) if Path(name).name else Path(name).absolute()
    return adapters.find(name, root).folder


def _verdict(folder: Path, root: Path | None) -> Verdict:
    name = "/".join(folder.parts[-2:]) if root and folder.is_relative_to(root) else str(folder)
    try:
        adapter = adapters.read(folder)
        found = adapter_weights.tensors(folder / adapters.WEIGHTS)
    except (FinLoRAError, OSError) as error:
        return Verdict(name, "can't be read as an adapter", (in_a_word(error, folder),), ())
    try:
        faults = [*_weights(adapter, found), *_manifest(adapter, found), *_beside(folder)]
        notes = _notes(adapter, root)
    except OSError as error:
        return Verdict(name, "can't be read whole", (in_a_word(error, folder),), ())
    size = (folder / adapters.WEIGHTS).stat().st_size
    return Verdict(name, f"{len(found)} tensors, {size:,} bytes", tuple(faults), tuple(notes))


def _weights(adapter: Adapter, found: Mapping[str, Tensor]) -> Iterator[str]:
    path = adapter.folder / adapters.WEIGHTS
    if broken := adapter_weights.broken_numbers(path, found):
        yield f"{adapters.WEIGHTS}: {broken}"
    if adapter.peft.get("peft_type") != "LORA":
        yield f"{adapters.PEFT_CONFIG}: peft_type is {adapter.peft.get('peft_type')}; FinLoRA reads LORA only"
        return
    misfits = adapter_weights.misfits(found, adapter.peft)
    # Federated training may average B alone, and leave A as it was drawn.
    frozen = record_checks.value_at(adapter.manifest, "built.a_frozen") is True
    trained = [tensor for key, tensor in found.items() if not (frozen and ".lora_A." in key)]
    numbers = sum(tensor.numbers for tensor in trained)
    built = record_checks.value_at(adapter.manifest, "built.trainable_parameters")
    if built != numbers:
        # Where the count is the one of training, nothing is missing, whatever the layers look like.
        misfits += adapter_weights.gaps(found)
    if not misfits and record_checks.positive(built) and built != numbers and _is_all(found, adapter.peft):
        misfits = [f"{numbers:,} numbers; {built:,} were trained, says {adapters.MANIFEST}"]
    if misfits:
        more = f" (and {len(misfits) - 1} more of the kind)" if len(misfits) > 1 else ""
        yield f"{adapters.WEIGHTS}: {misfits[0]}{more}"


def _is_all(found: Mapping[str, Tensor], peft: Mapping[str, Any]) -> bool:
    """Tell whether a file holds what was trained and nothing else, as PEFT may save embeddings too."""
    return not peft.get("modules_to_save") and all("lora_" in key for key in found)


def _manifest(adapter: Adapter, found: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield where a manifest is damaged, or tells of another adapter than this."""
    manifest, peft = adapter.manifest, adapter.peft
    if manifest is None:
        return
    damaged = manifest_shape.faults(manifest)
    if damaged:
        yield f"{adapters.MANIFEST}: {', '.join(damaged)} missing or damaged"
    digest = manifest.get(adapters.DIGEST)
    if digest is not None and digest != adapter.weights_sha256():
        yield (
            f"{adapters.WEIGHTS} is not the file that was published: its digest is not the one in "
            f"{adapters.MANIFEST}"
        )
    told = {
        "r": ("run.lora_r", 8),
        "lora_alpha": ("run.lora_alpha", 8),
        "use_dora": ("run.peft_use_dora", False),
        "use_rslora": ("run.peft_use_rslora", False),
        "base_model_name_or_path": ("base_model.name", None),
    }
    for key, (place, default) in told.items():
        here, there = peft.get(key, default), record_checks.value_at(manifest, place)
        if place not in damaged and here != there:
            yield f"{adapters.PEFT_CONFIG} has {key} {here}; {adapters.MANIFEST} has {place} {there}"
    targets = peft.get("target_modules")
    built = record_checks.value_at(manifest, "built.targets")
    if isinstance(targets, list) and "built.targets" not in damaged and set(built) != _adapted(found):
        yield f"{adapters.MANIFEST}: built.targets are not the modules that have tensors"
    if not any(key.startswith("prompt.") for key in damaged):
        yield from _prompt(manifest["prompt"])


def _adapted(found: Mapping[str, Tensor]) -> set[str]:
    """Return the last names of the modules that have tensors of a LoRA."""
    modules = (re.split(r"\.lora_", key)[0] for key in found if ".lora_" in key)
    return {module.rpartition(".")[2] for module in modules}


def _prompt(prompt: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a manifest's prompt, as far as no tokenizer is needed."""
    ids, probe = prompt.get("probe_ids"), prompt.get("probe")
    where = f"{adapters.MANIFEST}: prompt"
    if prompt["style"] not in ("chat", "inst", "plain"):
        yield f"{where}.style is {prompt['style']!r}; allowed are chat, inst and plain"
    if probe != prompts.PROBE:
        yield f"{where}.probe is not the text that this FinLoRA proves prompts with"
    if not isinstance(ids, list) or not record_checks.list_of(record_checks.count, least=1)(ids):
        yield f"{where}.probe_ids are no token ids"
    elif isinstance(probe, str):
        # No token of any tokenizer stands for less than a byte; a start token may come on top.
        longest = len(f"{prompt['head']}{probe}{prompt['tail']}".encode()) + 2
        if len(ids) > longest:
            yield f"{where}.probe_ids are {len(ids)} tokens, and the probe has {longest - 2} bytes"
    if prompt["end"] not in prompt["stop"]:
        yield f"{where}.stop lacks the end of an answer, {prompt['end']!r}"


def _beside(folder: Path) -> Iterator[str]:
    """Yield what should not be handed on with an adapter: pickles, and places of a machine."""
    host = platform.node()
    hosts = re.compile(rf"\b{re.escape(host)}\b") if len(host) >= _SHORTEST_HOST else None
    for place, _folders, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place) / name
            shown = path.relative_to(folder)
            if path.suffix.lower() in _PICKLES:
                yield f"{shown} may be a pickle, which can run code when loaded; remove it"
            if not path.is_file() or path.suffix.lower() not in _TEXTS or path.stat().st_size > _LARGEST_TEXT:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            for words in _words(text) if path.suffix == ".json" else [text]:
                match = _PLACE.search(words) or (hosts and hosts.search(words))
                if match:
                    yield f"{shown} names a place of a machine: {match[0]}; take it out before handing it on"
                    break


def _words(text: str) -> Iterator[str]:
    """Yield every text in a JSON file; the file itself where it is none."""
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        yield text
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _notes(adapter: Adapter, root: Path | None) -> Iterator[str]:
    manifest = adapter.manifest
    if manifest is None:
        yield f"no {adapters.MANIFEST}: nothing says how it was trained, so its prompt can't be proved"
    elif adapters.DIGEST not in manifest:
        yield "no digest recorded: an older FinLoRA published it, so edited weights would not be seen"
    named = record_checks.value_at(manifest, "base_model.name") or adapter.peft.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        yield "the base model is not named"
        return
    folder, why = _base(named, (root or Path.cwd()) / "configs")
    if folder is None:
        yield f"base model {named}: not here{why}"
        return
    yield f"base model {named}: here"
    wanted = record_checks.value_at(manifest, "base_model.tokenizer_sha256")
    if isinstance(wanted, str):
        try:
            same = models.tokenizer_digest(folder) == wanted
        except (BaseModelError, OSError, AttributeError, TypeError):
            same = False
        if not same:
            yield "its tokenizer is not the one of training; `finlora infer` compares their prompts"


def _base(name: str, folder_of_config: Path) -> tuple[Path | None, str]:
    """Return the folder of a base model on this machine; None and why where it is not here."""
    try:
        if name == builtin.NAME:
            folder = builtin.model_folder()
            return (folder, "") if folder.is_dir() else (None, "; the first training or answer makes it")
        found = local_folder(name, folder_of_config)
        if found is None:
            return None, f" (looked in the hub's cache, {hub_cache()}); the first answer fetches it"
        model_folder.weight_files(found, name)
        return found, ""
    except (BaseModelError, OSError, RuntimeError) as error:
        return None, f" ({in_a_word(error, folder_of_config)})"
