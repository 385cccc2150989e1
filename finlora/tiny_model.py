"""Tiny random models: the architecture and the special traits of a real one, next to no weights.

What is kept is what takes part in the code that runs: the model's type, how many heads share one
key, tied embeddings, biases, softcapping, sliding windows, kinds of layers, the scheme of positions.
What is made small is sizes alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import privacy
from finlora.errors import BaseModelError

_MOST_HEADS_A_KEY = 8
# Where a CPU has AVX-512, bitsandbytes packs 4-bit layers whose outputs are a multiple of this, and fails
# on others. All keys of a layer together are its smallest output.
_OUTPUTS = 32
# Beyond embeddings. An architecture with sizes of its own that stay large would fill the memory.
_MOST_PARAMETERS = 50_000_000

# Entries of a config that say nothing about the architecture, or name files that are not here: code of
# the model's own, a checkpoint's quantisation and number type.
_LEFT_OUT = (
    "auto_map",
    "quantization_config",
    "torch_dtype",
    "dtype",
    "_name_or_path",
    "transformers_version",
)

# Sizes besides those of attention, where a family has them, as multiples of the hidden size ...
_WIDTHS = {"intermediate_size": 2, "moe_intermediate_size": 1}
# ... and the largest counts: enough experts that one of them is not asked.
_COUNTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
# Phi's long positions: one factor for each pair of rotated columns, so the lists shrink with the head.
_FACTOR_LISTS = ("short_factor", "long_factor")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CHATML_TOKENS = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}


@dataclass(frozen=True)
class TinyModel:
    """A tiny model's folder and what lies in it.

    Args:
        folder: config, float32 safetensors and tokenizer.
        model_type: the architecture, as transformers calls it.
        layers: number of layers.
        hidden: size of the hidden states.
        vocabulary: tokens of its tokenizer.
        parameters: number of weights.
    """

    folder: Path
    model_type: str
    layers: int
    hidden: int
    vocabulary: int
    parameters: int


def write(
    folder: Path,
    shape: Mapping[str, Any],
    tokenizer: Any,
    *,
    hidden: int = 64,
    layers: int = 2,
    spread: float = 0.02,
    seed: int = 0,
) -> TinyModel:
    """Write a tiny model with random float32 weights; the same files for the same arguments.

    Args:
        folder: where to; made if need be.
        shape: the real model's `config.json`.
        tokenizer: gets a place in the vocabulary for each of its tokens, and is saved beside the model.
        hidden: least size of the hidden states. For 4 bits a multiple of 64, bitsandbytes' block: on a
            CPU it multiplies wrongly, without a word, where a layer's input is none.
        layers: number of layers; more where the architecture has more kinds of layers.
        spread: standard deviation of the weights.
        seed: decides the weights.

    Raises:
        BaseModelError: no tiny model of this architecture can be made.
    """
    privacy.go_offline()
    from transformers import GenerationConfig
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
    kind = str(shape.get("model_type"))
    try:
        config = _config(shape, tokenizer, hidden, layers, spread)
        model = _random_model(config, kind, seed)
    # A config that makes no model fails in as many ways as there are architectures.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise BaseModelError(f"no tiny model of type {kind!r} can be made: {reason}") from None
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return TinyModel(
        folder, kind, config.num_hidden_layers, config.hidden_size, len(tokenizer), model.num_parameters()
    )


def _random_model(config: Any, kind: str, seed: int) -> Any:
    """Return a model with random float32 weights that has answered once; a large one is refused unmade."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        _check_size(AutoModelForCausalLM.from_config(config), kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.inference_mode():
        model.eval()(input_ids=torch.tensor([[0, 1, 2, 3]]))
    return model


