"""What `--set KEY=VALUE` changes of a run."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from finlora.config import RunConfig, check_run
from finlora.errors import ConfigError, Problem, UsageError


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """Turn `key=value` texts into values (JSON where it reads as JSON, else text).

    Raises:
        UsageError: a text has no `=` or an empty key, or a key comes twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key.strip()):
            raise UsageError(f"--set {text}: write it as key=value, for example --set learning_rate=0.0002")
        if key.strip() in values:
            raise UsageError(f"--set {text}: {key.strip()} is set twice")
        try:
            values[key.strip()] = json.loads(value)
            # NaN and numbers too large for one (1e400) are no JSON, though Python reads them.
            json.dumps(values[key.strip()], allow_nan=False)
        except (ValueError, RecursionError):
            values[key.strip()] = value
    return values


def override(name: str, run: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return the run with other values, checked like the file.

    Raises:
        ConfigError: a key or value is not allowed; all faults are listed.
    """
    entry = {**run.model_dump(exclude_unset=True), **values}
    # The two exclude each other: the one that is set now takes the other's place.
    for new, other in itertools.permutations(("global_batch_size", "gradient_accumulation_steps")):
        if new in values and other not in values:
            entry.pop(other, None)
    changed, faults = check_run(name, entry)
    if changed is None:
        raise ConfigError([Problem(message, "--set") for _, message in faults])
    return changed
