"""Rows of a round: epochs spread over rounds, no row lost or doubled by it, and rounds without a row."""

from collections import Counter
from fractions import Fraction
from itertools import chain

import pytest

from finlora.errors import UsageError
from finlora.federated.round_rows import check_enough, round_rows

# Rows, epochs, rounds.
SPREADS = [
    (7, 1, 3),
    (7, 1.0, 7),
    (12, 3, 10),
    (5, 2.0, 1),
    (1, 4, 4),
    (97, 10, 7),
    (10, 1000, 3),
    (30, 0.1, 3),
    (10, 0.7, 7),
    (9, 0.5, 4),
    (3, 1e-05, 2),
    (100, 1.1, 11),
    (1000, 0.007, 7),
    (10, 2.5, 4),
    (3, 1, 10),
    (0, 1, 3),
]


def spread(count, epochs, rounds, seed=42):
    return [round_rows(range(count), epochs, rounds, round, seed) for round in range(1, rounds + 1)]


def test_enough_spreads_are_tried():
    assert len(SPREADS) == 16


@pytest.mark.parametrize(("count", "epochs", "rounds"), SPREADS)
def test_all_rounds_together_are_the_epochs(count, epochs, rounds):
    parts = spread(count, epochs, rounds)
    trained = Counter(row for part in parts for row in part)
    exact = Fraction(str(epochs))
    assert trained.total() == count * exact // 1
    # No row is trained a second time more often than another.
    times = {trained[row] for row in range(count)}
    whole = exact // 1
    assert times <= ({whole} if exact == whole else {whole, whole + 1})
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("rounds", [1, 2, 3, 5, 17])
def test_rounds_cut_the_same_passes(rounds):
    """However many rounds there are, rows are trained in the same order."""
    assert list(chain(*spread(17, 3, rounds))) == spread(17, 3, 1)[0]


def test_a_pass_is_a_shuffle_of_its_own():
    one = spread(50, 3, 1)[0]
    passes = [one[:50], one[50:100], one[100:]]
    assert all(sorted(rows) == list(range(50)) for rows in passes)
    assert len({tuple(rows) for rows in [*passes, range(50)]}) == 4


def test_the_seed_decides():
    assert spread(50, 2, 4) == spread(50, 2, 4)
    assert spread(50, 2, 4) != spread(50, 2, 4, seed=43)


def test_a_tenth_is_a_tenth():
    """As a binary number 0.1 is a little more; 30 rows in 3 rounds would still give a row each."""
    assert [len(rows) for rows in spread(30, 0.1, 3)] == [1, 1, 1]
    # 0.7 is a little less: of 10 rows only 6 would be trained.
    assert [len(rows) for rows in spread(10, 0.7, 7)] == [1] * 7


@pytest.mark.parametrize(("count", "epochs", "rounds"), SPREADS)
def test_what_is_refused_is_a_round_without_a_row(count, epochs, rounds):
    bare = any(not rows for rows in spread(count, epochs, rounds))
    if bare:
        with pytest.raises(UsageError, match="client_1"):
            check_enough({"client_1": count, "client_2": 10**9}, epochs, rounds)
    else:
        check_enough({"client_1": count, "client_2": 10**9}, epochs, rounds)


def test_both_kinds_of_spreads_are_tried():
    bare = [any(not rows for rows in spread(*case)) for case in SPREADS]
    assert (bare.count(True), bare.count(False)) == (3, 13)


def test_clients_with_too_few_rows_are_named_with_what_helps():
    with pytest.raises(UsageError) as fault:
        check_enough({"a": 1, "b": 40, "c": 3}, 1.5, 7)
    assert str(fault.value) == (
        "7 rounds with num_epochs 1.5: some rounds would have no row to train at: a (1 row), c (3 rows)\n"
        "num_epochs counts over all rounds together. What helps: --rounds 1 or fewer; "
        "num_epochs 7 or more; fewer clients"
    )
    check_enough({"a": 1, "b": 40, "c": 3}, 1.5, 1)
    check_enough({"a": 1, "b": 40, "c": 3}, 7, 7)


@pytest.mark.parametrize(("count", "rounds", "words"), [(3, 10, "num_epochs 3.334 or more"), (7, 8, "1.143")])
def test_the_epochs_that_help_are_rounded_up(count, rounds, words):
    with pytest.raises(UsageError, match=words):
        check_enough({"a": count}, 0.1, rounds)


def test_what_does_not_help_is_not_said():
    with pytest.raises(UsageError) as fault:
        check_enough({"a": 0}, 1, 2)
    assert str(fault.value).endswith("What helps: fewer clients")


def test_many_clients_are_counted():
    with pytest.raises(UsageError, match=r"client_10 \(1 row\) and 15 more\n"):
        check_enough({f"client_{i:02}": 1 for i in range(1, 26)}, 1, 2)
