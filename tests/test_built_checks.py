"""What stands there is told apart from what was asked: every method, and every sabotage of it."""

import dataclasses

import pytest

from finlora import built_checks, privacy
from finlora.events import Asked
from tests.tiny import make_tiny_base

TARGETS = ["k_proj", "q_proj", "v_proj"]
ASKED = Asked(16, 8, 16, dora=False, rslora=False, targets=TARGETS, processes=1, zero_stage=None)
METHODS = {
    "lora": ASKED,
    "dora": dataclasses.replace(ASKED, dora=True),
    "rslora": dataclasses.replace(ASKED, rslora=True),
    "qlora": dataclasses.replace(ASKED, quant_bits=4),
    "eight": dataclasses.replace(ASKED, quant_bits=8),
}
SABOTAGE = {
    "quant_bits": (lambda asked: 8 if asked.quant_bits == 4 else 4, "base classes"),
    "lora_r": (lambda asked: 4, "ranks"),
    "lora_alpha": (lambda asked: 32, "scalings"),
    "dora": (lambda asked: not asked.dora, "dora"),
    "rslora": (lambda asked: not asked.rslora, "scalings"),
    "targets": (lambda asked: ["q_proj", "v_proj"], "targets"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def built(base):
    return {name: build(base, asked) for name, asked in METHODS.items()}


def build(base, asked):
    privacy.go_offline()
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    quantised = {4: four, 8: BitsAndBytesConfig(load_in_8bit=True)}.get(asked.quant_bits)
    options = {"quantization_config": quantised} if quantised else {}
    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, **options)
    lora = LoraConfig(
        r=asked.lora_r,
        lora_alpha=asked.lora_alpha,
        target_modules=asked.targets,
        use_dora=asked.dora,
        use_rslora=asked.rslora,
    )
    return get_peft_model(model, lora)


@pytest.mark.parametrize("name", METHODS)
def test_what_was_asked_passes(built, name):
    facts = built_checks.observe(built[name])
    assert built_checks.differences(METHODS[name], facts) == []
    assert facts["layers"] == 6


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("wish", SABOTAGE)
def test_anything_else_is_a_difference(built, name, wish):
    other, named = SABOTAGE[wish]
    asked = dataclasses.replace(METHODS[name], **{wish: other(METHODS[name])})
    found = built_checks.differences(asked, built_checks.observe(built[name]))
    assert [line for line in found if line.startswith(named)]


def test_the_sabotage_covers_every_method():
    assert len(METHODS) * len(SABOTAGE) == 30


def test_a_parameter_that_trains_beside_the_adapter_is_a_difference(base):
    model = build(base, ASKED)
    model.base_model.model.lm_head.weight.requires_grad_(True)
    found = built_checks.differences(ASKED, built_checks.observe(model))
    assert len(found) == 1
    assert found[0].startswith("trainable parameters: asked 5120, built ")


@pytest.mark.parametrize(
    ("asked", "engine", "stage", "processes", "fault"),
    [
        ((1, None), "PeftModelForCausalLM", None, 1, None),
        ((2, 1), "DeepSpeedEngine", 1, 2, None),
        ((2, 1), "DistributedDataParallel", None, 2, "but DistributedDataParallel would train"),
        ((2, 2), "DeepSpeedEngine", 1, 2, "at ZeRO-1"),
        ((2, None), "DeepSpeedEngine", 1, 2, "asked no DeepSpeed"),
        ((2, 1), "DeepSpeedEngine", 1, 1, "asked 2 processes, training has 1"),
    ],
)
def test_the_engine_is_proved(asked, engine, stage, processes, fault):
    wish = dataclasses.replace(ASKED, processes=asked[0], zero_stage=asked[1])
    found = built_checks.engine_difference(wish, engine, stage, processes)
    assert (found is None) if fault is None else (fault in found)
