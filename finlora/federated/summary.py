"""What all rounds of a federated training come to, as the manifest tells it; only their records are needed."""

from collections.abc import Mapping, Sequence
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
            "train": [[record["round"], record["loss"]] for record in done if not private],
            "validation": [],
        },
        "dataset": {
            **frame["dataset"],
            "train": totals["rows"],
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
