"""The shape of a base model from its config.json alone: sizes and parameter counts, no weights read."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from finlora import model_folder
from finlora.errors import BaseModelError, did_you_mean

_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
)
# Norm vectors of width `hidden_size` in a layer; Gemma 2 has one before and one after each half.
_NORMS = {"llama": 2, "mistral": 2, "qwen2": 2, "qwen3": 2, "phi3": 2, "gemma": 2, "gemma2": 4}
_TIED_UNLESS_SAID = ("gemma", "gemma2")


@dataclass(frozen=True)
class Linear:
    """One matrix of a layer.

    Args:
        name: its path inside the layer, `self_attn.q_proj`.
        inputs: columns.
        outputs: rows.
        bias: whether it adds a vector.
    """

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def module(self) -> str:
        """Its last name, as `lora_target_modules` says it."""
        return self.name.rpartition(".")[2]

    @property
    def weights(self) -> int:
        """Parameters of the matrix alone."""
        return self.inputs * self.outputs

    @property
    def parameters(self) -> int:
        """Parameters, the bias among them."""
        return self.weights + self.outputs * self.bias


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a decoder-only model.

    Args:
        model_type: as config.json names it.
        layers: number of layers, all alike.
        hidden: width of the residual stream.
        intermediate: width inside the MLP.
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: width of a head.
        vocabulary: rows of the embedding.
        tied: whether the output layer is the embedding.
        linears: the matrices of one layer.
        layer_norms: parameters of one layer's norms.
    """

    model_type: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    linears: tuple[Linear, ...]
    layer_norms: int

    @property
    def embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocabulary * self.hidden

    @property
    def lm_head(self) -> int:
        """Parameters of an output layer of its own; 0 where it is the embedding."""
        return 0 if self.tied else self.embedding

    @property
    def linear(self) -> int:
        """Parameters of all matrices in all layers, without biases: what quantisation makes smaller."""
        return self.layers * sum(linear.weights for linear in self.linears)

    @property
    def biases(self) -> int:
        """Parameters of the matrices' biases in all layers."""
        return self.layers * sum(linear.outputs for linear in self.linears if linear.bias)

    @property
    def norms(self) -> int:
        """Parameters of all norms, the last one among them."""
        return self.layers * self.layer_norms + self.hidden

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.embedding + self.lm_head + self.linear + self.biases + self.norms

    @property
    def attention(self) -> tuple[str, ...]:
        """The modules an adapter changes unless told otherwise: q, k and v, in one matrix or in three."""
        names = {linear.module: linear.outputs for linear in self.linears}
        three = ("q_proj", "k_proj", "v_proj")
        fused = (self.heads + 2 * self.kv_heads) * self.head_dim
        return three if set(three) <= set(names) else tuple(n for n, rows in names.items() if rows == fused)

    def targets(self, wanted: tuple[str, ...]) -> tuple[Linear, ...]:
        """Return the matrices of a layer that an adapter changes.

        Args:
            wanted: `lora_target_modules`: last names, ends of paths, or `all-linear`.

        Raises:
            BaseModelError: a name is no matrix of a layer.
        """
        if wanted == ("all-linear",):
            return self.linears
        names = [linear.module for linear in self.linears]
        for name in wanted:
            if not any(_is_called(linear, name) for linear in self.linears):
                raise BaseModelError(
                    f"lora_target_modules: no module is called {name!r}{did_you_mean(name, names)}; "
                    f"a layer of this model has: {', '.join(names)}"
                )
        return tuple(linear for linear in self.linears if any(_is_called(linear, name) for name in wanted))


def _is_called(linear: Linear, name: str) -> bool:
    return linear.name == name or linear.name.endswith(f".{name}")


def config_of(name: str, folder_of_config: Path) -> tuple[dict[str, Any], str]:
    """Return a base model's config.json, found without the network and without its weights.

    Args:
        name: a folder (`./`, `../`, `/` or `~/` in front), `builtin:NAME`, or a hub id.
        folder_of_config: what a relative folder is relative to.

    Returns:
        The config, and where it came from: the folder as named, `hub cache` or `shipped`.

    Raises:
        BaseModelError: it is not on this machine and not among the shipped ones.
    """
    folder = local_folder(name, folder_of_config)
    if folder is not None:
        named = model_folder.named(name, folder_of_config) is not None
        return model_folder.read_json(folder / "config.json", name), name if named else "hub cache"
    if name in shipped():
        return shipped()[name], "shipped"
    model_folder.check_hub_id(name)
    raise BaseModelError(
        f"{name}: its shape is not known here{did_you_mean(name, list(shipped()))}\n"
        "Known without a download: " + ", ".join(shipped()) + "\n"
        "What to do: name a local folder that holds its config.json (./models/NAME), or fetch the model once"
    )


