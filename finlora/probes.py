"""What `doctor` tries in child processes, so that a native library that crashes takes nobody along."""

from typing import Any


def gpus() -> dict[str, Any]:
    """Return torch's version and the GPUs it multiplies on, with their memory in GiB."""
    import torch

    found = []
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        ones = torch.ones(64, 64, device=f"cuda:{i}", dtype=torch.bfloat16)
        if (ones @ ones).sum().item() != 64**3:
            raise RuntimeError(f"GPU {i} multiplies wrongly")
        properties = torch.cuda.get_device_properties(i)
        found.append({"name": properties.name, "gib": properties.total_memory / 2**30})
    return {"torch": torch.__version__, "gpus": found}


def quantised_products() -> dict[str, float]:
    """Return how far a 4-bit and an 8-bit product lie from the float one (relative norm)."""
    import torch
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    torch.manual_seed(0)
    exact = torch.nn.Linear(512, 512, bias=False)
    rows = torch.randn(8, 512)
    layers = {
        "4": Linear4bit(512, 512, bias=False, compute_dtype=dtype, quant_type="nf4"),
        "8": Linear8bitLt(512, 512, bias=False, has_fp16_weights=False),
    }
    away = {}
    for bits, layer in layers.items():
        layer.load_state_dict(exact.state_dict())
        with torch.no_grad():
            product = layer.to(device)(rows.to(device, dtype)).float().cpu()
            away[bits] = float((product - exact(rows)).norm() / exact(rows).norm())
    return away


def accelerate() -> dict[str, str]:
    """Return accelerate's version once its launcher is imported."""
    import accelerate.commands.launch

    return {"version": accelerate.__version__}


def deepspeed() -> dict[str, str]:
    """Return DeepSpeed's version once its engine is imported."""
    import deepspeed
    import deepspeed.runtime.engine

    return {"version": deepspeed.__version__}


def axolotl() -> dict[str, Any]:
    """Return how many keys Axolotl's schema has, and whether its telemetry is on."""
    from axolotl.telemetry.manager import TelemetryManager
    from axolotl.utils.schemas.config import AxolotlInputConfig

    return {
        "keys": len(AxolotlInputConfig.model_fields),
        "telemetry": TelemetryManager.get_instance().enabled,
    }
