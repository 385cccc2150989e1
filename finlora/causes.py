"""What a training died of, told in one line: from its own report, its log or its exit code."""

import re
from pathlib import Path

INSTALL = "in FinLoRA's folder: pip install '.[train]' -c constraints.txt"
NOT_INSTALLED = "the training packages are not installed"
# Pattern in the child's log, what it means, what costs least to change.
CAUSES = (
    (
        r"CUDA out of memory|OutOfMemoryError",
        "the GPU's memory is full",
        "halve batch_size and double gradient_accumulation_steps (same result), or lower sequence_len",
    ),
    (r"No space left on device", "the disk is full", "free some space; what was trained before is untouched"),
    (
        r"No CUDA GPUs are available|Found no NVIDIA driver|CUDA driver version is insufficient",
        "no usable GPU",
        "see what this machine can run: finlora doctor",
    ),
    (
        r"No module named '?(axolotl|accelerate|deepspeed|bitsandbytes)",
        NOT_INSTALLED,
        INSTALL,
    ),
    (
        r"[Aa]ddress already in use|on port `\d+`, but another process is utilizing it",
        "the port of the training processes is taken",
        "end the other training first, or take another --main-process-port",
    ),
    (
        r"DefaultCPUAllocator: can't allocate memory|MemoryError",
        "the memory is full",
        "lower batch_size or sequence_len",
    ),
)
_KILLED = -9
# What processes say when another one, here or on another machine, has died first.
_FOLLOWS = re.compile(r"ChildFailedError|Connection closed by peer|Connection reset by peer")


def explain(code: int, errors: list[str], log: Path, start: int) -> tuple[str, int]:
    """Return a message for the user, and the exit code to pass on.

    Args:
        code: what the child ended with; negative for a signal.
        errors: what the training process reported by itself.
        log: the child's output.
        start: byte where this training's part of the log begins.
    """
    exit_code = 128 - code if code < 0 else {0: 1, 2: 1}.get(code, code)
    if errors:
        return f"{errors[0]}\nThe whole log: {log}", exit_code
    # A resumed training's log begins with what the one before it died of.
    text = log.read_bytes()[start:].decode(errors="replace")
    for pattern, cause, step in CAUSES:
        if re.search(pattern, text):
            return f"training failed: {cause}.\nWhat to do: {step}\nThe whole log: {log}", exit_code
    if code == _KILLED:
        cause = "the training process was killed from outside (often: the machine's memory is full)"
        return f"{cause}.\nWhat to do: lower batch_size or sequence_len\nThe whole log: {log}", exit_code
    cause = _last_exception(text) or f"exit code {code}"
    return f"training failed: {cause}\nThe whole log: {log}", exit_code


def _last_exception(text: str) -> str:
    """Return the last exception of a log; one that merely follows from another only when it stands alone."""
    lines = [re.sub(r"^\[rank\d+\]: ", "", line) for line in text.splitlines()]
    found = [line[:300] for line in lines if re.match(r"\S*(Error|Exception)\b", line)]
    first = [line for line in found if not _FOLLOWS.search(line)]
    named = [line for line in found if "ChildFailedError" not in line]
    return next((lines[-1] for lines in (first, named, found) if lines), "")
