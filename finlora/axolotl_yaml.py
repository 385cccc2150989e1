"""`RunConfig` and `Machine` to Axolotl's mapping and YAML. Pure; the only owner of Axolotl's key names."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from finlora.config import ConfigFile, RunConfig
from finlora.errors import Problem, did_you_mean
from finlora.json_text import KeyLines

PLUGIN = "finlora.axolotl_plugin.FinLoRAPlugin"
OUTPUT = "axolotl-output"

# What the reference's runs share and no run key names. `axolotl:` may set these otherwise.
_DEFAULTS: dict[str, Any] = {
    "optimizer": "adamw_torch_fused",
    "lr_scheduler": "cosine",
    "warmup_steps": 10,
    "weight_decay": 0.0,
    "save_steps": 0.1,
    "save_total_limit": 2,
}

ROUND: dict[str, Any] = {
    "lr_scheduler": "constant",
    "warmup_steps": 0,
    "save_strategy": "no",
    "save_steps": None,
}
"""Of a round of a federated training. Only the adapter goes on, the optimiser starts anew: the rate is held
for the round (the server lowers it from round to round), and no checkpoint is worth its disk."""

# Axolotl switches these on by itself for 16 and 4 bits. They need a GPU, and they draw one dropout mask for
# q, k and v where PEFT draws three: with dropout, 8 bits, which have no kernels, would train on another loss.
_FUSED_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")


@dataclass(frozen=True)
class Machine:
    """What a YAML depends on besides the run.

    Args:
        device: `cuda` or `cpu`.
        processes: training processes over all machines.
        bf16: whether training computes in bfloat16.
        base: the base model, a folder or as the run names it.
        target_modules: resolved module names; None keeps the run's or the reference's.
        deepspeed: DeepSpeed configuration file; None trains without DeepSpeed.
        max_steps: optimiser steps to stop after; None trains all epochs.
        resume: checkpoint folder to go on from; None starts anew.
        adapter: folder of the adapter to train on from; None draws a new one.
    """

    device: str
    processes: int
    bf16: bool
    base: str
    target_modules: tuple[str, ...] | None = None
    deepspeed: str | None = None
    max_steps: int | None = None
    resume: str | None = None
    adapter: str | None = None


def render(name: str, run: RunConfig, machine: Machine, dataset: str) -> dict[str, Any]:
    """Return Axolotl's mapping of a run.

    Args:
        name: the run's name.
        run: its settings.
        machine: where it is to train.
        dataset: the dataset file, as Axolotl's working folder (the project root) sees it.
    """
    targets = machine.target_modules or run.lora_target_modules or ("q_proj", "k_proj", "v_proj")
    folder = f"{OUTPUT}/{name}"
    return {
        **_given(_base(run, machine)),
        "lora_r": run.lora_r,
        "lora_alpha": run.lora_alpha,
        "lora_dropout": run.lora_dropout,
        "lora_target_modules": list(targets),
        "peft_use_dora": run.peft_use_dora,
        "peft_use_rslora": run.peft_use_rslora,
        # The plugin reads, renders and orders the rows itself: Axolotl never formats text, and its
        # cache of prepared rows, which does not look at file content, is not asked.
        "datasets": [{"path": dataset, "ds_type": "json", "type": "finlora"}],
        "val_set_size": run.val_set_size,
        "sequence_len": run.sequence_len,
        "pad_to_sequence_len": False,
        "curriculum_sampling": True,
        "micro_batch_size": run.batch_size,
        "gradient_accumulation_steps": run.gradient_accumulation_steps,
        "num_epochs": run.num_epochs,
        "learning_rate": run.learning_rate,
        "seed": run.seed,
        "output_dir": f"{folder}/trained",
        "dataset_prepared_path": f"{folder}/prepared",
        "logging_steps": 1,
        "load_best_model_at_end": False,
        "trust_remote_code": False,
        "use_wandb": False,
        **_given(_machine(machine, fused=not run.lora_dropout)),
        **_DEFAULTS,
        "eval_strategy": "epoch" if run.val_set_size else "no",
        **run.axolotl,
    }


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}


def _base(run: RunConfig, machine: Machine) -> dict[str, Any]:
    # Axolotl builds the NF4 quantisation for `qlora` alone; `lora` with load_in_4bit stays unquantised.
    four = run.quant_bits == 4
    return {
        "base_model": machine.base,
        "plugins": [PLUGIN],
        "adapter": "qlora" if four else "lora",
        "load_in_4bit": four,
        "load_in_8bit": run.quant_bits == 8,
        # Axolotl's NF4 has double quantisation already; stated so that nobody need look it up.
        "bnb_config_kwargs": {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
        if four
        else None,
    }


def _machine(machine: Machine, fused: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "bf16": machine.bf16,
        "fp16": False,
        "attn_implementation": "sdpa",
        "deepspeed": machine.deepspeed,
        "max_steps": machine.max_steps,
        "resume_from_checkpoint": machine.resume,
        "lora_model_dir": machine.adapter,
        **dict.fromkeys(_FUSED_KERNELS, None if fused and machine.device == "cuda" else False),
    }
    if machine.device == "cpu":
        return {
            **settings,
            "tf32": False,
            "gradient_checkpointing": False,
            # A worker process would take a core from the training itself.
            "dataloader_num_workers": 0,
            "dataloader_pin_memory": False,
        }
    return {
        **settings,
        "tf32": True,
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
    }


def schedule(run: RunConfig) -> str:
    """Return the name of the learning rate's schedule of a run."""
    return str({**_DEFAULTS, **run.axolotl}["lr_scheduler"])


def to_yaml(mapping: dict[str, Any]) -> str:
    """Return the mapping as YAML, keys in the order they were made."""
    return yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=100)


@cache
def known_keys() -> frozenset[str]:
    """Return every top-level key of the pinned Axolotl's schema (a shipped list; a test keeps it current)."""
    names = (Path(__file__).parent / "files" / "axolotl_keys.json").read_text(encoding="utf-8")
    return frozenset(json.loads(names))


@cache
def owned_keys() -> frozenset[str]:
    """Return the Axolotl keys that FinLoRA sets from a run or a machine: `axolotl:` may not."""
    run = RunConfig(base_model="x", dataset_path="x", quant_bits=4)
    machines = (
        Machine("cpu", 1, False, "x", max_steps=1, resume="x", adapter="x"),
        Machine("cuda", 1, True, "x", deepspeed="x"),
    )
    keys = {key for machine in machines for key in render("x", run, machine, "x")}
    return frozenset(keys) - frozenset(_DEFAULTS)


def passthrough_faults(name: str, run: RunConfig) -> dict[str, str]:
    """Return what is wrong with the keys of a run's `axolotl` object: a message by key."""
    faults = {}
    for key in run.axolotl:
        if key in owned_keys():
            faults[key] = f"run '{name}': axolotl.{key} is set by FinLoRA; use the run's own keys"
        elif key not in known_keys():
            near = did_you_mean(key, sorted(known_keys()))
            faults[key] = f"run '{name}': axolotl.{key} is no key of Axolotl's schema{near}"
    return faults


def passthrough_problems(file: ConfigFile, name: str, run: RunConfig) -> list[Problem]:
    """Return the faults of a run's `axolotl` object, with their lines."""
    faults = passthrough_faults(name, run)
    if not faults:
        return []
    lines = KeyLines(file.path.read_text(encoding="utf-8-sig"))
    return [Problem(fault, str(file.path), lines.of(name, "axolotl", key)) for key, fault in faults.items()]
