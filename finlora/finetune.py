"""Train a named run: plan it, resolve its base model, launch, publish."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import (
    adapter_card,
    adapters,
    agreement,
    checkpoints,
    data,
    deepspeed,
    launch,
    manifest,
    models,
    native_builds,
    resume,
)
from finlora.config import ConfigFile
from finlora.errors import LaunchError, UsageError
from finlora.events import Asked, Job
from finlora.files import hold, sha256, write_atomic
from finlora.machine_checks import check_machine, check_packages
from finlora.training_plan import Options, Plan, plan, seen_from

Say = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class FinetuneResult:
    """A training that ended well.

    Args:
        folder: the published adapter; where nothing is published here, this machine's log and events.
        manifest: how it was trained.
        machine: which of the machines this is; machine 0 publishes.
        machines: how many trained together.
    """

    folder: Path
    manifest: dict[str, Any]
    machine: int = 0
    machines: int = 1

    @property
    def published(self) -> bool:
        """Whether the adapter lies on this machine's shelf."""
        return self.machine == 0


def run(file: ConfigFile, name: str, options: Options, say: Say, on_event: OnEvent) -> FinetuneResult:
    """Train a run and publish its adapter.

    Args:
        file: the config file.
        name: the run.
        options: what the command line adds.
        say: takes lines for the user.
        on_event: takes the training's events as they come.

    Returns:
        The published adapter.

    Raises:
        FinLoRAError: and nothing of what was published before is lost.
    """
    made = plan(file, name, options)
    check_machine(made)
    check_packages()
    if made.cluster.rank == 0:
        adapters.mend(made.adapter)
    adapters.check_free(made.adapter, options.overwrite)
    rows = data.read_rows(made.dataset)
    digest = sha256(made.dataset)
    say(f"{made.name}: {len(rows)} rows from {seen_from(made.root, made.dataset)}")
    made, base = resolved(file, made, offline=options.offline, say=say)
    with alone(made.own_folder, made.name):
        start = resume.find(made, base, digest, options.fresh, say)
        history = train(start.plan, job(start, base, digest, options), say, on_event)
        return _publish(start.plan, base, digest, history)


def resolved(file: ConfigFile, made: Plan, *, offline: bool, say: Say) -> tuple[Plan, models.BaseModel]:
    """Find or fetch what a training stands on: its DeepSpeed file, its base model and the modules to adapt.

    Args:
        file: the config file.
        made: the plan, with the base model as the run names it.
        offline: never use the network.
        say: takes lines for the user.

    Returns:
        The plan with folder and modules in place, and the base model.

    Raises:
        FinLoRAError: one of them can't be had.
    """
    if made.machine.deepspeed:
        deepspeed.ensure(made.root / made.machine.deepspeed)
    base = models.resolve(made.run.base_model, file.path.resolve().parent, offline=offline, say=say)
    targets = models.target_modules(base.folder, made.run.lora_target_modules)
    machine = replace(made.machine, base=str(base.folder), target_modules=targets)
    return replace(made, machine=machine), base


def train(made: Plan, task: Job, say: Say, on_event: OnEvent) -> manifest.History:
    """Run a training in its folder to its end, and return what it reported.

    Args:
        made: the plan, resolved.
        task: what the training processes are told.
        say: takes lines for the user.
        on_event: takes the training's events as they come.

    Raises:
        LaunchError: it failed or was interrupted, or did not prove what it did.
    """
    log, events = made.own_folder / "train.log", made.own_folder / "events.jsonl"
    write_atomic(made.own_folder / "axolotl.yml", made.yaml())
    task.write(made.own_folder / "job.json")
    history = manifest.History()
    dtype = "bfloat16" if made.machine.bf16 else "float32"
    say(
        f"training on {made.machine.processes} × {made.machine.device} in {dtype}, "
        f"effective batch {made.effective_batch}; log: {log}"
    )
    if (cluster := made.cluster).machines > 1:
        say(
            f"this is machine {cluster.rank} of {cluster.machines}; they meet at "
            f"{cluster.address}:{cluster.port}, and start once all have come"
        )

    def take(event: dict[str, Any]) -> None:
        history.add(event)
        on_event(event)

    # Only DeepSpeed compiles anything.
    builds: AbstractContextManager[dict[str, str]] = (
        native_builds.held() if made.machine.deepspeed else nullcontext({})
    )
    try:
        with builds as more:
            env = {**made.environment(), **more}
            launch.train(made.argv(), cwd=made.root, env=env, log=log, events=events, on_event=take)
    except LaunchError as error:
        found = checkpoints.newest(made.folder / "trained")
        step = f"\nThe same command goes on from step {found.step}." if found.folder else ""
        if made.cluster.machines > 1:
            step += "\nAll machines end together: where this one names no cause, see the others' logs."
        raise type(error)(f"{error}{step}", error.exit_code) from None
    history.prove(log, drawn_only=task.draw_only)
    return history


