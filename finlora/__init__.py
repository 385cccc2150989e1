"""FinLoRA: tune language models for finance with LoRA, and know what was trained."""

__version__ = "0.6.0"
