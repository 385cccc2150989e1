"""Configs in the shape of the reference's load unchanged; and every run of the reference is shipped."""

import json
from pathlib import Path

import pytest

from finlora import axolotl_yaml, configs
from finlora.axolotl_yaml import Machine
from finlora.config import CONFIG_NAME, SCHEMA_KEY, RunConfig, load

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

SHIPPED = Path(__file__).parents[1] / "configs" / CONFIG_NAME
# What the reference gives each of its tasks: training file, epochs, rows per step, steps accumulated.
SHIPPED_TASKS = {
    "sentiment": ("finlora_sentiment_train", 4, 8, 2),
    "headline": ("headline_train", 4, 8, 2),
    "ner": ("ner_train", 4, 8, 2),
    "finer": ("finer_train_batched", 4, 1, 8),
    "xbrl_term": ("xbrl_term_train", 1, 4, 2),
    "xbrl_extract": ("xbrl_extract_train", 1, 1, 8),
    "formula": ("formula_built_train", 1, 4, 2),
    "financebench": ("financebench_train", 4, 1, 2),
    "cfa": ("cfa_train", 4, 4, 2),
    "general_multi": ("multi/general_multi", 4, 8, 2),
    "reporting_multi": ("multi/reporting_multi", 1, 1, 8),
    "analysis_multi": ("multi/analysis_multi", 1, 1, 2),
}
FIVE = ("8bits_r8", "4bits_r4", "8bits_r8_dora", "8bits_r8_rslora", "fp16_r8")
WITH_ALPHA_32 = [task for task in SHIPPED_TASKS if task != "cfa" and not task.endswith("_multi")]


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


def shipped_runs():
    """Return the entries of the shipped config, as they are written."""
    entries = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return {name: entry for name, entry in entries.items() if name != SCHEMA_KEY}


def test_every_run_of_the_reference_is_shipped_and_no_other():
    pairs = [(task, method) for task in SHIPPED_TASKS for method in FIVE]
    pairs += [(task, "8bits_r8_dora_a32") for task in WITH_ALPHA_32]
    assert (len(pairs), len(WITH_ALPHA_32), len(FIVE)) == (60 + 8, 8, 5)
    shipped = shipped_runs()
    demo = [name for name in shipped if name.startswith("sentiment_smollm2_135m_")]
    assert list(shipped)[:2] == demo
    assert len(shipped) == 2 + 60 + 8
    assert shipped.keys() - set(demo) == {f"{task}_llama_3_1_8b_{method}" for task, method in pairs}
    for task, method in pairs:
        file, epochs, batch, accumulation = SHIPPED_TASKS[task]
        assert shipped[f"{task}_llama_3_1_8b_{method}"] == {
            **COMMON,
            "dataset_path": f"../data/train/{file}.jsonl",
            "num_epochs": epochs,
            "batch_size": batch,
            "gradient_accumulation_steps": accumulation,
            **METHODS[method],
        }


def test_shipped_runs_are_called_what_they_are_and_no_two_are_equal():
    file = load(SHIPPED)
    assert len(file.runs) == 70
    assert configs.validate(file) == []
    assert [name for name, run in file.runs.items() if not name.endswith(f"_{run.variant}")] == []
    assert len({run.model_dump_json() for run in file.runs.values()}) == 70


def test_shipped_runs_stand_task_by_task_with_their_keys_in_one_order():
    shipped = shipped_runs()
    tasks = list(dict.fromkeys(name.partition("_llama_")[0] for name in list(shipped)[2:]))
    assert tasks == list(SHIPPED_TASKS)
    for task in tasks:
        variants = [name.partition("_8b_")[2] for name in shipped if name.startswith(f"{task}_llama_")]
        assert variants == [*FIVE, *["8bits_r8_dora_a32"] * (task in WITH_ALPHA_32)]
    for name, entry in shipped.items():
        assert list(entry) == [key for key in RunConfig.model_fields if key in entry], name
