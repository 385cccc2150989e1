"""GPU memory of a LoRA training, part by part, from sizes alone. Pure formulas; nothing fitted to a table.

Two moments count. While the base model loads, Axolotl 0.19 holds everything that is not quantised in
float32 for a moment; afterwards it is bfloat16 again, and training adds its own parts. The larger
moment is the peak.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from finlora.model_shapes import Linear, ModelShape

GIB = 2**30

_FLOAT32, _BFLOAT16 = 4, 2
# NF4: one byte for 64 weights, and 4 bytes for 256 of those bytes: 0.127 bits a weight.
_NF4_BLOCK, _NF4_OUTER = 64, 256


@dataclass(frozen=True)
class Tuning:
    """How a base model is tuned, as far as memory and work depend on it.

    Args:
        quant_bits: 4, 8 or 16 bits per frozen weight.
        rank: of the adapter.
        targets: the matrices of a layer that it changes.
        dora: whether it is DoRA.
        dropout: whether there is dropout before the adapter.
        bf16: computes in bfloat16, else float32.
        gpus: how many train together.
        zero_stage: DeepSpeed's ZeRO stage; None without DeepSpeed.
    """

    quant_bits: int
    rank: int
    targets: tuple[Linear, ...]
    dora: bool = False
    dropout: bool = True
    bf16: bool = True
    gpus: int = 1
    zero_stage: int | None = None

    @property
    def compute_bytes(self) -> int:
        """Bytes of a number that is computed with."""
        return _BFLOAT16 if self.bf16 else _FLOAT32


@dataclass(frozen=True)
class Batch:
    """The rows that a GPU takes at once.

    Args:
        rows: how many.
        tokens: of the longest; the others are padded to it.
        positions: of a row at which output logits are computed.
    """

    rows: int
    tokens: int
    positions: int


@dataclass(frozen=True)
class Memory:
    """Bytes on each GPU.

    Args:
        parts: while training, by part.
        loading: most at once while the base model loads, the overhead included.
    """

    parts: Mapping[str, int]
    loading: int

    @property
    def training(self) -> int:
        """All parts together."""
        return sum(self.parts.values())

    @property
    def peak(self) -> int:
        """The larger of the two moments."""
        return max(self.training, self.loading)


def trainable_parameters(shape: ModelShape, tuning: Tuning) -> int:
    """Return the parameters of the adapter: r (in + out) a matrix, and DoRA's magnitudes.

    Source: Hu et al. 2021 (LoRA, arXiv 2106.09685), section 4.1; Liu et al. 2024 (DoRA, arXiv
    2402.09353), section 4.1.
    """
    one_layer = sum(
        tuning.rank * (linear.inputs + linear.outputs) + tuning.dora * linear.outputs
        for linear in tuning.targets
    )
    return shape.layers * one_layer


def gpu_memory(shape: ModelShape, tuning: Tuning, batch: Batch) -> Memory:
    """Return what a training needs on each GPU, with gradient checkpointing, as FinLoRA trains on GPUs.

    Activations and logits are summed although they are not at their largest together: an upper
    bound, by the smaller of the two.
    """
    trained = trainable_parameters(shape, tuning)
    parts = {
        "weights": _weights(shape, tuning),
        "quantisation state": quantisation_state(shape, tuning.quant_bits),
        **_adapter_states(trained, tuning),
        "activations": activations(shape, tuning, batch),
        "logits": logits(shape, batch),
        "overhead": overhead(),
    }
    return Memory(parts, loading(shape, tuning) + overhead())


def quantised_bytes(shape: ModelShape, bits: int) -> int:
    """Return the bytes of all layers' matrices in 4 or 8 bits."""
    return shape.linear * bits // 8


def quantisation_state(shape: ModelShape, bits: int) -> int:
    """Return the bytes that quantised weights need beside themselves.

    8 bits: a float32 for each row of a matrix (Dettmers et al. 2022, LLM.int8(), arXiv 2208.07339,
    section 2.1). 4 bits: NF4 with double quantisation, 8/64 + 32/(64 * 256) = 0.127 bits a weight
    (Dettmers et al. 2023, QLoRA, arXiv 2305.14314, section 3).
    """
    if bits == 8:
        return shape.layers * sum(linear.outputs for linear in shape.linears) * _FLOAT32
    if bits == 4:
        return shape.linear // _NF4_BLOCK + _FLOAT32 * shape.linear // (_NF4_BLOCK * _NF4_OUTER)
    return 0


def _weights(shape: ModelShape, tuning: Tuning) -> int:
    others = shape.parameters - shape.linear
    if tuning.quant_bits == 16:
        return _share(tuning.compute_bytes * shape.parameters, tuning) + _gathered(shape, tuning)
    # PEFT makes biases float32 and they stay so; embeddings and norms come back to bfloat16.
    stay = shape.biases * (_FLOAT32 - tuning.compute_bytes)
    return quantised_bytes(shape, tuning.quant_bits) + tuning.compute_bytes * others + stay


def _share(size: int, tuning: Tuning) -> int:
    """Return one GPU's share of the frozen weights: ZeRO-3 cuts them up, if they are not quantised."""
    return size // tuning.gpus if tuning.zero_stage == 3 else size


def _gathered(shape: ModelShape, tuning: Tuning) -> int:
    """Return what ZeRO-3 holds whole for a moment: a layer and the next one, or the embedding."""
    if tuning.zero_stage != 3 or tuning.gpus == 1:
        return 0
    layer = sum(linear.parameters for linear in shape.linears)
    return tuning.compute_bytes * max(2 * layer, shape.embedding)


