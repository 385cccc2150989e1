"""What a manifest tells of a federated training: what must be there, and how people read it."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Context
from hashlib import sha256
from typing import Any

from finlora import record_checks

KEY = "federated"
"""The part of a manifest that a federated training has, and no other."""
ENGINE = "Flower"
"""What `engine.class` is in such a manifest."""
NOT_TOLD = "not told"
_PRIVACY = f"{KEY}.privacy"
_MOST_NAMED = 10
_NAMED_IN_A_CELL = 4

_count_or_none = record_checks.optional(record_checks.count)
_names = record_checks.list_of(record_checks.text)
# Dotted keys of a manifest, as in `record_checks`.
_NEEDED: dict[str, record_checks.Check] = {
    KEY: record_checks.record,
    f"{KEY}.clients": record_checks.list_of(record_checks.text, least=1),
    f"{KEY}.partition": record_checks.optional(record_checks.record),
    f"{KEY}.partition.kind": record_checks.optional(record_checks.text),
    f"{KEY}.partition.alpha": record_checks.optional(record_checks.number),
    f"{KEY}.partition.rows": record_checks.optional(record_checks.values_of(record_checks.count)),
    **dict.fromkeys([f"{KEY}.rounds", f"{KEY}.rounds_asked"], record_checks.positive),
    f"{KEY}.rounds_lost": record_checks.count,
    **dict.fromkeys([f"{KEY}.aggregate", f"{KEY}.weights"], record_checks.text),
    f"{KEY}.participants": record_checks.list_of(_names, least=1),
    f"{KEY}.dropped": record_checks.list_of(record_checks.values_of(record_checks.text), least=1),
    f"{KEY}.learning_rates": record_checks.list_of(record_checks.number, least=1),
    # In a network nobody knows all rows.
    "dataset.sha256": record_checks.optional(record_checks.text),
}
_NEEDED_OF_PRIVATE: dict[str, record_checks.Check] = {
    _PRIVACY: record_checks.record,
    **dict.fromkeys(
        [
            f"{_PRIVACY}.{part}"
            for part in ("epsilon", "epsilon_replace_one", "delta", "noise_multiplier", "clip", "noise_ratio")
        ],
        record_checks.number,
    ),
    f"{_PRIVACY}.max_epsilon": record_checks.optional(record_checks.number),
    f"{_PRIVACY}.rounds": record_checks.positive,
    **dict.fromkeys(
        [f"{_PRIVACY}.{part}" for part in ("adjacency", "accountant", "sampling", "trust")],
        record_checks.text,
    ),
    f"{_PRIVACY}.assumptions": _names,
    # What depends on the clients' rows and has no noise is in no such manifest.
    **dict.fromkeys(["dataset.train", "steps"], record_checks.optional(record_checks.positive)),
    **dict.fromkeys(["dataset.tokens", "dataset.trained_tokens", "dataset.dropped.count"], _count_or_none),
}


def is_federated(manifest: Any) -> bool:
    """Tell whether a manifest is of a federated training, whole or damaged."""
    return (
        record_checks.value_at(manifest, KEY) is not None
        or record_checks.value_at(manifest, "engine.class") == ENGINE
    )


def is_private(manifest: Any) -> bool:
    """Tell whether a manifest is of a federated training under differential privacy."""
    return record_checks.value_at(manifest, _PRIVACY) is not None


def has_own_rows(manifest: Any) -> bool:
    """Tell whether each client brought its rows, so that the run's own dataset was not trained on."""
    kind = record_checks.value_at(manifest, f"{KEY}.partition.kind")
    return is_federated(manifest) and kind not in ("iid", "dirichlet")


def needed(manifest: Any) -> dict[str, record_checks.Check]:
    """Return what a federated manifest holds besides, or otherwise than, any other.

    Args:
        manifest: decides whether counts must be there: under differential privacy none are.
    """
    return {**_NEEDED, **_NEEDED_OF_PRIVATE} if is_private(manifest) else _NEEDED


def rounded_up(value: float) -> str:
    """Return a figure to three digits, never below what it is."""
    return f"{Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(value):,f}"


def loudness(ratio: float) -> str:
    """Return in words how large the noise is beside what is learned (see `dp_words.noise_ratio`)."""
    times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
    return f"norm is about {times} times the largest that the clients' mean can have"


def epsilon(manifest: Mapping[str, Any]) -> str | None:
    """Return the epsilon of a whole manifest, with its delta; None where there is none."""
    if not is_private(manifest):
        return None
    privacy = manifest[KEY]["privacy"]
    return f"{rounded_up(privacy['epsilon'])} at delta {privacy['delta']:g}"


