"""Train a named run: plan it, resolve its base model, launch, publish."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import adapters, checkpoints, data, launch, manifest, models, resume
from finlora.config import ConfigFile
from finlora.errors import LaunchError, UsageError
from finlora.events import Asked, Job
from finlora.files import sha256, write_atomic
from finlora.training_plan import Options, Plan, check_machine, plan, seen_from

Say = Callable[[str], None]
OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class FinetuneResult:
    """A published adapter: its folder and its manifest."""

    folder: Path
    manifest: dict[str, Any]


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
    adapters.mend(made.adapter)
    if made.adapter.exists() and not options.overwrite:
        raise UsageError(
            f"{made.adapter} exists already; replace it with --overwrite, or name the new one with --as"
        )
    rows = data.read_rows(made.dataset)
    digest = sha256(made.dataset)
    say(f"{made.name}: {len(rows)} rows from {seen_from(made.root, made.dataset)}")
    base = models.resolve(made.run.base_model, file.path.resolve().parent, offline=options.offline, say=say)
    targets = models.target_modules(base.folder, made.run.lora_target_modules)
    made = replace(made, machine=replace(made.machine, base=str(base.folder), target_modules=targets))
    with _alone(made.folder):
        start = resume.find(made, base, digest, options.fresh, say)
        return _train(start, base, digest, options, say, on_event)


def _train(
    start: resume.Start, base: models.BaseModel, digest: str, options: Options, say: Say, on_event: OnEvent
) -> FinetuneResult:
    made = start.plan
    log, events = made.folder / "train.log", made.folder / "events.jsonl"
    write_atomic(made.folder / "axolotl.yml", made.yaml())
    _job(start, digest, events, options).write(made.folder / "job.json")
    history = manifest.History()
    dtype = "bfloat16" if made.machine.bf16 else "float32"
    say(
        f"training on {made.machine.processes} × {made.machine.device} in {dtype}, "
        f"effective batch {made.effective_batch}; log: {log}"
    )

    def take(event: dict[str, Any]) -> None:
        history.add(event)
        on_event(event)

    try:
        launch.train(
            made.argv(), cwd=made.root, env=made.environment(), log=log, events=events, on_event=take
        )
    except LaunchError as error:
        found = checkpoints.newest(made.folder / "trained")
        step = f"\nThe same command goes on from step {found.step}." if found.folder else ""
        raise LaunchError(f"{error}{step}", error.exit_code) from None
    history.prove(log)
    return _publish(made, base, digest, history)


def _job(start: resume.Start, digest: str, events: Path, options: Options) -> Job:
    made = start.plan
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
        events=str(events),
        launcher=os.getpid(),
        device=made.machine.device,
        dataset=str(made.dataset),
        dataset_sha256=digest,
        prompt_style=made.run.prompt_style,
        allow_dropped_rows=options.allow_dropped_rows,
        step=start.step,
        seconds=start.seconds,
        asked=asked,
    )


def _publish(made: Plan, base: models.BaseModel, digest: str, history: manifest.History) -> FinetuneResult:
    name = manifest.without_folder(base.name)
    public = replace(
        made,
        machine=replace(
            made.machine,
            base=name,
            resume=None,
            deepspeed=made.machine.deepspeed and manifest.without_folder(made.machine.deepspeed),
        ),
        dataset=made.dataset if made.dataset.is_relative_to(made.root) else Path(made.dataset.name),
    )
    content = manifest.compose(
        name=made.name,
        run=made.run,
        base={
            "name": base.name,
            "identity": base.identity,
            "tokenizer_sha256": models.tokenizer_digest(base.folder),
        },
        dataset_sha256=digest,
        yaml=public.yaml(),
        bf16=made.machine.bf16,
        processes=made.machine.processes,
        effective_batch=made.effective_batch,
        cores=launch.cores(),
        history=history,
    )
    adapter = adapters.publish(made.folder / "trained", made.adapter, content, name)
    shutil.rmtree(made.folder / "trained")
    (made.folder / "state.json").unlink(missing_ok=True)
    return FinetuneResult(adapter.folder, {"schema": adapters.SCHEMA, **content})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process; a second training of the run is refused.

    Raises:
        UsageError: another process trains this run; its pid is named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UsageError(
                f"'{folder.name}' is being trained already, by process {lock.read() or 'unknown'}; "
                "wait for it, or end it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
