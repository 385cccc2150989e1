"""Where a base model comes from: a folder, the hub's cache or the hub, or the built-in small one."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from finlora import builtin
from finlora.causes import INSTALL
from finlora.errors import BaseModelError, FinLoRAError, did_you_mean
from finlora.files import fingerprint
from finlora.hub_errors import LOG_IN, explain
from finlora.launch import run_tool
from finlora.model_folder import (
    TOKENIZERS,
    check,
    check_hub_id,
    fused_attention,
    named,
    read_json,
    shapes,
    tokenizer_files,
    weight_files,
)
from finlora.model_shapes import local_folder
from finlora.privacy import OFFLINE, QUIET

_REFERENCE_TARGETS = ("q_proj", "k_proj", "v_proj")
_WANTED_FILES = ["*.safetensors", "*.json", "tokenizer*", "*.model", "*.jinja", "*.txt"]
# Sub-folders hold other formats; Mistral's repositories hold every weight twice.
_OTHER_FILES = ["*/*", "consolidated*"]
_TOKENIZER_FILES = ["config.json", "tokenizer*", "*.jinja"]


@dataclass(frozen=True)
class BaseModel:
    """A base model that is on this machine.

    Args:
        name: as the user wrote it.
        folder: holds config, tokenizer and safetensors.
        identity: `hub:ID@COMMIT`, `builtin:NAME@DIGEST` or `fingerprint:HEX`; equal for equal weights.
    """

    name: str
    folder: Path
    identity: str


def ignore(_text: str) -> None:
    """Say nothing."""


def resolve(
    name: str, folder_of_config: Path, *, offline: bool = False, say: Callable[[str], None] = ignore
) -> BaseModel:
    """Return a base model, fetched if need be, with everything that training reads in place.

    Args:
        name: a folder (`./`, `../`, `/` or `~/` in front), `builtin:NAME`, or a hub id.
        folder_of_config: what a relative folder is relative to.
        offline: take only what is on this machine.
        say: called with a line of text before something is fetched.

    Raises:
        BaseModelError: it can't be had; the message says what to do.
    """
    own = named(name, folder_of_config)
    if own is not None:
        weights = check(own, name)
        return BaseModel(name, own, f"fingerprint:{fingerprint([own / 'config.json', *weights])}")
    if name.startswith("builtin:"):
        return _builtin(name, offline, say)
    check_hub_id(name)
    folder = _hub(name, offline, say)
    return BaseModel(name, folder, f"hub:{name}@{folder.name}")


def _builtin(name: str, offline: bool, say: Callable[[str], None]) -> BaseModel:
    if name != builtin.NAME:
        raise BaseModelError(f"{name}: no such built-in model; the only one is {builtin.NAME}")
    folder = builtin.model_folder()
    if not folder.is_dir():
        if offline:
            raise BaseModelError(
                f"{name} is not in the cache ({folder}) and offline work was asked for\n"
                "What to do: run once without --offline, or copy that folder from another machine"
            )
        try:
            builtin.make_once(say)
        except OSError as error:
            raise BaseModelError(f"{folder}: can't be written: {error.strerror or error}") from None
    check(folder, name)
    return BaseModel(name, folder, builtin.IDENTITY)


def _hub(name: str, offline: bool, say: Callable[[str], None]) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
        check(folder, name)
        return folder
    except (LocalEntryNotFoundError, BaseModelError):
        # Nothing there, or a download that was cut off.
        if offline or constants.HF_HUB_OFFLINE:
            raise BaseModelError(
                f"{name} is not complete in the hub's cache ({constants.HF_HUB_CACHE}) "
                "and offline work was asked for\nWhat to do: run once without --offline (and without "
                "HF_HUB_OFFLINE), or copy the model's folder here and name it with ./ in front"
            ) from None
    say(f"fetching {name} from {urlsplit(constants.ENDPOINT).hostname}")
    folder = _download(name, _WANTED_FILES)
    check(folder, name)
    return folder


def tokenizer_folder(
    name: str, folder_of_config: Path, *, offline: bool = False, say: Callable[[str], None] = ignore
) -> Path:
    """Return the folder of a base model's tokenizer; of a hub's model nothing else is fetched.

    Args and errors as in `resolve`.
    """
    if name.startswith("builtin:"):
        return _builtin(name, offline, say).folder
    found = local_folder(name, folder_of_config)
    if found is not None and named(name, folder_of_config) is not None:
        tokenizer_files(found, name)
    if found is not None and any((found / file).is_file() for file in TOKENIZERS):
        return found
    check_hub_id(name)
    from huggingface_hub import constants

    if offline or constants.HF_HUB_OFFLINE:
        raise BaseModelError(
            f"the tokenizer of {name} is not on this machine, and offline work was asked for"
        )
    say(f"fetching the tokenizer of {name} from {urlsplit(constants.ENDPOINT).hostname}")
    return _download(name, _TOKENIZER_FILES)


def _download(name: str, wanted: list[str]) -> Path:
    from huggingface_hub import constants, snapshot_download

    page = f"{urlsplit(constants.ENDPOINT).hostname}/{name}"
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=_OTHER_FILES))
    except Exception as error:
        problem, step = explain(
            error,
            "model",
            page,
            absent=f"check the name; for a private model {LOG_IN}; a folder is written ./{name}",
            instead="behind a firewall set HF_ENDPOINT to a mirror, or copy the model's folder here "
            f"and name it with ./ in front; no hub is needed for {builtin.NAME}",
        )
    raise BaseModelError(f"{name} can't be fetched: {problem}\nWhat to do: {step}")


def tokenizer_digest(folder: Path) -> str:
    """Return a digest of what a tokenizer does: vocabulary, merges, special tokens, chat template.

    The files' layout does not matter, nor the state some programs leave in tokenizer.json
    (truncation, padding).

    Args:
        folder: a model's folder.

    Returns:
        Hexadecimal SHA-256.

    Raises:
        BaseModelError: a file can't be read.
    """
    content: dict[str, Any] = {}
    if (folder / "tokenizer.json").is_file():
        parts = read_json(folder / "tokenizer.json", str(folder))
        merges = parts.get("model", {}).get("merges")
        if merges is not None:
            parts["model"]["merges"] = [
                pair.split(" ", 1) if isinstance(pair, str) else pair for pair in merges
            ]
        content["tokenizer"] = {k: v for k, v in parts.items() if k not in ("truncation", "padding")}
    else:
        content["tokenizer"] = hashlib.sha256((folder / "tokenizer.model").read_bytes()).hexdigest()
    config = folder / "tokenizer_config.json"
    settings = read_json(config, str(folder)) if config.is_file() else {}
    for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
        token = settings.get(key)
        content[key] = token["content"] if isinstance(token, dict) else token
    # Whether the tokenizer adds tokens by itself changes the ids too.
    content |= {key: settings.get(key) for key in ("add_bos_token", "add_eos_token")}
    template = folder / "chat_template.jinja"
    content["chat_template"] = (
        template.read_text(encoding="utf-8") if template.is_file() else settings.get("chat_template")
    )
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def target_modules(folder: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the modules to adapt, each of them found in the base model.

    Args:
        folder: a base model's folder, as `resolve` returned it.
        wanted: `lora_target_modules`; None for q, k and v where the model has them, else what PEFT
            takes for the model's type, else the one module that holds q, k and v together.

    Raises:
        BaseModelError: a module is not in the model, or none is known for it.
    """
    widths = _linear_modules(folder)
    modules = sorted(widths)
    last_parts = sorted({module.rpartition(".")[2] for module in modules})
    listed = f"the modules of {folder} are: {', '.join(last_parts)}"
    if wanted is not None:
        for target in wanted:
            if not any(module == target or module.endswith(f".{target}") for module in modules):
                near = did_you_mean(target, last_parts)
                raise BaseModelError(f"lora_target_modules: no module is called {target!r}{near}; {listed}")
        return tuple(wanted)
    if set(_REFERENCE_TARGETS) <= set(last_parts):
        return _REFERENCE_TARGETS
    config = read_json(folder / "config.json", str(folder))
    kind = config.get("model_type")
    known = tuple(target for target in _peft_targets(kind) if target in last_parts)
    known = known or fused_attention(config, widths)
    if not known:
        raise BaseModelError(
            f"no modules to adapt are known for models of type {kind!r}; {listed}\n"
            "What to do: choose some of them with lora_target_modules"
        )
    return known


def _peft_targets(kind: Any) -> list[str]:
    """Return PEFT's targets for a model type; read in a child, as importing peft loads all of torch."""
    table = "TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING"
    code = f"import json; from peft.utils.constants import {table} as t; print(json.dumps(t))"
    try:
        printed = run_tool([sys.executable, "-c", code], {**QUIET, **OFFLINE})
    except FinLoRAError as error:
        raise BaseModelError(
            f"PEFT's table of modules can't be read: {error}\n"
            f"What to do: {INSTALL}; or choose the modules with lora_target_modules"
        ) from None
    return list(json.loads(printed.splitlines()[-1]).get(kind, []))


def _linear_modules(folder: Path) -> dict[str, int]:
    """Return the modules with a matrix and its rows, from the safetensors headers; embeddings left out."""
    weights = [item for path in weight_files(folder, str(folder)) for item in shapes(path).items()]
    found = {weight.rpartition(".")[0]: shape[0] for weight, shape in weights if len(shape) > 1}
    return {name: rows for name, rows in found.items() if not re.search(r"embed|(^|\.)w[tp]e$", name)}