def described(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a federated training in words: what is told, and what it says.

    Args:
        manifest: of such a training, whole.
    """
    told = manifest[KEY]
    averaged = {"fedavg": "A and B, each by itself", "ffa": "B alone; A stays as it was drawn"}
    weights = {"rows": "weighted by rows", "equal": "all clients weigh the same"}
    rates = told["learning_rates"]
    lines = [
        ("clients", f"{len(told['clients']):,}: {_some(told['clients'])}"),
        ("rows", _division(told["partition"])),
        ("rounds", _rounds(told)),
        ("answered", _answered(told)),
        ("averaged", averaged.get(told["aggregate"], "") or told["aggregate"]),
        ("weights", weights.get(told["weights"], told["weights"])),
        ("learning rate", f"{rates[0]:g} in the first round, {rates[-1]:g} in the last"),
    ]
    dropped = [
        f"{client} in round {number} ({why})"
        for number, one in enumerate(told["dropped"], 1)
        for client, why in sorted(one.items())
    ]
    if dropped:
        lines.insert(4, ("dropped out", _some(dropped, "; ")))
    return [*lines, *_privacy(told["privacy"])]


def _privacy(privacy: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if privacy is None:
        return [("privacy", "no differential privacy; the adapter may tell of single rows")]
    limit = privacy.get("max_epsilon")
    return [
        (
            "privacy",
            f"epsilon {rounded_up(privacy['epsilon'])} at delta {privacy['delta']:g}, for "
            f"{privacy['adjacency']}; {rounded_up(privacy['epsilon_replace_one'])} for one institution "
            "replaced by another" + (f"; the limit was {limit:g}" if limit is not None else ""),
        ),
        (
            "noise",
            f"multiplier {privacy['noise_multiplier']:g}, updates clipped to {privacy['clip']:g}; in each "
            f"round the noise's {loudness(privacy['noise_ratio'])}",
        ),
        (
            "accounted by",
            f"{privacy['accountant']}, over {_plural(privacy['rounds'], 'round')}; {privacy['sampling']}",
        ),
        ("trust", privacy["trust"]),
        ("assumed", "; ".join(privacy["assumptions"])),
        (NOT_TOLD, "row counts, steps, losses and the digest of the data: the noise does not cover them"),
    ]


def _division(partition: Mapping[str, Any] | None) -> str:
    """Return in words which client had which rows."""
    kind, alpha = (partition or {}).get("kind"), (partition or {}).get("alpha")
    spread = "" if alpha is None else f", alpha {alpha:g} (the smaller, the less alike)"
    words = {
        None: "each client's own, known to it alone",
        "iid": "one file, divided evenly at random",
        "dirichlet": f"one file, each label spread by a Dirichlet draw{spread}",
        "files": "a file of its own for each client",
    }
    rows = (partition or {}).get("rows") or {}
    counts = _some([f"{client} {count:,}" for client, count in sorted(rows.items())])
    return f"{words.get(kind, kind)}{'; ' if counts else ''}{counts}"


def _rounds(told: Mapping[str, Any]) -> str:
    asked = "" if told["rounds"] == told["rounds_asked"] else f" of {told['rounds_asked']:,} asked for"
    lost = f"; {told['rounds_lost']:,} lost: too few updates" if told["rounds_lost"] else ""
    return f"{told['rounds']:,}{asked}{lost}"


def _answered(told: Mapping[str, Any]) -> str:
    rounds = told["participants"]
    counts = {client: sum(client in names for names in rounds) for client in told["clients"]}
    missing = [
        f"{client} in {count:,} of {_plural(len(rounds), 'round')}"
        for client, count in counts.items()
        if count < len(rounds)
    ]
    if not missing:
        return "every client in every round"
    return _some(missing) + ("; the others in all" if len(missing) < len(counts) else "")


def compared(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what is compared of a federated training, by name; of any other, that there is none of it.

    Args:
        manifest: whole.
    """
    if not is_federated(manifest):
        return dict.fromkeys(("clients", "partition", "rounds", "answers", "aggregate", "privacy"), "none")
    told, private = manifest[KEY], manifest[KEY]["privacy"]
    kind, alpha = (told["partition"] or {}).get("kind"), (told["partition"] or {}).get("alpha")
    return {
        "clients": _in_a_cell(told["clients"]),
        "partition": f"{kind or 'own rows'}{'' if alpha is None else f' {alpha:g}'}",
        "rounds": _rounds(told),
        "answers": f"{sum(map(len, told['participants'])):,}",
        "aggregate": f"{told['aggregate']}, weights: {told['weights']}",
        "privacy": "none"
        if private is None
        else f"clip {private['clip']:g}, noise {private['noise_multiplier']:g}, delta {private['delta']:g}",
    }


def _in_a_cell(clients: Sequence[str]) -> str:
    if len(clients) <= _NAMED_IN_A_CELL:
        return ", ".join(clients)
    return f"{len(clients):,} ({sha256(' '.join(clients).encode()).hexdigest()[:12]})"


def _some(words: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(words) - _MOST_NAMED:,} more" if len(words) > _MOST_NAMED else ""
    return between.join(words[:_MOST_NAMED]) + more


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
