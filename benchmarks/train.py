"""Training throughput on a CPU: FinLoRA against the FinLoRA benchmark's settings and against `trl sft`."""

import ast
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import report

from finlora import build, builtin, config, launch, project
from finlora.axolotl_yaml import to_yaml
from finlora.data import read_rows
from finlora.events import EventReader
from finlora.files import write_json
from finlora.privacy import OFFLINE, QUIET

REPEATS = 2
ROWS, BATCH = 32, 8
RUN = "train"
FINLORA = "finlora finetune"
REFERENCE = "reference's settings, axolotl train"
ALL_CORES = "the same, OMP_NUM_THREADS set"
TRL = "trl sft"
RATE, RANK, ALPHA, DROPOUT = 5e-4, 8, 16, 0.05
TARGETS = ["q_proj", "k_proj", "v_proj"]
WORDS = f"""One epoch over {ROWS} rows of the sentiment sample on the built-in 135M model: LoRA r {RANK} on
q, k and v, unquantised base on every side, effective batch {BATCH}, prompt `[INST] … [/INST]`, learning rate
{RATE}, no held-out rows. Seconds are those of the training loop as each program reports them, median of
{REPEATS} rounds in turn; `whole command` adds imports, loading and saving. Tokens are those of the rows,
padding not counted. Loss is the mean over the epoch; rows come in another order on each side.

- `{FINLORA}`: as it comes: bfloat16 where the CPU has it, output logits for answers alone, rows in
  order of length, nothing recomputed, every core. Its seconds hold a checkpoint after every step of so short
  a training (it saves ten times a training); the others save none.
- `{REFERENCE}`: what the FinLoRA benchmark's template says (gradient checkpointing, no packing, random order,
  logits for every token, batch 4 × accumulation 2), and what it comes to without a GPU: float32 (its
  `bf16: auto`), no 8-bit optimiser. Plain `axolotl train`: accelerate gives it one thread.
- `{ALL_CORES}`: to all cores.
- `{TRL}`: batch {BATCH}, bfloat16, all cores, its own defaults else (gradient checkpointing among them)."""


