"""Training speed and memory on one GPU: the benchmark's settings against FinLoRA's, for 16, 8 and 4 bits.

Both sides are real trainings: the process that `finlora finetune` starts, with Axolotl's loading,
quantisation, adapters, kernels and training loop, and FinLoRA's plugin, which reports every step. They
differ in the YAML (`SIDES`) and, on the reference's side, in the trainer (`plain_trainer.py`). The base
model has the shape of Llama 3.1 8B and random weights, so that nothing need be fetched; it takes 16 GB
of disk. A run that was interrupted goes on where it stopped.

    python benchmarks/gpu_train.py
    python benchmarks/gpu_train.py --shape tiny --device cpu    (does the script itself work?)
"""

import argparse
import json
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import report
from random_llama import SHAPES, WORDS, Shape, make_base

from finlora import axolotl_yaml, config, finetune, launch, privacy, training_plan
from finlora.errors import LaunchError
from finlora.files import sha256, write_atomic, write_json

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "axolotl-output" / "gpu_train"
BATCH, ACCUMULATION = 8, 2
# Two epochs: the first warms up (kernels, allocator, clocks), the second counts.
EPOCHS = 2
CHECKPOINTING = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
REFERENCE = "reference"
# What each side changes in the YAML that FinLoRA writes for a GPU.
SIDES: dict[str, dict[str, Any]] = {
    REFERENCE: {
        **CHECKPOINTING,
        "plugins": ["plain_trainer.PlainTrainerPlugin"],
        "curriculum_sampling": False,
    },
    "FinLoRA, checkpointing": CHECKPOINTING,
    "FinLoRA": {"gradient_checkpointing": False, "gradient_checkpointing_kwargs": None},
}
# The optimiser that the reference takes for each number of bits.
REFERENCE_OPTIMIZER = {16: "adamw_torch_fused", 8: "adamw_bnb_8bit", 4: "paged_adamw_8bit"}
ABOUT = f"""Training steps on one device, batch {BATCH}, accumulation {ACCUMULATION}, LoRA r 8 on q, k and v,
dropout 0.05, sdpa attention, no packing; Axolotl itself trains both sides. `{REFERENCE}`: the settings of
the FinLoRA benchmark (gradient checkpointing, rows in random order, logits for every token, its
optimisers). `FinLoRA`: logits for answers alone, rows in order of length, fused AdamW; with and without
checkpointing. Fused LoRA kernels are off on both sides, since with dropout they train on another loss.
Tokens are those of the rows, padding not counted. Memory is the most that PyTorch held. The last column
is the useful work (4 operations for each token and weight of the layers; what checkpointing computes
twice counts once) as a share of what the device does in a large product of bfloat16 matrices: here"""


def write_rows(path: Path, shortest: int, longest: int, steps: int) -> None:
    """Write a dataset of whole steps; each row has 1 to 3 answer tokens, and an end token, in its length."""
    chance = random.Random(0)

    def words(count: int) -> str:
        return " ".join(f"w{chance.randrange(WORDS)}" for _ in range(count))

    lines = []
    for _ in range(steps * BATCH * ACCUMULATION):
        answer = chance.randint(1, 3)
        length = chance.randint(shortest, longest)
        row = {"context": words(length - answer - 1), "target": words(answer)}
        lines.append(json.dumps(row) + "\n")
    write_atomic(path, "".join(lines))


def lay_out(folder: Path, shape: Shape, device: str) -> config.ConfigFile:
    """Make the project: a base model, a dataset for each kind of rows, a run for each kind and precision."""
    path = folder / "configs" / config.CONFIG_NAME
    if path.exists():
        return config.load(path)
    make_base(folder / "base", shape, device)
    runs = {}
    for i, (shortest, longest, steps) in enumerate(shape.rows.values()):
        write_rows(folder / "data" / f"rows{i}.jsonl", shortest, longest, steps)
        for bits in (16, 8, 4):
            runs[f"rows{i}_{bits}bits"] = {
                "base_model": "../base",
                "dataset_path": f"../data/rows{i}.jsonl",
                "quant_bits": bits,
                "num_epochs": EPOCHS,
                "batch_size": BATCH,
                "gradient_accumulation_steps": ACCUMULATION,
                "sequence_len": longest + 1,
                "val_set_size": 0,
                "prompt_style": "plain",
            }
    write_json(path, runs)
    return config.load(path)


@dataclass(frozen=True)
class Measured:
    """What one training took.

    Args:
        tokens: tokens of the rows of one epoch.
        steps: steps of one epoch.
        seconds: of the epoch that counts.
        peak: most bytes that PyTorch held on the GPU.
        devices: names of the GPUs.
    """

    tokens: int
    steps: int
    seconds: float
    peak: int
    devices: list[str]


