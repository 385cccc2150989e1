"""The run config: reads and checks `finetune_configs.json`; names, near names and variants."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from finlora.config_place import CONFIG_NAME as CONFIG_NAME
from finlora.config_place import find_config as find_config
from finlora.config_place import project_root as project_root
from finlora.errors import ConfigError, Problem, UsageError, did_you_mean
from finlora.json_text import KeyLines, parse_object, shortened

SCHEMA_KEY = "$schema"
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class RunConfig(BaseModel):
    """One named run, every default in place. Field descriptions say what is allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    base_model: str = Field(
        min_length=1, description="text: a hub id, a folder (./, ../ or /) or builtin:NAME; the model to tune"
    )
    dataset_path: str = Field(
        min_length=1, description="text: a JSONL file with the columns context and target"
    )
    quant_bits: Literal[4, 8, 16] = Field(
        16, description="4, 8 or 16: bits per frozen weight; 16 means unquantised"
    )
    lora_r: int = Field(8, ge=1, le=4096, description="an integer from 1 to 4096: the rank of the adapter")
    lora_alpha: int = Field(
        16, ge=1, le=65536, description="an integer from 1 to 65536: the scaling numerator"
    )
    lora_dropout: float = Field(
        0.05, ge=0, lt=1, allow_inf_nan=False, description="a number from 0 to below 1"
    )
    lora_target_modules: list[str] | None = Field(
        None,
        min_length=1,
        description="a list of module names; absent: q_proj, k_proj, v_proj where the model has them",
    )
    peft_use_dora: bool = Field(False, description="true or false: DoRA")
    peft_use_rslora: bool = Field(False, description="true or false: rank-stabilised scaling (rsLoRA)")
    learning_rate: float = Field(
        1e-4, gt=0, le=1, allow_inf_nan=False, description="a number above 0, at most 1"
    )
    num_epochs: float = Field(
        1, gt=0, le=1000, allow_inf_nan=False, description="a number above 0, at most 1000"
    )
    batch_size: int = Field(
        1, ge=1, le=65536, description="an integer from 1 to 65536: rows per device and step"
    )
    gradient_accumulation_steps: int = Field(1, ge=1, le=65536, description="an integer from 1 to 65536")
    global_batch_size: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="an integer from 1 to 65536: rows of an optimiser step over all GPUs, whatever their "
        "number; in the place of gradient_accumulation_steps",
    )
    sequence_len: int = Field(
        4096, ge=8, le=1048576, description="an integer from 8 to 1048576: tokens of the longest row"
    )
    val_set_size: float = Field(
        0.02, ge=0, lt=1, allow_inf_nan=False, description="a number from 0 to below 1: share held out"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="an integer from 0 to 4294967295")
    prompt_style: Literal["chat", "inst", "plain"] | None = Field(
        None, description="chat, inst or plain; absent: chat where the base model has a template, else plain"
    )
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        "auto", description="auto, bfloat16 or float32: the type training computes in"
    )
    deepspeed: str = Field(
        "zero1",
        min_length=1,
        description="none, a shipped name (zero1, zero2, zero3, …) or a file; for several processes",
    )
    axolotl: dict[str, Any] = Field(
        default_factory=dict, description="an object of further Axolotl keys, passed on as given"
    )

    @field_validator("base_model", "dataset_path", "deepspeed")
    @classmethod
    def _can_be_a_path(cls, text: str) -> str:
        # NUL and the home of nobody would only be noticed when the file is opened.
        try:
            Path(text).expanduser()
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        if "\0" in text:
            raise ValueError("holds a NUL character")
        return text

    @property
    def variant(self) -> str:
        """How the run is tuned, as a folder name: `8bits_r8`, `4bits_r4`, `fp16_r8_dora`, …"""
        bits = "fp16" if self.quant_bits == 16 else f"{self.quant_bits}bits"
        parts = [f"{bits}_r{self.lora_r}"]
        parts += ["dora"] * self.peft_use_dora + ["rslora"] * self.peft_use_rslora
        if self.lora_alpha != RunConfig.model_fields["lora_alpha"].default:
            parts.append(f"a{self.lora_alpha}")
        return "_".join(parts)


