"""Privacy of whole clients: epsilon against a published accountant, clipping and noise as promised."""

import json
import math
import subprocess
import sys
from itertools import pairwise, product

import mpmath
import numpy as np
import pytest

from finlora.errors import UsageError
from finlora.federated import dp, dp_words

# noise, rounds, delta; lower and upper bound by privacy loss distributions; bound by Rényi divergence.
# Source: dp-accounting 0.6.0, `from_gaussian_mechanism(noise).self_compose(rounds)`, optimistic (without
# connect_dots) and pessimistic, value_discretization_interval 1e-4 (below 100 rounds) or 0.002 (10,000:
# 0.01) over the rounds; `RdpAccountant`. At delta 1e-12 without composing, which drops a mass of 1e-15.
PUBLISHED = (
    (0.25, 10, 1e-5, 133.085776, 133.086276, 138.688370),
    (0.5, 10, 1e-5, 46.210710, 46.211210, 48.801693),
    (1, 10, 1e-5, 17.856087, 17.856587, 19.053598),
    (2, 10, 1e-5, 7.510776, 7.511276, 8.079406),
    (4, 10, 1e-5, 3.340909, 3.341410, 3.617100),
    (8, 10, 1e-5, 1.534180, 1.534680, 1.671218),
    (0.3, 1, 1e-6, 20.781172, 20.781222, 21.977543),
    (1, 1, 1e-5, 4.377128, 4.377178, 4.728507),
    (0.8, 1, 1e-12, 9.238696, 9.238741, 9.586578),
    (5, 1, 1e-9, 1.103990, 1.104040, 1.163411),
    (50, 1, 1e-3, 0.025182, 0.025232, 0.033944),
    (3, 25, 0.1, 2.801341, 2.802591, 3.688810),
    (1, 100, 1e-6, 96.716272, 96.717274, 100.721479),
    (10, 100, 1e-6, 4.885554, 4.886554, 5.221540),
    (30, 1000, 1e-5, 4.651985, 4.653117, 5.023950),
    (20, 1000, 1e-10, 10.906953, 10.908085, 11.375431),
    (100, 10_000, 1e-5, 4.372178, 4.380184, 4.728507),
    (10, 10_000, 1e-8, 105.322324, 105.605147, 108.936966),
)
# Llama 3.1 8B with r = 8 on q, k and v: both factors, and B alone.
BOTH, ONLY_B = 4_718_592, 1_572_864
SOUND = dp.Privacy(clip=1.0, noise=2.0, delta=1e-5)


def exact_delta(epsilon, noise, rounds):
    """Return delta by the theorem as it is printed, with 120 digits."""
    with mpmath.workdps(120):
        mu = mpmath.sqrt(rounds) / mpmath.mpf(noise)
        near, far = mpmath.mpf(epsilon) / mu - mu / 2, mpmath.mpf(epsilon) / mu + mu / 2
        half = [mpmath.erfc(x / mpmath.sqrt(2)) / 2 for x in (near, far)]
        return float(half[0] - mpmath.exp(mpmath.mpf(epsilon)) * half[1])


def norm(update):
    """Return the norm of float32 tensors, summed exactly."""
    return math.sqrt(math.fsum(float(x) ** 2 for tensor in update.values() for x in tensor.flat))


def drawn(seed, sizes=((7, 3), (5,), (2, 2, 2)), scale=1.0):
    rng = np.random.default_rng(seed)
    return {f"t{i}": rng.normal(0, scale, size).astype(np.float32) for i, size in enumerate(sizes)}


@pytest.mark.parametrize(("noise", "rounds", "delta", "lower", "upper", "renyi"), PUBLISHED)
def test_epsilon_is_a_published_accountants(noise, rounds, delta, lower, upper, renyi):
    epsilon = dp.epsilon(noise, rounds, delta)
    assert lower <= epsilon <= upper + 1e-6
    assert epsilon < renyi


def test_the_accountants_bounds_are_narrow():
    assert len(PUBLISHED) == 18
    assert sum(upper - lower < 0.002 for *_, lower, upper, _ in PUBLISHED) == 16


