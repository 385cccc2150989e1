"""What all rounds of a federated training come to, as the manifest tells it; records are all it needs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from finlora.federated.dp import Privacy
from finlora.federated.dp_words import record as told_of
from finlora.federated.jobs import COUNTS


def completed(frame: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest of a finished federated training.

    Under differential privacy nobody counts rows or losses: these stay unknown, None.

    Args:
        frame: what was known before the first round (see `manifest.frame`).
        records: of all rounds.
    """
    federated = dict(frame["federated"])
    private = federated["privacy"] is not None
    done = [record for record in records if not record["lost"]]
    told = [counts for record in done for counts in record["clients"].values()]
    totals = {key: None if private else sum(counts[key] for counts in told) for key in COUNTS}
    rows = None if private else records[-1]["rows"]
    if private:
        asked = Privacy(**federated["privacy"])
        parameters = frame["built"]["trainable_parameters"]
        federated["privacy"] = told_of(asked, len(done), parameters, len(federated["clients"]))
        federated["privacy"]["max_epsilon"] = asked.max_epsilon
    return {
        **frame,
        "steps": totals["steps"],
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "losses": {
            # Over the steps of all clients together.
            "train": [] if private else [[*point] for point in zip(_steps(done), _losses(done), strict=True)],
            "validation": [],
        },
        "dataset": {
            **frame["dataset"],
            "rows": rows,
            "train": rows,
            "tokens": totals["tokens"],
            "trained_tokens": totals["trained_tokens"],
            "dropped": {"count": totals["dropped"], "reason": "longer than sequence_len, in every round"},
        },
        "federated": {
            **federated,
            "rounds": len(records),
            "rounds_lost": len(records) - len(done),
            "participants": [sorted(record["clients"]) for record in records],
            "dropped": [record["dropped"] for record in records],
            "learning_rates": [record["learning_rate"] for record in records],
        },
    }


def _steps(records: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Yield how many steps all clients together had done by the end of each round."""
    return accumulate(sum(counts["steps"] for counts in record["clients"].values()) for record in records)


def _losses(records: Sequence[Mapping[str, Any]]) -> list[float]:
    return [record["loss"] for record in records]