def _publish(made: Plan, base: models.BaseModel, digest: str, history: manifest.History) -> FinetuneResult:
    """Publish the adapter, if this is machine 0, and remove what training no longer needs."""
    content = _manifest(made, base, digest, history)
    if made.cluster.rank > 0:
        _tidy(made, history)
        return FinetuneResult(made.own_folder, content, made.cluster.rank, made.cluster.machines)
    card = adapter_card.first(made.root, content, made.adapter)
    adapter = adapters.publish(
        made.folder / "trained", made.adapter, content, manifest.without_folder(base.name), card
    )
    # What other machines still hold open on a shared disk can stay behind.
    shutil.rmtree(made.folder / "trained", ignore_errors=True)
    (made.folder / "state.json").unlink(missing_ok=True)
    return FinetuneResult(adapter.folder, adapter.manifest_with({}), machines=made.cluster.machines)


def _tidy(made: Plan, history: manifest.History) -> None:
    """Remove what a machine that publishes nothing has saved; checkpoints only from a disk of its own."""
    shutil.rmtree(made.own_folder / "trained", ignore_errors=True)
    if history.start["own_disk"]:
        shutil.rmtree(made.folder / "trained", ignore_errors=True)
        (made.folder / "state.json").unlink(missing_ok=True)


def job(start: resume.Start, base: models.BaseModel, digest: str, options: Options) -> Job:
    """Return what the processes of a training are told.

    Args:
        start: where it starts.
        base: its base model.
        digest: SHA-256 of its dataset file.
        options: what the command line added.
    """
    made = start.plan
    strategy = made.machine.deepspeed
    asked = Asked(
        quant_bits=made.run.quant_bits,
        lora_r=made.run.lora_r,
        lora_alpha=made.run.lora_alpha,
        dora=made.run.peft_use_dora,
        rslora=made.run.peft_use_rslora,
        targets=made.mapping()["lora_target_modules"],
        processes=made.machine.processes,
        zero_stage=made.zero_stage,
    )
    return Job(
        run=made.name,
        events=str(made.own_folder / "events.jsonl"),
        launcher=os.getpid(),
        device=made.machine.device,
        dataset=str(made.dataset),
        dataset_sha256=digest,
        prompt_style=made.run.prompt_style,
        allow_dropped_rows=options.allow_dropped_rows,
        step=start.step,
        seconds=start.seconds,
        asked=asked,
        machine=made.cluster.rank,
        machines=made.cluster.machines,
        terms={
            "dataset file": digest,
            "base model": base.identity,
            "DeepSpeed file": sha256(made.root / strategy) if strategy else None,
            "settings": made.public(base.name).mapping(),
            "versions": manifest.versions(),
            agreement.STEP: start.step,
        },
        state=resume.ingredients(made, base, digest),
    )


def _manifest(made: Plan, base: models.BaseModel, digest: str, history: manifest.History) -> dict[str, Any]:
    return manifest.compose(
        name=made.name,
        run=made.run,
        base={
            "name": base.name,
            "identity": base.identity,
            "tokenizer_sha256": models.tokenizer_digest(base.folder),
        },
        dataset_sha256=digest,
        yaml=made.public(base.name).yaml(),
        bf16=made.machine.bf16,
        processes=made.machine.processes,
        machines=made.cluster.machines,
        effective_batch=made.effective_batch,
        cores=launch.cores(),
        history=history,
    )


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Hold a run folder for this process; a second training of the run is refused.

    Raises:
        UsageError: another process trains this run, whose pid is named; or the folder can't be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(place for place in (folder, *folder.parents) if place.exists())
        raise UsageError(
            f"{file} is a file, and trainings work in a folder of that name; move the file away"
        ) from None
    with hold(
        folder / "lock",
        lambda pid: f"'{name}' is being trained already, by process {pid}; wait for it, or end it",
    ):
        yield
