"""Client-level differential privacy: clipping, Gaussian noise, and the epsilon they give.

Each client's whole update is clipped to norm C, and noise of standard deviation Z * C / m is added to each
entry of the plain mean over all m clients. Zeroing one client out moves that mean by C / m at most: a round
is a Gaussian mechanism of noise multiplier Z, and T rounds are together exactly one of Z / sqrt(T).
Replacing a client by another moves it by twice as much, as if Z were half. What is assumed, exact Gaussian
noise above all, stands in `record`.

Source: B. Balle, Y. Wang, "Improving the Gaussian Mechanism for Differential Privacy" (2018, arXiv
1805.06530); composition: J. Dong, A. Roth, W. Su, "Gaussian Differential Privacy" (2019, arXiv 1905.02383);
floating point, which leaves the noise not quite Gaussian, so that its lowest bits may give data away: I.
Mironov, "On Significance of the Least Significant Bits For Differential Privacy" (2012).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finlora.errors import UsageError
from finlora.federated_facts import rounded_up

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

DELTA = 1e-5
"""What delta is where nobody says so."""
_LEAST, _MOST, _MOST_ROUNDS = 1e-6, 1e6, 1 << 62


@dataclass(frozen=True)
class Privacy:
    """What is asked of the noise; `check` says whether it can be had.

    Args:
        clip: C, the largest norm a client's update may have.
        noise: Z, the noise multiplier: the noise's standard deviation over the largest share of one client.
        delta: the probability with which epsilon need not hold.
        max_epsilon: no round may take epsilon above this; None for no limit.
    """

    clip: float
    noise: float
    delta: float
    max_epsilon: float | None = None


def asked(
    clip: float | None, noise: float | None, delta: float | None, max_epsilon: float | None
) -> Privacy | None:
    """Return what a command line asks for, checked; None where it asks for no privacy.

    Raises:
        UsageError: a part is missing, or `check` refuses it.
    """
    if clip is None and noise is None:
        if delta is not None or max_epsilon is not None:
            raise UsageError(
                "--dp-delta and --max-epsilon are of differential privacy: give --dp-clip and --dp-noise"
            )
        return None
    if clip is None or noise is None:
        missing = "--dp-clip" if clip is None else "--dp-noise"
        raise UsageError(f"differential privacy takes --dp-clip C and --dp-noise Z; {missing} is missing")
    privacy = Privacy(clip, noise, DELTA if delta is None else delta, max_epsilon)
    check(privacy)
    return privacy


def check(privacy: Privacy) -> None:
    """Refuse settings that mean nothing or leave no room for a single round.

    Raises:
        UsageError: every fault, with what is allowed.
    """
    noise, delta, limit = privacy.noise, privacy.delta, privacy.max_epsilon
    sizes = {"--dp-clip": privacy.clip, "--dp-noise": noise, "--max-epsilon": limit}
    # NaN is in no range.
    faults = [
        f"{option} is {value}, but takes a number from {_LEAST:f} to {_MOST:,.0f}"
        for option, value in sizes.items()
        if value is not None and not _LEAST <= value <= _MOST
    ]
    if not 0 < delta < 1:
        faults.append(f"--dp-delta is {delta}, but takes a number above 0 and below 1, such as 1e-5")
    if faults:
        raise UsageError("; ".join(faults))
    if limit is not None and not rounds_within(noise, delta, limit):
        first = rounded_up(epsilon(noise, 1, delta))
        raise UsageError(
            f"one round with --dp-noise {noise:g} has epsilon {first} already, above "
            f"--max-epsilon {limit:g}: give more --dp-noise or a larger --max-epsilon"
        )


def epsilon(noise: float, rounds: int, delta: float) -> float:
    """Return the exact epsilon of so many rounds, one institution present against zeroed out.

    For one institution replaced by another, pass half the noise.

    Args:
        noise: noise multiplier.
        rounds: rounds whose adapters anybody has seen.
        delta: probability, above 0 and below 1.

    Source: Balle & Wang 2018, theorem 8, solved for epsilon by bisection.
    """
    mu, target = math.sqrt(rounds) / noise, math.log(delta)
    # The unknown is epsilon / mu - mu / 2, which keeps its digits where epsilon is huge. It begins where
    # epsilon is 0; beyond 40 no float is as small as delta.
    low, high = -mu / 2, 40.0
    if _log_delta(low, mu) <= target:
        return 0.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if _log_delta(middle, mu) <= target else (middle, high)
    return mu * (high + mu / 2)


def _log_delta(a: float, mu: float) -> float:
    """Return log(Phi(-a) - e^epsilon Phi(-a - mu)) with a = epsilon / mu - mu / 2."""
    # e^epsilon overflows, but e^epsilon phi(b) is phi(a): both terms are phi(a) times a Mills ratio.
    b = a + mu
    log_density = -a * a / 2 - math.log(2 * math.pi) / 2
    if a >= 0:
        difference, scale = _mills(a) - _mills(b), log_density
    else:
        difference, scale = math.erfc(a / math.sqrt(2)) / 2 - math.exp(log_density) * _mills(b), 0.0
    return scale + math.log(difference) if difference > 0 else -math.inf


def _mills(x: float) -> float:
    """Return Phi(-x) / phi(x) for x >= 0, to 14 digits.

    Source: above 5 Laplace's continued fraction, Abramowitz & Stegun 26.2.14.
    """
    if x < 5:
        return math.sqrt(math.pi / 2) * math.exp(x * x / 2) * math.erfc(x / math.sqrt(2))
    fraction = x
    for k in range(20, 0, -1):
        fraction = x + k / fraction
    return 1 / fraction


def rounds_within(noise: float, delta: float, max_epsilon: float) -> int:
    """Return how many rounds keep epsilon at or below a limit; 0 when the first is too many."""
    return bisect_right(range(1, _MOST_ROUNDS), max_epsilon, key=lambda rounds: epsilon(noise, rounds, delta))


def clip(update: "Tensors", bound: float) -> "dict[str, np.ndarray[Any, Any]]":
    """Scale an update, all tensors as one vector, to a norm of at most the bound.

    Args:
        update: the client's tensors less the global ones, by name.
        bound: C.

    Returns:
        float32 tensors; those of an update within the bound are as they were.

    Raises:
        ValueError: a value is no number, or infinite. Callers refuse such clients before.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        tensors = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in update.items()}
    norm = math.sqrt(sum(float(np.sum(np.square(tensor, dtype=np.float64))) for tensor in tensors.values()))
    if not math.isfinite(norm):
        raise ValueError("an update that is not finite can't be clipped")
    if norm <= bound:
        return tensors
    # Rounding to float32 adds up to 2^-24 of each entry, which must not take the norm over the bound.
    factor = bound / norm * (1 - 2.0**-23)
    return {name: (tensor.astype(np.float64) * factor).astype(np.float32) for name, tensor in tensors.items()}