def _config(shape: Mapping[str, Any], tokenizer: Any, hidden: int, layers: int, spread: float) -> Any:
    """Return the architecture's configuration with small sizes in the place of the real ones."""
    from transformers import AutoConfig

    given = {key: value for key, value in shape.items() if key not in _LEFT_OUT}
    if "text_config" in given:
        raise ValueError("it reads more than text")
    kind = given.pop("model_type")
    real = AutoConfig.for_model(kind, **given)
    sizes: dict[str, Any] = {
        "num_hidden_layers": layers,
        "vocab_size": len(tokenizer),
        "initializer_range": spread,
        **{f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")},
        **_attention(real, hidden),
        **{key: times * hidden for key, times in _WIDTHS.items() if getattr(real, key, None)},
        **{key: min(most, n) for key, most in _COUNTS.items() if (n := getattr(real, key, None))},
    }
    if kinds := list(dict.fromkeys(getattr(real, "layer_types", None) or ())):
        sizes["num_hidden_layers"] = max(layers, len(kinds))
        sizes["layer_types"] = [kinds[i % len(kinds)] for i in range(sizes["num_hidden_layers"])]
    head = sizes.get("head_dim") or sizes["hidden_size"] // sizes["num_attention_heads"]
    return AutoConfig.for_model(kind, **{**given, **_positions(given, real, head), **sizes})


def _attention(real: Any, hidden: int) -> dict[str, int]:
    """Return heads, key heads, columns a head and the hidden size that holds them.

    As many heads share a key as in the real model. Many of them make the hidden state wider, since
    most families cut it into equal heads.
    """
    heads = real.num_attention_heads
    keys = getattr(real, "num_key_value_heads", None) or heads
    sharing = min(_MOST_HEADS_A_KEY, max(1, heads // keys))
    few_keys = min(keys, 2) if sharing > 1 else min(keys, 4)
    small = {"num_attention_heads": few_keys * sharing}
    if hasattr(real, "num_key_value_heads"):
        small["num_key_value_heads"] = few_keys
    # Some families (Gemma, Qwen3) have heads that are wider together than the hidden state.
    columns = real.to_dict().get("head_dim")
    wider = columns is not None and columns * heads != real.hidden_size
    few_columns = _OUTPUTS // math.gcd(_OUTPUTS, few_keys)
    width = math.lcm(2 * hidden if wider else hidden, small["num_attention_heads"] * few_columns)
    if columns is not None:
        small["head_dim"] = width // small["num_attention_heads"]
    return {**small, "hidden_size": hidden if wider else width}


def _positions(given: Mapping[str, Any], real: Any, head: int) -> dict[str, Any]:
    """Return the entries on positions with lists of factors cut to a head of `head` columns."""
    pairs = int(head * getattr(real, "partial_rotary_factor", given.get("partial_rotary_factor", 1.0))) // 2
    cut = {}
    for key in ("rope_scaling", "rope_parameters"):
        if isinstance(given.get(key), dict):
            lists = {name: given[key][name][:pairs] for name in _FACTOR_LISTS if name in given[key]}
            cut[key] = {**given[key], **lists}
    return cut


def _check_size(model: Any, kind: str) -> None:
    embedded = model.get_input_embeddings().weight.numel()
    others = model.num_parameters() - embedded
    if others - embedded > _MOST_PARAMETERS:
        raise ValueError(f"it would have {others:,} weights; sizes of {kind} are not known here")


def byte_level_tokenizer(
    texts: Iterable[str],
    *,
    named: Mapping[str, str],
    others: Sequence[str] = (),
    vocabulary: int = 400,
    chat_template: str | None = None,
    begins: bool = False,
) -> Any:
    """Return a byte-level BPE tokenizer learned from texts; any text can be written with it.

    Args:
        texts: what it learns its merges from.
        named: special tokens by role (`bos_token`, `eos_token`, …).
        others: further special tokens.
        vocabulary: most tokens it may have.
        chat_template: its Jinja template.
        begins: put the BOS token before every text.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = [*named.values(), *others]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(  # type: ignore[no-untyped-call]
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in specials],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    if begins:
        bos = named["bos_token"]
        core.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, core.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=4096, **named)
    tokenizer.chat_template = chat_template
    return tokenizer