def local_folder(name: str, folder_of_config: Path) -> Path | None:
    """Return the folder on this machine that holds a model's config.json, or None.

    Looks into a named folder, else into the hub's cache, where `refs/main` names the snapshot.

    Raises:
        BaseModelError: a named folder has no config.json.
    """
    folder = model_folder.named(name, folder_of_config)
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise BaseModelError(f"{name}: no config.json in {folder}; it is not a model's folder")
        return folder
    place = hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (place / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    snapshot = place / "snapshots" / commit
    return snapshot if (snapshot / "config.json").is_file() else None


def hub_cache() -> Path:
    """Return the folder of the hub's cache, without the hub's library: importing it costs more than a plan.

    Source: huggingface_hub's documentation of environment variables.
    """
    variables = os.environ
    home = variables.get("HF_HOME") or f"{variables.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    hub = variables.get("HF_HUB_CACHE") or variables.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(hub).expanduser()


@cache
def shipped() -> dict[str, dict[str, Any]]:
    """Return the public configs that come with FinLoRA, by hub id."""
    text = (Path(__file__).parent / "files" / "model_configs.json").read_text(encoding="utf-8")
    configs: dict[str, dict[str, Any]] = json.loads(text)
    return configs


def shape_of(config: Mapping[str, Any], name: str) -> ModelShape:
    """Return the shape that a config.json describes.

    Args:
        config: its content.
        name: the model, for messages.

    Raises:
        BaseModelError: the architecture is not known here, or a size is missing or no whole number.

    Source: the modelling code of each type in transformers; the counts are checked against the
    published ones and against models built by transformers (`tests/test_model_shapes.py`).
    """
    kind = str(config.get("model_type"))
    if kind not in _NORMS:
        raise BaseModelError(
            f"{name}: the shape of models of type {kind!r} is not known here; known are: {', '.join(_NORMS)}"
        )
    hidden, intermediate, layers, heads, vocabulary = (_size(config, key, name) for key in _SIZES)
    kv_heads = _size(config, "num_key_value_heads", name, heads)
    head_dim = _size(config, "head_dim", name, hidden // heads)
    # Qwen 3 normalises queries and keys within each head.
    inside_heads = 2 * head_dim if kind == "qwen3" else 0
    return ModelShape(
        model_type=kind,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        tied=bool(config.get("tie_word_embeddings", kind in _TIED_UNLESS_SAID)),
        linears=_linears(config, kind, hidden, intermediate, heads * head_dim, kv_heads * head_dim),
        layer_norms=_NORMS[kind] * hidden + inside_heads,
    )


def _linears(
    config: Mapping[str, Any], kind: str, hidden: int, intermediate: int, queries: int, keys: int
) -> tuple[Linear, ...]:
    if kind == "phi3":
        return (
            Linear("self_attn.qkv_proj", hidden, queries + 2 * keys),
            Linear("self_attn.o_proj", queries, hidden),
            Linear("mlp.gate_up_proj", hidden, 2 * intermediate),
            Linear("mlp.down_proj", intermediate, hidden),
        )
    # Qwen 2 has biases on q, k and v whatever its config says, and none on o.
    bias = kind == "qwen2" or (kind != "mistral" and bool(config.get("attention_bias")))
    mlp_bias = kind == "llama" and bool(config.get("mlp_bias"))
    return (
        Linear("self_attn.q_proj", hidden, queries, bias),
        Linear("self_attn.k_proj", hidden, keys, bias),
        Linear("self_attn.v_proj", hidden, keys, bias),
        Linear("self_attn.o_proj", queries, hidden, bias and kind != "qwen2"),
        Linear("mlp.gate_proj", hidden, intermediate, mlp_bias),
        Linear("mlp.up_proj", hidden, intermediate, mlp_bias),
        Linear("mlp.down_proj", intermediate, hidden, mlp_bias),
    )


def _size(config: Mapping[str, Any], key: str, name: str, default: int | None = None) -> int:
    value = config.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BaseModelError(
            f"{name}: config.json has {key} {json.dumps(value)}; it must be a whole number above 0"
        )
    return value
