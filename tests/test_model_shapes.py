"""The shapes of base models: published counts, models that transformers builds, where configs come from."""

import json

import pytest

from finlora import builtin, model_shapes
from finlora.errors import BaseModelError

# As the models' pages state them.
PUBLISHED = {
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "meta-llama/Llama-3.1-70B-Instruct": 70_553_706_496,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "mistralai/Mistral-7B-Instruct-v0.3": 7_248_023_552,
    "mistralai/Ministral-8B-Instruct-2410": 8_019_808_256,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "google/gemma-2-2b-it": 2_614_341_888,
    "google/gemma-2-9b-it": 9_241_705_984,
    "microsoft/Phi-3-mini-4k-instruct": 3_821_079_552,
    "microsoft/phi-4": 14_659_507_200,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "HuggingFaceTB/SmolLM2-360M-Instruct": 361_821_120,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1_711_376_384,
}
TYPES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3")
TINY = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "pad_token_id": 0,
}


def shape(name, folder):
    return model_shapes.shape_of(model_shapes.config_of(name, folder)[0], name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name, tmp_path):
    assert shape(name, tmp_path).parameters == PUBLISHED[name]


def test_every_shipped_config_has_a_shape(tmp_path):
    assert len(model_shapes.shipped()) == 19
    assert all(shape(name, tmp_path).parameters > 10**8 for name in model_shapes.shipped())


def test_the_built_in_models_config_is_the_one_it_is_made_with(tmp_path):
    config, source = model_shapes.config_of(builtin.NAME, tmp_path)
    assert source == "shipped"
    same = {key: value for key, value in builtin._CONFIG.items() if key in config}
    assert len(same) > 10
    assert same == {key: config[key] for key in same}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("tied", [False, True])
def test_parts_are_those_of_the_model_that_transformers_builds(kind, tied):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, **TINY, tie_word_embeddings=tied)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    made = model_shapes.shape_of(config.to_dict(), kind)
    assert made.parameters == sum(p.numel() for p in model.parameters())
    assert made.tied is tied
    linears = {
        name: (layer.in_features, layer.out_features, layer.bias is not None)
        for name, layer in model.model.layers[1].named_modules()
        if isinstance(layer, torch.nn.Linear)
    }
    assert {linear.name: (linear.inputs, linear.outputs, linear.bias) for linear in made.linears} == linears
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    assert made.norms == norms


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
def test_biases_are_there_when_the_config_says_so(kind):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, **TINY, attention_bias=True, mlp_bias=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    made = model_shapes.shape_of(config.to_dict(), kind)
    assert made.parameters == sum(p.numel() for p in model.parameters())


def test_targets_are_named_by_last_name_or_end_of_path(tmp_path):
    llama = shape("meta-llama/Llama-3.1-8B", tmp_path)
    assert [t.module for t in llama.targets(("q_proj", "mlp.up_proj"))] == ["q_proj", "up_proj"]
    assert llama.targets(("all-linear",)) == llama.linears
    with pytest.raises(BaseModelError, match=r"'qproj', did you mean 'q_proj'\?.*has: q_proj, k_proj"):
        llama.targets(("qproj",))


def write_config(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    config = {**TINY, "model_type": "llama", **changes}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def test_a_folder_comes_first_then_the_hubs_cache_then_the_shipped_table(tmp_path, monkeypatch):
    write_config(tmp_path / "own", hidden_size=64)
    config, source = model_shapes.config_of("./own", tmp_path)
    assert (config["hidden_size"], source) == (64, "./own")

    name = "meta-llama/Llama-3.1-8B"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert model_shapes.config_of(name, tmp_path)[1] == "shipped"
    place = tmp_path / "hub" / "models--meta-llama--Llama-3.1-8B"
    write_config(place / "snapshots" / "abc", hidden_size=32)
    assert model_shapes.config_of(name, tmp_path)[1] == "shipped"
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc", encoding="utf-8")
    config, source = model_shapes.config_of(name, tmp_path)
    assert (config["hidden_size"], source) == (32, "hub cache")


def test_the_hubs_own_library_finds_its_cache_in_the_same_place(tmp_path, monkeypatch):
    import subprocess
    import sys

    for variables, place in (
        ({"HF_HOME": "/a"}, "/a/hub"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/huggingface/hub"),
        ({"HF_HUB_CACHE": "/c", "HF_HOME": "/a"}, "/c"),
    ):
        code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
        done = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == place
        for key in ("HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            monkeypatch.delenv(key, raising=False)
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        assert str(model_shapes.hub_cache()) == place


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "mixtral"}, "type 'mixtral' is not known here; known are: llama"),
        ({"model_type": None}, "type 'None'"),
        ({"hidden_size": "64"}, 'has hidden_size "64"; it must be a whole number above 0'),
        ({"vocab_size": None}, "has vocab_size null"),
        ({"num_hidden_layers": 0}, "has num_hidden_layers 0"),
        ({"num_attention_heads": True}, "has num_attention_heads true"),
    ],
)
def test_a_config_that_is_no_shape_is_told(changes, said, tmp_path):
    write_config(tmp_path / "own", **changes)
    with pytest.raises(BaseModelError, match=said):
        shape("./own", tmp_path)


def test_an_unknown_model_gets_the_list_of_known_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BaseModelError) as told:
        model_shapes.config_of("meta-llama/Llama-3.1-9B", tmp_path)
    assert "did you mean 'meta-llama/Llama-3.1-8B'?" in str(told.value)
    assert all(name in str(told.value) for name in model_shapes.shipped())
    with pytest.raises(BaseModelError, match=r"no config\.json in"):
        model_shapes.config_of("./nothing", tmp_path)


def test_a_name_that_no_hub_has_is_told_as_one(tmp_path):
    with pytest.raises(
        BaseModelError, match="'no such model!' is no name of a base model; allowed are a hub id"
    ):
        model_shapes.config_of("no such model!", tmp_path)
