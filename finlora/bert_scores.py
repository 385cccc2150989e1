"""BERTScore: how near an answer's words are to the gold's, by the vectors a language model gives them.

The computing is the bert-score library's own. The model is read from a folder or the hub's cache; nothing is
fetched. One pair at a time: without padding, neither the other rows nor their order can move a score.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import models
from finlora.causes import INSTALL, NOT_INSTALLED
from finlora.errors import BaseModelError, FinLoRAError


@dataclass(frozen=True)
class BertScores:
    """BERTScores of many answers, raw: no IDF weights, not rescaled by a baseline.

    Args:
        precision: for each answer, how near its tokens are to the gold's, -1 to 1.
        recall: for each answer, how near the gold's tokens are to its own.
        f1: harmonic mean of both; the one that is published. 0 for an empty answer.
        model: identity of the model, as of a base model.
        layers: whose last one gave the vectors.
    """

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    model: str
    layers: int


def score(
    outputs: Sequence[str],
    golds: Sequence[str],
    model: str,
    relative_to: Path,
    progress: Callable[[int], None] | None = None,
) -> BertScores:
    """Compute the BERTScore of every answer.

    Args:
        outputs: answers.
        golds: right answers, one for each.
        model: a folder (./, ../, / or ~/ in front) or a hub id, of an encoder such as roberta-large.
        relative_to: what a relative folder is relative to.
        progress: told the number of finished rows.

    Returns:
        The scores, in order. The layer is the one that the library's authors found best for a hub's model
        that is in their table, and the last one for any other model and for every folder.

    Raises:
        FinLoRAError: there is no such model on this machine, or it is none to compare words with.

    Source:
        T. Zhang, V. Kishore, F. Wu, K. Weinberger, Y. Artzi, BERTScore: Evaluating Text Generation with BERT,
        ICLR 2020, equation 1 for recall and precision.
    """
    try:
        from bert_score.utils import model2layers
    except ImportError:
        raise FinLoRAError(f"BERTScore: {NOT_INSTALLED}\nWhat to do: {INSTALL}") from None
    try:
        found = models.resolve(model, relative_to, offline=True)
    except BaseModelError as error:
        raise FinLoRAError(
            f"BERTScore has no model: {str(error).partition(chr(10))[0]}\n"
            f"What to do: fetch it once with `hf download {model}`, or name a folder with config.json, "
            "tokenizer.json and model.safetensors; ROUGE-L stands beside it and needs no model"
        ) from None
    encoder, tokenizer, layers = _load(found, model2layers.get(model))
    pairs = []
    for done, (output, gold) in enumerate(zip(outputs, golds, strict=True), 1):
        pairs.append(_pair(encoder, tokenizer, output, gold))
        if progress:
            progress(done)
    precision, recall, f1 = ([pair[i] for pair in pairs] for i in range(3))
    return BertScores(tuple(precision), tuple(recall), tuple(f1), found.identity, layers)


def _load(found: models.BaseModel, wanted: int | None) -> tuple[Any, Any, int]:
    """Return a model cut off after the layer whose vectors are compared, its tokenizer, and that layer."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    config = AutoConfig.from_pretrained(found.folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(found.folder, local_files_only=True)
    if config.is_encoder_decoder or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise FinLoRAError(
            f"{found.name} is no model for BERTScore: it is a {config.model_type}, not an encoder with "
            "[CLS] and [SEP] tokens\nWhat to do: take an encoder such as roberta-large or bert-base-uncased"
        )
    layers = config.num_hidden_layers if wanted is None else min(wanted, config.num_hidden_layers)
    # As the library cuts models off, which it does by names that a folder's path may hold by chance.
    model = AutoModel.from_pretrained(
        found.folder,
        num_hidden_layers=layers,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
    )
    # RoBERTa's positions begin after that of its padding.
    reserved = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    longest = config.max_position_embeddings - reserved
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, layers


def _pair(model: Any, tokenizer: Any, output: str, gold: str) -> tuple[float, float, float]:
    from collections import defaultdict

    from bert_score.utils import bert_cos_score_idf

    # The library would warn of an empty text and give it 0.
    if not output.strip() or not gold.strip():
        return 0.0, 0.0, 0.0
    weights: defaultdict[int, float] = defaultdict(lambda: 1.0)
    weights |= {tokenizer.cls_token_id: 0.0, tokenizer.sep_token_id: 0.0}
    [[precision, recall, f1]] = bert_cos_score_idf(
        model, [gold], [output], tokenizer, weights, batch_size=1, device=model.device
    ).tolist()
    return precision, recall, f1
