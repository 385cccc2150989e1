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
    """Axolotl's trainer, with the output layer applied to the answers' positions alone.

    And every answer token of a step counts alike, however the step is split over batches and
    processes: Axolotl 0.19 turns transformers' exact averaging off for models whose forward takes
    the count of tokens by keyword, which is all of the ordinary ones.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = self.accelerator.unwrap_model(self.model)
        forward = model.get_base_model().forward if hasattr(model, "get_base_model") else model.forward
        parameters = inspect.signature(forward).parameters
        takes_more = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        self._ordinary = takes_more and "logits_to_keep" in parameters
        self.model_accepts_loss_kwargs: bool = self.model_accepts_loss_kwargs or self._ordinary

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a batch; arguments as in transformers' Trainer."""
        if self._ordinary:
            inputs = {**inputs, **answer_positions(inputs["labels"])}
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


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