def test_one_client_replaced_by_another_counts_as_half_the_noise():
    # Ten rounds at delta 1e-5; both columns of each row are the accountant's.
    by_noise = {
        noise: upper for noise, rounds, delta, _, upper, _ in PUBLISHED if (rounds, delta) == (10, 1e-5)
    }
    assert len(by_noise) == 6
    for noise in (0.5, 1, 2, 4, 8):
        record = dp_words.record(dp.Privacy(1, noise, 1e-5), 10, 1000, 4)
        assert record["epsilon"] == pytest.approx(by_noise[noise], abs=1e-5)
        assert record["epsilon_replace_one"] == pytest.approx(by_noise[noise / 2], abs=1e-5)


def test_the_theorem_gives_delta_back():
    cases = 0
    for noise, rounds, delta in product(
        (1e-6, 1e-3, 0.1, 0.5, 1, 3, 30, 1e3, 1e6), (1, 10, 137, 10_000), (1e-300, 1e-12, 1e-5, 0.3, 0.999)
    ):
        epsilon = dp.epsilon(noise, rounds, delta)
        assert 0 <= epsilon < math.inf
        if epsilon:
            assert exact_delta(epsilon, noise, rounds) == pytest.approx(delta, rel=2e-6, abs=0)
            cases += 1
        else:
            assert exact_delta(0, noise, rounds) <= delta
    assert cases == 146


def test_epsilon_falls_with_noise_and_delta_and_grows_with_rounds():
    for series in (
        [dp.epsilon(noise, 10, 1e-5) for noise in (1e3, 100, 30, 10, 3, 1, 0.3, 0.1, 0.01, 1e-4)],
        [dp.epsilon(3, rounds, 1e-5) for rounds in (0, 1, 2, 3, 10, 11, 100, 1000, 9999, 10_000)],
        [dp.epsilon(3, 10, delta) for delta in (0.3, 0.1, 1e-2, 1e-5, 1e-6, 1e-12, 1e-100, 1e-300)],
    ):
        assert series[0] >= 0
        assert all(smaller < larger for smaller, larger in pairwise(series))


def test_no_rounds_cost_nothing():
    assert dp.epsilon(1, 0, 1e-5) == 0


def test_rounds_within_stops_at_the_last_round_that_fits():
    found = []
    for noise, delta, limit in product((0.5, 1, 4, 20), (1e-6, 1e-3), (0.5, 1, 8, 50)):
        rounds = dp.rounds_within(noise, delta, limit)
        assert dp.epsilon(noise, rounds, delta) <= limit < dp.epsilon(noise, rounds + 1, delta)
        found.append(rounds)
    assert len(found) == 32
    assert {0, 1} < set(found)
    assert max(found) > 1000


def test_a_limit_met_exactly_is_kept():
    assert dp.rounds_within(2, 1e-5, dp.epsilon(2, 7, 1e-5)) == 7


def test_many_rounds_within_a_wide_limit_are_found_too():
    assert dp.rounds_within(1e6, 1e-5, 1e6) > 10**18


@pytest.mark.parametrize(
    ("parameters", "clients", "ratio"),
    [(BOTH, 4, 543), (ONLY_B, 4, 314), (BOTH, 100, 22)],
)
def test_the_noise_is_hundreds_of_updates_large(parameters, clients, ratio):
    assert round(dp_words.noise_ratio(1, parameters, clients)) == ratio


def test_the_ratio_is_that_of_drawn_noise():
    zeros = {name: {"t": np.zeros(40_000, np.float32)} for name in "abcd"}
    noise = dp.noisy_mean(zeros, dp.Privacy(clip=3.0, noise=1.5, delta=1e-5), np.random.default_rng(1))
    assert np.linalg.norm(noise["t"]) / 3.0 == pytest.approx(dp_words.noise_ratio(1.5, 40_000, 4), rel=0.02)


