"""What a training will be: a run, the command line's options and this machine, checked together."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finlora import adapters, axolotl_yaml, config, deepspeed, launch, manifest, overrides
from finlora.axolotl_yaml import Machine
from finlora.config import ConfigFile, RunConfig
from finlora.errors import ConfigError, UsageError
from finlora.events import JOB_VARIABLE
from finlora.rendezvous import Cluster

NOTE = f"# {JOB_VARIABLE} names a file that `finlora finetune` writes when it starts."
"""Stands above a printed training command, which can't be run alone."""


@dataclass(frozen=True)
class Options:
    """What the command line adds to a run.

    Args:
        processes: training processes over all machines; None takes the visible GPUs, or 1 on a CPU, for
            each machine.
        deepspeed: `none`, a shipped name or a file; None takes the run's.
        max_steps: stop after so many optimiser steps.
        overrides: run keys with other values.
        new_name: name of the adapter when the result is not the run's own.
        overwrite: replace an existing adapter.
        fresh: forget what an earlier training of this run left.
        allow_dropped_rows: accept that more than 1% of the rows are too long.
        offline: never use the network.
        cluster: the machines that train together.
    """

    processes: int | None = None
    deepspeed: str | None = None
    max_steps: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    new_name: str | None = None
    overwrite: bool = False
    fresh: bool = False
    allow_dropped_rows: bool = False
    offline: bool = False
    cluster: Cluster = field(default_factory=Cluster)


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
        cluster: the machines that train together, and which of them this is.
    """

    name: str
    run: RunConfig
    root: Path
    dataset: Path
    machine: Machine
    zero_stage: int | None
    cluster: Cluster = field(default_factory=Cluster)

    @property
    def folder(self) -> Path:
        """Where the checkpoints of this training lie, on every machine."""
        return self.root / axolotl_yaml.OUTPUT / self.name

    @property
    def own_folder(self) -> Path:
        """Where this machine's YAML, log, job, events and lock lie; the disk may be shared."""
        rank = self.cluster.rank
        return self.folder / f"machine-{rank}" if rank else self.folder

    @property
    def processes_here(self) -> int:
        """Training processes on this machine."""
        return self.machine.processes // self.cluster.machines

    @property
    def adapter(self) -> Path:
        """Where the adapter will lie."""
        return adapters.place(self.root, self.run.variant, self.name)

    @property
    def effective_batch(self) -> int:
        """Rows of an optimiser step over all processes."""
        return self.run.batch_size * self.run.gradient_accumulation_steps * self.machine.processes

    def mapping(self) -> dict[str, Any]:
        """Return Axolotl's mapping."""
        return axolotl_yaml.render(self.name, self.run, self.machine, seen_from(self.root, self.dataset))

    def yaml(self) -> str:
        """Return Axolotl's YAML."""
        return axolotl_yaml.to_yaml(self.mapping())

    def argv(self) -> list[str]:
        """Return the training command."""
        file = seen_from(self.root, self.own_folder / "axolotl.yml")
        machine = self.machine
        return launch.command(file, machine.device, machine.processes, machine.deepspeed, self.cluster)

    def environment(self) -> dict[str, str]:
        """Return what the training command adds to the environment."""
        job = self.own_folder / "job.json"
        return launch.environment(job, self.machine.device, self.processes_here, self.cluster)

    def public(self, base: str) -> "Plan":
        """Return the plan without places of this machine, and from its beginning: equal on every machine.

        Args:
            base: the base model as the run names it.
        """
        strategy = self.machine.deepspeed and manifest.without_folder(self.machine.deepspeed)
        machine = replace(self.machine, base=manifest.without_folder(base), resume=None, deepspeed=strategy)
        inside = self.dataset.is_relative_to(self.root)
        return replace(self, machine=machine, dataset=self.dataset if inside else Path(self.dataset.name))

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
    cluster = options.cluster
    processes = options.processes or (launch.visible_gpus() or 1) * cluster.machines
    run = share_batch(name, run, processes)
    choice = options.deepspeed
    if choice is None:
        choice = strategy(file, run) if processes > 1 else "none"
    ds_file = deepspeed.resolve(choice, file.root)
    _check_processes(processes, options)
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
        zero_stage=deepspeed.stage_of(choice, file.root),
        cluster=cluster,
    )


