"""Every error FinLoRA raises on purpose.

    FinLoRAError            exit 1   something failed; the message says what to do next
    ├── UsageError          exit 2   the command line asks for something that can't be
    │   └── ConfigError     exit 2   the config file; carries every problem found
    ├── DataError           exit 1   dataset files; carries every problem found
    ├── BaseModelError      exit 1   a base model that can't be had or read
    ├── HubError            exit 1   files of a hub that can't be had
    ├── EndpointError    exit 1   a hosted model that can't be asked
    ├── AdapterError        exit 1   a folder that is no adapter, or the wrong one
    ├── DeepSpeedError      exit 1   DeepSpeed configuration files
    └── LaunchError         the child's exit code (128 + n for a signal)
        └── InterruptedLaunchError  FinLoRA itself was told to end

Only `cli` turns these into text on stderr and an exit code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class FinLoRAError(Exception):
    """Root of the tree; its text is written for the person at the prompt."""

    exit_code = 1


class UsageError(FinLoRAError):
    """The command line asks for something that does not exist or can't be combined."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One fault in a file.

    Args:
        message: what is wrong and what is allowed.
        file: path as the user would type it, empty when no file is at fault.
        line: 1-based line, or None when no single line is at fault.
        column: 1-based column, or None.
    """

    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class _ProblemsError(FinLoRAError):
    """An error made of numbered problems, so that all can be mended in one go."""

    def __init__(self, problems: Sequence[Problem], next_step: str = "") -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems]
        if len(lines) > 1:
            lines = [f"{len(lines)} problems"] + [f"  {i}. {line}" for i, line in enumerate(lines, 1)]
        super().__init__("\n".join([*lines, next_step] if next_step else lines))


class ConfigError(_ProblemsError, UsageError):
    """Faults of a config file, all of them."""

    exit_code = 2


class DataError(_ProblemsError):
    """Faults of a dataset file, all of them."""


class BaseModelError(FinLoRAError):
    """A base model that can't be found, fetched or read."""


class HubError(FinLoRAError):
    """Files of a dataset repository that can't be had from the hub."""


class EndpointError(FinLoRAError):
    """A hosted model that can't be asked at all: no access, no such model, no answer from its server."""


class AdapterError(FinLoRAError):
    """A folder that is not an adapter, or not one for this base model."""


class DeepSpeedError(FinLoRAError):
    """A DeepSpeed configuration that can't be fetched or used."""


class LaunchError(FinLoRAError):
    """A child process that failed.

    Args:
        message: one line for the user.
        exit_code: what the FinLoRA command exits with.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class InterruptedLaunchError(LaunchError):
    """A child process that was ended, since FinLoRA itself was told to end."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest known word, or an empty string."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""
