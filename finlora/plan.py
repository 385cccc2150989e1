"""What a run will need, before anything is fetched or started: memory, rows, steps, time and money."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finlora import axolotl_yaml, builtin, costs, deepspeed, gpus, model_shapes, training_plan
from finlora.config import ConfigFile, RunConfig
from finlora.errors import ConfigError, UsageError
from finlora.memory import GIB, Memory, trainable_parameters
from finlora.plan_changes import Change, cheapest_changes
from finlora.plan_needs import Needs, Setting, needs
from finlora.prepared_rows import MOST_DROPPED
from finlora.row_lengths import RowLengths, row_lengths

# How far the plan may be off; tests hold it to this share against the published table.
UNCERTAINTY = 0.15
_VLLM_RANK = 16
# Below so many parameters a layer's matrices are too small to keep a GPU busy.
_SMALL = 1_000_000_000


@dataclass(frozen=True)
class Hardware:
    """What a run is to be trained on.

    Args:
        gpu: a name of `gpus`, or None.
        memory_gb: GiB of a GPU that is not in the table, or None.
        gpus: how many train together.
        price: US dollars for one GPU and hour, or None.
    """

    gpu: str | None = None
    memory_gb: float | None = None
    gpus: int = 1
    price: float | None = None


@dataclass(frozen=True)
class PlanReport:
    """A plan.

    Args:
        run: name of the run.
        base_model: as the run names it.
        variant: how it is tuned.
        parameters: of the base model.
        trainable: of the adapter.
        gpus: how many train together.
        gpu: what they are called, or None.
        zero_stage: DeepSpeed's, or None.
        needs: memory, rows and work.
        capacity: GiB of a GPU, or None.
        fits: `fits`, `tight` (within what a plan may be off), `too large`, or None without a GPU.
        changes: what would make it fit, cheapest first.
        hours: fewest and most hours, or None without data or speed.
        price: US dollars for one GPU and hour, or None.
        assumed: what this plan stands on.
        later: what will not go with such an adapter, or wants an option.
    """

    run: str
    base_model: str
    variant: str
    parameters: int
    trainable: int
    gpus: int
    gpu: str | None
    zero_stage: int | None
    needs: Needs
    capacity: float | None
    fits: str | None
    changes: tuple[Change, ...]
    hours: tuple[float, float] | None
    price: float | None
    assumed: tuple[str, ...]
    later: tuple[str, ...]

    @property
    def gpu_hours(self) -> tuple[float, float] | None:
        """Hours times GPUs."""
        return (self.hours[0] * self.gpus, self.hours[1] * self.gpus) if self.hours else None

    @property
    def cost(self) -> tuple[float, float] | None:
        """US dollars, or None without a price."""
        spent = self.gpu_hours
        return (spent[0] * self.price, spent[1] * self.price) if spent and self.price is not None else None

    def to_record(self) -> dict[str, Any]:
        """Return the plan for programs; memory in bytes, time in hours."""
        record = {key: value for key, value in asdict(self).items() if key != "needs"}
        rows = self.needs.rows
        return {
            **record,
            "memory": {
                "parts": dict(self.needs.memory.parts),
                "training": self.needs.memory.training,
                "loading": self.needs.memory.loading,
                "peak": self.needs.memory.peak,
            },
            "longest_batch": asdict(self.needs.batch),
            "rows": {k: v for k, v in vars(rows).items() if k != "batches"} if rows else None,
            "flops": self.needs.flops,
            "gpu_hours": self.gpu_hours,
            "cost": self.cost,
        }


def plan(file: ConfigFile, name: str, hardware: Hardware) -> PlanReport:
    """Plan a training on GPUs; reads no weights and no network.

    Args:
        file: the config file.
        name: the run.
        hardware: GPUs and price.

    Raises:
        UsageError, ConfigError: the run or the options are at fault.
        BaseModelError: the base model's shape is not known here.
        DataError: the dataset is there and at fault.
    """
    gpu = gpus.find(hardware.gpu) if hardware.gpu else None
    _check(hardware)
    setting, source = _setting(file, name, hardware.gpus)
    run, shape = setting.run, setting.shape
    found = needs(setting)
    capacity = gpu.memory if gpu else hardware.memory_gb
    fits = _verdict(found.memory, capacity)
    limit = 0 if capacity is None else int(capacity * GIB)
    return PlanReport(
        run=name,
        base_model=run.base_model,
        variant=run.variant,
        parameters=shape.parameters,
        trainable=trainable_parameters(shape, setting.tuning),
        gpus=hardware.gpus,
        gpu=gpu.title if gpu else None,
        zero_stage=setting.zero_stage,
        needs=found,
        capacity=capacity,
        fits=fits,
        changes=cheapest_changes(setting, limit) if fits == "too large" else (),
        hours=costs.hours(found.flops, gpu.tflops, hardware.gpus, run.quant_bits)
        if gpu and found.flops is not None
        else None,
        price=hardware.price,
        assumed=_assumed(setting, found, source, gpu),
        later=_later(run),
    )


def _check(hardware: Hardware) -> None:
    if hardware.gpu and hardware.memory_gb is not None:
        raise UsageError("--gpu names a GPU and --memory-gb another's memory: give one of them")
    if hardware.gpus < 1:
        raise UsageError(f"--gpus {hardware.gpus}: at least 1")
    if hardware.memory_gb is not None and not 0 < hardware.memory_gb < 10_000:
        raise UsageError(f"--memory-gb {hardware.memory_gb:g}: GiB of one GPU, above 0 and below 10000")
    if hardware.price is not None and not 0 <= hardware.price < 10_000:
        raise UsageError(
            f"--price {hardware.price:g}: US dollars for one GPU and hour, from 0 to below 10000"
        )


def _setting(file: ConfigFile, name: str, processes: int) -> tuple[Setting, str]:
    """Return what the needs of a run follow from, and where the base model's shape was found."""
    run = training_plan.share_batch(name, file.pick(name), processes)
    if problems := axolotl_yaml.passthrough_problems(file, name, run):
        raise ConfigError(problems)
    folder = file.path.resolve().parent
    config, source = model_shapes.config_of(run.base_model, folder)
    shape = model_shapes.shape_of(config, run.base_model)
    strategy = training_plan.strategy(file, run) if processes > 1 else "none"
    zero_stage = deepspeed.stage_of(strategy, file.root)
    return Setting(shape, run, processes, zero_stage, _lengths(file, run, folder)), source


