"""What a rehearsal takes in the place of what this machine lacks: the nearest run, a tokenizer, fewer rows.

Each stand-in comes with a line that says so.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import builtin, models, privacy, tiny_model
from finlora.data import Row
from finlora.errors import BaseModelError
from finlora.model_folder import TOKENIZERS
from finlora.model_shapes import local_folder

PROCESSES = 2
# Tokens of one step on one process: some seconds for a tiny model on a CPU.
_STEP_TOKENS = 65_536
# A token of English text has some four characters, one of numbers fewer.
_TOKEN_CHARACTERS = 3
# Characters of a dataset that two processes turn into tokens in about ten seconds.
_WHOLE_DATASET = 16_000_000
_LONGEST_KEPT = 64
# What a tokenizer is learned from, and its size.
_LEARNED_ROWS, _LEARNED_VOCABULARY = 2000, 4096

# Keys of `axolotl:` that need a GPU.
_GPU_KEYS = ("flash_attention", "xformers_attention", "flex_attention", "sage_attention", "fp8")
_WARM_UP = ("warmup_steps", "warmup_ratio")


@dataclass(frozen=True)
class Nearest:
    """The run as it can be tried here.

    Args:
        changes: keys of the run with other values.
        processes: training processes.
        lines: what is done otherwise, a line each.
        not_tried: what is therefore not tried.
    """

    changes: dict[str, Any]
    processes: int
    lines: tuple[str, ...]
    not_tried: tuple[str, ...]


def nearest(run: Any, zero_stage: int | None, longest: int) -> Nearest:
    """Return a run as near to the given one as CPU processes can train.

    Args:
        run: the run's settings (`RunConfig`).
        zero_stage: the ZeRO stage it asks for; None for no DeepSpeed.
        longest: characters of the longest row.
    """
    changes: dict[str, Any] = {}
    lines, not_tried = [], []
    processes = 1
    if zero_stage is None:
        lines.append("one process: without DeepSpeed accelerate starts no more on a CPU")
        not_tried.append("several processes")
    elif not any(map(shutil.which, ("c++", "g++", "clang++"))):
        lines.append("one process without DeepSpeed: no C++ compiler here (on Debian: apt install g++)")
        not_tried.append(f"several processes, and DeepSpeed ZeRO-{zero_stage}")
    else:
        processes = PROCESSES
    if processes > 1 and zero_stage == 3:
        changes["deepspeed"] = "zero2"
        lines.append("ZeRO-2 in the place of ZeRO-3, whose losses are not numbers on CPU processes")
        not_tried.append("DeepSpeed ZeRO-3")
    if run.quant_bits == 8 and run.peft_use_dora:
        changes["quant_bits"] = 16
        lines.append("16-bit DoRA: 8-bit with DoRA does not train on a CPU (bitsandbytes)")
        not_tried.append("8 bits together with DoRA")
    if run.dtype == "bfloat16":
        changes["dtype"] = "auto"
        lines.append("float32: several processes on a CPU do not compute in bfloat16")
    rows, accumulated = _fitting_batch(run, longest)
    if (rows, accumulated) != (run.batch_size, run.gradient_accumulation_steps):
        changes |= {"batch_size": rows, "gradient_accumulation_steps": accumulated}
        was = f"{run.batch_size} × {run.gradient_accumulation_steps}"
        lines.append(f"batch {rows} × {accumulated} in the place of {was}: enough for a CPU")
        not_tried.append(f"a batch of {was} rows a process")
    kept = {key: value for key, value in run.axolotl.items() if key not in (*_GPU_KEYS, *_WARM_UP)}
    for key in run.axolotl.keys() & set(_GPU_KEYS):
        lines.append(f"without axolotl.{key}: it needs a GPU")
        not_tried.append(f"axolotl.{key}")
    # In a warm-up the first steps move next to nothing.
    changes["axolotl"] = {**kept, "warmup_steps": 0}
    lines.append("no warm-up: two steps are to move something")
    return Nearest(changes, processes, tuple(lines), tuple(not_tried))


def _fitting_batch(run: Any, longest: int) -> tuple[int, int]:
    """Return rows per process and accumulated batches whose tokens fit in a step here."""
    tokens = max(1, min(run.sequence_len, longest // _TOKEN_CHARACTERS))
    rows = max(1, min(run.batch_size, _STEP_TOKENS // tokens))
    return rows, max(1, min(run.gradient_accumulation_steps, _STEP_TOKENS // (tokens * rows)))


def enough_rows(rows: Sequence[Row]) -> list[Row]:
    """Return all rows of a dataset, or of a huge one its longest rows and others from end to end."""
    sizes = [len(row.context) + len(row.target) for row in rows]
    if sum(sizes) <= _WHOLE_DATASET:
        return list(rows)
    longest = sorted(range(len(rows)), key=lambda i: -sizes[i])[:_LONGEST_KEPT]
    every = -(-sum(sizes) // _WHOLE_DATASET)
    return [rows[i] for i in sorted({*longest, *range(0, len(rows), every)})]


@dataclass(frozen=True)
class Tokens:
    """The tokenizer of a rehearsal.

    Args:
        tokenizer: a Hugging Face tokenizer.
        stand_in: what it is, where it is not the base model's own; else empty.
    """

    tokenizer: Any
    stand_in: str


def tokens_for(
    name: str, folder_of_config: Path, rows: Sequence[Row], *, offline: bool, say: Callable[[str], None]
) -> Tokens:
    """Return the base model's tokenizer where it is on this machine, else the nearest that can be had.

    Args:
        name: the base model as the run names it.
        folder_of_config: what a relative folder is relative to.
        rows: what a tokenizer made on the spot learns from.
        offline: do not fetch the built-in model, whose tokenizer is the first to stand in.
        say: takes lines for the user.

    Raises:
        BaseModelError: the base model's own tokenizer can't be read.
    """
    own = None if name.startswith("builtin:") else local_folder(name, folder_of_config)
    if own is not None and any((own / file).is_file() for file in TOKENIZERS):
        return Tokens(_read(own, name), "")
    try:
        folder = models.resolve(builtin.NAME, folder_of_config, offline=offline, say=say).folder
    except BaseModelError as error:
        say(f"the built-in model's tokenizer can't be had: {str(error).partition(chr(10))[0]}")
        made = tiny_model.byte_level_tokenizer(
            (row.context + row.target for row in rows[:_LEARNED_ROWS]),
            named=tiny_model.CHATML_TOKENS,
            vocabulary=_LEARNED_VOCABULARY,
            chat_template=tiny_model.CHATML,
        )
        return Tokens(made, "a byte-level one learned from these rows, with a ChatML template,")
    stand_in = "" if name == builtin.NAME else "SmolLM2's"
    return Tokens(_read(folder, builtin.NAME), stand_in)


def _read(folder: Path, name: str) -> Any:
    privacy.go_offline()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BaseModelError(f"{name}: its tokenizer can't be read from {folder}: {error}") from None
