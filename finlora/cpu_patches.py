"""What Axolotl, accelerate and DeepSpeed need to train on a CPU. On a GPU nothing here is called.

Tried with accelerate 1.13, DeepSpeed 0.18.9 and torch 2.13; each patch says what it mends.
"""

import functools
from typing import Any


def place_on_cpu(cfg: Any) -> None:
    """Keep the base model on the CPU.

    With several processes Axolotl names the device by local rank, which means a GPU.
    """
    cfg.device_map = {"": "cpu"}


def multiply_plainly(model: Any) -> None:
    """Keep 4-bit layers exact and differentiable.

    Where the CPU multiplies bfloat16, bitsandbytes 0.50 packs them anew when they are evaluated. The first
    training step after that gets no gradient at all, since the product of packed weights has none; and
    products are wrong, without a word, where a layer's inputs are no multiple of 64.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def let_deepspeed_run() -> None:
    """Make a real DeepSpeedEngine possible on CPU processes."""
    _default_to_gloo()
    _gather_without_gradients()


def _default_to_gloo() -> None:
    # `use_cpu` and ACCELERATE_USE_CPU make accelerate leave DeepSpeed out without a word; without
    # them it finds no backend at all, since it expects a GPU.
    from accelerate.state import PartialState

    prepare = PartialState._prepare_backend

    @functools.wraps(prepare)
    def with_gloo(
        self: Any, cpu: bool = False, sagemaker_dp: bool = False, backend: str | None = None
    ) -> Any:
        found, kind = prepare(self, cpu, sagemaker_dp, backend)
        return found or "gloo", kind

    PartialState._prepare_backend = with_gloo


def _gather_without_gradients() -> None:
    # torch 2.13 refuses DeepSpeed's in-place gather into parameters that require gradients.
    import torch
    from deepspeed.runtime.zero import stage_1_and_2

    stage_1_and_2.all_gather_dp_groups = torch.no_grad()(stage_1_and_2.all_gather_dp_groups)
