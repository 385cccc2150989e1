"""Memory, rows and work of one setting; a plan asks for it again and again when it looks for changes."""

from dataclasses import dataclass
from functools import cached_property

from finlora.config import RunConfig
from finlora.costs import Work, training_flops
from finlora.memory import Batch, Memory, Tuning, gpu_memory
from finlora.model_shapes import ModelShape
from finlora.planned_rows import PlannedRows, planned_rows
from finlora.row_lengths import RowLengths

# Without data: the longest answer that `finlora infer` writes unless told otherwise.
_ANSWER_TOKENS = 128


@dataclass(frozen=True)
class Setting:
    """A run on some GPUs.

    Args:
        shape: of the base model.
        run: its settings.
        gpus: how many train together.
        zero_stage: DeepSpeed's, or None.
        lengths: tokens of the dataset's rows, or None without the dataset.
    """

    shape: ModelShape
    run: RunConfig
    gpus: int
    zero_stage: int | None
    lengths: RowLengths | None

    @cached_property
    def tuning(self) -> Tuning:
        """What memory and work depend on.

        Raises:
            BaseModelError: a target module is not in the model, or none is known for it.
        """
        return Tuning(
            quant_bits=self.run.quant_bits,
            rank=self.run.lora_r,
            targets=self.shape.targets(tuple(self.run.lora_target_modules or self.shape.attention)),
            dora=self.run.peft_use_dora,
            dropout=self.run.lora_dropout > 0,
            bf16=self.run.dtype != "float32",
            gpus=self.gpus,
            zero_stage=self.zero_stage,
        )


@dataclass(frozen=True)
class Needs:
    """What a setting needs.

    Args:
        memory: of each GPU, for its largest batch.
        batch: that batch.
        rows: the rows of the training, or None without the dataset.
        flops: operations in all, or None without the dataset.
    """

    memory: Memory
    batch: Batch
    rows: PlannedRows | None
    flops: float | None


def needs(setting: Setting) -> Needs:
    """Return memory for the largest batch that the run will really have, and the work of all of them."""
    run, shape, tuning = setting.run, setting.shape, setting.tuning
    rows = _rows(setting) if setting.lengths is not None else None
    if rows is None or not rows.batches:
        batch = Batch(run.batch_size, run.sequence_len, min(_ANSWER_TOKENS, run.sequence_len))
        return Needs(gpu_memory(shape, tuning, batch), batch, rows, None)
    different = set(rows.batches)
    largest = max(different, key=lambda batch: gpu_memory(shape, tuning, batch).training)
    work = Work(
        tokens=run.num_epochs * sum(b.rows * b.tokens for b in rows.batches),
        squares=run.num_epochs * sum(b.rows * b.tokens**2 for b in rows.batches),
        positions=run.num_epochs * sum(b.rows * b.positions for b in rows.batches),
    )
    memory = gpu_memory(shape, tuning, largest)
    return Needs(memory, largest, rows, training_flops(shape, tuning, work))


def _rows(setting: Setting) -> PlannedRows:
    run = setting.run
    assert setting.lengths is not None
    return planned_rows(
        setting.lengths,
        sequence_len=run.sequence_len,
        val_set_size=run.val_set_size,
        seed=run.seed,
        batch_size=run.batch_size,
        accumulation=run.gradient_accumulation_steps,
        processes=setting.gpus,
        epochs=run.num_epochs,
    )