def loading(shape: ModelShape, tuning: Tuning) -> int:
    """Return the most bytes at once while the base model loads, without the overhead.

    Before the adapter is attached, embedding, output layer and norms are cast to float32, the
    largest of them being there in both types for a moment; with a quantised base PEFT casts
    whatever else is not quantised too. ZeRO-3 loads shares and casts nothing.

    Source: Axolotl 0.19, `loaders/model.py` (`_configure_embedding_dtypes`); PEFT 0.20,
    `prepare_model_for_kbit_training`.
    """
    if tuning.quant_bits == 16 and tuning.zero_stage == 3:
        return _weights(shape, tuning)
    if tuning.quant_bits == 16:
        kept = tuning.compute_bytes * (shape.linear + shape.biases)
        cast = shape.parameters - shape.linear - shape.biases
    else:
        kept = quantised_bytes(shape, tuning.quant_bits) + quantisation_state(shape, tuning.quant_bits)
        cast = shape.parameters - shape.linear
    in_flight = tuning.compute_bytes * shape.embedding if tuning.bf16 else 0
    return kept + _FLOAT32 * cast + in_flight


def _adapter_states(trained: int, tuning: Tuning) -> dict[str, int]:
    """Return the bytes of adapter, gradients and Adam's states.

    Without DeepSpeed PEFT holds the adapter in float32: 4 + 4 bytes, and 8 for Adam's two moments.
    DeepSpeed in bfloat16 holds adapter and gradients in 2 bytes, and a float32 copy with its
    gradient beside the moments; stage 1 cuts these up over the GPUs, stage 2 the gradients too,
    stage 3 also the adapter.

    Source: Rajbhandari et al. 2019 (ZeRO, arXiv 1910.02054), sections 3.1 and 5; PEFT's
    `autocast_adapter_dtype`.
    """
    stage = tuning.zero_stage
    if stage is None or not tuning.bf16:
        size, master = _FLOAT32, 0
    else:
        size, master = _BFLOAT16, 2 * _FLOAT32
    over = [tuning.gpus if stage is not None and stage >= first else 1 for first in (3, 2, 1)]
    return {
        "adapter": size * trained // over[0],
        "gradients": size * trained // over[1],
        "optimiser": (2 * _FLOAT32 + master) * trained // over[2],
    }


def activations(shape: ModelShape, tuning: Tuning, batch: Batch) -> int:
    """Return the bytes kept for the backward pass, with gradient checkpointing.

    One input per layer and token, and all of one layer while it is computed again; the mask of
    padded rows; a quantised matrix while it stands there in the type that is computed with, and
    DoRA's BA beside it.

    Source: Chen et al. 2016 (arXiv 1604.06174); Korthikanti et al. 2022 (arXiv 2205.05198),
    section 4, counted anew for the layers of today's models.
    """
    size = tuning.compute_bytes
    tokens = batch.rows * batch.tokens
    kept = shape.layers * shape.hidden * size
    mask = batch.rows * batch.tokens**2 * (1 + size)
    widest = max(linear.weights for linear in shape.linears)
    quantised = tuning.quant_bits != 16
    whole = size * widest * quantised
    if tuning.dora:
        whole += (size + _FLOAT32) * max(linear.weights for linear in tuning.targets)
    return tokens * (kept + _one_layer(shape, tuning)) + mask + whole


def _one_layer(shape: ModelShape, tuning: Tuning) -> int:
    """Return the bytes a token that one layer keeps for its backward pass, and of its widest gradients."""
    size = tuning.compute_bytes
    # Queries, keys and values (repeated for every query head), and what attention gives.
    attention = 4 * shape.heads * shape.head_dim
    # The MLP's gate, its activation, up; and the gradients of as many.
    mlp = 2 * 3 * shape.intermediate
    # The stream between the halves, and its gradient.
    stream = 2 * shape.hidden
    # A norm keeps its input in float32; the gradient passes one of them in float32 too.
    norms = 3 * shape.hidden * _FLOAT32
    # An adapter keeps its input, and a byte of each number that dropout may have left out.
    inside = sum(linear.inputs for linear in tuning.targets) * (size + tuning.dropout)
    numbers = attention + mlp + stream
    if tuning.quant_bits == 8:
        # 8-bit matrices keep their inputs, frozen or not (bitsandbytes 0.50, MatMul8bitLt).
        numbers += 2 * shape.hidden + shape.intermediate
    if tuning.dora:
        # Magnitudes are trained on what the matrix gives, and on what the adapter gives.
        numbers += 2 * sum(linear.outputs for linear in tuning.targets)
    return size * numbers + norms + inside


def logits(shape: ModelShape, batch: Batch) -> int:
    """Return the bytes of loss and gradients over the vocabulary: 12 a logit, in any type.

    When the loss goes back there are the float32 logarithms of the softmax, their gradient and that
    of the logits, which are gone themselves. FinLoRA computes logits at the answers' positions alone
    (`answer_logits`).

    Source: PyTorch's `cross_entropy`; a test counts them.
    """
    return batch.rows * batch.positions * shape.vocabulary * 3 * _FLOAT32


def overhead() -> int:
    """Return the bytes of the CUDA context and its libraries: about half a GiB.

    Source: what `nvidia-smi` shows of a process that holds next to nothing; it differs by driver.
    """
    return GIB // 2
