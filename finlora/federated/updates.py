"""What clients send after a round: checked before it counts, then averaged. Pure."""

import math
import statistics
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from finlora.federated.jobs import COUNTS

Tensors = dict[str, npt.NDArray[np.float32]]
"""The tensors of an adapter by their names; float32, as they travel."""

POISONED = 10.0
"""An update is left out when its norm is over so many times the median of its round."""

MOST_ROWS = 10**9
"""More rows than any institution has: who counts more wants to outweigh all others."""


def fault(
    tensors: Mapping[str, npt.NDArray[np.float32]], like: Mapping[str, npt.NDArray[np.float32]]
) -> str | None:
    """Return why tensors can't be averaged with others, in words, or None.

    Args:
        tensors: what a client sent.
        like: what was sent to it: the same names, shapes and float32 are wanted back.
    """
    if tensors.keys() != like.keys():
        missing, more = sorted(like.keys() - tensors.keys()), sorted(tensors.keys() - like.keys())
        parts = [f"{len(missing)} tensors are missing ({missing[0]})"] if missing else []
        parts += [f"{len(more)} are not of this adapter"] if more else []
        return " and ".join(parts)
    for name in sorted(like):
        if tensors[name].shape != like[name].shape:
            return f"{name} has the shape {list(tensors[name].shape)}, wanted is {list(like[name].shape)}"
        if tensors[name].dtype != np.float32:
            return f"{name} is {tensors[name].dtype}, wanted is float32"
        if not np.isfinite(tensors[name]).all():
            return f"{name} holds NaN or infinity"
        with np.errstate(over="ignore"):
            if not np.isfinite(tensors[name] - like[name]).all():
                return f"{name} was changed by more than float32 can hold"
    return None


def counts_fault(counts: Mapping[str, object], most: int, names: Collection[str]) -> str | None:
    """Return why what a client counts can't be believed, in words, or None.

    Args:
        counts: what it sent besides tensors: any values of any names.
        most: rows it can have.
        names: what it has to tell; it may tell any of COUNTS.
    """
    if counts.keys() - {*COUNTS, *names}:
        return "it tells what is not asked for"
    rows, loss = counts.get("rows"), counts.get("loss")
    if not _whole(rows, 1, most):
        return f"it counts {rows} rows, and can have 1 to {most}"
    for name in COUNTS:
        if name in counts and not _whole(counts[name], 0):
            return f"its count of {name} is {counts[name]}"
    if "loss" in names and not (isinstance(loss, float) and 0 < loss < math.inf):
        return f"its loss is {loss}"
    return None


def _whole(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and least <= value <= most


def difference(tensors: Tensors, start: Tensors) -> Tensors:
    """Return what training changed: tensors minus those it started from."""
    return {name: tensors[name] - start[name] for name in sorted(start)}


def norm(update: Mapping[str, npt.NDArray[np.float32]]) -> float:
    """Return the Euclidean norm of all tensors as one vector, in float64."""
    return math.sqrt(sum(float(np.sum(np.square(t, dtype=np.float64))) for t in update.values()))


def poisoned(norms: Mapping[str, float]) -> dict[str, str]:
    """Return the clients whose update is far too large beside the others', and why, in words.

    Args:
        norms: norm of each client's update.
    """
    # Who changed nothing at all is no measure: beside a median of 0, every other update would be too large.
    moved = [size for size in norms.values() if size > 0]
    if len(moved) < 2:
        return {}
    # Of two, the smaller one is the measure: their mean would let the larger one set it.
    middle = (statistics.median_low if len(moved) == 2 else statistics.median)(moved)
    return {
        name: f"its update has the norm {size:.3g}, over {POISONED:g} times the median {middle:.3g}"
        for name, size in sorted(norms.items())
        if size > POISONED * middle
    }


def weighted_mean(clients: Mapping[str, Tensors], weights: Mapping[str, int]) -> Tensors:
    """Return the mean of the clients' tensors, each weighted with its rows.

    Summed in float64, client by client in the order of their names, and cast to float32 once: the order
    in which replies come changes nothing.

    Args:
        clients: tensors of each client, of equal names and shapes.
        weights: rows each was trained on.

    Source: McMahan et al. 2017 (FedAvg, arXiv 1602.05629), algorithm 1.
    """
    names = sorted(clients)
    total = sum(weights[name] for name in names)
    mean: Tensors = {}
    for tensor in sorted(clients[names[0]]):
        summed = np.zeros(clients[names[0]][tensor].shape, np.float64)
        for name in names:
            summed += clients[name][tensor].astype(np.float64) * weights[name]
        mean[tensor] = (summed / total).astype(np.float32)
    return mean