def _lengths(file: ConfigFile, run: RunConfig, folder: Path) -> RowLengths | None:
    """Return the lengths of the run's rows, or None where its dataset is not there."""
    dataset = file.resolve(run.dataset_path)
    if not dataset.is_file():
        return None
    return row_lengths(dataset, *tokenizer_of(run, folder), run.prompt_style)


def tokenizer_of(run: RunConfig, folder: Path) -> tuple[Path | None, str]:
    """Return where a tokenizer lies that counts a run's tokens, and whose it is; None where none is here.

    Args:
        run: the run.
        folder: where its config lies.
    """
    spare = builtin.model_folder()
    own = spare if run.base_model == builtin.NAME else model_shapes.local_folder(run.base_model, folder)
    for place, who in (
        (own, run.base_model),
        (spare, f"{builtin.NAME}, standing in for the base model's own"),
    ):
        if place is not None and (place / "tokenizer.json").is_file():
            return place, who
    return None, ""


def _verdict(memory: Memory, capacity: float | None) -> str | None:
    if capacity is None:
        return None
    if memory.peak > capacity * GIB:
        return "too large"
    return "fits" if memory.peak * (1 + UNCERTAINTY) <= capacity * GIB else "tight"


def _assumed(setting: Setting, found: Needs, source: str, gpu: gpus.GPU | None) -> tuple[str, ...]:
    low, high = costs.share_of_peak(setting.run.quant_bits)
    lines = [f"shape of the base model: {source}"]
    if setting.lengths is None:
        lines.append(
            f"no dataset at {setting.run.dataset_path}: memory is for rows of sequence_len "
            f"{setting.run.sequence_len} tokens with answers of {found.batch.positions}; steps, time and "
            "money need the data"
        )
    else:
        lines.append(f"row lengths: {setting.lengths.how}")
    lines.append(
        "memory: PyTorch on NVIDIA GPUs with gradient checkpointing, as `finlora finetune` trains there"
    )
    if gpu and found.flops is not None:
        lines.append(
            f"time: {low:.0%} to {high:.0%} of {gpu.tflops:g} TFLOPS ({gpu.source}); without start-up, "
            "held-out losses and waiting between GPUs"
        )
    if gpu and setting.shape.parameters < _SMALL:
        lines.append("a small model leaves a GPU waiting: it will take longer than this")
    if setting.zero_stage == 3 and setting.run.quant_bits != 16:
        lines.append("ZeRO-3 does not cut quantised weights up: every GPU is taken to hold all of them")
    rows = found.rows
    if rows and rows.dropped > MOST_DROPPED * rows.rows:
        lines.append("`finlora finetune` stops when over 1% of the rows are too long: --allow-dropped-rows")
    return tuple(lines)


def _later(run: RunConfig) -> tuple[str, ...]:
    """Return what an adapter of this run meets afterwards.

    Source: vLLM's documentation of LoRA adapters and its engine option `max_lora_rank`.
    """
    lines = []
    if run.peft_use_dora:
        lines.append("vLLM does not serve DoRA adapters; without peft_use_dora it would")
    if run.lora_r > _VLLM_RANK:
        lines.append(
            f"vLLM's max_lora_rank is {_VLLM_RANK} unless told otherwise: --max-lora-rank {_next_rank(run)}"
        )
    if run.quant_bits != 16:
        lines.append(
            f"trained over {run.quant_bits}-bit weights: over the 16-bit base some answers will differ"
        )
    return tuple(lines)


def _next_rank(run: RunConfig) -> int:
    return next((rank for rank in (32, 64, 128, 256, 320, 512) if rank >= run.lora_r), run.lora_r)
