"""What differential privacy buys and costs, in words: before the start, and in the manifest."""

import math
from typing import Any

from finlora.federated.dp import Privacy, epsilon, rounds_within
from finlora.federated_facts import loudness, rounded_up

ACCOUNTANT = "exact Gaussian, Balle & Wang 2018"
ADJACENCY = "one whole institution present or zeroed out"
SAMPLING = "every client in every round, no amplification claimed"
TRUST = (
    "the server is trusted, for it sees every client's update before the noise; epsilon holds against all "
    "who see the adapters, of every round or the last"
)
ASSUMPTIONS = (
    "the noise is computed in floating point and so not exactly Gaussian (Mironov 2012); epsilon is that of "
    "exact noise",
    "the noise comes from NumPy's generator, seeded by the operating system, not from a cryptographic one",
    "no losses and no row counts are published; how long rounds took and who dropped out is, and is not "
    "covered",
)
WEAK_EPSILON, LOUD_RATIO = 10, 10
"""An epsilon above the first is called weak; noise of more than the second times the update, useless."""


def noise_ratio(noise: float, parameters: int, clients: int) -> float:
    """Return the norm to expect of a round's noise over the largest norm a mean of clipped updates may have.

    Args:
        noise: noise multiplier.
        parameters: entries of one client's update, all tensors together.
        clients: m.
    """
    return noise * math.sqrt(parameters) / clients


def advice(
    privacy: Privacy, rounds: int, parameters: int, clients: int, *, frozen_a: bool = False
) -> list[str]:
    """Say what these settings buy and cost, to be shown before anything is trained.

    Args:
        privacy: settings that `check` let pass.
        rounds: rounds asked for.
        parameters: entries of one client's update.
        clients: m.
        frozen_a: whether B alone is trained already.

    Returns:
        Lines; those that start with "Warning:" ask for another decision.
    """
    lines = []
    if privacy.max_epsilon is not None:
        possible = rounds_within(privacy.noise, privacy.delta, privacy.max_epsilon)
        if possible < rounds:
            lines = [
                f"--max-epsilon {privacy.max_epsilon:g} ends the run after {possible} of {rounds} rounds"
            ]
            rounds = possible
    facts = record(privacy, rounds, parameters, clients)
    spent, ratio = facts["epsilon"], facts["noise_ratio"]
    after = "1 round" if rounds == 1 else f"{rounds:,} rounds"
    lines += [
        f"epsilon {rounded_up(spent)} after {after}, at delta {privacy.delta:g}: for {ADJACENCY}",
        f"epsilon {rounded_up(facts['epsilon_replace_one'])} for one institution replaced by another",
        TRUST,
        f"noise: in each round its {loudness(ratio)}",
    ]
    return [*lines, *_warnings(privacy, spent, ratio, clients, frozen_a)]


def _warnings(privacy: Privacy, spent: float, ratio: float, clients: int, frozen_a: bool) -> list[str]:
    lines = []
    if spent > WEAK_EPSILON:
        lines.append(f"Warning: epsilon above {WEAK_EPSILON} is weak; more --dp-noise makes it stronger")
    if privacy.delta * clients > 0.1:
        lines.append(
            f"Warning: with probability {privacy.delta:g} epsilon need not hold; for {clients} clients take "
            f"a --dp-delta far below {1 / clients:.2g}, such as 1e-5"
        )
    if ratio > LOUD_RATIO:
        enough = math.ceil(ratio * clients / LOUD_RATIO)
        lines.append(
            "Warning: the adapter will be useless: noise drowns what the clients learned. What would help: "
            f"more clients (about {enough:,} bring it to {LOUD_RATIO} times), fewer trained parameters "
            f"({'' if frozen_a else '--aggregate ffa, '}a lower lora_r, fewer target modules). "
            "Less --dp-noise helps and costs epsilon"
        )
    return lines


def record(privacy: Privacy, rounds_done: int, parameters: int, clients: int) -> dict[str, Any]:
    """Return what the manifest says of the privacy.

    Args:
        privacy: the settings.
        rounds_done: how often a noisy mean left the server, those of an interrupted run included.
        parameters: entries of one client's update.
        clients: m.
    """
    return {
        "epsilon": epsilon(privacy.noise, rounds_done, privacy.delta),
        "delta": privacy.delta,
        "noise_multiplier": privacy.noise,
        "clip": privacy.clip,
        "rounds": rounds_done,
        "adjacency": ADJACENCY,
        "epsilon_replace_one": epsilon(privacy.noise / 2, rounds_done, privacy.delta),
        "accountant": ACCOUNTANT,
        "sampling": SAMPLING,
        "trust": TRUST,
        "assumptions": list(ASSUMPTIONS),
        "clients": clients,
        "parameters": parameters,
        "noise_ratio": noise_ratio(privacy.noise, parameters, clients),
    }
