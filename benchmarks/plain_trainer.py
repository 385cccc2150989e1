"""The other side of `gpu_train.py`: FinLoRA's rows and reports, but Axolotl's own trainer."""

from typing import Any

from finlora.axolotl_plugin import FinLoRAPlugin


class PlainTrainerPlugin(FinLoRAPlugin):
    """Trains with the trainer that Axolotl picks by itself: logits for every token of every row."""

    def get_trainer_cls(self, cfg: Any) -> Any:
        """Leave the choice to Axolotl."""
        return None
