"""Configs in the shape of the reference's load unchanged and mean what they meant there."""

import json

import pytest

from finlora import axolotl_yaml, configs
from finlora.axolotl_yaml import Machine
from finlora.config import load

# The keys such a file uses, in its folder `lora/`, beside which `data/` lies.
COMMON = {
    "base_model": "meta-llama/Llama-3.1-8B-Instruct",
    "lora_r": 8,
    "learning_rate": 1e-4,
    "num_epochs": 1,
    "batch_size": 4,
    "gradient_accumulation_steps": 2,
}
METHODS = {
    "8bits_r8": {"quant_bits": 8},
    "4bits_r4": {"quant_bits": 4, "lora_r": 4},
    "8bits_r8_dora": {"quant_bits": 8, "peft_use_dora": True},
    "8bits_r8_rslora": {"quant_bits": 8, "peft_use_rslora": True},
    "8bits_r8_dora_a32": {"quant_bits": 8, "peft_use_dora": True, "lora_alpha": 32},
    "fp16_r8": {},
    "fp16_r4": {"lora_r": 4, "quant_bits": None},
}
TASKS = ("sentiment", "headline", "ner", "xbrl_tags", "formula")


@pytest.fixture
def file(tmp_path, clean_environment):
    runs = {
        f"{task}_llama_3_1_8b_{method}": {
            **COMMON,
            "dataset_path": f"../data/train/{task}_train.jsonl",
            **keys,
        }
        for task in TASKS
        for method, keys in METHODS.items()
    }
    (tmp_path / "lora").mkdir()
    path = tmp_path / "lora" / "finetune_configs.json"
    path.write_text(json.dumps(runs, indent=4))
    return load(path)


def test_every_run_loads_as_it_stands(file):
    assert len(file.runs) == len(TASKS) * len(METHODS) == 35
    assert not file.problems
    assert configs.validate(file) == []


def test_variants_are_what_the_names_say(file):
    for name, run in file.runs.items():
        assert name.endswith(f"_{run.variant}")


def test_runs_without_bits_are_unquantised(file):
    unquantised = [name for name, run in file.runs.items() if run.quant_bits == 16]
    assert len(unquantised) == 2 * len(TASKS)
    assert all("fp16" in name for name in unquantised)


def test_paths_resolve_from_the_folder_lora(file, tmp_path):
    assert file.root == tmp_path / "lora"
    run = file.runs["ner_llama_3_1_8b_8bits_r8"]
    assert file.resolve(run.dataset_path) == tmp_path / "data" / "train" / "ner_train.jsonl"


def test_what_the_reference_trained_with_is_what_axolotl_is_told(file):
    run = file.runs["formula_llama_3_1_8b_8bits_r8_dora_a32"]
    machine = Machine("cuda", 4, True, run.base_model, deepspeed="deepspeed_configs/zero1.json")
    told = axolotl_yaml.render("a", run, machine, "d.jsonl")
    expected = {
        "base_model": "meta-llama/Llama-3.1-8B-Instruct",
        "adapter": "lora",
        "load_in_8bit": True,
        "lora_r": 8,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
        "lora_target_modules": ["q_proj", "k_proj", "v_proj"],
        "peft_use_dora": True,
        "micro_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "num_epochs": 1,
        "learning_rate": 1e-4,
        "val_set_size": 0.02,
        "sequence_len": 4096,
        "optimizer": "adamw_torch_fused",
        "lr_scheduler": "cosine",
        "warmup_steps": 10,
        "weight_decay": 0.0,
        "gradient_checkpointing": True,
        "bf16": True,
        "deepspeed": "deepspeed_configs/zero1.json",
    }
    assert {key: told[key] for key in expected} == expected


def test_it_works_from_the_command_line_too(file, run):
    done = run("configs", "validate", "--config", file.path)
    assert (done.code, done.out) == (0, f"{file.path}: 35 runs, no fault\n")
    assert run("render", "sentiment_llama_3_1_8b_fp16_r4", "--config", file.path).code == 0
