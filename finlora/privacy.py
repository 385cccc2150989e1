"""Nothing leaves the machine unless asked: the switches of every library, in one place."""

import os
import sys

# Telemetry and experiment trackers, off in FinLoRA's own process and in every child.
QUIET = {
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
    "DISABLE_MLFLOW_INTEGRATION": "TRUE",
}

# For FinLoRA's own process, which may ask the hub for benchmarks: the datasets library counts loads there, of
# local files too, and evaluate runs code that it fetches. Children are offline.
BENCHMARKS = {"HF_UPDATE_DOWNLOAD_COUNTS": "0", "HF_EVALUATE_OFFLINE": "1"}

# Children never ask the hub: whatever was to be fetched has been fetched before they start.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def be_quiet() -> None:
    """Switch off every library's telemetry in this process."""
    os.environ.update(QUIET | BENCHMARKS)


def go_offline() -> None:
    """Keep this process from asking the hub from now on, libraries loaded already included."""
    os.environ.update(OFFLINE)
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
