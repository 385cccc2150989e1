"""Train a named run: plan it, resolve its base model, launch, publish."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finlora import adapters, checkpoints, data, launch, manifest, models
from finlora.config import ConfigFile
from finlora.errors import LaunchError, UsageError
from finlora.events import Asked, EventReader, Job
from finlora.files import sha256, write_atomic, write_json
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
    with alone(made.folder):
        resuming = _resume(made, base, digest, say)
        return _train(resuming, base, digest, options, say, on_event)


def _train(
    made: Plan, base: models.BaseModel, digest: str, options: Options, say: Say, on_event: OnEvent
) -> FinetuneResult:
    log, events = made.folder / "train.log", made.folder / "events.jsonl"
    write_atomic(made.folder / "axolotl.yml", made.yaml())
    _job(made, digest, events, options).write(made.folder / "job.json")
    history = manifest.History()
    effective = made.run.batch_size * made.run.gradient_accumulation_steps * made.machine.processes
    say(
        f"training on {made.machine.processes} × {made.machine.device} in "
        f"{'bfloat16' if made.machine.bf16 else 'float32'}, effective batch {effective}; log: {log}"
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


def _job(made: Plan, digest: str, events: Path, options: Options) -> Job:
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
        cores=launch.cores(),
        history=history,
    )
    adapter = adapters.publish(made.folder / "trained", made.adapter, content, name)
    shutil.rmtree(made.folder / "trained")
    (made.folder / "state.json").unlink(missing_ok=True)
    return FinetuneResult(adapter.folder, {"schema": adapters.SCHEMA, **content})


def _resume(made: Plan, base: models.BaseModel, digest: str, say: Say) -> Plan:
    """Go on from the newest complete checkpoint if it fits, and say so, or say why not."""
    trained, state = made.folder / "trained", made.folder / "state.json"
    now = {
        "settings": made.mapping(),
        "dataset": digest,
        "base model": base.identity,
        "prompt style": made.run.prompt_style,
        "processes": made.machine.processes,
        "versions": manifest.versions(),
    }
    before = checkpoints.read_state(state)
    found = checkpoints.newest(trained)
    for name in found.torn:
        say(f"{name} is not complete and is passed over")
    differing = [part for part in now if before.get(part) != checkpoints.key(now[part])]
    if found.folder and not differing:
        say(f"resuming at step {found.step} (from {found.folder.name} of the training that ended early)")
        _keep_events(made.folder / "events.jsonl", found.step)
        return replace(made, machine=replace(made.machine, resume=seen_from(made.root, found.folder)))
    if before:
        reason = f"{', '.join(differing)} changed" if differing else "it left no complete checkpoint"
        say(f"an earlier training of this run ended early, but can't be resumed: {reason}. Starting anew")
    shutil.rmtree(trained, ignore_errors=True)
    for name in ("events.jsonl", "train.log"):
        (made.folder / name).unlink(missing_ok=True)
    write_json(state, {part: checkpoints.key(value) for part, value in now.items()})
    return made


def _keep_events(events: Path, step: int) -> None:
    """Keep the losses up to a checkpoint; what came after it will be computed again."""
    kept = [e for e in EventReader(events).new() if e["event"] in ("step", "eval") and e["step"] <= step]
    write_atomic(events, "".join(json.dumps(event) + "\n" for event in kept))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
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