@dataclass
class Side:
    """One program: how to train with it, and what each round took and came to."""

    train: Callable[[], tuple[float, float]]
    about: str
    loop: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def lay_out(folder: Path) -> Path:
    """Make a project with the rows and one run; return the base model's folder."""
    project.init(folder)
    sample, _ = build.dataset_files(folder, "sentiment_sample")
    rows = read_rows(sample)[:ROWS]
    lines = [json.dumps({"context": row.context, "target": row.target}) for row in rows]
    (folder / "data" / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # FinLoRA's own [INST] prompt has a blank before the answer; the others get it with their rows.
    spaced = [json.dumps({"context": row.context, "target": f" {row.target}"}) for row in rows]
    (folder / "data" / "spaced.jsonl").write_text("\n".join(spaced) + "\n", encoding="utf-8")
    pairs = [{"prompt": f"[INST] {row.context} [/INST]", "completion": f" {row.target}"} for row in rows]
    (folder / "trl").mkdir()
    (folder / "trl" / "train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    run = {"base_model": builtin.NAME, "dataset_path": "../data/rows.jsonl", "lora_r": RANK, "num_epochs": 1}
    run |= {"learning_rate": RATE, "batch_size": BATCH, "prompt_style": "inst", "val_set_size": 0.0}
    write_json(folder / "configs" / config.CONFIG_NAME, {RUN: run})
    builtin.make_once(print)
    return builtin.model_folder()


def reference_yaml(folder: Path, base: Path) -> None:
    """Write the settings of the FinLoRA benchmark's template, as far as a CPU can follow them."""
    columns = {"field_instruction": "context", "field_output": "target", "field_system": "system"}
    shape = {"format": "[INST] {instruction} [/INST]", "no_input_format": "[INST] {instruction} [/INST]"}
    settings = {
        "base_model": str(base),
        "adapter": "lora",
        "lora_r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": DROPOUT,
        "lora_target_modules": TARGETS,
        "datasets": [
            {"path": str(folder / "data" / "spaced.jsonl"), "ds_type": "json"} | {"type": columns | shape}
        ],
        "val_set_size": 0.0,
        "sequence_len": 4096,
        "sample_packing": False,
        "micro_batch_size": BATCH // 2,
        "gradient_accumulation_steps": 2,
        "num_epochs": 1,
        "learning_rate": RATE,
        "optimizer": "adamw_torch",
        "lr_scheduler": "cosine",
        "warmup_steps": 10,
        "weight_decay": 0.0,
        "bf16": False,
        "fp16": False,
        "tf32": False,
        "gradient_checkpointing": True,
        "flash_attention": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "output_dir": str(folder / "reference"),
        "dataset_prepared_path": str(folder / "prepared"),
        "special_tokens": {"pad_token": "<|endoftext|>"},
        "seed": 42,
    }
    (folder / "reference.yml").write_text(to_yaml(settings), encoding="utf-8")


def follow(argv: list[str], folder: Path, env: dict[str, str]) -> str:
    """Run a command to its end and return what it wrote."""
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(argv)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout + done.stderr


def summary(text: str) -> tuple[float, float]:
    """Return seconds and mean loss from the summary that transformers' Trainer prints at the end."""
    found = re.findall(r"\{[^{}]*'train_runtime'[^{}]*\}", text)
    if not found:
        raise SystemExit(f"no summary of a training in:\n{text[-3000:]}")
    values = ast.literal_eval(found[-1])
    return float(values["train_runtime"]), float(values["train_loss"])


def sides(folder: Path) -> dict[str, Side]:
    """Return what is measured; every round starts from empty output folders."""
    base = lay_out(folder)
    reference_yaml(folder, base)
    programs, threads = Path(sys.executable).parent, str(launch.cores())
    env = {**os.environ, **QUIET, **OFFLINE, "CUDA_VISIBLE_DEVICES": ""}
    env |= {"PATH": f"{programs}:{os.environ['PATH']}"}
    env.pop("OMP_NUM_THREADS", None)

    def finlora() -> tuple[float, float]:
        follow(
            [str(programs / "finlora"), "finetune", RUN, "--overwrite", "--fresh", "--offline"], folder, env
        )
        events = EventReader(folder / "axolotl-output" / RUN / "events.jsonl").new()
        losses = [event["loss"] for event in events if event["event"] == "step"]
        [end] = [event for event in events if event["event"] == "trained"]
        return end["seconds"], statistics.mean(losses)

    def axolotl(**more: str) -> tuple[float, float]:
        for name in ("reference", "prepared"):
            shutil.rmtree(folder / name, ignore_errors=True)
        argv = [str(programs / "axolotl"), "train", str(folder / "reference.yml")]
        return summary(follow(argv, folder, env | {"ACCELERATE_USE_CPU": "true"} | more))

    def trl() -> tuple[float, float]:
        argv = [str(programs / "trl"), "sft", "--model_name_or_path", str(base), "--dtype", "bfloat16"]
        argv += ["--dataset_name", str(folder / "trl"), "--use_peft", "--lora_r", str(RANK)]
        argv += [
            "--lora_alpha",
            str(ALPHA),
            "--lora_dropout",
            str(DROPOUT),
            "--lora_target_modules",
            *TARGETS,
        ]
        argv += ["--learning_rate", str(RATE), "--lr_scheduler_type", "cosine", "--warmup_steps", "10"]
        argv += ["--per_device_train_batch_size", str(BATCH), "--num_train_epochs", "1", "--bf16", "true"]
        argv += ["--use_cpu", "true", "--logging_steps", "1", "--save_strategy", "no", "--report_to", "none"]
        argv += ["--output_dir", str(folder / "trl_output")]
        return summary(follow(argv, folder, env | {"OMP_NUM_THREADS": threads}))

    dtype = "bfloat16" if launch.cpu_has_bf16() else "float32"
    return {
        FINLORA: Side(finlora, f"{dtype}, {threads}"),
        REFERENCE: Side(axolotl, "float32, 1"),
        ALL_CORES: Side(lambda: axolotl(OMP_NUM_THREADS=threads), f"float32, {threads}"),
        TRL: Side(trl, f"bfloat16, {threads}"),
    }


def measure(compared: dict[str, Side]) -> None:
    """Train every side once a round, another one first each time; the first round does not count."""

    def turn(side: Side) -> float:
        started = time.perf_counter()
        seconds, loss = side.train()
        side.whole.append(time.perf_counter() - started)
        side.loop.append(seconds)
        side.losses.append(loss)
        return seconds

    report.take_turns({name: lambda side=side: turn(side) for name, side in compared.items()}, REPEATS)
    for side in compared.values():
        for figures in (side.loop, side.whole, side.losses):
            figures.pop(0)


def main() -> None:
    """Measure, print the table, write it to train.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        compared = sides(folder)
        measure(compared)
        [adapter] = (folder / "lora_adapters").glob("*/*/finlora.json")
        tokens = json.loads(adapter.read_text(encoding="utf-8"))["dataset"]["tokens"]
    ours = statistics.median(compared[FINLORA].loop)
    rows = [
        [
            name,
            side.about,
            f"{statistics.median(side.loop):.1f} ({min(side.loop):.1f}-{max(side.loop):.1f})",
            f"{tokens / statistics.median(side.loop):,.0f}",
            f"{statistics.median(side.loop) / ours:.1f}",
            f"{statistics.median(side.losses):.3f}",
            f"{statistics.median(side.whole):.1f}",
        ]
        for name, side in compared.items()
    ]
    columns = ["", "type, threads", "seconds", "tokens/s", "FinLoRA is faster by", "loss", "whole command"]
    report.write("train", "Training throughput on a CPU", WORDS, columns, rows)


if __name__ == "__main__":
    main()
