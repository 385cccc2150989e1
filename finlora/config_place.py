"""Where the config file lies, and with it the project; light, as every command asks."""

import os
from pathlib import Path

from finlora.errors import UsageError

CONFIG_NAME = "finetune_configs.json"


def project_root(path: Path) -> Path:
    """Return the project of a config file: above a folder called `configs`, else the file's own folder."""
    folder = path.resolve().parent
    return folder.parent if folder.name == "configs" else folder


def find_config(given: Path | None = None) -> Path:
    """Find the config file: `given`, then FINLORA_CONFIG, then `configs/` here or in a parent.

    Raises:
        UsageError: none is there.
    """
    named = given or (Path(os.environ["FINLORA_CONFIG"]) if os.environ.get("FINLORA_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise UsageError(
                f"{named}: no such config file (from {'--config' if given else 'FINLORA_CONFIG'})"
            )
        return named
    here = Path.cwd()
    for folder in (here, *here.parents):
        candidate = folder / "configs" / CONFIG_NAME
        if candidate.is_file():
            return candidate
    raise UsageError(
        f"no configs/{CONFIG_NAME} in {here} or above.\nMake a project with: finlora init FOLDER\n"
        "or name a file: --config FILE, or the variable FINLORA_CONFIG"
    )
