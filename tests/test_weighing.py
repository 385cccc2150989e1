"""Labels weighed together in one pass, and one after another: the same numbers as one by one. Tiny models."""

from typing import Any

import pytest
import torch
from tiny import make_tiny_base
from transformers import AutoModelForCausalLM

from finlora import weighing

PAD = 3
WIDTHS = (9, 5, 7, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = make_tiny_base(tmp_path_factory.mktemp("base"))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def prompts(shared: int) -> list[list[int]]:
    """Return prompts of several lengths that begin alike."""
    chance = torch.Generator().manual_seed(3)
    start = torch.randint(20, 200, (shared,), generator=chance).tolist()
    return [start + torch.randint(20, 200, (width,), generator=chance).tolist() for width in WIDTHS]


def padded(rows: list[list[int]], shared: int) -> tuple[Any, Any]:
    width = max(map(len, rows))
    ids = [row[:shared] + [PAD] * (width - len(row)) + row[shared:] for row in rows]
    mask = [[1] * shared + [0] * (width - len(row)) + [1] * (len(row) - shared) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)


def plainly(model: Any, prompt: list[int], answer: list[int]) -> float:
    """Return ln p of an answer behind a prompt, read alone and without a cache."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(answer))


ANSWERS = {
    "of one length": [[30, 2], [40, 2], [50, 2]],
    "of several lengths": [[30, 31, 32, 2], [40, 2], [50, 51, 2]],
    "of one token": [[30], [40]],
    "one alone": [[30, 31, 2]],
}


@pytest.mark.parametrize("shared", [0, 4])
@pytest.mark.parametrize(
    ("how", "answers"),
    # An answer of one token leaves nothing to read together.
    [("_together", name) for name in ANSWERS if name != "of one token"]
    + [("_one_by_one", name) for name in ANSWERS],
)
def test_each_number_is_that_of_the_answer_alone(model: Any, how: str, shared: int, answers: str) -> None:
    rows, labels = prompts(shared), ANSWERS[answers]
    ids, mask = padded(rows, shared)
    with torch.inference_mode():
        cache = None
        if shared:
            start = model(input_ids=ids[:1, :shared], use_cache=True).past_key_values
            cache = weighing.repeated(start, len(rows))
        found = getattr(weighing, how)(model, ids, mask, shared, cache, [labels] * len(rows), PAD)
    wanted = [[plainly(model, row, label) for label in labels] for row in rows]
    assert found.tolist() == [pytest.approx(row, abs=2e-5) for row in wanted]
    # The numbers are far enough apart to be told apart.
    assert len({round(number, 3) for row in wanted for number in row}) == len(rows) * len(labels)


def test_labels_are_read_together_where_a_model_obeys_masks(model: Any, monkeypatch: Any) -> None:
    ids, mask = padded(prompts(0), 0)
    seen: list[int] = []
    together = weighing._together
    monkeypatch.setattr(weighing, "_together", lambda *all_: seen.append(len(all_[1])) or together(*all_))
    with torch.inference_mode():
        first = weighing.weigh(model, ids, mask, 0, None, [ANSWERS["of one length"]] * 4, PAD)
        assert seen == [4]
        # A window that slides, other layers, positions or attention, too much at once: with the cache.
        for name, value in [
            ("sliding_window", 4),
            ("layer_types", ["full_attention", "linear_attention"]),
            ("rope_parameters", None),
            ("_attn_implementation", "flash_attention_2"),
        ]:
            with monkeypatch.context() as changed:
                changed.setattr(model.config, name, value, raising=False)
                assert not weighing._takes_masks(model), name
        monkeypatch.setattr(weighing, "_MOST_PLACES", 15)
        second = weighing.weigh(model, ids, mask, 0, None, [ANSWERS["of one length"]] * 4, PAD)
    assert seen == [4]
    assert second == [pytest.approx(row, abs=2e-5) for row in first]
