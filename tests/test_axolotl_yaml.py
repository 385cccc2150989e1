"""From run and machine to Axolotl's mapping; which keys a run's `axolotl` object may set."""

import pytest
import yaml

from finlora import axolotl_yaml
from finlora.axolotl_yaml import Machine, known_keys, owned_keys, passthrough_faults, render, to_yaml
from finlora.config import RunConfig, check_run

CPU = Machine("cpu", 1, False, "b")
CUDA = Machine("cuda", 2, True, "b", deepspeed="d.json")


def mapping(machine=CPU, **settings):
    run, faults = check_run("a", {"base_model": "b", "dataset_path": "d", **settings})
    assert not faults
    return render("a", run, machine, "d.jsonl")


def test_the_reference_settings_that_no_run_names():
    made = mapping(CUDA)
    assert {key: made[key] for key in ("optimizer", "lr_scheduler", "warmup_steps", "weight_decay")} == {
        "optimizer": "adamw_torch_fused",
        "lr_scheduler": "cosine",
        "warmup_steps": 10,
        "weight_decay": 0.0,
    }
    assert (made["tf32"], made["gradient_checkpointing"], made["deepspeed"]) == (True, True, "d.json")


def test_a_cpu_recomputes_nothing():
    made = mapping()
    assert (made["tf32"], made["gradient_checkpointing"]) == (False, False)


def kernels(made):
    return {key: value for key, value in made.items() if key.endswith("_kernel")}


def test_fused_kernels_are_axolotls_choice_only_where_they_change_no_loss():
    off = dict.fromkeys(axolotl_yaml._FUSED_KERNELS, False)
    assert len(off) == 4
    assert kernels(mapping()) == kernels(mapping(lora_dropout=0.0)) == kernels(mapping(CUDA)) == off
    assert kernels(mapping(CUDA, lora_dropout=0.0)) == {}


def test_four_bits_are_nf4_twice_quantised():
    made = mapping(quant_bits=4)
    assert (made["adapter"], made["load_in_4bit"], made["load_in_8bit"]) == ("qlora", True, False)
    assert made["bnb_config_kwargs"] == {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    for bits in (8, 16):
        made = mapping(quant_bits=bits)
        assert (made["adapter"], made["load_in_4bit"], made["load_in_8bit"]) == ("lora", False, bits == 8)
        assert "bnb_config_kwargs" not in made


def test_modules_the_machine_resolved_come_before_the_runs_and_the_references():
    assert mapping()["lora_target_modules"] == ["q_proj", "k_proj", "v_proj"]
    assert mapping(lora_target_modules=["o_proj"])["lora_target_modules"] == ["o_proj"]
    resolved = Machine("cpu", 1, False, "b", target_modules=("c_attn",))
    assert mapping(resolved, lora_target_modules=["o_proj"])["lora_target_modules"] == ["c_attn"]


def test_rows_are_evaluated_only_where_some_are_held_out():
    assert mapping()["eval_strategy"] == "epoch"
    assert mapping(val_set_size=0)["eval_strategy"] == "no"


def test_further_keys_are_passed_on_as_given():
    made = mapping(axolotl={"warmup_steps": 3, "weight_decay": 0.1, "save_steps": None})
    assert (made["warmup_steps"], made["weight_decay"], made["save_steps"]) == (3, 0.1, None)


def test_every_run_key_reaches_axolotl():
    """Each key of a run, changed alone, changes the mapping or is one of those told in another way."""
    other = {
        "quant_bits": 8,
        "lora_r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.5,
        "lora_target_modules": ["x"],
        "peft_use_dora": True,
        "peft_use_rslora": True,
        "learning_rate": 0.5,
        "num_epochs": 3,
        "batch_size": 3,
        "gradient_accumulation_steps": 3,
        "sequence_len": 64,
        "val_set_size": 0.5,
        "seed": 3,
        "axolotl": {"warmup_steps": 1},
    }
    assert all(mapping(**{key: value}) != mapping() for key, value in other.items())
    # The base, the type and DeepSpeed come with the machine, the dataset with its path; the prompt
    # style is the plugin's, and the batch of all processes is the plan's.
    told_otherwise = {"base_model", "dataset_path", "dtype", "deepspeed", "prompt_style", "global_batch_size"}
    assert set(other) | told_otherwise == set(RunConfig.model_fields)


def test_yaml_is_the_mapping_in_its_order():
    made = mapping(axolotl={"warmup_steps": 3}) | {"base_model": "é: x"}
    assert list(yaml.safe_load(to_yaml(made)).items()) == list(made.items())
    assert "é: x" in to_yaml(made)


def test_keys_that_finlora_owns_may_not_be_set():
    # What every run has in common may be set otherwise.
    assert owned_keys().isdisjoint(axolotl_yaml._DEFAULTS)
    assert {"deepspeed", "bf16", "max_steps", "resume_from_checkpoint", "datasets", "plugins"} <= owned_keys()
    assert owned_keys() <= known_keys()
    run = check_run("a", {"base_model": "b", "dataset_path": "d", "axolotl": dict.fromkeys(owned_keys(), 1)})[
        0
    ]
    faults = list(passthrough_faults("a", run).values())
    assert len(faults) == len(owned_keys()) > 35
    assert all(fault.endswith("is set by FinLoRA; use the run's own keys") for fault in faults)


def test_keys_that_axolotl_does_not_know_are_named_with_the_near_one():
    given = {"weight_decai": 0.1, "qqqqq": 1, "weight_decay": 0.1}
    run = check_run("a", {"base_model": "b", "dataset_path": "d", "axolotl": given})[0]
    assert list(passthrough_faults("a", run).values()) == [
        "run 'a': axolotl.weight_decai is no key of Axolotl's schema, did you mean 'weight_decay'?",
        "run 'a': axolotl.qqqqq is no key of Axolotl's schema",
    ]


@pytest.mark.parametrize("key", sorted(axolotl_yaml._DEFAULTS))
def test_what_runs_have_in_common_may_be_set(key):
    run = check_run("a", {"base_model": "b", "dataset_path": "d", "axolotl": {key: 1}})[0]
    assert list(passthrough_faults("a", run).values()) == []
    assert render("a", run, CUDA, "d")[key] == 1
