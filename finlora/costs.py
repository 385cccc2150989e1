"""Work, time and money of a LoRA training. Pure formulas; time is a range, as nobody knows it better."""

from dataclasses import dataclass

from finlora.memory import Tuning, trainable_parameters
from finlora.model_shapes import ModelShape

# Share of a GPU's peak that training of an unquantised model reaches. Large trainings state 21% to
# 46%: Chowdhery et al. 2022 (PaLM, arXiv 2204.02311), table 3.
_SHARE_OF_PEAK = (0.20, 0.45)
# How many times longer quantised training takes. 4 bits: 1.5 in Lightning AI's LoRA experiments
# (Raschka 2023); 8 bits: LLM.int8() (arXiv 2208.07339, appendix D) is up to about twice as slow as 16
# bits at this size. Both are carried over, not measured here.
_SLOWER = {16: 1.0, 8: 2.0, 4: 1.5}


@dataclass(frozen=True)
class Work:
    """What a training computes on, summed over all rows and epochs, padding included.

    Args:
        tokens: tokens.
        squares: sum of rows * tokens^2 of the batches, for attention.
        positions: positions at which output logits are computed.
    """

    tokens: float
    squares: float
    positions: float


def training_flops(shape: ModelShape, tuning: Tuning, work: Work) -> float:
    """Return the floating-point operations of a training.

    A matrix of N weights takes 2N operations a token forward, 2N for the gradient of its input and
    2N for that of its weights (Kaplan et al. 2020, arXiv 2001.08361, section 2.1: 6N in all). Frozen
    weights need no gradient of their own, and gradient checkpointing computes forward once more:
    4N + 2N. The adapter itself: 6N + 2N. DoRA computes its target matrices (dropout) a second time.
    Attention: 4 operations forward for each pair of tokens and width of the heads, half of them
    masked, and 3 more such times (again, and twice backward). The output layer, outside the
    checkpoints, works at the answers' positions alone: 4N.
    """
    again = sum(linear.weights for linear in tuning.targets) if tuning.dora and tuning.dropout else 0
    frozen = shape.linear + shape.layers * again
    matrices = (6 * frozen + 8 * trainable_parameters(shape, tuning)) * work.tokens
    attention = 4 * 4 / 2 * shape.layers * shape.heads * shape.head_dim * work.squares
    return float(matrices + attention + 4 * shape.embedding * work.positions)


def share_of_peak(quant_bits: int) -> tuple[float, float]:
    """Return the lowest and the highest share of a GPU's bfloat16 peak that training is taken to reach."""
    low, high = _SHARE_OF_PEAK
    return low / _SLOWER[quant_bits], high / _SLOWER[quant_bits]


def hours(flops: float, tflops: float, gpus: int, quant_bits: int) -> tuple[float, float]:
    """Return the fewest and the most hours of a training, without start-up and held-out losses.

    Args:
        flops: operations in all.
        tflops: a GPU's peak, 10^12 a second.
        gpus: how many work together, taken to lose nothing by it.
        quant_bits: of the base model.
    """
    low, high = share_of_peak(quant_bits)
    at_peak = flops / (tflops * 1e12 * gpus) / 3600
    return at_peak / high, at_peak / low
