"""What a base model's folder holds, and whether it is whole; read without any model library."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finlora.errors import BaseModelError

TOKENIZERS = ("tokenizer.json", "tokenizer.model")
BUILTIN = "builtin:smollm2-135m-instruct-q4_1"
_LFS = b"version https://git-lfs"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def named(name: str, folder_of_config: Path) -> Path | None:
    """Return the folder that a base model's name is (`./`, `../`, `/` or `~/` in front), or None.

    Args:
        name: as the user wrote it.
        folder_of_config: what a relative folder is relative to.
    """
    if name in (".", "..") or name.startswith(("./", "../", "/", "~/")):
        return (folder_of_config / Path(name).expanduser()).resolve()
    return None


def is_hub_id(name: str) -> bool:
    """Return whether a base model's name may be one of the hub's."""
    return _HUB_ID.fullmatch(name) is not None


def check_hub_id(name: str) -> None:
    """Refuse a name that is neither a folder nor built in and can't be the hub's.

    Raises:
        BaseModelError: what is allowed.
    """
    if not is_hub_id(name):
        raise BaseModelError(
            f"{name!r} is no name of a base model; allowed are a hub id (meta-llama/Llama-3.1-8B-Instruct), "
            f"a folder (./models/llama) and {BUILTIN}"
        )


def check(folder: Path, name: str) -> list[Path]:
    """Check that a folder holds all that training reads, and return its weight files.

    Raises:
        BaseModelError: the first thing missing.
    """
    if not folder.is_dir():
        raise BaseModelError(f"{name}: no such folder: {folder}")
    if not (folder / "config.json").is_file():
        raise BaseModelError(f"{name}: no config.json in {folder}; it is not a model's folder")
    tokenizers = tokenizer_files(folder, name)
    weights = weight_files(folder, name)
    for path in [*tokenizers, *weights]:
        with path.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                raise BaseModelError(
                    f"{name}: {path} is a Git LFS pointer, not the file itself\n"
                    f"What to do: git -C {folder} lfs pull"
                )
    for path in weights:
        shapes(path)
    return weights


def tokenizer_files(folder: Path, name: str) -> list[Path]:
    """Return the tokenizer files of a model's folder.

    Raises:
        BaseModelError: there is none.
    """
    found = [folder / file for file in TOKENIZERS if (folder / file).is_file()]
    if not found:
        raise BaseModelError(f"{name}: neither {' nor '.join(TOKENIZERS)} in {folder}")
    return found


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors files of a model's folder: one, or all that the index names.

    Raises:
        BaseModelError: there are none, or not all.
    """
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        pickles = sorted(path.name for path in folder.glob("pytorch_model*.bin"))
        raise BaseModelError(
            f"{name}: neither model.safetensors nor model.safetensors.index.json in {folder}"
            + (f"; {pickles[0]} is a pickle, which can run code and is not read" if pickles else "")
            + "\nWhat to do: use the model's safetensors version"
        )
    weight_map = read_json(index, name).get("weight_map")
    shards = sorted({str(shard) for shard in weight_map.values()}) if isinstance(weight_map, dict) else []
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing or not shards:
        raise BaseModelError(
            f"{name}: {index} names {len(shards)} files, {len(missing)} of them are missing in {folder}"
            + (f": {', '.join(missing[:3])}" if missing else "")
            + "\nWhat to do: copy or download the model again"
        )
    return [folder / shard for shard in shards]


def read_json(path: Path, name: str) -> dict[str, Any]:
    """Return the JSON object in a file of the model called `name`.

    Raises:
        BaseModelError: it can't be read or is no object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelError(f"{name}: {path} can't be read: {error}") from None
    if not isinstance(value, dict):
        raise BaseModelError(f"{name}: {path} is not a JSON object")
    return value


def header(path: Path) -> dict[str, Any]:
    """Return what the header of a safetensors file says of each weight: `dtype`, `shape`, `data_offsets`.

    Raises:
        BaseModelError: the file is not whole.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size - 8 - length
        try:
            entries: dict[str, Any] = json.loads(file.read(length)) if size >= 0 else {}
            entries.pop("__metadata__", None)
            end = max(entry["data_offsets"][1] for entry in entries.values())
        except (ValueError, AttributeError, LookupError, TypeError):
            end = None
    if end != size:
        raise BaseModelError(
            f"{path} is cut off or no safetensors file\nWhat to do: copy or download it again"
        )
    return entries


def shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each weight in a safetensors file.

    Raises:
        BaseModelError: the file is not whole.
    """
    return {weight: entry["shape"] for weight, entry in header(path).items()}


def fused_attention(config: Mapping[str, Any], widths: Mapping[str, int]) -> tuple[str, ...]:
    """Return the last names of modules that hold q, k and v in one matrix, as Phi-3's do.

    They are told by their rows: those of every head's query, key and value.

    Args:
        config: the model's config.json.
        widths: rows of each matrix by the module's path.
    """
    heads, hidden = config.get("num_attention_heads"), config.get("hidden_size")
    if not (isinstance(heads, int) and isinstance(hidden, int) and heads > 0):
        return ()
    head = config.get("head_dim") or hidden // heads
    rows = (heads + 2 * (config.get("num_key_value_heads") or heads)) * head
    found = {path.rpartition(".")[2] for path, width in widths.items() if width == rows}
    # Where a wide layer happens to have as many rows, its name tells it apart.
    return tuple(sorted(name for name in found if not re.search(r"gate|up|down|fc|mlp|lm_head", name)))
