"""Leaving out the logits that no answer needs changes no loss."""

import pytest
import torch

from finlora import privacy
from finlora.prepared_rows import IGNORED
from tests.tiny import make_tiny_base


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    privacy.go_offline()
    from transformers import AutoModelForCausalLM

    folder = make_tiny_base(tmp_path_factory.mktemp("base"))
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope="module")
def batch():
    ids = torch.arange(3 * 12).reshape(3, 12) + 20
    labels = torch.full_like(ids, IGNORED)
    for row, start, end in ((0, 4, 6), (1, 9, 12), (2, 5, 6)):
        labels[row, start:end] = ids[row, start:end]
    return ids, labels


def test_positions_are_those_whose_next_token_is_trained(batch):
    from finlora.answer_logits import answer_positions

    made = answer_positions(batch[1])
    assert made["logits_to_keep"].tolist() == [3, 4, 8, 9, 10]
    assert (made["shift_labels"] != IGNORED).sum() == (batch[1] != IGNORED).sum() == 6


def test_loss_and_gradient_are_those_of_all_logits(model, batch):
    from finlora.answer_logits import answer_positions

    ids, labels = batch
    results = []
    for extra in ({}, answer_positions(labels)):
        model.zero_grad()
        loss = model(input_ids=ids, labels=labels, **extra).loss
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        results.append((loss.item(), gradients))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    assert len(results[0][1]) == len(results[1][1]) > 10
    for full, few in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(full, few, atol=1e-6)
