"""A client's work, done where Axolotl is: `python -m finlora.federated.worker FOLDER`.

FOLDER is the client's. Its `client.json` says what the client is, its `request.json` what the server asks;
`reply.json` takes the answer. Training is that of `finlora finetune`: same plan, same YAML, same proofs.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from finlora import (
    __version__,
    adapter_card,
    adapters,
    axolotl_yaml,
    config,
    data,
    finetune,
    manifest,
    models,
    prepared_rows,
    prompts,
    training_plan,
)
from finlora.adapters import WEIGHTS
from finlora.config import ConfigFile, RunConfig
from finlora.errors import DataError, FinLoRAError, UsageError
from finlora.federated.jobs import CLIENT_JOB, GLOBAL, REPLY, REQUEST, TRAINED, ClientJob, Task
from finlora.federated.round_rows import check_enough, round_rows
from finlora.files import sha256, write_json
from finlora.json_text import shown
from finlora.light_tokenizer import LightTokenizer
from finlora.machine_checks import check_machine
from finlora.privacy import be_quiet, go_offline
from finlora.resume import Start
from finlora.training_plan import Options, Plan
from finlora.watch import end_with


def main(folder: Path) -> None:
    """Do what the request in a client's folder asks, and write the reply."""
    be_quiet()
    go_offline()
    job = ClientJob.read(folder / CLIENT_JOB)
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    end_with(request["launcher"])
    task = Task(**{entry.name: request[entry.name] for entry in fields(Task)})
    file = config.load(Path(job.config))
    write_json(folder / REPLY, perform(file, job, task))


def perform(file: ConfigFile, job: ClientJob, task: Task) -> dict[str, Any]:
    """Do a task, if it is of the very training that this client's config says.

    Args:
        file: the client's config file.
        job: what the client is.
        task: what the server asks.

    Returns:
        `counts`; or `failure`, a word of `wire.FAILURES`, and `why`.
    """
    made, base = _plan(file, job)
    if line := "; ".join(_differences(json.loads(task.terms), json.loads(json.dumps(terms(made, base))))):
        return {"failure": "terms", "why": f"the server would train something else: {line}"}
    return {"setup": set_up, "train": train, "finish": finish}[task.kind](made, base, job, task)


def terms(made: Plan, base: models.BaseModel) -> dict[str, Any]:
    """Return what all clients must have in common; places and what a machine's size decides are left out.

    Args:
        made: the plan of the run.
        base: its base model.
    """
    own = {
        "base_model",
        "dataset_path",
        "deepspeed",
        "batch_size",
        "gradient_accumulation_steps",
        "val_set_size",
    }
    return {
        "run": made.run.model_dump(exclude=own),
        "effective batch": made.effective_batch,
        "base model": base.identity,
        "tokenizer": models.tokenizer_digest(base.folder),
        "FinLoRA": __version__,
    }


def set_up(made: Plan, base: models.BaseModel, job: ClientJob, task: Task) -> dict[str, Any]:
    """Look at the rows, count them, and write down what PEFT needs beside the tensors."""
    rows = data.read_rows(Path(job.data))
    try:
        check_enough({job.name: len(rows)}, made.run.num_epochs, task.rounds)
        if not job.allow_dropped_rows:
            _check_lengths(made, base, rows)
    except (UsageError, DataError) as error:
        return {"failure": "rows", "why": str(error)}
    settings = peft_config(made.run, made.machine.target_modules or (), base.name)
    write_json(Path(job.folder) / GLOBAL / adapters.PEFT_CONFIG, settings)
    return {"counts": {"rows": len(rows)}}


def _check_lengths(made: Plan, base: models.BaseModel, rows: list[data.Row]) -> None:
    """Refuse a dataset too many of whose rows are too long; the few rows of one round can't tell."""
    if not _counts_tokens(base):
        return
    tokenizer = LightTokenizer(base.folder)
    prepared_rows.prepare(
        rows,
        str(made.dataset),
        tokenizer,
        prompts.prompt_for(tokenizer, made.run.prompt_style),
        sequence_len=made.run.sequence_len,
        val_set_size=0.0,
        step_rows=1,
        seed=made.run.seed,
        allow_dropped_rows=False,
    )


def _counts_tokens(base: models.BaseModel) -> bool:
    """Return whether a base model's tokens can be counted without loading transformers."""
    return (base.folder / "tokenizer.json").is_file()


