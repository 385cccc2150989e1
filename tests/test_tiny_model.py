"""Tiny models: each architecture can be made, keeps what is special about it, and computes."""

import pytest

from finlora import tiny_model
from finlora.errors import BaseModelError
from finlora.model_shapes import shipped

LLAMA3 = "meta-llama/Llama-3.1-8B-Instruct"
# Shipped shape: type, heads that share a key, and traits that take part in the code that runs.
SHAPES = {
    LLAMA3: ("llama", 4, {"tie_word_embeddings": False}),
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("llama", 3, {"tie_word_embeddings": True}),
    "mistralai/Mistral-7B-Instruct-v0.3": ("mistral", 4, {"sliding_window": None}),
    "Qwen/Qwen2.5-0.5B-Instruct": ("qwen2", 7, {"tie_word_embeddings": True}),
    "Qwen/Qwen3-8B": ("qwen3", 4, {"tie_word_embeddings": False}),
    "google/gemma-2-2b-it": (
        "gemma2",
        2,
        {
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
            "layer_types": ["sliding_attention", "full_attention"],
            "tie_word_embeddings": True,
        },
    ),
    "microsoft/Phi-3-mini-4k-instruct": ("phi3", 1, {"sliding_window": 2047}),
}


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_model.byte_level_tokenizer(["sales rose"], named=tiny_model.CHATML_TOKENS)


def load(folder):
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, output_loading_info=True
    )
    assert not report["missing_keys"]
    return model


def logits(model):
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([[5, 6, 7, 8]])).logits


def test_the_families_are_all_here():
    assert {kind for kind, _, _ in SHAPES.values()} == {
        *("llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3")
    }
    assert len(SHAPES) == 7


@pytest.mark.parametrize("name", SHAPES)
def test_an_architecture_is_made_small_and_keeps_its_traits(name, tokenizer, tmp_path):
    kind, sharing, traits = SHAPES[name]
    tiny = tiny_model.write(tmp_path, shipped()[name], tokenizer)
    model = load(tmp_path)
    config = model.config
    assert (tiny.model_type, config.model_type, tiny.layers) == (kind, kind, 2)
    assert tiny.parameters == model.num_parameters() < 2_000_000
    assert (tiny.vocabulary, config.vocab_size) == (len(tokenizer), len(tokenizer))
    assert config.num_attention_heads // config.num_key_value_heads == sharing
    assert {trait: getattr(config, trait) for trait in traits} == traits
    assert str(model.dtype) == "torch.float32"
    assert logits(model).isfinite().all()
    # What bitsandbytes multiplies rightly in 4 bits on a CPU.
    layers = [weight for key, weight in model.named_parameters() if "proj" in key and weight.dim() == 2]
    assert len(layers) >= 8
    assert all(layer.shape[0] % 32 == 0 == layer.shape[1] % 64 for layer in layers)


def test_biases_norms_of_heads_and_fused_projections_are_those_of_the_family(tokenizer, tmp_path):
    modules = {}
    for name in ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen3-8B", "microsoft/Phi-3-mini-4k-instruct"):
        folder = tmp_path / name.partition("/")[2]
        tiny_model.write(folder, shipped()[name], tokenizer)
        modules[name.partition("/")[2]] = {key for key, _ in load(folder).named_parameters()}
    assert "model.layers.0.self_attn.q_proj.bias" in modules["Qwen2.5-0.5B-Instruct"]
    assert "model.layers.0.self_attn.q_norm.weight" in modules["Qwen3-8B"]
    assert "model.layers.0.self_attn.qkv_proj.weight" in modules["Phi-3-mini-4k-instruct"]


def test_heads_wider_than_the_hidden_state_stay_so(tokenizer, tmp_path):
    tiny_model.write(tmp_path, {**shipped()["Qwen/Qwen3-8B"], "hidden_size": 2560}, tokenizer)
    config = load(tmp_path).config
    assert config.head_dim * config.num_attention_heads == 2 * config.hidden_size == 128


def test_long_positions_shrink_with_the_head(tokenizer, tmp_path):
    factors = {"short_factor": [1.0] * 48, "long_factor": [4.0] * 48, "type": "longrope"}
    shape = {
        **shipped()["microsoft/Phi-3-mini-4k-instruct"],
        "max_position_embeddings": 131072,
        "rope_scaling": factors,
        "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"},
    }
    tiny_model.write(tmp_path, shape, tokenizer)
    config = load(tmp_path).config
    assert config.rope_parameters["long_factor"] == [4.0] * 8
    assert not hasattr(config, "auto_map")


def test_every_shipped_shape_can_be_made(tokenizer, tmp_path):
    made = [
        tiny_model.write(tmp_path / str(i), shape, tokenizer) for i, shape in enumerate(shipped().values())
    ]
    assert len(made) >= 18


def test_equal_arguments_make_equal_files(tokenizer, tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        tiny_model.write(folder, shipped()[LLAMA3], tokenizer, seed=seed)
    first, second, other = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert first == second != other


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"model_type": "nosuch"}, "no tiny model of type 'nosuch'"),
        ({}, "no tiny model of type 'None'"),
        ({"model_type": "gemma3", "text_config": {}}, "it reads more than text"),
        ({"model_type": "llama", "hidden_size": "wide"}, "no tiny model of type 'llama'"),
        ({"model_type": "opt", "ffn_dim": 400_000}, "sizes of opt are not known here"),
    ],
)
def test_what_can_not_be_made_is_one_clear_error(shape, reason, tokenizer, tmp_path):
    with pytest.raises(BaseModelError, match=reason) as caught:
        tiny_model.write(tmp_path / "model", shape, tokenizer)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()
