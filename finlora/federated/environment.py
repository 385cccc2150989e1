"""The Flower environment: a second Python, because no flwr can be installed beside Axolotl.

It holds flwr, numpy, safetensors and this very finlora without its dependencies.
"""

import json
import os
import shlex
import sys
from pathlib import Path

from finlora import __version__, launch
from finlora.errors import FinLoRAError, UsageError
from finlora.privacy import QUIET

VARIABLE = "FINLORA_FLOWER_PYTHON"
# Its status words, its process tree and one private class are relied on: another version is another program.
FLWR = "1.41.0"

# -P: the finlora of the environment, not one that lies in the current folder.
_ASK = """
import json
from importlib import metadata, util
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
found = {name: version(name) for name in ("flwr", "numpy", "safetensors")}
found["finlora"] = None
if util.find_spec("finlora"):
    import finlora
    found["finlora"] = finlora.__version__
print(json.dumps(found))
"""


def python() -> Path:
    """Return the Python of the Flower environment: `$FINLORA_FLOWER_PYTHON`, else of the folder beside ours.

    Raises:
        UsageError: there is none; the text says how it is made.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = Path(named)
        if not os.access(found, os.X_OK) or found.is_dir():
            raise UsageError(f"{VARIABLE}: {named} is no Python that can be started\n{_how(_folder())}")
        return found.absolute()
    found = _folder() / "bin" / "python"
    if not found.exists():
        raise UsageError(f"{_folder()}: no Flower environment is there\n{_how(_folder())}")
    return found


def check(flower: Path) -> None:
    """Refuse a Flower environment that lacks something, or holds another version of Flower or of finlora.

    Args:
        flower: its Python, as `python` returns it.

    Raises:
        UsageError: what is missing or different, and how it is mended.
    """
    try:
        found = json.loads(launch.run_tool([str(flower), "-P", "-c", _ASK]))
    except (FinLoRAError, OSError, ValueError):
        raise UsageError(f"{flower}: this Python does not work\n{_how(_folder())}") from None
    wanted = {"finlora": __version__, "flwr": FLWR, "numpy": None, "safetensors": None}
    faults = [
        f"{name} {found[name] or 'is missing'}" + (f" (wanted: {version})" if version else "")
        for name, version in wanted.items()
        if found[name] is None or version not in (None, found[name])
    ]
    if faults:
        raise UsageError(
            f"{flower}: not the Flower environment of this finlora: {'; '.join(faults)}\n{_how(_folder())}"
        )


def variables() -> dict[str, str | None]:
    """Return what processes of Flower get in their environment: they ask nobody, and tell nobody."""
    return {**QUIET, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def of_training() -> dict[str, str | None]:
    """Return the variables that decide what this Python imports, for workers that Flower's starts."""
    return {name: os.environ.get(name) for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def _folder() -> Path:
    return Path(f"{sys.prefix}-federated")


def _how(folder: Path) -> str:
    place = shlex.quote(str(folder))
    pip = f"{place}/bin/python -m pip install"
    return "\n".join(
        [
            "Flower can't be installed beside Axolotl, so it lives in a second environment. Make it:",
            "  in a checkout of FinLoRA:  make federated",
            "  installed with pip:",
            f"    {Path(sys.executable).name} -m venv {place}",
            f"    {pip} flwr=={FLWR} numpy safetensors",
            f"    {pip} --no-deps finlora=={__version__}",
            f"Or name the Python of another place in {VARIABLE}.",
        ]
    )
