"""Batches by tokens, and rows that leave a batch when they are done. The model is a real, tiny one."""

from typing import Any

import pytest
import torch
from tiny import make_tiny_base
from transformers import AutoModelForCausalLM

from finlora import decoding

WIDTH = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = make_tiny_base(tmp_path_factory.mktemp("base"))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def decoded(
    model: Any, ids: Any, stop: set[int], most: int = 12, seen: list[int] | None = None
) -> list[list[int]]:
    def choose(logits: Any, rows: list[int]) -> Any:
        if seen is not None:
            seen.append(len(rows))
        return logits.argmax(-1)

    with torch.inference_mode():
        return decoding.decode(model, ids, torch.ones_like(ids), 0, None, stop, most, choose)


def prompts(count: int) -> Any:
    return torch.randint(20, 200, (count, WIDTH), generator=torch.Generator().manual_seed(3))


def test_a_row_that_is_done_takes_no_further_time(model: Any) -> None:
    ids = prompts(5)
    free = decoded(model, ids, set())
    assert [len(row) for row in free] == [12] * 5
    stop = {free[0][2], free[1][7]}
    expected = []
    for row in free:
        end = next((i for i, token in enumerate(row) if token in stop), 11)
        expected.append(row[: end + 1])
    assert len({len(row) for row in expected}) > 1
    seen: list[int] = []
    assert decoded(model, ids, stop, seen=seen) == expected
    assert seen == [sum(len(row) > step for row in expected) for step in range(max(map(len, expected)))]


def test_a_batch_in_which_all_are_done_ends(model: Any) -> None:
    ids = prompts(2)
    firsts = {row[0] for row in decoded(model, ids, set(), most=1)}
    seen: list[int] = []
    assert [len(row) for row in decoded(model, ids, firsts, seen=seen)] == [1, 1]
    assert seen == [2]


def test_draws_of_a_row_do_not_depend_on_its_neighbours() -> None:
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))
    together = decoding.chooser(1.0, 7, [3, 0, 2, 1], "cpu")
    rows = [together(logits, [0, 1, 2, 3]).tolist(), together(logits[[1, 3]], [1, 3]).tolist()]
    alone = decoding.chooser(1.0, 7, [0], "cpu")
    assert rows[0][1] == int(alone(logits[[1]], [0]))
    assert rows[1][0] == int(alone(logits[[1]], [0]))
    assert len(set(rows[0])) > 1


@pytest.mark.parametrize(
    ("lengths", "room", "tokens", "expected"),
    [
        ([], 5, 100, []),
        ([10, 10, 10, 10], 5, 30, [[0, 1], [2, 3]]),
        ([10, 10, 10, 10], 5, 29, [[0], [1], [2], [3]]),
        ([40, 10, 20, 10], 0, 40, [[1, 3], [2], [0]]),
        ([500, 1], 1, 40, [[1], [0]]),
        ([3, 1, 2], 1, 1000, [[1, 2, 0]]),
    ],
)
def test_batches_keep_to_the_budget(
    lengths: list[int], room: int, tokens: int, expected: list[list[int]]
) -> None:
    assert decoding.batches(lengths, room, tokens) == expected


def test_rows_that_start_alike_are_read_together() -> None:
    news, tweet = [1, 2, *[5] * 40], [1, 2, *[6] * 40]
    rows = [[*(news if i % 2 else tweet), 10 + i, 9] for i in range(80)]
    assert decoding.starts(rows) == [(42, list(range(0, 80, 2))), (42, list(range(1, 80, 2)))]
    # Too few rows to be worth a start of their own stay with those that share the shorter one.
    assert decoding.starts([*rows[1::2], rows[0]]) == [(42, list(range(40))), (2, [40])]
    assert decoding.starts(rows[:4]) == [(2, [0, 1, 2, 3])]
    assert decoding.starts([[1, 2, 3], [1, 2, 3, 4]]) == [(2, [0, 1])]
    assert decoding.starts([[7]]) == [(0, [0])]
    assert decoding.starts([]) == []
