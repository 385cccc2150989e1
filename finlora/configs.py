"""The `configs` verbs: what runs there are, and what is wrong with any of them."""

from dataclasses import asdict, dataclass
from typing import Any

from finlora import adapters, axolotl_yaml
from finlora.config import ConfigFile, RunConfig
from finlora.errors import Problem


@dataclass(frozen=True)
class RunLine:
    """One run as `configs list` shows it.

    Args:
        run: its name.
        base_model: as the config names it.
        variant: how it is tuned.
        dataset: the dataset file as the config names it.
        dataset_present: whether the dataset file is there.
        adapter_present: whether its adapter lies on the shelf.
    """

    run: str
    base_model: str
    variant: str
    dataset: str
    dataset_present: bool
    adapter_present: bool


def overview(file: ConfigFile) -> list[RunLine]:
    """Return every usable run of a config file, in file order."""
    return [
        RunLine(
            run=name,
            base_model=run.base_model,
            variant=run.variant,
            dataset=run.dataset_path,
            dataset_present=file.resolve(run.dataset_path).is_file(),
            adapter_present=(adapters.place(file.root, run.variant, name) / adapters.WEIGHTS).is_file(),
        )
        for name, run in file.runs.items()
    ]


def show(name: str, run: RunConfig) -> dict[str, Any]:
    """Return a run with every default in place, its variant, and which keys it left to defaults."""
    settings = run.model_dump()
    return {
        "run": name,
        "variant": run.variant,
        "settings": settings,
        "defaults": sorted(set(settings) - run.model_fields_set),
    }


def validate(file: ConfigFile) -> list[Problem]:
    """Return every fault of every run, file order."""
    problems = [problem for found in file.problems.values() for problem in found]
    for name, run in file.runs.items():
        problems += axolotl_yaml.passthrough_problems(file, name, run)
    return problems


def records(lines: list[RunLine]) -> list[dict[str, Any]]:
    """Return the overview for programs."""
    return [asdict(line) for line in lines]