def test_advice_says_what_it_buys_and_that_the_adapter_will_be_useless():
    lines = dp_words.advice(dp.Privacy(1, 1, 1e-5), 10, BOTH, 4)
    again = dp_words.advice(dp.Privacy(1, 1, 1e-5), 10, BOTH, 4, frozen_a=True)
    # What is done already is no advice.
    assert "--aggregate ffa, " in lines[-1]
    assert again == [line.replace("--aggregate ffa, ", "") for line in lines]
    assert lines[0] == "epsilon 17.9 after 10 rounds, at delta 1e-05: for " + dp_words.ADJACENCY
    assert lines[1] == "epsilon 46.3 for one institution replaced by another"
    assert lines[2].startswith("the server is trusted")
    assert "about 543 times" in lines[3]
    weak, useless = lines[4:]
    assert weak.startswith("Warning: epsilon above 10 is weak")
    assert useless.startswith("Warning: the adapter will be useless")
    assert "more clients (about 218 bring" in useless
    assert "--aggregate ffa, a lower lora_r, fewer target modules" in useless


def test_as_many_clients_as_advised_are_enough():
    assert dp_words.noise_ratio(1, BOTH, 217) > dp_words.LOUD_RATIO >= dp_words.noise_ratio(1, BOTH, 218)


def test_advice_does_not_warn_of_sound_settings():
    lines = dp_words.advice(dp.Privacy(1, 8, 1e-5), 1, 100, 100)
    assert len(lines) == 4
    assert lines[0].startswith("epsilon 0.435 after 1 round, at")
    assert "about 0.8 times" in lines[3]


def test_advice_counts_the_rounds_that_the_limit_allows():
    lines = dp_words.advice(dp.Privacy(1, 1, 1e-5, max_epsilon=8), 10, 100, 4)
    assert lines[0] == "--max-epsilon 8 ends the run after 2 of 10 rounds"
    assert lines[1].startswith("epsilon 6.58 after 2 rounds")
    unlimited = dp_words.advice(dp.Privacy(1, 1, 1e-5, max_epsilon=18), 10, 100, 4)
    assert unlimited[0].startswith("epsilon 17.9 after 10 rounds")


def test_advice_warns_of_a_delta_that_promises_nothing():
    lines = dp_words.advice(dp.Privacy(1, 8, 0.05), 1, 100, 10)
    assert lines[-1].startswith("Warning: with probability 0.05 epsilon need not hold; for 10 clients")


def test_no_figure_is_rounded_down():
    for epsilon in (17.801, 0.0123401, 133.01, 5e15 + 1):
        shown = dp.rounded_up(epsilon).replace(",", "")
        assert epsilon <= float(shown) <= epsilon * 1.01


@pytest.mark.parametrize(
    ("change", "option"),
    [
        *[({"clip": value}, "--dp-clip") for value in (0.0, -1.0, math.nan, math.inf, 1e-7, 1e7)],
        *[({"noise": value}, "--dp-noise") for value in (0.0, -1.0, math.nan, math.inf, 1e-7, 1e7)],
        *[({"delta": value}, "--dp-delta") for value in (0.0, 1.0, -1e-5, math.nan, math.inf)],
        *[({"max_epsilon": value}, "--max-epsilon") for value in (0.0, -8.0, math.nan, math.inf)],
    ],
)
def test_settings_that_mean_nothing_are_refused(change, option):
    with pytest.raises(UsageError, match=rf"^{option} is \S+, but takes a number (from|above)"):
        dp.check(dp.Privacy(**{"clip": 1.0, "noise": 2.0, "delta": 1e-5, "max_epsilon": 8.0} | change))


def test_all_faults_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        dp.check(dp.Privacy(0, 0, 0, 0))
    assert str(caught.value).count("but takes a number") == 4


def test_a_limit_that_the_first_round_breaks_is_refused():
    with pytest.raises(UsageError, match=r"one round with --dp-noise 0\.5 has epsilon 10\.0 already"):
        dp.check(dp.Privacy(1, 0.5, 1e-5, max_epsilon=8))


@pytest.mark.parametrize("limit", [None, 8.0])
def test_sound_settings_pass(limit):
    dp.check(dp.Privacy(1, 2, 1e-5, limit))
    dp.check(dp.Privacy(1e-6, 1e6, 1e-300, limit))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bound", [1e-6, 0.1, 1.0, 7.3])
def test_a_clipped_update_is_never_above_the_bound(seed, bound):
    update = drawn(seed, scale=10.0 ** (seed % 7 - 2))
    before = norm(update)
    clipped = dp.clip(update, bound)
    assert {tensor.dtype for tensor in clipped.values()} == {np.dtype(np.float32)}
    assert norm(clipped) <= bound
    assert norm(clipped) == pytest.approx(min(before, bound), rel=1e-6)
    for name, tensor in update.items():
        np.testing.assert_allclose(clipped[name], tensor * min(1, bound / before), rtol=1e-6)


