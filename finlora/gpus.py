"""GPUs that people rent or own: memory and matrix speed, as their makers state them."""

from dataclasses import dataclass

from finlora.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class GPU:
    """One kind of GPU.

    Args:
        name: as `--gpu` takes it.
        title: as its maker calls it.
        memory: GiB.
        tflops: 10^12 operations a second on dense bfloat16 matrices, float32 sums.
        source: where the two figures stand.
    """

    name: str
    title: str
    memory: float
    tflops: float
    source: str


_GA102 = "NVIDIA Ampere GA102 whitepaper"
_ADA = "NVIDIA Ada GPU architecture whitepaper"

# Data sheets often print the figure for sparse matrices, twice the dense one that stands here. GPUs
# before Ampere have no bfloat16 and are left out: FinLoRA trains in bfloat16.
GPUS = (
    GPU("a10", "NVIDIA A10", 24, 125, "NVIDIA A10 data sheet"),
    GPU("a5000", "NVIDIA RTX A5000", 24, 111.1, "NVIDIA RTX A5000 data sheet (222.2 sparse)"),
    GPU("a6000", "NVIDIA RTX A6000", 48, 154.8, _GA102),
    GPU("a40", "NVIDIA A40", 48, 149.7, "NVIDIA A40 data sheet"),
    GPU("3090", "NVIDIA GeForce RTX 3090", 24, 71, _GA102),
    GPU("4090", "NVIDIA GeForce RTX 4090", 24, 165.2, _ADA),
    GPU("l4", "NVIDIA L4", 24, 121, "NVIDIA L4 data sheet (242 sparse)"),
    GPU("l40s", "NVIDIA L40S", 48, 362, "NVIDIA L40S data sheet"),
    GPU("a100-40", "NVIDIA A100 40GB", 40, 312, "NVIDIA A100 data sheet"),
    GPU("a100", "NVIDIA A100 80GB", 80, 312, "NVIDIA A100 data sheet"),
    GPU("h100", "NVIDIA H100 SXM", 80, 989.4, "NVIDIA H100 data sheet (1,979 sparse)"),
    GPU(
        "h200", "NVIDIA H200 SXM", 139, 989.4, "NVIDIA H200 data sheet (1,979 sparse); 141 GB, about 139 GiB"
    ),
    GPU("b200", "NVIDIA B200", 178, 2250, "NVIDIA DGX B200 data sheet (1,440 GB and 36,000 dense over 8)"),
)


def find(name: str) -> GPU:
    """Return a GPU by name, whatever its case.

    Raises:
        UsageError: not in the table; the message lists what is.
    """
    known = {gpu.name: gpu for gpu in GPUS}
    if name.lower() not in known:
        raise UsageError(
            f"--gpu {name}: not known here{did_you_mean(name.lower(), list(known))}\n"
            f"Known: {', '.join(known)}. For another one give its memory: --memory-gb 24"
        )
    return known[name.lower()]
