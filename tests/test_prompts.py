"""What is asked is what was trained: the same tokens, for every style, on two chat templates and none."""

import json

import pytest

from finlora import prompts
from finlora.errors import AdapterError, BaseModelError
from tests.tiny import make_tiny_tokenizer

CONTEXTS = [
    "Instruction: What is the sentiment?\nInput: Net sales rose 12.5%.\nAnswer: ",
    "Profit fell to EUR 8.7 mn.",
    "  spaces around, Ünïcode — and a ¥ sign  ",
    "A row that says <|im_end|> and <|eot_id|> and </s> in its text",
]
TARGETS = ["positive", "negative", "15092.44", "an answer with <|im_end|> inside"]
CASES = [
    ("chatml", "chat"), ("chatml", "inst"), ("chatml", "plain"),
    ("llama3", "chat"), ("llama3", "inst"), ("llama3", "plain"),
    (None, "inst"), (None, "plain"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizers():
    return {kind: make_tiny_tokenizer(kind) for kind in ("chatml", "llama3", None)}


def test_the_cases_cover_every_style_and_template():
    assert len(CASES) == 8
    assert {style for _, style in CASES} == set(prompts.STYLES)


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_training_tokens_up_to_the_answer_are_the_inference_prompt(tokenizers, kind, style):
    tokenizer = tokenizers[kind]
    prompt = prompts.prompt_for(tokenizer, style)
    asked = prompt.prompt_ids(tokenizer, CONTEXTS)
    trained = prompt.answer_ids(tokenizer, CONTEXTS, TARGETS)
    assert [question for question, _ in trained] == asked
    # One row alone is tokenised like the same row among others.
    assert [prompt.prompt_ids(tokenizer, [context])[0] for context in CONTEXTS] == asked


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_the_end_token_is_trained_and_padding_is_another(tokenizers, kind, style):
    tokenizer = tokenizers[kind]
    prompt = prompts.prompt_for(tokenizer, style)
    end = tokenizer.convert_tokens_to_ids(prompt.end)
    assert end is not None
    assert prompt.end in prompt.stop
    for _, answer in prompt.answer_ids(tokenizer, CONTEXTS, TARGETS):
        assert answer[-1] == end
        assert end not in answer[:-1]
    pad = prompts.pad_token(tokenizer, prompt.end)
    assert pad != prompt.end
    assert pad in tokenizer.get_vocab()


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_control_tokens_in_data_stay_data(tokenizers, kind, style):
    tokenizer = tokenizers[kind]
    prompt = prompts.prompt_for(tokenizer, style)
    controls = {tokenizer.convert_tokens_to_ids(token) for token in prompts.control_tokens(tokenizer)}
    clean, dirty = prompt.prompt_ids(tokenizer, ["x", "x " + " ".join(prompts.control_tokens(tokenizer))])
    assert [i for i in dirty if i in controls] == [i for i in clean if i in controls]


@pytest.mark.parametrize("kind", ["chatml", "llama3"])
def test_chat_is_what_the_models_own_template_renders(tokenizers, kind):
    tokenizer = tokenizers[kind]
    prompt = prompts.prompt_for(tokenizer, None)
    assert prompt.style == "chat"
    message = [{"role": "user", "content": CONTEXTS[1]}]
    own = tokenizer.apply_chat_template(
        message,
        tokenize=True,
        add_generation_prompt=True,
        strftime_now=lambda _: "26 Jul 2024",
        return_dict=False,
    )
    assert prompt.prompt_ids(tokenizer, [CONTEXTS[1]])[0] == own


def test_a_date_in_the_template_is_frozen(tokenizers):
    prompt = prompts.prompt_for(tokenizers["llama3"], "chat")
    assert "Today Date: 26 Jul 2024" in prompt.head
    assert prompt.end == "<|eot_id|>"
    assert prompt.stop == ("<|eot_id|>", "<|end_of_text|>")


def test_without_a_template_the_text_is_bare_and_chat_is_refused(tokenizers):
    assert prompts.prompt_for(tokenizers[None], None).style == "plain"
    with pytest.raises(BaseModelError, match="no chat template; allowed here: inst, plain"):
        prompts.prompt_for(tokenizers[None], "chat")


def test_the_reference_form_is_kept(tokenizers):
    prompt = prompts.prompt_for(tokenizers[None], "inst")
    assert prompt.text("Hello. ") == "<s>[INST] Hello. [/INST]"


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_a_manifest_brings_the_prompt_back(tokenizers, kind, style):
    tokenizer = tokenizers[kind]
    prompt = prompts.prompt_for(tokenizer, style)
    record = json.loads(json.dumps(prompt.record(tokenizer)))
    assert prompts.from_record(record, tokenizer) == prompt


def test_another_tokenizer_is_noticed(tokenizers):
    record = prompts.prompt_for(tokenizers["chatml"], "plain").record(tokenizers["chatml"])
    record["probe_ids"] = [*record["probe_ids"][:3], 7, *record["probe_ids"][4:]]
    with pytest.raises(AdapterError, match="token 3 of the probe text"):
        prompts.from_record(record, tokenizers["chatml"])
    with pytest.raises(AdapterError, match="lacks 'tail'"):
        prompts.from_record({"style": "plain", "head": ""}, tokenizers["chatml"])


def test_a_template_that_cuts_the_text_up_is_refused():
    tokenizer = make_tiny_tokenizer("chatml")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{{ m['content'] }}{% endfor %}"
    with pytest.raises(BaseModelError, match="does not keep the user's text in one piece"):
        prompts.prompt_for(tokenizer, "chat")