def test_entries_that_all_round_up_stay_below_the_bound():
    # Every entry lies just above the middle of two floats, so that plain rounding would raise the norm.
    bound = float(np.float64(1.0 + 0.6 * 2**-23) * math.sqrt(10_000))
    clipped = dp.clip({"t": np.full(10_000, 5.0, np.float32)}, bound)
    assert float(np.float32(1.0 + 0.6 * 2**-23)) * 100 > bound
    assert norm(clipped) <= bound


def test_a_large_update_is_clipped_as_one_vector():
    update = {"small": np.full(1_000_000, 1e-3, np.float32), "large": np.full(9, 100.0, np.float32)}
    clipped = dp.clip(update, 2.0)
    assert norm(clipped) <= 2.0
    assert clipped["large"][0] / clipped["small"][0] == pytest.approx(1e5, rel=1e-5)


def test_an_update_within_the_bound_stays_bit_for_bit():
    update = drawn(3)
    for tensor, clipped in zip(update.values(), dp.clip(update, 1e3).values(), strict=True):
        np.testing.assert_array_equal(tensor, clipped)


def test_a_zero_update_stays_zero():
    clipped = dp.clip({"t": np.zeros((3, 2), np.float32)}, 1.0)
    np.testing.assert_array_equal(clipped["t"], np.zeros((3, 2), np.float32))


def test_huge_values_are_clipped_too():
    clipped = dp.clip({"t": np.full(100, 3e38, np.float32)}, 1.0)
    assert norm(clipped) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_not_finite_is_not_clipped(value):
    update = {"a": np.zeros(3, np.float32), "b": np.array([0.0, value])}
    with pytest.raises(ValueError, match="not finite"):
        dp.clip(update, 1.0)
    with pytest.raises(ValueError, match="not finite"):
        dp.noisy_mean({"good": drawn(1, ((3,),)), "bad": {"t0": np.array([0, value, 0])}}, SOUND)


def test_without_noise_to_speak_of_it_is_the_plain_mean_of_clipped_updates():
    updates = {name: drawn(seed, scale=10.0 ** (seed - 2)) for seed, name in enumerate("abcde")}
    mean = dp.noisy_mean(updates, dp.Privacy(clip=1.0, noise=1e-6, delta=1e-5))
    clipped = [dp.clip(update, 1.0) for update in updates.values()]
    assert sum(norm(update) < 0.9 for update in clipped) == 2
    for name, tensor in mean.items():
        assert tensor.dtype == np.float64
        np.testing.assert_allclose(
            tensor, np.mean([update[name].astype(np.float64) for update in clipped], axis=0), atol=2e-6
        )


