"""Llamas with random weights, in the shape of a real one or tiny: what `gpu_train.py` trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The tokenizer's words are w0, w1, …; each is one token.
WORDS = 1000


@dataclass(frozen=True)
class Shape:
    """A Llama to train: its sizes, and how much of each kind of rows.

    Args:
        vocabulary: tokens.
        hidden: size of the hidden states.
        intermediate: size inside the MLP.
        layers: number of layers.
        heads: attention heads.
        kv_heads: heads of keys and values.
        rows: kind to (tokens of the shortest row, of the longest, steps of one epoch).
        matrix: side of the square matrices whose product gives the device's rate.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    rows: Mapping[str, tuple[int, int, int]]
    matrix: int

    @property
    def layer_weights(self) -> int:
        """Weights of all linear layers but the output layer."""
        keys = self.hidden * self.kv_heads // self.heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * keys
        return self.layers * (attention + 3 * self.hidden * self.intermediate)


SHAPES = {
    # Source: the published configuration of meta-llama/Llama-3.1-8B-Instruct.
    "8b": Shape(
        128256, 4096, 14336, 32, 32, 8, {"sentiment, about 70": (45, 95, 20), "2,048": (2048, 2048, 4)}, 8192
    ),
    "tiny": Shape(1024, 64, 128, 2, 4, 2, {"sentiment, about 70": (45, 95, 2), "128": (128, 128, 2)}, 256),
}


def make_base(folder: Path, shape: Shape, device: str) -> None:
    """Write a Llama with random weights, made on the device, and a tokenizer of one token for each word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    words = [*named.values(), *(f"w{i}" for i in range(WORDS))]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **named)
    llama = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=8192,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = LlamaForCausalLM(llama)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The trainings are other processes: what this one keeps of the GPU, they lack.
    del model
    if device == "cuda":
        torch.cuda.empty_cache()