@dataclass(frozen=True)
class ConfigFile:
    """A config file as read: the good runs, and the problems of the others.

    Args:
        path: the file.
        runs: name to checked run, in file order.
        problems: name to the faults of a run that can't be used.
    """

    path: Path
    runs: Mapping[str, RunConfig]
    problems: Mapping[str, list[Problem]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The project root."""
        return project_root(self.path)

    @cached_property
    def names(self) -> list[str]:
        """All run names, usable or not."""
        return [*self.runs, *self.problems]

    def pick(self, name: str) -> RunConfig:
        """Return the run called `name`.

        Raises:
            UsageError: no such run; the message lists near names.
            ConfigError: the run has faults, all of them listed.
        """
        if name in self.problems:
            raise ConfigError(self.problems[name])
        if name not in self.runs:
            raise UsageError(
                f"no run '{name}' in {self.path}{did_you_mean(name, self.names)}\n"
                "See all runs with: finlora configs list"
            )
        return self.runs[name]

    def resolve(self, path: str) -> Path:
        """Return a path of the file as an absolute path (relative to the file's folder)."""
        return (self.path.resolve().parent / Path(path).expanduser()).resolve()


def load(path: Path) -> ConfigFile:
    """Read a config file; faults of single runs are kept beside the good runs.

    Raises:
        ConfigError: the file itself can't be read as a JSON object of runs.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"not UTF-8 text ({error.reason})", str(path))]) from None
    except OSError as error:
        raise ConfigError([Problem(f"can't be read: {error.strerror}", str(path))]) from None
    runs: dict[str, RunConfig] = {}
    problems: dict[str, list[Problem]] = {}
    lines = KeyLines(text)
    for name, entry in parse_object(text, str(path)).items():
        if name == SCHEMA_KEY:
            continue
        run, faults = check_run(name, entry)
        if run is not None:
            runs[name] = run
        else:
            problems[name] = [Problem(message, str(path), lines.of(name, key)) for key, message in faults]
    if not runs and not problems:
        raise ConfigError([Problem("holds no run; a run is a named JSON object", str(path))])
    return ConfigFile(path, runs, problems)


def check_run(name: str, entry: Any) -> tuple[RunConfig | None, list[tuple[str, str]]]:
    """Check one run.

    Args:
        name: the run's name.
        entry: its JSON value.

    Returns:
        The run, or None and every fault as (key, message); the key is empty for the whole run.
    """
    faults = []
    if not RUN_NAME.fullmatch(name):
        faults.append(
            ("", f"run '{name}': a run name is letters, digits, '.', '_' and '-' (it becomes a folder)")
        )
    if not isinstance(entry, dict):
        faults.append(("", f"run '{name}' is {shortened(entry)}; a run is a JSON object"))
        return None, faults
    given = {key: value for key, value in entry.items() if not (key == "quant_bits" and value is None)}
    if not faults and given.get("global_batch_size") is not None and "gradient_accumulation_steps" in given:
        why = "both say how many rows a step has; leave one of them out"
        faults.append(
            ("global_batch_size", f"run '{name}': global_batch_size and gradient_accumulation_steps: {why}")
        )
    try:
        run = RunConfig.model_validate(given)
    except ValidationError as error:
        seen: dict[str, str] = {}
        for fault in error.errors():
            key = str(fault["loc"][0])
            seen.setdefault(key, f"run '{name}': {_describe(key, fault['type'], given)}")
        return None, faults + list(seen.items())
    return (run, []) if not faults else (None, faults)


def _describe(key: str, kind: str, given: Mapping[str, Any]) -> str:
    fields = RunConfig.model_fields
    if kind == "extra_forbidden":
        near = did_you_mean(key, list(fields))
        return f"unknown key '{key}'{near or '; known keys: ' + ', '.join(fields)}"
    allowed = fields[key].description
    if kind == "missing":
        return f"the key '{key}' is missing ({allowed})"
    return f"{key} is {shortened(given[key])}; allowed: {allowed}"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file, for editors."""
    run = RunConfig.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "FinLoRA runs",
        "description": "Named runs; see the README for what each key means.",
        "type": "object",
        "properties": {SCHEMA_KEY: {"type": "string"}},
        "patternProperties": {f"^{RUN_NAME.pattern}$": {"$ref": "#/$defs/run"}},
        "additionalProperties": False,
        "$defs": {"run": run},
    }
