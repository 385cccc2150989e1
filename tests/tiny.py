"""Tiny base models and adapters, made on the spot: real architecture, real files, no quality."""

from pathlib import Path
from typing import Any

from finlora import privacy, tiny_model

_SENTENCES = [
    "Net sales rose 12.5% to EUR 1,034.7 million, while operating profit fell to EUR 91.2 million.",
    "What is the sentiment of this news? positive, negative or neutral",
    "The company expects demand to remain weak in the second quarter of 2024.",
    "Shares of the bank gained after the central bank kept its interest rates unchanged.",
    "Answer: neutral. Answer: positive. Answer: negative.",
]

# Prints a date and trims what it is given, as Llama 3.1's does.
_LLAMA3 = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\n"
    "Today Date: {{ strftime_now('%d %b %Y') }}<|eot_id|>"
    "{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)

# Per template: the template, named special tokens, and those that are merely in the vocabulary.
_KINDS: dict[str | None, tuple[str | None, dict[str, str], list[str]]] = {
    "chatml": (tiny_model.CHATML, tiny_model.CHATML_TOKENS, []),
    "llama3": (
        _LLAMA3,
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
        ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|reserved_0|>"],
    ),
    None: (None, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, []),
}


def make_tiny_tokenizer(template: str | None = "chatml") -> Any:
    """Return a byte-level BPE tokenizer; all but `chatml` put a BOS token before every text."""
    chat, named, others = _KINDS[template]
    return tiny_model.byte_level_tokenizer(
        _SENTENCES, named=named, others=others, chat_template=chat, begins=template != "chatml"
    )


def make_tiny_base(
    folder: Path,
    seed: int = 0,
    template: str | None = "chatml",
    hidden: int = 64,
    layers: int = 2,
    spread: float = 0.2,
) -> Path:
    """Write a Llama with random float32 weights and its tokenizer; the same files for the same arguments.

    Args:
        folder: where to.
        seed: decides the weights.
        template: `chatml`, `llama3` (its end of turn is not the tokenizer's end token, no padding
            token, the date in it) or None.
        hidden: size of the hidden states, a multiple of 64.
        layers: number of layers.
        spread: standard deviation of the weights. Larger than usual, so that answers differ from
            prompt to prompt; a base that is to be trained wants the usual 0.02.

    Returns:
        The folder.
    """
    shape = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    tiny_model.write(
        folder,
        {**shape, "max_position_embeddings": 4096, "tie_word_embeddings": False},
        make_tiny_tokenizer(template),
        hidden=hidden,
        layers=layers,
        spread=spread,
        seed=seed,
    )
    return folder


def make_tiny_adapter(folder: Path, base: Path, seed: int = 0, scale: float = 0.2, **lora: Any) -> Path:
    """Write a PEFT adapter with random A and B for a base model.

    Args:
        folder: where to.
        base: the base model's folder.
        seed: decides the weights.
        scale: spread of B; 0 leaves B zero, as before any training.
        lora: fields of PEFT's LoraConfig; r 4 on the q, k and v projections unless given.

    Returns:
        The folder.
    """
    privacy.go_offline()
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    fields = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "v_proj"], **lora}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, local_files_only=True),
            LoraConfig(task_type="CAUSAL_LM", **fields),
        )
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(std=scale)
    model.save_pretrained(folder)
    return folder