def _chosen_run(file: ConfigFile, name: str, options: Options) -> RunConfig:
    run = file.pick(name)
    if options.overrides:
        run = overrides.override(name, run, options.overrides)
    if problems := axolotl_yaml.passthrough_problems(file, name, run):
        if "axolotl" in options.overrides:
            problems = [replace(problem, file="--set", line=None) for problem in problems]
        raise ConfigError(problems)
    if options.new_name is not None and not config.RUN_NAME.fullmatch(options.new_name):
        raise UsageError(f"--as '{options.new_name}': a name is letters, digits, '.', '_' and '-'")
    changed = bool(options.overrides) or options.max_steps is not None
    if changed and not options.new_name:
        raise UsageError(
            "--set and --max-steps change the result, so it can't be called "
            f"'{name}'. Name it: --as {name}_trial"
        )
    if options.new_name and options.new_name in file.names:
        raise UsageError(f"--as {options.new_name}: a run of the config file is called so; take another name")
    return run


def share_batch(name: str, run: RunConfig, processes: int) -> RunConfig:
    """Return the run with the accumulation that gives its `global_batch_size`, if it has one."""
    whole, rows = run.global_batch_size, run.batch_size
    if whole is None:
        return run
    if whole % (rows * processes) == 0:
        return run.model_copy(update={"gradient_accumulation_steps": whole // (rows * processes)})
    share, rest = divmod(whole, processes)
    batches = [n for n in range(1, share + 1) if share % n == 0] if not rest else []
    counts = [n for n in range(1, whole // rows + 1) if whole % (rows * n) == 0]
    raise UsageError(
        f"run '{name}': global_batch_size {whole} can't be split over {processes} processes with batch_size "
        f"{rows} ({processes} × {rows} rows at a time).\n"
        f"Possible with {processes} processes: batch_size {_few(batches) or 'none'}; "
        f"with batch_size {rows}: --num-processes {_few(counts) or 'none'}"
    )


def _few(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[-8:]))


def strategy(file: ConfigFile, run: RunConfig) -> str:
    """Return the run's DeepSpeed choice; a file is relative to the config, as every path in it."""
    is_path = "/" in run.deepspeed or run.deepspeed.endswith(".json")
    return str(file.resolve(run.deepspeed)) if is_path else run.deepspeed


def _check_processes(processes: int, options: Options) -> None:
    cluster = options.cluster
    if processes % cluster.machines:
        raise UsageError(
            f"--num-processes {processes} counts all machines, and can't be split evenly over "
            f"{cluster.machines}; take a multiple of {cluster.machines}"
        )
    if cluster.launcher and processes == 1:
        raise UsageError(
            f"--launcher {cluster.launcher} is for several processes, and this is one; "
            "add --num-processes N, or leave --launcher out"
        )
    if options.deepspeed not in (None, "none") and processes == 1:
        raise UsageError(
            f"--deepspeed {options.deepspeed} is for several processes, and this is one; "
            "add --num-processes N, or leave --deepspeed out"
        )


def _computes_in_bf16(run: RunConfig, device: str, processes: int) -> bool:
    if run.dtype != "auto":
        return run.dtype == "bfloat16"
    if device == "cuda":
        return True
    return launch.cpu_has_bf16() and processes == 1 and run.quant_bits == 16


def dry_run(made: Plan) -> str:
    """Return what a training would run: the YAML and the exact command."""
    return f"{made.yaml()}\n{NOTE}\n{made.shell()}\n"
