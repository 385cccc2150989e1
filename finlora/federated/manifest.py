"""What the manifest of a federated adapter says before the first round; `summary` adds the rounds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from finlora import launch, manifest, models
from finlora.federated import environment
from finlora.federated.drawing import DRAWN
from finlora.federated.preparation import Ready, variant_of


def frame(ready: Ready, clients: Sequence[str], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a federated training without what its rounds will be.

    Args:
        ready: the training, its untrained adapter drawn.
        clients: names of all clients.
        dataset: `sha256` and `partition`, as far as this machine knows them; None for what is not told.
    """
    made, wanted = ready.plan, ready.wanted
    drawn = json.loads((ready.start / DRAWN).read_text(encoding="utf-8"))
    report = {"validation": 0}
    history = manifest.History(
        rows={"report": report, "prompt": drawn["prompt"], "pad": drawn["pad"]},
        built=drawn["built"],
        start={"engine": "Flower", "zero_stage": None, "devices": []},
        end={"step": 0, "seconds": 0.0, "gpu_peak_bytes": 0, "cpu_peak_bytes": 0},
    )
    composed = manifest.compose(
        name=made.name,
        run=made.run,
        base={
            "name": ready.base.name,
            "identity": ready.base.identity,
            "tokenizer_sha256": models.tokenizer_digest(ready.base.folder),
        },
        dataset_sha256=dataset["sha256"],
        yaml=made.public(ready.base.name).yaml(),
        bf16=made.machine.bf16,
        processes=made.machine.processes,
        machines=1,
        effective_batch=made.effective_batch,
        cores=launch.cores(),
        history=history,
    )
    federated = {
        "clients": list(clients),
        "partition": dataset["partition"],
        "rounds_asked": wanted.rounds,
        "aggregate": wanted.aggregate,
        "weights": "equal" if wanted.privacy else "rows",
        "privacy": asdict(wanted.privacy) if wanted.privacy else None,
    }
    versions = {**composed["versions"], "flwr": environment.FLWR}
    return {**composed, "versions": versions, "variant": variant_of(made), "federated": federated}
