"""What a training will be: a run, the command line's options and this machine, checked together."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finlora import adapters, axolotl_yaml, config, deepspeed, launch
from finlora.axolotl_yaml import Machine
from finlora.config import ConfigFile, RunConfig
from finlora.errors import ConfigError, UsageError
from finlora.events import JOB_VARIABLE


@dataclass(frozen=True)
class Options:
    """What the command line adds to a run.

    Args:
        processes: training processes; None takes the visible GPUs, or 1 on a CPU.
        deepspeed: `none`, a shipped name or a file; None takes the run's.
        max_steps: stop after so many optimiser steps.
        overrides: run keys with other values.
        new_name: name of the adapter when the result is not the run's own.
        overwrite: replace an existing adapter.
        allow_dropped_rows: accept that more than 1% of the rows are too long.
        offline: never use the network.
    """

    processes: int | None = None
    deepspeed: str | None = None
    max_steps: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    new_name: str | None = None
    overwrite: bool = False
    allow_dropped_rows: bool = False
    offline: bool = False


@dataclass(frozen=True)
class Plan:
    """A training, checked and ready to launch.

    Args:
        name: name of the adapter.
        run: its settings.
        root: the project, where the command runs.
        dataset: the dataset file.
        machine: what it trains on; the base model is still as the run names it.
        zero_stage: ZeRO stage asked for, or None.
    """

    name: str
    run: RunConfig
    root: Path
    dataset: Path
    machine: Machine
    zero_stage: int | None

    @property
    def folder(self) -> Path:
        """Where YAML, log, events and checkpoints of this training lie."""
        return self.root / axolotl_yaml.OUTPUT / self.name

    @property
    def adapter(self) -> Path:
        """Where the adapter will lie."""
        return adapters.place(self.root, self.run.variant, self.name)

    def mapping(self) -> dict[str, Any]:
        """Return Axolotl's mapping."""
        return axolotl_yaml.render(self.name, self.run, self.machine, seen_from(self.root, self.dataset))

    def yaml(self) -> str:
        """Return Axolotl's YAML."""
        return axolotl_yaml.to_yaml(self.mapping())

    def argv(self) -> list[str]:
        """Return the training command."""
        file = seen_from(self.root, self.folder / "axolotl.yml")
        return launch.command(file, self.machine.device, self.machine.processes, self.machine.deepspeed)

    def environment(self) -> dict[str, str]:
        """Return what the training command adds to the environment."""
        return launch.environment(self.folder / "job.json", self.machine.device, self.machine.processes)

    def shell(self) -> str:
        """Return the training command as one would type it, from any folder."""
        env = [f"{key}={shlex.quote(value)}" for key, value in self.environment().items() if key != "PATH"]
        env.append(f'PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        return f"cd {shlex.quote(str(self.root))} && {' '.join(env)} {shlex.join(self.argv())}"


def seen_from(root: Path, path: Path) -> str:
    """Return a path as the project root sees it: relative inside the project, else absolute."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def plan(file: ConfigFile, name: str, options: Options) -> Plan:
    """Look a run up and check all that can be checked before anything is fetched or started.

    Raises:
        UsageError, ConfigError: the run or the options are at fault.
        DataError: the dataset is at fault.
    """
    run = _chosen_run(file, name, options)
    device = "cuda" if launch.visible_gpus() else "cpu"
    processes = options.processes or launch.visible_gpus() or 1
    _check_processes(processes, options)
    choice = options.deepspeed or (strategy(file, run) if processes > 1 else "none")
    ds_file = deepspeed.resolve(choice, file.root)
    machine = Machine(
        device=device,
        processes=processes,
        bf16=_computes_in_bf16(run, device, processes),
        base=run.base_model,
        deepspeed=seen_from(file.root, ds_file) if ds_file else None,
        max_steps=options.max_steps,
    )
    return Plan(
        name=options.new_name or name,
        run=run,
        root=file.root,
        dataset=file.resolve(run.dataset_path),
        machine=machine,
        zero_stage=deepspeed.stage(ds_file) if ds_file else None,
    )


def _chosen_run(file: ConfigFile, name: str, options: Options) -> RunConfig:
    run = file.pick(name)
    if options.overrides:
        run = config.override(name, run, options.overrides)
    if problems := axolotl_yaml.passthrough_problems(file, name, run):
        raise ConfigError(problems)
    changed = bool(options.overrides) or options.max_steps is not None
    if changed and not options.new_name:
        raise UsageError(
            "--set and --max-steps change the result, so it can't be called "
            f"'{name}'. Name it: --as {name}_trial"
        )
    if options.new_name and not config.RUN_NAME.fullmatch(options.new_name):
        raise UsageError(f"--as {options.new_name}: a name is letters, digits, '.', '_' and '-'")
    if options.new_name and options.new_name in file.names:
        raise UsageError(f"--as {options.new_name}: a run of the config file is called so; take another name")
    return run


def strategy(file: ConfigFile, run: RunConfig) -> str:
    """Return the run's DeepSpeed choice; a file is relative to the config, as every path in it."""
    is_path = "/" in run.deepspeed or run.deepspeed.endswith(".json")
    return str(file.resolve(run.deepspeed)) if is_path else run.deepspeed


def _check_processes(processes: int, options: Options) -> None:
    if options.deepspeed not in (None, "none") and processes == 1:
        raise UsageError(
            f"--deepspeed {options.deepspeed} is for several processes, and this is one; "
            "add --num-processes N, or leave --deepspeed out"
        )


def check_machine(made: Plan) -> None:
    """Check that this machine can train a plan at all.

    Raises:
        UsageError: what it can't do, and what to do instead.
    """
    run, processes = made.run, made.machine.processes
    if made.machine.device == "cuda":
        if processes > launch.visible_gpus():
            raise UsageError(
                f"--num-processes {processes}: only {launch.visible_gpus()} GPUs are visible here; "
                "each process needs one of its own"
            )
        return
    if run.quant_bits == 8 and run.peft_use_dora:
        raise UsageError(
            "8-bit with DoRA does not train on a CPU (bitsandbytes has no gradient for it there).\n"
            "Use a GPU, or try it in 16 bits: --set quant_bits=16 --as NEWNAME"
        )
    if run.dtype == "bfloat16" and (processes > 1 or run.quant_bits != 16):
        raise UsageError(
            "on a CPU, several processes and quantised bases compute in float32; set dtype to auto or float32"
        )
    if processes > 1 and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise UsageError(
            "several processes on a CPU need a C++ compiler (DeepSpeed builds a small library).\n"
            "On Debian: apt install g++"
        )


def obstacles(made: Plan) -> list[str]:
    """Return why a plan could not start on this machine now; empty when nothing known stands in its way."""
    found = []
    try:
        check_machine(made)
    except UsageError as error:
        found.append(str(error))
    if not made.dataset.is_file():
        found.append(f"{made.dataset}: no such dataset file")
    return found


def _computes_in_bf16(run: RunConfig, device: str, processes: int) -> bool:
    if run.dtype != "auto":
        return run.dtype == "bfloat16"
    if device == "cuda":
        return True
    return launch.cpu_has_bf16() and processes == 1 and run.quant_bits == 16


def dry_run(made: Plan) -> str:
    """Return what a training would run: the YAML and the exact command."""
    note = f"# {JOB_VARIABLE} names a file that `finlora finetune` writes when it starts."
    return f"{made.yaml()}\n{note}\n{made.shell()}\n"
