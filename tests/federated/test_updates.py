"""Checks of what clients send, and its mean."""

import itertools
import math
import random
import re

import numpy as np
import pytest

from finlora.federated import updates
from finlora.federated.jobs import COUNTS
from tests.federated.federation import exact_mean, same


def tensors(seed, scale=1.0):
    draw = np.random.default_rng(seed)
    return {
        "b": (scale * draw.normal(size=(3, 4))).astype(np.float32),
        "a": (scale * draw.normal(size=(5,))).astype(np.float32),
    }


def changed(name, value):
    return {**tensors(0), name: value}


A, B = tensors(0)["a"], tensors(0)["b"]
LARGE = np.float32(3e38)
UNFIT = {
    "none": ({}, r"2 tensors are missing \(a\)"),
    "one": ({"a": A}, r"1 tensors are missing \(b\)"),
    "one more": (changed("c", A), "1 are not of this adapter"),
    "another": ({"a": A, "c": B}, r"1 tensors are missing \(b\) and 1 are not of this adapter"),
    "turned": (changed("b", B.T), r"b has the shape \[4, 3\], wanted is \[3, 4\]"),
    "flat": (changed("b", B.ravel()), r"b has the shape \[12\], wanted is \[3, 4\]"),
    "a number": (changed("a", np.float32(1)), r"a has the shape \[\], wanted is \[5\]"),
    "half": (changed("a", A.astype(np.float16)), "a is float16, wanted is float32"),
    "double": (changed("a", A.astype(np.float64)), "a is float64, wanted is float32"),
    "whole numbers": (changed("a", A.astype(np.int32)), "a is int32, wanted is float32"),
    "objects": (changed("a", A.astype(object)), "a is object, wanted is float32"),
    "big-endian": (changed("a", A.astype(">f4")), "a is >f4, wanted is float32"),
    "nan": (changed("b", np.where(B[1, 1] == B, np.nan, B).astype(np.float32)), "b holds NaN or infinity"),
    "inf": (changed("b", np.where(B[2, 3] == B, np.inf, B).astype(np.float32)), "b holds NaN or infinity"),
}


def test_what_went_out_and_what_was_trained_are_fit():
    assert updates.fault(tensors(0), tensors(0)) is None
    assert updates.fault(tensors(1), tensors(0)) is None
    # Only the names count, not their order.
    assert updates.fault(dict(reversed(tensors(1).items())), tensors(0)) is None


@pytest.mark.parametrize("case", UNFIT)
def test_what_can_not_be_averaged_is_named(case):
    assert len(UNFIT) == 14
    sent, said = UNFIT[case]
    why = updates.fault(sent, tensors(0))
    assert why is not None
    assert re.fullmatch(said, why), why


def test_a_change_that_float32_can_not_hold_is_unfit():
    start, end = {"a": np.array([-LARGE])}, {"a": np.array([LARGE])}
    assert updates.fault(end, start) == "a was changed by more than float32 can hold"
    assert updates.fault(end, {"a": np.array([LARGE])}) is None


TOLD = dict.fromkeys(COUNTS, 4) | {"loss": 0.5}
UNBELIEVED = [
    ({"rows": 0}, "it counts 0 rows, and can have 1 to 10"),
    ({"rows": -1}, "it counts -1 rows, and can have 1 to 10"),
    ({"rows": 11}, "it counts 11 rows, and can have 1 to 10"),
    ({"rows": 4.0}, "it counts 4.0 rows, and can have 1 to 10"),
    ({"rows": [4]}, r"it counts [4] rows, and can have 1 to 10"),
    ({"tokens": -1}, "its count of tokens is -1"),
    ({"steps": 1.5}, "its count of steps is 1.5"),
    ({"dropped": [1]}, "its count of dropped is [1]"),
    ({"loss": math.nan}, "its loss is nan"),
    ({"loss": math.inf}, "its loss is inf"),
    ({"loss": 0.0}, "its loss is 0.0"),
    ({"loss": -0.5}, "its loss is -0.5"),
    ({"loss": 1}, "its loss is 1"),
    ({"client": 1}, "it tells what is not asked for"),
]


def test_counts_are_believed_within_reason():
    assert updates.counts_fault(TOLD, 4, ["rows", "loss"]) is None
    assert updates.counts_fault({**TOLD, "dropped": 0}, 10, ["rows", "loss"]) is None
    # At the setup rows alone are told.
    assert updates.counts_fault({"rows": 4}, 4, ["rows"]) is None
    assert (
        updates.counts_fault({"loss": 0.5}, 4, ["rows", "loss"]) == "it counts None rows, and can have 1 to 4"
    )
    assert updates.counts_fault({"rows": 4}, 4, ["rows", "loss"]) == "its loss is None"
    assert updates.counts_fault(TOLD, 4, ["rows"]) == "it tells what is not asked for"


