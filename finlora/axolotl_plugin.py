"""What runs inside the training process: rows, seeds, CPU placement, progress, and proof of what ran.

An Axolotl plugin. Axolotl skips a plugin that can't be imported and trains on; the launcher
therefore believes a training only when this plugin's events came.
"""

import math
import os
import resource
import time
from pathlib import Path
from typing import Any

import torch
from axolotl.common.datasets import TrainDatasetMeta
from axolotl.integrations.base import BasePlugin
from axolotl.loaders import load_tokenizer
from axolotl.utils.dict import DictDefault
from axolotl.utils.trainer import calculate_total_num_steps
from datasets import Dataset
from transformers import TrainerCallback, set_seed

from finlora import agreement, built_checks, cpu_patches, data, machines, prompts
from finlora.checkpoints import mark_complete
from finlora.errors import DataError, FinLoRAError, Problem
from finlora.events import Job
from finlora.files import digest, sha256
from finlora.prepared_rows import prepare
from finlora.watch import end_with

_FIRST_LOSS_FACTOR = 1.5


class FinLoRAPlugin(BasePlugin):  # type: ignore[misc]
    """Ties one Axolotl training to one FinLoRA job."""

    def __init__(self) -> None:
        super().__init__()
        self.job = Job.read()
        # The first process of each machine reports to the FinLoRA of that machine.
        self.reports = os.environ.get("LOCAL_RANK", "0") == "0"
        self.disks_apart = False
        self.on_cpu = self.job.device == "cpu"
        end_with(self.job.launcher)

    def refuse(self, message: str) -> FinLoRAError:
        """Report an error to the launcher and return it for raising."""
        self.job.emit("error", message=message)
        return FinLoRAError(message)

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> TrainDatasetMeta:
        """Read, render and order the rows; Axolotl's own preparation is not used."""
        if self.on_cpu and self.job.asked.processes > 1:
            cpu_patches.place_on_cpu(cfg)
        if self.on_cpu and self.job.asked.zero_stage is not None:
            cpu_patches.let_deepspeed_run()
        tokenizer = load_tokenizer(cfg)
        try:
            rows, prompt = self._rows(cfg, tokenizer)
            pad = prompts.pad_token(tokenizer, prompt.end)
        except FinLoRAError as error:
            raise self.refuse(str(error)) from None
        cfg.special_tokens = DictDefault({"pad_token": pad})
        if not rows.validation:
            cfg.val_set_size, cfg.eval_strategy = 0.0, "no"
        self._agree(digest(prompt.record(tokenizer)), cfg.resume_from_checkpoint)
        if self.reports:
            self.job.emit("rows", report=rows.report, prompt=prompt.record(tokenizer), pad=pad)
        train = Dataset.from_list(rows.train)
        steps = calculate_total_num_steps(cfg, train)
        return TrainDatasetMeta(
            train_dataset=train,
            eval_dataset=Dataset.from_list(rows.validation) if rows.validation else None,
            total_num_steps=min(steps, cfg.max_steps) if cfg.max_steps else steps,
        )

    def _agree(self, prompt: str, resume: str | None) -> None:
        """Stop every machine before the first step unless all are about to train the same."""
        if self.job.machines == 1:
            return
        machines.meet(self.on_cpu and self.job.asked.zero_stage is None)
        terms = {**self.job.terms, "prompt": prompt, agreement.PART: machines.holds_part(resume)}
        difference = agreement.differences(machines.gather({"machine": self.job.machine, "terms": terms}))
        if difference:
            raise self.refuse(difference)

    def _rows(self, cfg: Any, tokenizer: Any) -> Any:
        path = Path(self.job.dataset)
        if sha256(path) != self.job.dataset_sha256:
            raise DataError(
                [Problem("has changed since this training was started", str(path))], "Start it again"
            )
        prompt = prompts.prompt_for(tokenizer, self.job.prompt_style)
        rows = prepare(
            data.read_rows(path),
            str(path),
            tokenizer,
            prompt,
            sequence_len=cfg.sequence_len,
            val_set_size=cfg.val_set_size,
            step_rows=cfg.micro_batch_size * cfg.gradient_accumulation_steps * self.job.asked.processes,
            seed=cfg.seed,
            allow_dropped_rows=self.job.allow_dropped_rows,
        )
        return rows, prompt

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """Let a NaN be seen, weigh tokens alike over processes, let a lone CPU process use bfloat16."""
        settings: dict[str, Any] = {"logging_nan_inf_filter": False, "average_tokens_across_devices": True}
        if self.job.step:
            # Axolotl asks for the held-out loss of the untrained adapter, which this one no longer is.
            settings["eval_on_start"] = False
        # Together with DeepSpeed, `use_cpu` would leave DeepSpeed out without a word.
        if self.on_cpu and self.job.asked.zero_stage is None:
            settings["use_cpu"] = True
        return settings

    def get_trainer_cls(self, cfg: Any) -> Any:
        """Compute output logits only where an answer is trained."""
        from finlora.answer_logits import AnswerLogitsTrainer

        return AnswerLogitsTrainer

    def pre_lora_load(self, cfg: Any, model: Any) -> None:
        """Seed the adapter: Axolotl draws lora_A unseeded, and two equal runs would differ."""
        set_seed(cfg.seed)

    def post_lora_load(self, cfg: Any, model: Any) -> None:
        """Leave out of the training what is not to be trained."""
        if self.job.asked.a_frozen:
            built_checks.freeze_a(model)

    def post_model_load(self, cfg: Any, model: Any) -> None:
        """Compare what was built with what was asked."""
        built = built_checks.observe(model)
        faults = built_checks.differences(self.job.asked, built)
        if faults:
            raise self.refuse("what was built is not what the run asks for: " + "; ".join(faults))
        if self.on_cpu:
            cpu_patches.multiply_plainly(model)
        if self.reports:
            self.job.emit("built", facts=built)
        if self.job.draw_only:
            model.save_pretrained(cfg.output_dir)
            raise SystemExit(0)

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[TrainerCallback]:
        """Report progress and watch the loss; settle which machines write checkpoints, and where."""
        if self.job.machines > 1:
            self.disks_apart = machines.share_checkpoints(self.job, cfg, trainer)
        return [Reporter(self, trainer)]


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Progress events, a look at the engine and at every loss, and a mark on complete checkpoints."""

    def __init__(self, plugin: FinLoRAPlugin, trainer: Any) -> None:
        self.plugin = plugin
        self.job = plugin.job
        self.trainer = trainer
        self.first = True
        self.started = 0.0

    def _emit(self, event: str, **values: Any) -> None:
        if self.plugin.reports:
            self.job.emit(event, **values)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Prove the engine before the first step."""
        engine = type(self.trainer.model_wrapped).__name__
        plugin = self.trainer.accelerator.state.deepspeed_plugin if engine == "DeepSpeedEngine" else None
        stage = plugin.zero_stage if plugin else None
        fault = built_checks.engine_difference(self.job.asked, engine, stage, args.world_size)
        if fault:
            raise self.plugin.refuse(f"the training engine is not what the run asks for: {fault}")
        if state.global_step != self.job.step:
            raise self.plugin.refuse(
                f"training was to go on from step {self.job.step}, but would start at {state.global_step}"
            )
        self.started = time.monotonic() - self.job.seconds
        self._emit(
            "start",
            engine=engine,
            zero_stage=stage,
            step=state.global_step,
            total=state.max_steps,
            seconds=self.job.seconds,
            threads=torch.get_num_threads(),
            # Whether this machine keeps checkpoints of its own, or machine 0's disk is also its.
            own_disk=args.should_save,
            devices=[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Report a step or an evaluation; stop on a loss that proves the training is broken."""
        if "loss" in logs:
            self._check(float(logs["loss"]), logs.get("grad_norm"), state.global_step)
            tokens = getattr(state, "tokens", None)
            self._emit(
                "step",
                step=state.global_step,
                total=state.max_steps,
                loss=float(logs["loss"]),
                learning_rate=float(logs["learning_rate"]),
                grad_norm=float(logs.get("grad_norm", 0.0)),
                tokens=int(tokens["total"].item()) if tokens else 0,
                seconds=time.monotonic() - self.started,
            )
        elif "eval_loss" in logs:
            self._emit("eval", step=state.global_step, loss=float(logs["eval_loss"]))

    def _check(self, loss: float, grad_norm: float | None, step: int) -> None:
        limit = _FIRST_LOSS_FACTOR * math.log(self.trainer.model.config.vocab_size)
        if not math.isfinite(loss):
            raise self.plugin.refuse(
                f"the loss is {loss} at step {step}: lower learning_rate or use dtype float32"
            )
        if loss == 0.0:
            raise self.plugin.refuse(f"the loss is exactly 0 at step {step}: nothing is being trained")
        if grad_norm == 0.0:
            raise self.plugin.refuse(f"the gradient is exactly 0 at step {step}: nothing is being trained")
        if self.first and step == 1 and loss > limit:
            raise self.plugin.refuse(
                f"the first loss {loss:.2f} is above {limit:.2f}, worse than guessing: the base model "
                "is broken, or its tokenizer is another model's"
            )
        self.first = False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark a checkpoint complete once every process has written its part."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.plugin.disks_apart:
            machines.complete_checkpoint(folder, args.should_save)
        if args.should_save:
            mark_complete(folder, state.global_step, state.max_steps)
        self._emit("checkpoint", step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report the end of the steps; saving follows."""
        if self.job.step == state.max_steps and self.trainer.eval_dataset is not None:
            # Cut off after its last checkpoint: the held-out loss that was due then may be missing.
            self.trainer.evaluate()
        peak = max((torch.cuda.max_memory_allocated(i) for i in range(torch.cuda.device_count())), default=0)
        self._emit(
            "trained",
            step=state.global_step,
            seconds=time.monotonic() - self.started,
            gpu_peak_bytes=peak,
            # Linux counts in KiB.
            cpu_peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