def peft_config(run: RunConfig, targets: tuple[str, ...], base: str) -> dict[str, Any]:
    """Return PEFT's settings of a run's adapter; what is not named has PEFT's default, as in training."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": run.lora_r,
        "lora_alpha": run.lora_alpha,
        "lora_dropout": run.lora_dropout,
        "target_modules": list(targets),
        "use_dora": run.peft_use_dora,
        "use_rslora": run.peft_use_rslora,
    }


def train(made: Plan, base: models.BaseModel, job: ClientJob, task: Task) -> dict[str, Any]:
    """Train a round from the global adapter on this client's rows of it."""
    folder = Path(job.folder)
    rows = round_rows(
        data.read_rows(Path(job.data)), made.run.num_epochs, task.rounds, task.round, made.run.seed
    )
    chosen = folder / "rows.jsonl"
    data.write_rows(chosen, [{"context": row.context, "target": row.target} for row in rows])
    settings = {
        "learning_rate": task.learning_rate,
        "num_epochs": 1,
        "val_set_size": 0.0,
        "seed": task.seed % 2**32,
        "axolotl": {**made.run.axolotl, **axolotl_yaml.ROUND},
    }
    made = replace(
        made,
        run=made.run.model_copy(update=settings),
        dataset=chosen,
        machine=replace(made.machine, adapter=str(folder / GLOBAL)),
    )
    # All rows together were looked at before the first round.
    allowed = job.allow_dropped_rows or _counts_tokens(base)
    history = trained(made, base, allowed, frozen_a=task.aggregate == "ffa")
    losses, report = [loss for _, loss in history.losses], history.rows["report"]
    counts = {
        "rows": report["train"],
        "dropped": report["dropped"]["count"],
        "tokens": report["tokens"],
        "trained_tokens": report["trained_tokens"],
        "steps": len(losses),
        "loss": sum(losses) / len(losses),
    }
    return {"counts": counts}


def finish(made: Plan, base: models.BaseModel, job: ClientJob, task: Task) -> dict[str, Any]:
    """Put the finished adapter on this client's own shelf; where that is, this client alone decides."""
    content = json.loads(task.manifest)
    content.pop(adapters.DIGEST, None)
    place = Path(job.shelf)
    card = adapter_card.first(made.root, content, place)
    adapters.publish(Path(job.folder) / GLOBAL, place, content, manifest.without_folder(base.name), card)
    _say(f"adapter: {place}")
    return {"counts": {}}


def trained(
    made: Plan,
    base: models.BaseModel,
    allow_dropped_rows: bool,
    *,
    frozen_a: bool = False,
    draw_only: bool = False,
) -> manifest.History:
    """Train in a plan's folder without publishing; its `trained/` holds float32 tensors afterwards.

    Args:
        made: the plan, with folder and modules of the base model in place.
        base: the base model.
        allow_dropped_rows: as in `training_plan.Options`.
        frozen_a: leave the A matrices as they are.
        draw_only: draw a new adapter and train nothing.

    Raises:
        FinLoRAError: it failed, or did not prove what it did.
    """
    for name in ("events.jsonl", "train.log"):
        (made.own_folder / name).unlink(missing_ok=True)
    shutil.rmtree(made.folder / TRAINED, ignore_errors=True)
    options = Options(offline=True, allow_dropped_rows=allow_dropped_rows)
    task = finetune.job(Start(made), base, sha256(made.dataset), options)
    task = replace(task, asked=replace(task.asked, a_frozen=frozen_a), draw_only=draw_only)
    history = finetune.train(made, task, _say, lambda event: None)
    _as_float32(made.folder / TRAINED / WEIGHTS)
    return history


def _plan(file: ConfigFile, job: ClientJob) -> tuple[Plan, models.BaseModel]:
    options = Options(processes=job.processes, deepspeed=job.deepspeed, offline=True)
    made = training_plan.plan(file, job.run, options)
    check_machine(made)
    made = replace(made, name=job.place, dataset=Path(job.data))
    return finetune.resolved(file, made, offline=True, say=_say)


def _differences(theirs: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return in words what the server trains otherwise than this client would."""
    there, here = {**theirs, **theirs["run"]}, {**own, **own["run"]}
    return [
        f"{key}: {shown(there.get(key))} there, {shown(here.get(key))} here"
        for key in {**there, **here}
        if key != "run" and there.get(key) != here.get(key)
    ]


def _as_float32(path: Path) -> None:
    """Store an adapter's tensors as float32: what travels has one type, and numpy knows no bfloat16."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        types = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    if types == {"F32"}:
        return
    from safetensors.torch import load_file, save_file

    save_file({name: tensor.float() for name, tensor in load_file(path).items()}, path)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except FinLoRAError as error:
        _say(f"Error: {error}")
        sys.exit(getattr(error, "exit_code", 1))