@pytest.mark.parametrize(("change", "said"), UNBELIEVED)
def test_absurd_counts_are_named(change, said):
    assert len(UNBELIEVED) == 14
    assert updates.counts_fault({**TOLD, **change}, 10, ["rows", "loss"]) == said


def test_a_norm_is_that_of_all_tensors_as_one_vector():
    assert updates.norm({"a": np.array([3.0], np.float32), "b": np.array([[4.0]], np.float32)}) == 5.0
    assert updates.norm({"a": np.zeros(3, np.float32)}) == 0.0
    # In float32 its square would be infinite, or nothing.
    assert updates.norm({"a": np.array([LARGE])}) == pytest.approx(3e38)
    assert updates.norm({"a": np.array([1e-30], np.float32)}) == pytest.approx(1e-30)


def test_a_difference_is_what_training_changed():
    found = updates.difference({"a": A + 1, "b": B}, {"b": B, "a": A})
    assert list(found) == ["a", "b"]
    assert found["a"] == pytest.approx(np.ones(5), abs=1e-6)
    assert not found["b"].any()


# Norms of the clients, and who is left out.
NORMS = [
    ([1, 1, 1, 10], []),
    ([1, 1, 1, 10.1], [3]),
    ([1, 1000, 1, 1], [1]),
    ([1, 2, 3, 4], []),
    ([1, 1, 1, 1000, 1000], [3, 4]),
    ([1, 1000], [1]),
    ([1000, 1], [0]),
    ([1, 10], []),
    ([1], []),
    ([1e9], []),
    ([], []),
    ([0, 0, 0], []),
    # Those who changed nothing are no measure.
    ([0, 0, 0, 5], []),
    ([0, 0, 5, 5, 500], [4]),
    ([0, 1, 1000], [2]),
    ([1, 1, math.inf], [2]),
]


@pytest.mark.parametrize(("norms", "out"), NORMS)
def test_a_poisoned_update_is_over_ten_times_the_median(norms, out):
    assert len(NORMS) == 16
    found = updates.poisoned({f"c{i}": float(norm) for i, norm in enumerate(norms)})
    assert list(found) == [f"c{i}" for i in out]


def test_it_is_said_how_large_a_poisoned_update_was():
    said = updates.poisoned({"one": 1.0, "other": 2.0, "third": 123456.0})
    assert said == {"third": "its update has the norm 1.23e+05, over 10 times the median 2"}


def test_the_mean_is_weighted_with_rows_and_exact_to_float32():
    clients = {f"c{i}": tensors(i, 10.0**i) for i in range(5)}
    weights = {f"c{i}": 7 * i + 1 for i in range(5)}
    mean = updates.weighted_mean(clients, weights)
    wanted = {
        name: exact_mean([clients[c][name] for c in clients], [weights[c] for c in clients])
        for name in ("a", "b")
    }
    assert same(mean, wanted)
    assert mean["a"].dtype == np.float32
    assert mean["b"].shape == (3, 4)


def test_the_order_of_clients_and_tensors_changes_no_bit():
    clients = {f"c{i}": tensors(i, 10.0 ** (i % 4)) for i in range(9)}
    weights = {name: i + 1 for i, name in enumerate(clients)}
    first = updates.weighted_mean(clients, weights)
    for seed in range(10):
        order = random.Random(seed).sample(sorted(clients), 9)
        shuffled = {name: dict(reversed(clients[name].items())) for name in order}
        again = updates.weighted_mean(shuffled, {name: weights[name] for name in reversed(order)})
        assert same(again, first)


def test_the_mean_is_added_up_by_names():
    # These come to 1 or to 0, according to the order.
    values = {"c0": 2.0**60, "c1": 1.0, "c2": -(2.0**60)}
    for order in itertools.permutations(values):
        clients = {name: {"a": np.array([values[name]], np.float32)} for name in order}
        assert updates.weighted_mean(clients, dict.fromkeys(order, 1))["a"][0] == 0


def test_it_is_added_up_in_float64():
    # In float32 each small value is lost beside the large one, and all of them together are not small.
    values = [2.0**24, *[1.0] * 999]
    clients = {f"c{i:04d}": {"a": np.array([value], np.float32)} for i, value in enumerate(values)}
    mean = updates.weighted_mean(clients, dict.fromkeys(clients, 1))
    assert mean["a"][0] == np.float32((2**24 + 999) / 1000)
    total = np.float32(0)
    for value in values:
        total += np.float32(value)
    assert mean["a"][0] != total / np.float32(1000)


def test_the_mean_of_one_client_is_what_it_sent():
    one = tensors(3)
    assert same(updates.weighted_mean({"one": one}, {"one": 1234567}), one)


def test_the_mean_of_the_largest_numbers_is_finite():
    clients = {name: {"a": np.array([np.finfo(np.float32).max])} for name in ("one", "other")}
    assert updates.weighted_mean(clients, {"one": 10**9, "other": 10**9})["a"][0] == np.finfo(np.float32).max