def train(made: training_plan.Plan, mapping: dict[str, Any]) -> Measured | None:
    """Train once; return None if the memory is too small."""
    shutil.rmtree(made.folder, ignore_errors=True)
    made.folder.mkdir(parents=True)
    log, events = made.folder / "train.log", made.folder / "events.jsonl"
    write_atomic(made.folder / "axolotl.yml", axolotl_yaml.to_yaml(mapping))
    job = finetune._job(made, sha256(made.dataset), events, training_plan.Options())
    job.write(made.folder / "job.json")
    seen: list[dict[str, Any]] = []
    env = {**made.environment(), "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)])}
    try:
        launch.train(made.argv(), cwd=made.root, env=env, log=log, events=events, on_event=seen.append)
    except LaunchError as error:
        if "memory is full" in str(error):
            return None
        raise SystemExit(f"{made.name}: {error}") from None
    of = {event["event"]: event for event in seen}
    at = {event["step"]: event["seconds"] for event in seen if event["event"] == "step"}
    half = max(at) // EPOCHS
    return Measured(
        tokens=of["rows"]["report"]["tokens"],
        steps=half,
        seconds=at[half * EPOCHS] - at[half],
        peak=of["trained"]["gpu_peak_bytes"],
        devices=of["start"]["devices"],
    )


def settings(made: training_plan.Plan, side: str) -> dict[str, Any]:
    """Return Axolotl's mapping for one side; no side saves checkpoints."""
    changes = {**SIDES[side], "save_steps": None, "save_total_limit": None, "save_strategy": "no"}
    if side == REFERENCE and made.machine.device == "cuda":
        changes["optimizer"] = REFERENCE_OPTIMIZER[made.run.quant_bits]
    return {key: value for key, value in {**made.mapping(), **changes}.items() if value is not None}


def measure_all(file: config.ConfigFile) -> Iterator[tuple[str, str, Measured | None]]:
    """Yield run, side and what was measured; what an interrupted run has measured is not done again."""
    path = file.root / "measured.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    base = str(file.root / "base")
    for name in file.runs:
        made = training_plan.plan(file, name, training_plan.Options(processes=1))
        made = replace(made, machine=replace(made.machine, base=base))
        for side in SIDES:
            key = f"{name}: {side}"
            if key not in done:
                found = train(made, settings(made, side))
                done[key] = asdict(found) if found else None
                write_json(path, done)
            print(f"{key}: {done[key] or 'out of memory'}", flush=True)
            yield name, side, Measured(**done[key]) if done[key] else None


def matrix_rate(device: str, side: int) -> float:
    """Return the operations per second of this device in a large product of bfloat16 matrices."""
    import torch

    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        for _ in range(10):
            a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - started) / 10)
    return 2 * side**3 / best


def table(
    file: config.ConfigFile, shape: Shape, found: Sequence[tuple[str, str, Measured | None]], rate: float
) -> list[list[str]]:
    """Return the lines of the report; the reference of each run is the measure of its other sides."""
    kinds = list(shape.rows)
    speed = {(name, side): m.tokens / m.seconds for name, side, m in found if m}
    lines = []
    for name, side, m in found:
        head = [kinds[int(name[4])], str(file.runs[name].quant_bits), side]
        if m is None:
            lines.append([*head, "out of memory", "", "", "", ""])
            continue
        tokens, reference = speed[name, side], speed.get((name, REFERENCE))
        lines.append(
            [
                *head,
                f"{tokens:,.0f}",
                f"{tokens / reference:.2f}" if reference else "",
                f"{m.seconds / m.steps:.3f}",
                f"{m.peak / 2**30:.1f}",
                f"{4 * shape.layer_weights * tokens / rate:.1%}",
            ]
        )
    return lines


def main() -> None:
    """Measure, print the table, and write it to gpu_train.md if this was the real thing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    given = parser.parse_args()
    # One GPU, or none; read by the plan and by the trainings.
    os.environ["CUDA_VISIBLE_DEVICES"] = "0" if given.device == "cuda" else ""
    if given.device == "cuda" and not launch.visible_gpus():
        raise SystemExit("no NVIDIA GPU here; try the script itself with: --shape tiny --device cpu")
    privacy.go_offline()
    shape, folder = SHAPES[given.shape], OUTPUT / given.shape
    file = lay_out(folder, shape, given.device)
    found = list(measure_all(file))
    rate = matrix_rate(given.device, shape.matrix)
    devices = next((m.devices for _, _, m in found if m), [])
    words = f"{ABOUT}\n{rate / 1e12:.3g} Tflop/s, side {shape.matrix}."
    columns = ["tokens a row", "bits", "side", "tokens/s", "times", "s a step", "peak GiB", "of matrix rate"]
    rows = table(file, shape, found, rate)
    page = report.page("gpu_train", "Training on one GPU", words, columns, rows, devices)
    print(page)
    if (given.shape, given.device) == ("8b", "cuda"):
        write_atomic(Path(__file__).with_suffix(".md"), page)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
