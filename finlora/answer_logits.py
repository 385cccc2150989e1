"""A trainer that computes output logits only where an answer token is trained.

A finance answer is a few tokens after a long prompt, and the output layer over the whole vocabulary
is a large part of a small model's work. The loss is the same: other positions never count.
"""

import inspect
from typing import Any

import torch
from axolotl.core.trainers import AxolotlTrainer

from finlora.prepared_rows import IGNORED


class AnswerLogitsTrainer(AxolotlTrainer):  # type: ignore[misc]
    """Axolotl's trainer, with the output layer applied to the answers' positions alone."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a batch; arguments as in transformers' Trainer."""
        if self._takes_positions(model):
            inputs = {**inputs, **answer_positions(inputs["labels"])}
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _takes_positions(self, model: Any) -> bool:
        base = self.accelerator.unwrap_model(model)
        forward = base.get_base_model().forward if hasattr(base, "get_base_model") else base.forward
        return "logits_to_keep" in inspect.signature(forward).parameters


def answer_positions(labels: Any) -> dict[str, Any]:
    """Return the model arguments that keep only positions whose next token is trained in some row.

    Args:
        labels: int64 tensor of shape (rows, tokens), -100 where nothing is trained.

    Returns:
        `logits_to_keep`, int64 of shape (positions,), and `shift_labels`, (rows, positions).
    """
    following = torch.nn.functional.pad(labels, (0, 1), value=IGNORED)[:, 1:]
    positions = (following != IGNORED).any(0).nonzero().squeeze(1)
    return {"logits_to_keep": positions, "shift_labels": following[:, positions].contiguous()}