def noisy_mean(
    updates: "Mapping[str, Tensors]", privacy: Privacy, rng: "np.random.Generator | None" = None
) -> "dict[str, np.ndarray[Any, Any]]":
    """Return what a round may publish: the plain mean of the clipped updates, and the noise.

    Every update is clipped here, whatever its client has done: the noise fits no other.

    Args:
        updates: of every client, by its name; the clients are the same in every round.
        privacy: C and Z.
        rng: for tests alone.

    Returns:
        float64 tensors by name.

    Raises:
        ValueError: no update, updates of different tensors, or one that is not finite.
    """
    import numpy as np

    # Never the run's seed: it stands in the manifest, and whoever can draw the noise again can take it away.
    rng = rng or np.random.default_rng()
    shapes = [{name: np.shape(tensor) for name, tensor in update.items()} for update in updates.values()]
    if not shapes or any(other != shapes[0] for other in shapes):
        raise ValueError("a mean takes updates of equal tensors, and one at least")
    total: dict[str, np.ndarray[Any, Any]] = {}
    for client in sorted(updates):
        for name, tensor in clip(updates[client], privacy.clip).items():
            total[name] = total.get(name, 0.0) + tensor.astype(np.float64)
    m = len(updates)
    spread = privacy.noise * privacy.clip / m
    return {name: total[name] / m + rng.normal(0.0, spread, total[name].shape) for name in sorted(total)}