def test_the_order_of_clients_and_tensors_changes_nothing():
    # Summed from the other end, the small ones are lost in 0.05.
    updates = {
        client: {name: np.full(50, value, np.float32) for name in ("t0", "t1")}
        for client, value in (("a", 0.05), ("b", -0.05), ("c", 2.0**-60))
    }
    turned = {name: dict(reversed(update.items())) for name, update in reversed(updates.items())}
    privacy = dp.Privacy(clip=1.0, noise=1e-6, delta=1e-5)
    first, second = (dp.noisy_mean(u, privacy, np.random.default_rng(5)) for u in (updates, turned))
    assert list(first) == list(second) == ["t0", "t1"]
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize(("clip", "noise", "clients"), [(1.0, 1.0, 4), (0.2, 5.0, 10), (30.0, 0.1, 2)])
def test_the_noise_is_gaussian_of_the_promised_size(clip, noise, clients):
    n = 200_000
    zeros = {f"c{i}": {"a": np.zeros((n // 2, 2)), "b": np.zeros(n)} for i in range(clients)}
    drawn_noise = dp.noisy_mean(zeros, dp.Privacy(clip, noise, 1e-5), np.random.default_rng(11))
    sd = noise * clip / clients
    for tensor in drawn_noise.values():
        assert abs(tensor.mean()) < 5 * sd / math.sqrt(n)
        assert tensor.std() == pytest.approx(sd, rel=5 / math.sqrt(2 * n))
        # Shares beyond 1, 2 and 3 standard deviations.
        for k in (1, 2, 3):
            share = math.erfc(k / math.sqrt(2))
            assert np.mean(np.abs(tensor) > k * sd) == pytest.approx(share, abs=5 * math.sqrt(share / n))
    together = np.corrcoef(drawn_noise["a"].ravel(), drawn_noise["b"])[0, 1]
    assert abs(together) < 5 / math.sqrt(n)


@pytest.mark.parametrize("scale", [0.001, 1.0, 1e6])
def test_no_client_moves_the_mean_by_more_than_its_share(scale):
    updates = {name: drawn(seed) for seed, name in enumerate("abcd")}
    means = [
        dp.noisy_mean({**updates, "b": theirs}, SOUND, np.random.default_rng(5))
        for theirs in (drawn(9, scale=scale), {k: 0 * v for k, v in drawn(9).items()}, drawn(10, scale=scale))
    ]
    zeroed, replaced = (
        math.sqrt(sum(np.sum(np.square(means[0][k] - means[other][k])) for k in means[0])) for other in (1, 2)
    )
    assert 0 < zeroed <= SOUND.clip / 4 * (1 + 1e-9)
    assert 0 < replaced <= 2 * SOUND.clip / 4 * (1 + 1e-9)


def test_noise_is_never_drawn_twice_whatever_numpys_seed():
    updates = {name: drawn(seed) for seed, name in enumerate("abcd")}
    means = []
    for _ in range(2):
        np.random.seed(7)
        means.append(dp.noisy_mean(updates, SOUND))
    for name in updates["a"]:
        assert not np.any(means[0][name] == means[1][name])


@pytest.mark.parametrize(
    "updates",
    [
        {},
        {"a": drawn(1), "b": drawn(1, ((7, 3), (5,)))},
        {"a": drawn(1), "b": drawn(1, ((3, 7), (5,), (2, 2, 2)))},
    ],
)
def test_updates_of_different_tensors_have_no_mean(updates):
    with pytest.raises(ValueError, match="equal tensors, and one at least"):
        dp.noisy_mean(updates, SOUND)


def test_updates_are_left_as_they_are():
    updates = {name: drawn(seed) for seed, name in enumerate("ab")}
    dp.noisy_mean(updates, SOUND)
    for seed, name in enumerate("ab"):
        for tensor, before in zip(updates[name].values(), drawn(seed).values(), strict=True):
            np.testing.assert_array_equal(tensor, before)


def test_the_record_holds_epsilon_and_all_it_assumes():
    record = json.loads(json.dumps(dp_words.record(dp.Privacy(0.5, 2, 1e-5, 8), 10, BOTH, 4)))
    assert record.pop("epsilon") == dp.epsilon(2, 10, 1e-5)
    assert record.pop("epsilon_replace_one") == dp.epsilon(1, 10, 1e-5)
    assert record.pop("noise_ratio") == dp_words.noise_ratio(2, BOTH, 4)
    assert record.pop("assumptions") == list(dp_words.ASSUMPTIONS)
    assert "floating point" in dp_words.ASSUMPTIONS[0]
    assert record.pop("trust").startswith("the server is trusted")
    assert record == {
        "delta": 1e-5,
        "noise_multiplier": 2,
        "clip": 0.5,
        "rounds": 10,
        "adjacency": "one whole institution present or zeroed out",
        "accountant": "exact Gaussian, Balle & Wang 2018",
        "sampling": "every client in every round, no amplification claimed",
        "clients": 4,
        "parameters": BOTH,
    }


def test_before_the_first_round_nothing_is_spent():
    record = dp_words.record(SOUND, 0, BOTH, 4)
    assert (record["epsilon"], record["epsilon_replace_one"], record["rounds"]) == (0, 0, 0)


def test_the_figures_need_no_numpy():
    code = (
        "import sys; from finlora.federated import dp, dp_words; p = dp.Privacy(1, 2, 1e-5, 20); dp.check(p);"
        "dp_words.advice(p, 10, 1000, 4); dp_words.record(p, 10, 1000, 4);"
        "print(sorted({'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
