"""What this machine can't train, said before anything is fetched or started."""

import shutil
from importlib.util import find_spec

from finlora import launch
from finlora.causes import INSTALL, NOT_INSTALLED
from finlora.config import RunConfig
from finlora.errors import FinLoRAError, UsageError
from finlora.training_plan import Plan


def check_packages() -> None:
    """Check that what trains is installed at all.

    Raises:
        FinLoRAError: it is not.
    """
    if find_spec("axolotl") is None or find_spec("torch") is None:
        raise FinLoRAError(f"{NOT_INSTALLED}\nWhat to do: {INSTALL}")


def check_machine(made: Plan) -> None:
    """Check that this machine can train a plan at all.

    Raises:
        UsageError: what it can't do, and what to do instead.
    """
    run, processes = made.run, made.machine.processes
    check_stage(made.run, made.zero_stage, made.machine.device)
    if made.machine.device == "cuda":
        if made.processes_here > launch.visible_gpus():
            here = f", {made.processes_here} of them here" if made.cluster.machines > 1 else ""
            raise UsageError(
                f"--num-processes {processes}{here}: only {launch.visible_gpus()} GPUs are visible here; "
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
    if processes > 1 and made.zero_stage is None:
        # accelerate starts a single process then, and says nothing.
        raise UsageError("several processes on a CPU train with DeepSpeed alone: leave out --deepspeed none")
    if processes > 1 and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise UsageError(
            "several processes on a CPU need a C++ compiler (DeepSpeed builds a small library).\n"
            "On Debian: apt install g++"
        )


def check_stage(run: RunConfig, zero_stage: int | None, device: str) -> None:
    """Refuse what ZeRO-3 can't do: each refusal was tried, with PEFT 0.20 and DeepSpeed 0.18.9.

    Args:
        run: its settings.
        zero_stage: ZeRO stage asked for, or None.
        device: `cuda` or `cpu`.

    Raises:
        UsageError: what it can't do, and what to do instead.
    """
    if zero_stage != 3:
        return
    if run.peft_use_dora:
        why = "DoRA needs whole weights where ZeRO-3 has only a part of each on a device"
    elif run.quant_bits == 8:
        why = "ZeRO-3 can't gather 8-bit weights, whose parts are of several number types"
    elif run.quant_bits == 4 and device == "cpu":
        why = "on a CPU ZeRO-3 can't gather 4-bit weights, which are stored as bfloat16 beside float32"
    else:
        return
    raise UsageError(f"{why}.\nTake --deepspeed zero1 or zero2: a LoRA's gradients and optimiser are small")


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
