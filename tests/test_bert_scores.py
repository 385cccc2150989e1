"""BERTScore of a tiny random encoder: the library's numbers are those of the formula, worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from finlora import bert_scores
from finlora.errors import FinLoRAError

TEXT = "the share of net sales that rose fell value revenue deferred cost to provide future services"
WORDS = TEXT.split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOLDS = [
    "value of revenue deferred",
    "the cost to provide future services",
    "net sales rose",
    "net sales fell",
]
OUTPUTS = ["revenue that fell", "the cost to provide future services", "sales " * 40, "  "]


def make_encoder(folder: Path, kind: str = "bert", **changes) -> Path:
    """Write an encoder with random float32 weights; the tokenizer knows a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    named = {f"{name}_token": token for name, token in names.items()}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    shape = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 24,
        "pad_token_id": 0,
        "initializer_range": 0.5,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(AutoConfig.for_model(kind, **{**shape, **changes})).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def vectors(folder, text, longest=24):
    """Return a text's vectors of the last layer, of length 1, [CLS] and [SEP] at its ends."""
    import torch
    from transformers import AutoModel

    known = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    ids = [2, *[known[word] for word in text.split()][: longest - 2], 3]
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder)(torch.tensor([ids])).last_hidden_state[0].numpy()
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def by_hand(folder, output, gold):
    near = vectors(folder, output) @ vectors(folder, gold).T
    # [CLS] and [SEP] look for nobody, but the library lets others find them.
    precision, recall = near.max(axis=1)[1:-1].mean(), near.max(axis=0)[1:-1].mean()
    return precision, recall, 2 * precision * recall / (precision + recall)


def test_the_scores_are_the_greedy_matching_of_cosines(encoder):
    seen = []
    result = bert_scores.score(OUTPUTS, GOLDS, str(encoder), Path(), progress=seen.append)
    assert seen == [1, 2, 3, 4]
    assert result.layers == 3
    assert result.model.startswith("fingerprint:")
    found = list(zip(result.precision, result.recall, result.f1, strict=True))
    for i in range(3):
        assert found[i] == pytest.approx(by_hand(encoder, OUTPUTS[i], GOLDS[i]), abs=1e-5)
    # Half way between, equal texts, more words than the model has places for, no words.
    assert result.f1[0] < 0.99
    assert result.f1[1] == pytest.approx(1, abs=1e-5)
    assert len(vectors(encoder, OUTPUTS[2])) == 24
    assert found[3] == (0, 0, 0)


def test_neither_the_other_rows_nor_their_order_move_a_score(encoder):
    together = bert_scores.score(OUTPUTS, GOLDS, str(encoder), Path())
    turned = bert_scores.score(OUTPUTS[::-1], GOLDS[::-1], str(encoder), Path())
    alone = [
        bert_scores.score([o], [g], str(encoder), Path()).f1[0] for o, g in zip(OUTPUTS, GOLDS, strict=True)
    ]
    assert turned.f1[::-1] == together.f1 == tuple(alone)


def test_a_robertas_places_begin_later(tmp_path):
    folder = make_encoder(tmp_path, "roberta", pad_token_id=1, max_position_embeddings=26)
    result = bert_scores.score(["sales " * 40], [GOLDS[0]], str(folder), Path())
    # 26 places, of which 2 are before the first: 24 tokens, as above.
    assert result.f1[0] == pytest.approx(by_hand(folder, "sales " * 40, GOLDS[0])[2], abs=1e-5)


def test_a_model_of_the_hubs_cache_is_cut_off_at_the_layer_of_the_librarys_table(tmp_path, monkeypatch):
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    place = tmp_path / "models--bert-base-uncased"
    folder = make_encoder(place / "snapshots" / commit, num_hidden_layers=12)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    result = bert_scores.score(OUTPUTS[:1], GOLDS[:1], "bert-base-uncased", Path())
    assert (result.layers, result.model) == (9, f"hub:bert-base-uncased@{commit}")
    whole = bert_scores.score(OUTPUTS[:1], GOLDS[:1], str(folder), Path())
    assert whole.layers == 12
    # The same as a model that never had the last three layers.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 9}))
    assert bert_scores.score(OUTPUTS[:1], GOLDS[:1], str(folder), Path()).f1 == result.f1 != whole.f1


def test_a_folder_whose_path_holds_the_name_of_another_kind_is_read_as_what_it_is(tmp_path, encoder):
    place = tmp_path / "t5" / "scibert"
    place.parent.mkdir()
    place.symlink_to(encoder)
    asked = OUTPUTS[:1], GOLDS[:1]
    assert (
        bert_scores.score(*asked, str(place), Path()).f1 == bert_scores.score(*asked, str(encoder), Path()).f1
    )


def test_a_model_that_is_not_here_is_said_so_and_nothing_is_fetched(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FinLoRAError, match="hf download roberta-large") as caught:
        bert_scores.score(["a"], ["b"], "roberta-large", tmp_path)
    assert str(caught.value).startswith(
        "BERTScore has no model: roberta-large is not complete in the hub's cache"
    )
    assert "ROUGE-L" in str(caught.value)
    with pytest.raises(FinLoRAError, match="no such folder"):
        bert_scores.score(["a"], ["b"], "./absent", tmp_path)


def test_pickled_weights_are_not_read(tmp_path):
    folder = make_encoder(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FinLoRAError, match="is a pickle"):
        bert_scores.score(["a"], ["b"], str(folder), tmp_path)


def test_a_model_that_writes_is_no_model_to_compare_words_with(tmp_path):
    from tests.tiny import make_tiny_base

    with pytest.raises(FinLoRAError, match="it is a llama, not an encoder"):
        bert_scores.score(["a"], ["b"], str(make_tiny_base(tmp_path / "base")), tmp_path)
