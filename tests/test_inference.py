"""Answering: batches, streams, label weights, and the proofs that an adapter took. Tiny real models."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import make_tiny_adapter, make_tiny_base

from finlora import adapters, decoding, prompts
from finlora.adapters import MANIFEST, PEFT_CONFIG, WEIGHTS
from finlora.answers import Answerer
from finlora.errors import AdapterError, BaseModelError, DataError, UsageError
from finlora.inference import answer_file, load
from finlora.models import BaseModel
from finlora.weighing import repeated

CONTEXTS = [
    "Net sales rose 12.5%.",
    "x",
    "Shares of the bank gained after the central bank kept its interest rates unchanged in 2024.",
    "The company expects demand to remain weak.\nAnswer: ",
    "Größe 7 €",
    "operating profit fell to EUR 91.2 million from EUR 93.0 million, says <|im_end|> a bank",
    "What is the sentiment of this news? " * 3,
    "neutral",
    "positive, negative",
    "Net sales fell.",
    "weak demand",
]
LABELS = ["positive", "neutral", "negative", "EUR 91.2 million", "no", "7", "x y z", "up", "down", "flat"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny matrices: a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, BaseModel]:
    root = tmp_path_factory.mktemp("bases")
    return {
        template: BaseModel(
            f"tiny-{template}", make_tiny_base(root / str(template), template=template), "tiny:1"
        )
        for template in ("chatml", "llama3", None)
    }


@pytest.fixture(scope="module")
def base(bases: dict[str | None, BaseModel]) -> BaseModel:
    return bases["chatml"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, base: BaseModel) -> Path:
    return make_tiny_adapter(tmp_path_factory.mktemp("bare"), base.folder)


@pytest.fixture(scope="module")
def tuned(bare: Path, base: BaseModel) -> Answerer:
    return open_adapter(bare, base, prompt_style="chat")


@pytest.fixture
def adapter(bare: Path, tmp_path: Path) -> Path:
    """A copy of the bare adapter, to be damaged."""
    return shutil.copytree(bare, tmp_path / "adapter")


def open_adapter(folder: Path, base: BaseModel, **options: Any) -> Answerer:
    return load(adapters.read(folder), base, **{"prompt_style": None, "quant_bits": 16, **options})


def open_base(base: BaseModel, **options: Any) -> Answerer:
    return load(None, base, **{"prompt_style": None, "quant_bits": 16, **options})


def add_manifest(folder: Path, answerer: Answerer, style: str, **entries: Any) -> None:
    prompt = prompts.prompt_for(answerer.tokenizer, style)
    manifest = {
        "schema": 1,
        "prompt": prompt.record(answerer.tokenizer),
        "base_model": {"name": "tiny-chatml", "identity": "tiny:1"},
    }
    (folder / MANIFEST).write_text(json.dumps({**manifest, **entries}))


def greedy(answerer: Answerer, context: str, steps: int) -> list[int]:
    """Answer the slow and certain way: every token by a full pass over one row."""
    ids = answerer.prompt.prompt_ids(answerer.tokenizer, [context])[0]
    answer: list[int] = []
    stop = answerer.tokenizer.convert_tokens_to_ids(list(answerer.prompt.stop))
    while len(answer) < steps and not (answer and answer[-1] in stop):
        with torch.inference_mode():
            logits = answerer.model(input_ids=torch.tensor([ids + answer]), use_cache=False).logits
        answer.append(int(logits[0, -1].argmax()))
    return answer


def decoded(answerer: Answerer, ids: list[int]) -> str:
    return answerer.tokenizer.decode(ids, skip_special_tokens=True).strip()


# Answers


@pytest.mark.parametrize("template", ["chatml", "llama3", None])
def test_batches_answer_as_single_rows_do(bases: dict[str | None, BaseModel], template: str | None) -> None:
    answerer = open_base(bases[template])
    certain = [decoded(answerer, greedy(answerer, context, 12)) for context in CONTEXTS]
    assert answerer.generate(CONTEXTS, 12, batch_tokens=400) == certain
    assert answerer.generate(CONTEXTS, 12, batch_tokens=1) == certain
    assert [answerer.generate([context], 12)[0] for context in CONTEXTS] == certain
    assert len(set(certain)) == len(CONTEXTS)


def test_plain_generate_one_by_one_gives_the_same_tokens(tuned: Answerer) -> None:
    stop, pad = tuned._stop, tuned._pad
    certain = []
    for ids in tuned.prompt.prompt_ids(tuned.tokenizer, CONTEXTS):
        given = torch.tensor([ids])
        made = tuned.model.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=stop,
            pad_token_id=pad,
        )
        certain.append(made[0, len(ids) :].tolist())
    seen: dict[int, list[int]] = {}
    rows = tuned._prompt_ids(CONTEXTS, 12)
    with torch.inference_mode():
        for batch, shared, cache in tuned._batches(rows, 12, 100_000):
            ids, mask = tuned._left_padded([rows[i] for i in batch], shared)
            assert (mask == 0).any()
            read = repeated(cache, len(batch))
            choose = decoding.chooser(0.0, 0, batch, ids.device)
            found = decoding.decode(tuned.model, ids, mask, shared, read, stop, 12, choose)
            seen.update(zip(batch, found, strict=True))
    assert [seen[i] for i in range(len(CONTEXTS))] == certain


def test_batch_size_and_order_change_no_answer(tuned: Answerer) -> None:
    texts = tuned.generate(CONTEXTS, 12)
    scores = torch.tensor(tuned.label_scores(CONTEXTS, LABELS))
    order = [3, 10, 0, 7, 1, 9, 5, 2, 8, 6, 4]
    mixed = [CONTEXTS[i] for i in order]
    for tokens in (1, 150, 400, 100_000):
        assert tuned.generate(mixed, 12, batch_tokens=tokens) == [texts[i] for i in order]
        again = torch.tensor(tuned.label_scores(mixed, LABELS, batch_tokens=tokens))
        assert torch.equal(again.argmax(1), scores[order].argmax(1))
        assert torch.allclose(again, scores[order], rtol=0, atol=1e-3)


def test_two_instructions_are_answered_as_single_rows_are(
    tuned: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_WORTH_READING", 1)
    contexts = [f"{start} {text}" for text in CONTEXTS[:4] for start in ("What now? Say it:", "Other one:")]
    groups = decoding.starts(tuned._prompt_ids(contexts, 8))
    assert sorted(len(numbers) for _, numbers in groups) == [4, 4]
    certain = [decoded(tuned, greedy(tuned, context, 8)) for context in contexts]
    assert tuned.generate(contexts, 8) == certain
    alone = [tuned.label_scores([context], LABELS)[0] for context in contexts]
    together = tuned.label_scores(contexts, LABELS)
    assert torch.allclose(torch.tensor(together), torch.tensor(alone), rtol=0, atol=1e-3)


def test_prompts_that_share_no_start_are_answered_too(bases: dict[str | None, BaseModel]) -> None:
    answerer = open_base(bases["chatml"], prompt_style="plain")
    certain = [decoded(answerer, greedy(answerer, context, 8)) for context in CONTEXTS]
    assert answerer.generate(CONTEXTS, 8) == certain


@pytest.mark.parametrize("number", [0, 1])
def test_an_answer_ends_at_every_stop_token(bases: dict[str | None, BaseModel], number: int) -> None:
    answerer = open_base(bases["llama3"])
    ids = greedy(answerer, CONTEXTS[0], 12)
    place = next(i for i in range(3, 12) if ids[i] not in ids[:i])
    stops = answerer.tokenizer.convert_tokens_to_ids(list(answerer.prompt.stop))
    assert len(stops) == 2
    weight = answerer.model.lm_head.weight.data
    weight[[ids[place], stops[number]]] = weight[[stops[number], ids[place]]]
    assert answerer.generate([CONTEXTS[0]], 12) == [decoded(answerer, ids[:place])]
    assert "".join(answerer.stream(CONTEXTS[0], 12)) == decoded(answerer, ids[:place])


def test_a_stream_makes_the_same_answer_in_pieces(tuned: Answerer) -> None:
    for context, answer in zip(CONTEXTS, tuned.generate(CONTEXTS, 24), strict=True):
        pieces = list(tuned.stream(context, 24))
        assert len(pieces) > 5
        assert all(pieces)
        assert "".join(pieces) == answer


def test_a_stream_shows_whole_characters(base: BaseModel) -> None:
    answerer = open_base(base, prompt_style="plain")
    # A model that says what it is told: each token is followed by the next one.
    said = answerer.tokenizer(" 5é€ok")["input_ids"] + [answerer.tokenizer.eos_token_id]
    start = answerer.prompt.prompt_ids(answerer.tokenizer, ["x"])[0]
    follow = dict(zip([start[-1], *said], said, strict=False))
    assert len(follow) == len(said)
    model = answerer.model
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.data.zero_()
        layer.mlp.down_proj.weight.data.zero_()
    model.lm_head.weight.data.zero_()
    for row, (before, after) in enumerate(follow.items()):
        model.model.embed_tokens.weight.data[before] = torch.eye(64)[row]
        model.lm_head.weight.data[after, row] = 1
    assert list(answerer.stream("x")) == ["5", "é", "€", "o", "k"]
    assert answerer.generate(["x"]) == ["5é€ok"]


def test_a_stream_left_early_leaves_nothing_behind(tuned: Answerer) -> None:
    stream = tuned.stream(CONTEXTS[0], 24)
    assert next(stream)
    assert not torch.is_inference_mode_enabled()
    stream.close()


def test_drawn_answers_repeat_with_their_seed(tuned: Answerer) -> None:
    state = torch.get_rng_state()
    drawn = tuned.generate(CONTEXTS[:3], 16, temperature=1.0, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert tuned.generate(CONTEXTS[:3], 16, temperature=1.0, seed=1) == drawn
    assert tuned.generate(CONTEXTS[:3], 16, temperature=1.0, seed=2) != drawn
    assert tuned.generate(CONTEXTS[:3], 16) != drawn
    one = tuned.generate(CONTEXTS[:1], 16, temperature=1.0, seed=1)
    assert "".join(tuned.stream(CONTEXTS[0], 16, temperature=1.0, seed=1)) == one[0]


def test_each_answer_is_told_with_its_number(tuned: Answerer) -> None:
    answers: dict[int, str] = {}
    scores: dict[int, list[float]] = {}
    generated = tuned.generate(CONTEXTS, 2, batch_tokens=60, done=answers.__setitem__)
    assert [answers[i] for i in range(11)] == generated
    weighed = tuned.label_scores(CONTEXTS, ["up"], batch_tokens=60, done=scores.__setitem__)
    assert [scores[i] for i in range(11)] == weighed


def test_nothing_asked_nothing_answered(tuned: Answerer) -> None:
    assert tuned.generate([]) == []
    assert tuned.label_scores([], LABELS) == []


def test_what_the_model_cannot_read_is_refused(tuned: Answerer, base: BaseModel) -> None:
    with pytest.raises(UsageError, match=r"context 2 is too long: .* reads 4096"):
        tuned.generate(["x", "neutral " * 4100])
    with pytest.raises(UsageError, match=r"context 1 is too long"):
        list(tuned.stream("x", max_new_tokens=4090))
    with pytest.raises(UsageError, match=r"context 1 is empty"):
        open_base(base, prompt_style="plain").generate([" "])


def test_the_base_models_own_settings_change_nothing(base: BaseModel, tmp_path: Path) -> None:
    other = BaseModel("other", shutil.copytree(base.folder, tmp_path / "other"), "x")
    settings = {"do_sample": True, "temperature": 3.0, "repetition_penalty": 9.0, "max_length": 5}
    (other.folder / "generation_config.json").write_text(json.dumps(settings))
    assert open_base(other).generate(CONTEXTS, 12) == open_base(base).generate(CONTEXTS, 12)


# Label weights


def naive_scores(answerer: Answerer, contexts: list[str], labels: list[str]) -> list[list[float]]:
    scores = []
    for context in contexts:
        row = []
        for label in labels:
            [(prompt, answer)] = answerer.prompt.answer_ids(answerer.tokenizer, [context], [label])
            with torch.inference_mode():
                logits = answerer.model(input_ids=torch.tensor([prompt + answer]), use_cache=False).logits[0]
            chances = logits[len(prompt) - 1 : -1].log_softmax(-1)
            row.append(chances.gather(1, torch.tensor(answer)[:, None]).sum().item())
        scores.append(row)
    return scores


@pytest.mark.parametrize("template", ["chatml", None])
@pytest.mark.parametrize("batch_tokens", [1, 150, None])
def test_label_scores_equal_full_passes(
    bases: dict[str | None, BaseModel], template: str | None, batch_tokens: int | None
) -> None:
    answerer = open_base(bases[template])
    found = answerer.label_scores(CONTEXTS, LABELS, batch_tokens=batch_tokens)
    certain = naive_scores(answerer, CONTEXTS, LABELS)
    lengths = {
        len(a) for label in LABELS for _, a in answerer.prompt.answer_ids(answerer.tokenizer, ["x"], [label])
    }
    assert len(lengths) > 3
    assert torch.tensor(found).shape == (11, 10)
    assert torch.allclose(torch.tensor(found), torch.tensor(certain), rtol=0, atol=1e-4)


def test_label_scores_of_equal_prompts_and_single_rows(tuned: Answerer) -> None:
    found = torch.tensor(tuned.label_scores(["x", "x", "Net sales"], LABELS[:3]))
    alone = torch.tensor(tuned.label_scores(["x"], LABELS[:3]))
    assert torch.equal(found[0], found[1])
    assert torch.allclose(found[:1], alone, rtol=0, atol=1e-4)
    assert torch.allclose(
        torch.tensor(tuned.label_scores(["x"] * 2, LABELS[:3])), found[:2], rtol=0, atol=1e-4
    )


# Loading


def test_the_adapter_answers_and_the_base_alone_does_not(tuned: Answerer, base: BaseModel) -> None:
    alone = open_base(base)
    assert (alone.notes, alone.prompt.style) == ((), "chat")
    assert alone.prompt == tuned.prompt
    differing = zip(alone.generate(CONTEXTS, 12), tuned.generate(CONTEXTS, 12), strict=True)
    assert all(a != b for a, b in differing)
    assert alone.model.dtype == torch.float32


def test_merged_weights_answer_as_the_adapter_beside_them_does(bare: Path, base: BaseModel) -> None:
    merged = open_adapter(bare, base, prompt_style="chat")
    beside = open_adapter(bare, base, prompt_style="chat", merge=False)
    layers = [
        sum("lora_" in name for name, _ in answerer.model.named_parameters()) for answerer in (merged, beside)
    ]
    assert (layers[0], layers[1] > 0) == (0, True)
    assert (merged.is_merged, beside.is_merged) == (True, False)
    assert merged.generate(CONTEXTS, 24) == beside.generate(CONTEXTS, 24)
    scores = [torch.tensor(answerer.label_scores(CONTEXTS, LABELS)) for answerer in (merged, beside)]
    assert torch.allclose(*scores, rtol=0, atol=1e-3)


def test_a_quantised_base_keeps_the_adapter_beside_it(bare: Path, base: BaseModel) -> None:
    assert not open_adapter(bare, base, prompt_style="chat", quant_bits=4).is_merged


def test_a_bare_adapter_says_that_its_prompt_is_a_guess(bare: Path, base: BaseModel) -> None:
    answerer = open_adapter(bare, base)
    assert answerer.prompt.style == "plain"
    assert answerer.notes == (f"{bare}: no finlora.json names its prompt; prompt style used: plain",)
    assert open_adapter(bare, base, prompt_style="inst").prompt.style == "inst"


def test_the_manifest_sets_the_prompt(adapter: Path, base: BaseModel, tuned: Answerer) -> None:
    add_manifest(adapter, tuned, "inst")
    answerer = open_adapter(adapter, base)
    assert answerer.prompt == prompts.prompt_for(tuned.tokenizer, "inst")
    assert answerer.notes == ()
    with pytest.raises(UsageError, match=r"finlora\.json names the prompt"):
        open_adapter(adapter, base, prompt_style="inst")
    add_manifest(adapter, tuned, "inst", prompt={})
    with pytest.raises(AdapterError, match="the prompt lacks"):
        open_adapter(adapter, base)


def test_another_base_model_is_taken_on_purpose_only(
    adapter: Path, base: BaseModel, tuned: Answerer, tmp_path: Path
) -> None:
    add_manifest(adapter, tuned, "chat")
    other = BaseModel("./other", make_tiny_base(tmp_path / "other", seed=5), "fingerprint:55")
    with pytest.raises(
        AdapterError, match=r"trained on tiny-chatml \(tiny:1\).* \./other \(fingerprint:55\)"
    ):
        open_adapter(adapter, other)
    assert open_adapter(adapter, other, allow_other_base=True).generate(["x"], 2)


def test_a_tokenizer_that_makes_another_prompt_is_refused(
    adapter: Path, bases: dict[str | None, BaseModel], tuned: Answerer
) -> None:
    add_manifest(adapter, tuned, "chat")
    with pytest.raises(AdapterError, match="no longer makes the prompt that was trained"):
        open_adapter(adapter, bases["llama3"], allow_other_base=True)


@pytest.mark.parametrize(
    ("own", "other", "complaint"),
    [
        (
            {"hidden": 128},
            {},
            r"layers\.0\.self_attn\.k_proj\.lora_A\.weight has shape \[4, 128\].* needs \[4, 64\]",
        ),
        ({"layers": 3}, {}, r"6 of its tensors have no place in the base model.*model\.layers\.2\.self_attn"),
        ({}, {"layers": 3}, r"6 tensors are missing in the adapter.*model\.layers\.2\.self_attn"),
    ],
)
def test_an_adapter_of_another_architecture(
    tmp_path: Path, own: dict[str, int], other: dict[str, int], complaint: str
) -> None:
    trained = make_tiny_adapter(tmp_path / "adapter", make_tiny_base(tmp_path / "own", **own))
    there = BaseModel("other", make_tiny_base(tmp_path / "other", **other), "x")
    with pytest.raises(AdapterError, match=complaint) as caught:
        open_adapter(trained, there)
    assert f"another base model than other; its adapter_config.json names {tmp_path / 'own'}" in str(
        caught.value
    )


def edit_config(folder: Path, **entries: Any) -> None:
    path = folder / PEFT_CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def edit_weights(folder: Path, part: str, value: float) -> None:
    weights = load_file(folder / WEIGHTS)
    touched = [key for key in weights if part in key]
    assert touched
    save_file({k: v.fill_(value) if k in touched else v for k, v in weights.items()}, folder / WEIGHTS)


def test_modules_the_base_model_does_not_have(adapter: Path, base: BaseModel) -> None:
    edit_config(adapter, target_modules=["c_attn"])
    with pytest.raises(AdapterError, match=r"does not fit the base model tiny-chatml: .*c_attn"):
        open_adapter(adapter, base)


def test_other_kinds_of_adapter(adapter: Path, base: BaseModel) -> None:
    edit_config(adapter, peft_type="IA3")
    with pytest.raises(AdapterError, match="peft_type is IA3; FinLoRA reads LORA only"):
        open_adapter(adapter, base)


def test_an_adapter_that_was_never_trained(adapter: Path, base: BaseModel) -> None:
    edit_weights(adapter, "lora_B", 0)
    with pytest.raises(AdapterError, match="the adapter was never trained: every lora_B is zero"):
        open_adapter(adapter, base)


def test_an_adapter_that_changes_nothing(adapter: Path, base: BaseModel) -> None:
    edit_config(adapter, lora_alpha=0)
    with pytest.raises(AdapterError, match="the adapter changes nothing"):
        open_adapter(adapter, base)


def test_an_adapter_with_broken_numbers(adapter: Path, base: BaseModel) -> None:
    edit_weights(adapter, "layers.1.self_attn.v_proj.lora_B", 1e38)
    with pytest.raises(AdapterError, match="with this adapter the model computes no numbers"):
        open_adapter(adapter, base)
    edit_weights(adapter, "layers.1.self_attn.v_proj.lora_A", float("nan"))
    with pytest.raises(
        AdapterError, match=r"layers\.1\.self_attn\.v_proj\.lora_A\.weight holds numbers that"
    ):
        open_adapter(adapter, base)


def test_a_truncated_adapter(adapter: Path, base: BaseModel) -> None:
    whole = (adapter / WEIGHTS).read_bytes()
    for size in (0, 5, 200, len(whole) - 1):
        (adapter / WEIGHTS).write_bytes(whole[:size])
        with pytest.raises(AdapterError, match=r"adapter_model\.safetensors: damaged"):
            open_adapter(adapter, base)


def test_a_broken_base_model(base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="gone: can't be loaded"):
        open_base(BaseModel("gone", tmp_path / "gone", "x"))
    broken = BaseModel("broken", shutil.copytree(base.folder, tmp_path / "broken"), "x")
    file = broken.folder / "model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if "layers.1.mlp" not in k}, file, {"format": "pt"})
    with pytest.raises(
        BaseModelError, match=r"3 weights are missing .* first is model\.layers\.1\.mlp\.down"
    ):
        open_base(broken)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BaseModelError, match="broken: can't be loaded"):
        open_base(broken)
    file.unlink()
    torch.save(weights, broken.folder / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match="broken: can't be loaded"):
        open_base(broken)


@pytest.mark.parametrize("method", ["use_dora", "use_rslora"])
def test_the_other_methods_load(base: BaseModel, tmp_path: Path, method: str) -> None:
    folder = make_tiny_adapter(tmp_path / "adapter", base.folder, **{method: True})
    answerer = open_adapter(folder, base)
    certain = [decoded(answerer, greedy(answerer, context, 8)) for context in CONTEXTS]
    assert answerer.generate(CONTEXTS, 8) == certain


@pytest.mark.parametrize(("bits", "layer"), [(4, "Linear4bit"), (8, "Linear8bitLt"), (16, "Linear")])
def test_the_base_model_is_quantised_as_asked(bare: Path, base: BaseModel, bits: int, layer: str) -> None:
    answerer = open_adapter(bare, base, quant_bits=bits, merge=False)
    projection = answerer.model.model.layers[0].self_attn.q_proj.base_layer
    assert type(projection).__name__ == layer
    assert answerer.generate(["Net sales rose"], 4)[0]


def test_four_bits_are_nf4_quantised_twice(base: BaseModel) -> None:
    projection = open_base(base, quant_bits=4).model.model.layers[0].self_attn.q_proj
    # Before any pass: on a CPU, bitsandbytes then undoes the second quantisation.
    state = projection.weight.quant_state
    assert (state.quant_type, state.nested, projection.compute_dtype) == ("nf4", True, torch.float32)


def test_loading_is_silent_and_asks_nobody(bare: Path, base: BaseModel) -> None:
    code = (
        "import sys; from pathlib import Path; from finlora import adapters, inference, models\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)\n"
        "base = models.BaseModel('b', Path(sys.argv[2]), 'x')\n"
        "inference.load(adapters.read(Path(sys.argv[1])), base, prompt_style=None, quant_bits=16)\n"
        "import os; assert os.environ['HF_HUB_OFFLINE'] == '1'\n"
    )
    command = [sys.executable, "-c", code, str(bare), str(base.folder)]
    told = {key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=told)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Files


def test_a_file_is_answered_in_order(tuned: Answerer, tmp_path: Path) -> None:
    source, target = tmp_path / "rows.jsonl", tmp_path / "new" / "answers.jsonl"
    rows = [{"target": "Größe", "context": text, "id": 7} for text in CONTEXTS[:4]]
    rows.append({"context": CONTEXTS[4]})
    text = "\ufeff" + "\n\n".join(json.dumps(row) for row in rows)
    source.write_text(text, encoding="utf-8")
    done: list[int] = []
    assert answer_file(tuned, source, target, max_new_tokens=6, progress=lambda: done.append(1)) == 5
    assert len(done) == 5
    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    answers = tuned.generate(CONTEXTS[:5], 6)
    assert [row["answer"] for row in found] == answers
    assert [list(row) for row in found] == [["context", "target", "answer"]] * 4 + [["context", "answer"]]
    assert [row["context"] for row in found] == CONTEXTS[:5]
    assert "Größe" in target.read_text(encoding="utf-8")


def test_files_that_cannot_be_answered(tuned: Answerer, tmp_path: Path) -> None:
    source, target = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    source.write_text('{"context": "x"}\n{"text": "y"}\n')
    with pytest.raises(UsageError, match="would overwrite --input"):
        answer_file(tuned, source, source)
    with pytest.raises(UsageError, match="is a folder"):
        answer_file(tuned, source, tmp_path)
    target.write_text("old")
    with pytest.raises(DataError, match=r"rows\.jsonl:2: the column 'context' is missing"):
        answer_file(tuned, source, target)
    with pytest.raises(DataError, match="no such dataset file"):
        answer_file(tuned, tmp_path / "none.jsonl", target)
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answers.jsonl", "rows.jsonl"]
