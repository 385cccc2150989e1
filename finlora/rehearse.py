"""Rehearses a run: the same config in small, from its rows to an answer, on two CPU processes.

A rehearsal works in a folder of its own under `axolotl-output/`, a little project with a shelf of its
own: what is there can be read afterwards, and neither the run's folder nor the project's shelf is
touched. The next rehearsal of the run clears it.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finlora import (
    adapters,
    answering,
    config,
    data,
    deepspeed,
    finetune,
    inference,
    machine_checks,
    rehearsal_report,
    stand_ins,
    tiny_model,
    training_plan,
)
from finlora.answers import Answerer
from finlora.axolotl_yaml import OUTPUT
from finlora.config import ConfigFile
from finlora.errors import DataError, FinLoRAError, LaunchError, Problem
from finlora.files import write_json
from finlora.model_shapes import config_of, local_folder
from finlora.rehearsal_report import Rehearsal, Stage
from finlora.training_plan import Options

# Begins with what no name of a run may begin with.
FOLDER = "_rehearsals"
STEPS = 2
_ENTRY, _RESULT = "run", "rehearsal"
_ANSWER_TOKENS = 8

# The event that ends each stage of a training.
_TRAINING = {"rows": "rows", "built": "build", "start": "engine", "trained": "steps"}


@dataclass
class _Stages:
    """Notes the stages as they end."""

    done: list[Stage] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def note(self, name: str, seen: str, ok: bool = True) -> None:
        """Note a stage that has just ended."""
        now = time.monotonic()
        self.done.append(Stage(name, ok, round(now - self.since, 1), seen))
        self.since = now

    @contextmanager
    def failing_as(self, name: Callable[[], str]) -> Iterator[None]:
        """Turn an error into a failed stage; an interruption stays one.

        Raises:
            _StageFailed: the stage failed and is noted.
        """
        try:
            yield
        except FinLoRAError as error:
            if isinstance(error, LaunchError) and error.exit_code > 128:
                raise
            self.note(name(), str(error), ok=False)
            raise _StageFailed from None


class _StageFailed(Exception):  # noqa: N818  (no fault to report: it is noted already)
    """A stage failed; what went wrong is noted."""


def rehearse(
    file: ConfigFile,
    name: str,
    *,
    offline: bool,
    say: Callable[[str], None],
    on_event: Callable[[dict[str, Any]], None],
) -> Rehearsal:
    """Try a run in small: same rows, prompt, method, quantisation and ZeRO stage, two steps, an answer.

    Args:
        file: the config file.
        name: the run.
        offline: never use the network.
        say: takes lines for the user.
        on_event: takes the training's events as they come.

    Raises:
        UsageError, ConfigError: there is no such run, or it has faults.
        DataError: the dataset is missing or has faults.
        BaseModelError: the shape of the base model is not known here.
        LaunchError: interrupted.
    """
    # On a machine with GPUs too: what is rehearsed is the same everywhere.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}
    made = training_plan.plan(file, name, Options(processes=stand_ins.PROCESSES))
    # What no machine can train is not rehearsed either.
    machine_checks.check_stage(made.run, made.zero_stage, "cuda")
    machine_checks.check_packages()
    if not made.dataset.is_file():
        raise DataError(
            [Problem("no such dataset file, and nothing can be rehearsed without it", str(made.dataset))],
            "`finlora configs list` shows what is present",
        )
    trial = _Trial(file, made, data.read_rows(made.dataset), offline, say, on_event)
    with finetune.alone(trial.folder, name):
        return trial.run()


class _Trial:
    """One rehearsal: its parts, and what was noted so far."""

    def __init__(
        self,
        file: ConfigFile,
        made: training_plan.Plan,
        rows: list[data.Row],
        offline: bool,
        say: Callable[[str], None],
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        self.file, self.made, self.all_rows = file, made, rows
        self.offline, self.say, self.on_event = offline, say, on_event
        self.folder = file.root / OUTPUT / FOLDER / made.name
        self.base_folder = file.path.resolve().parent
        self.rows = stand_ins.enough_rows(rows)
        longest = max(len(row.context) + len(row.target) for row in self.rows)
        self.nearest = stand_ins.nearest(made.run, made.zero_stage, longest)
        self.shape, self.source = config_of(made.run.base_model, self.base_folder)
        self.stages = _Stages()
        self.stand_in = ""
        self.losses: list[float] = []
        self.prepared: dict[str, Any] = {}

    def run(self) -> Rehearsal:
        """Go through the stages, up to the first that fails."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        try:
            with self.stages.failing_as(lambda: "tiny model"):
                self._make_base()
            with self.stages.failing_as(self._stage_of_training):
                published = self._train()
            with self.stages.failing_as(lambda: "load"):
                answerer = self._load(published)
            with self.stages.failing_as(lambda: "answer"):
                self._answer(answerer)
            # Of no use to anyone, and with a real vocabulary many megabytes.
            (self.folder / "base" / "model.safetensors").unlink()
        except _StageFailed:
            pass
        facts = rehearsal_report.Facts(
            base_model=self.made.run.base_model,
            base_here=local_folder(self.made.run.base_model, self.base_folder) is not None,
            stand_in=self.stand_in,
            rows_used=len(self.rows),
            rows=len(self.all_rows),
            prepared=self.prepared,
            processes=self.nearest.processes,
            steps=STEPS,
        )
        return Rehearsal(
            run=self.made.name,
            base_model=self.made.run.base_model,
            folder=self.folder,
            stages=tuple(self.stages.done),
            otherwise=(*self.nearest.lines, *rehearsal_report.otherwise(facts)),
            not_tried=(*self.nearest.not_tried, *rehearsal_report.not_tried(facts)),
        )

    def _make_base(self) -> None:
        inference.prepare_process()
        tokens = stand_ins.tokens_for(
            self.made.run.base_model, self.base_folder, self.rows, offline=self.offline, say=self.say
        )
        self.stand_in = tokens.stand_in
        tiny = tiny_model.write(self.folder / "base", self.shape, tokens.tokenizer)
        self.stages.note(
            "tiny model",
            f"{tiny.model_type} (shape: {self.source}), {tiny.layers} layers of {tiny.hidden}, "
            f"{tiny.parameters:,} random weights, {tiny.vocabulary:,} tokens",
        )

    def _project(self) -> ConfigFile:
        """Lay out the little project and return its config."""
        dataset = self.made.dataset
        if len(self.rows) < len(self.all_rows):
            dataset = self.folder / "data" / "rows.jsonl"
            data.write_rows(dataset, [{"context": row.context, "target": row.target} for row in self.rows])
        strategy = self.made.machine.deepspeed
        if strategy:
            deepspeed.ensure(self.file.root / strategy)
        entry = {
            **self.made.run.model_dump(exclude_unset=True),
            "base_model": "../base",
            "dataset_path": str(dataset),
            "deepspeed": str(self.file.root / strategy) if strategy else "none",
            **self.nearest.changes,
        }
        # The plan has turned it into an accumulation already.
        entry.pop("global_batch_size", None)
        path = self.folder / "configs" / config.CONFIG_NAME
        write_json(path, {_ENTRY: entry})
        return config.load(path)

    def _train(self) -> Path:
        options = Options(
            processes=self.nearest.processes,
            max_steps=STEPS,
            new_name=_RESULT,
            # With another tokenizer a row's length is an estimate, which must not end a rehearsal.
            allow_dropped_rows=bool(self.stand_in),
            offline=True,
        )
        result = finetune.run(self._project(), _ENTRY, options, self.say, self._take)
        names = ", ".join(sorted(path.name for path in result.folder.iterdir()))
        self.stages.note("publish", f"{names} (on a shelf of its own)")
        return result.folder

    def _take(self, event: dict[str, Any]) -> None:
        """Note the stages of the training as its events end them."""
        if event["event"] == "step":
            self.losses.append(event["loss"])
        elif event["event"] == "rows":
            self.prepared = event["report"]
        if event["event"] in _TRAINING:
            self.stages.note(_TRAINING[event["event"]], rehearsal_report.seen(event, self.losses))
        self.on_event(event)

    def _stage_of_training(self) -> str:
        """Return the stage of the training whose end was not reported."""
        ended = {stage.name for stage in self.stages.done}
        return next((stage for stage in _TRAINING.values() if stage not in ended), "publish")

    def _load(self, adapter: Path) -> Answerer:
        wanted = answering.Wanted(adapter=str(adapter), offline=True)
        answerer = answering.open_answerer(wanted, self.folder / "configs" / config.CONFIG_NAME, self.say)
        self.stages.note(
            "load",
            f"fits the base model and changes its answers; {_largest(adapter):.1e} is the largest lora_B",
        )
        return answerer

    def _answer(self, answerer: Answerer) -> None:
        shortest = min(self.rows, key=lambda row: len(row.context))
        [answer] = answerer.generate([shortest.context], max_new_tokens=_ANSWER_TOKENS)
        self.stages.note("answer", f"line {shortest.line}: {answer!r} (random weights: no sense is expected)")


def _largest(adapter: Path) -> float:
    """Return the largest entry of an adapter's B matrices, which are all zero before training."""
    from safetensors.torch import load_file

    weights = load_file(adapter / adapters.WEIGHTS)
    return max(float(weight.abs().max()) for key, weight in weights.items() if "lora_B" in key)
