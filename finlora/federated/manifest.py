"""The manifest of a federated adapter: that of a training, with what many clients did in its place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from finlora import launch, manifest
from finlora.federated import dp_words
from finlora.federated.preparation import DRAWN, Ready, tokenizer_digest, trained_parameters


def compose(
    ready: Ready, records: Sequence[Mapping[str, Any]], clients: Sequence[str], dataset: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest of a finished federated training.

    Args:
        ready: the training.
        records: of all rounds (see `rounds`).
        clients: names of all clients.
        dataset: `sha256`, `rows` and `partition`, as far as this machine knows them.
    """
    drawn = json.loads((ready.start / DRAWN).read_text(encoding="utf-8"))
    totals = _totals(records)
    report = {
        "rows": dataset["rows"],
        "train": totals["rows"],
        "validation": 0,
        "dropped": {"count": totals["dropped"], "reason": "longer than sequence_len, counted in every round"},
        "tokens": totals["tokens"],
        "trained_tokens": totals["trained_tokens"],
    }
    end = {"step": totals["steps"], "seconds": sum(record["seconds"] for record in records)}
    history = manifest.History(
        rows={"report": report, "prompt": drawn["prompt"], "pad": drawn["pad"]},
        built=drawn["built"],
        start={"engine": "Flower", "zero_stage": None, "devices": []},
        end={**end, "gpu_peak_bytes": 0, "cpu_peak_bytes": 0},
        losses=[(r["round"], r["loss"]) for r in records if r.get("loss") is not None],
    )
    made = ready.plan
    composed = manifest.compose(
        name=made.name,
        run=made.run,
        base={
            "name": ready.base.name,
            "identity": ready.base.identity,
            "tokenizer_sha256": tokenizer_digest(ready),
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
    return {**composed, "variant": ready.variant, "federated": _federated(ready, records, clients, dataset)}


def _totals(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return what the clients counted over all rounds that were not lost."""
    told = [counts for record in records if not record["lost"] for counts in record["clients"].values()]
    keys = ("rows", "dropped", "tokens", "trained_tokens", "steps")
    return {key: sum(counts.get(key, 0) for counts in told) for key in keys}


def _federated(
    ready: Ready, records: Sequence[Mapping[str, Any]], clients: Sequence[str], dataset: Mapping[str, Any]
) -> dict[str, Any]:
    wanted = ready.wanted
    kept = sum(not record["lost"] for record in records)
    privacy = wanted.privacy
    return {
        "clients": list(clients),
        "partition": dataset["partition"],
        "rounds": len(records),
        "rounds_asked": wanted.rounds,
        "rounds_lost": len(records) - kept,
        "aggregate": wanted.aggregate,
        "weights": "equal" if privacy else "rows",
        "participants": [sorted(record["clients"]) for record in records],
        "dropped": [record["dropped"] for record in records],
        "learning_rates": [record["learning_rate"] for record in records],
        "privacy": dp_words.record(privacy, kept, trained_parameters(ready), len(clients))
        if privacy
        else None,
        "asked_privacy": asdict(privacy) if privacy else None,
    }
