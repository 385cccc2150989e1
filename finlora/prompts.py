"""The only owner of prompt text: styles, rendering, token ids, stop tokens.

Training, inference and scoring all ask here, so a prompt can't differ between them. A prompt is
kept as literal text around the context (`head` + context + `tail`): whatever wrote it (a chat
template, a date in one) is settled once, when the adapter is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from finlora.errors import AdapterError, BaseModelError

STYLES = ("chat", "inst", "plain")

# Rendered and tokenised into every manifest, and again on load. Never a row of the user's data.
PROBE = "Café Zürich AG: net sales rose 12.5% to EUR 1,034.7 mn (2023: EUR 919.7 mn).\nAnswer: "

# What a merged model is asked beside its adapter, where the user gives no rows: one finance text each.
PROBES = (
    "Net sales rose 12.5% to EUR 1,034.7 million, while operating profit fell to EUR 91.2 million.",
    "What is the sentiment of this news? Shares of the bank gained after rates were left unchanged.",
    "The company expects demand to remain weak in the second quarter. Positive, negative or neutral?",
    "Does this headline talk about the price going up? Gold climbs to a three-week high",
    "Does this headline talk about a past price? Silver settles lower on Tuesday",
    "What is the capital stock of a company with 4 million shares of EUR 2.50 each?",
    "Name the organisation in this sentence: Nordea lent 20 million euros to the shipyard.",
    "Which person is named here? Chief executive Maria Lind will leave in June.",
    "Revenue was $8.2 billion and cost of sales $5.1 billion. What was gross profit?",
    "Net income was 120 and average equity 800. What is the return on equity?",
    "What does EBITDA stand for?",
    "Explain in one sentence what a bond's duration measures.",
    "Which US GAAP tag fits: 'amortization expense of intangible assets was $3.4 million'?",
    "What is the value of us-gaap:Assets in: <us-gaap:Assets>51234</us-gaap:Assets>?",
    "Current assets are 45 and current liabilities 30. What is the current ratio?",
    "The dividend is 1.20 a share and the price 30. What is the dividend yield?",
    "Is this tweet bullish or bearish? $ACME breaks out on heavy volume, calls flying",
    "What kind of filing reports a US company's quarter?",
    "Who must approve a merger of two listed companies?",
    "Summarise: The regulator fined the lender 4.5 million pounds for failures in its controls.",
)

# Templates that print today's date would change the prompt overnight.
_FROZEN_DATE = "26 Jul 2024"
_SENTINEL = "\u2318context\u2318"


class Tokenizer(Protocol):
    """What is asked of a Hugging Face tokenizer."""

    chat_template: Any
    bos_token: str | None
    bos_token_id: int | None
    eos_token: str | None
    pad_token: str | None
    all_special_tokens: list[str]
    added_tokens_decoder: dict[int, Any]

    def __call__(self, text: Any, **options: Any) -> Any:
        """Tokenise text."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Render a conversation."""

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Look up token ids."""


@dataclass(frozen=True)
class Prompt:
    """How a context becomes a prompt, literally.

    Args:
        style: `chat`, `inst` or `plain`.
        head: text before the context, control tokens written out.
        tail: text between the context and the answer.
        separator: text that starts the answer (a space where words would run together).
        end: the token that ends an answer.
        stop: every token that ends generation.
    """

    style: str
    head: str
    tail: str
    separator: str
    end: str
    stop: tuple[str, ...]

    def text(self, context: str) -> str:
        """Return the prompt of a context, up to where the answer starts."""
        return f"{self.head}{context.strip()}{self.tail}"

    def prompt_ids(self, tokenizer: Tokenizer, contexts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each context's prompt."""
        return self._ids(tokenizer, contexts, [""] * len(contexts))

    def answer_ids(
        self, tokenizer: Tokenizer, contexts: Sequence[str], targets: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Return (prompt ids, answer ids) of each row; the answer ends with the end token.

        The prompt ids are those of `prompt_ids`, always: where a tokenizer would merge across the
        border, the answer is tokenised by itself.
        """
        end = tokenizer.convert_tokens_to_ids(self.end)
        prompts = self.prompt_ids(tokenizer, contexts)
        answers = [self.separator + target.strip() for target in targets]
        whole = self._ids(tokenizer, contexts, answers)
        pairs = []
        for prompt, ids, answer in zip(prompts, whole, answers, strict=True):
            joined = ids[: len(prompt)] == prompt
            rest = ids[len(prompt) :] if joined else _plain_ids(tokenizer, [answer])[0]
            pairs.append((prompt, [*rest, end]))
        return pairs

    def _ids(self, tokenizer: Tokenizer, contexts: Sequence[str], answers: Sequence[str]) -> list[list[int]]:
        texts = [self.text(context) + answer for context, answer in zip(contexts, answers, strict=True)]
        rows = _ids(tokenizer, texts) if texts else []
        controls = control_tokens(tokenizer)
        for i, (context, answer) in enumerate(zip(contexts, answers, strict=True)):
            # Control tokens inside data are data: such rows are tokenised piece by piece.
            if any(token in context or token in answer for token in controls):
                data = _plain_ids(tokenizer, [context.strip(), answer])
                frame = _ids(tokenizer, [self.head, self.tail])
                rows[i] = [*frame[0], *data[0], *frame[1], *data[1]]
        return rows

    def record(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Return the prompt as manifest entries, with the probe text and its token ids."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        probe = {"probe": PROBE, "probe_ids": self.prompt_ids(tokenizer, [PROBE])[0]}
        return {**parts, "stop": list(self.stop), **probe}


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return rows


def _plain_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return rows


def control_tokens(tokenizer: Tokenizer) -> list[str]:
    """Return every control token of a tokenizer, named or merely added as special."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted({*tokenizer.all_special_tokens, *added})


def prompt_for(tokenizer: Tokenizer, style: str | None) -> Prompt:
    """Return the prompt of a style for a base model's tokenizer.

    Args:
        tokenizer: the base model's.
        style: one of STYLES; None takes `chat` where there is a chat template, else `plain`.

    Raises:
        BaseModelError: no end token, or `chat` without a usable chat template.
    """
    if style is None:
        style = "chat" if tokenizer.chat_template else "plain"
    if style == "chat":
        return _chat(tokenizer)
    if not tokenizer.eos_token:
        raise BaseModelError("the base model's tokenizer names no end token (eos_token)")
    first = _first_id(tokenizer)
    bos = tokenizer.bos_token or "" if first is not None and first == tokenizer.bos_token_id else ""
    end = tokenizer.eos_token
    if style == "inst":
        return Prompt(style, f"{bos}[INST] ", " [/INST]", " ", end, (end,))
    return Prompt(style, bos, "", " ", end, (end,))


def _first_id(tokenizer: Tokenizer) -> int | None:
    ids = tokenizer("a")["input_ids"]
    return ids[0] if ids else None


def _chat(tokenizer: Tokenizer) -> Prompt:
    if not tokenizer.chat_template:
        raise BaseModelError(
            "prompt_style is chat, but the base model has no chat template; allowed here: inst, plain"
        )
    question = [{"role": "user", "content": _SENTINEL}]
    asked = _render(tokenizer, question, add_generation_prompt=True)
    if asked.count(_SENTINEL) != 1:
        raise BaseModelError(
            "the base model's chat template does not keep the user's text in one piece; "
            "use prompt_style plain or inst"
        )
    head, tail = asked.split(_SENTINEL)
    answered = _render(tokenizer, [*question, {"role": "assistant", "content": "\u2318answer\u2318"}])
    rest = answered.rpartition("\u2318answer\u2318")[2]
    ends = sorted((rest.index(t), -len(t), t) for t in control_tokens(tokenizer) if t in rest)
    end = ends[0][2] if ends else tokenizer.eos_token
    if not end:
        raise BaseModelError("neither the chat template nor the tokenizer names an end token")
    stop = dict.fromkeys(token for token in (end, tokenizer.eos_token) if token)
    return Prompt("chat", head, tail, "", end, tuple(stop))


def _render(tokenizer: Tokenizer, messages: list[dict[str, str]], add_generation_prompt: bool = False) -> str:
    text: str = tokenizer.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
        date_string=_FROZEN_DATE,
        strftime_now=lambda _format: _FROZEN_DATE,
    )
    return text


def pad_token(tokenizer: Tokenizer, end: str) -> str:
    """Return a token for padding that is in the vocabulary already and does not end an answer.

    Raises:
        BaseModelError: the tokenizer has no such token.
    """
    if tokenizer.pad_token and tokenizer.pad_token != end:
        return tokenizer.pad_token
    spare = [token for token in control_tokens(tokenizer) if token not in (end, tokenizer.bos_token)]
    named = [token for token in spare if "pad" in token.lower()]
    reserved = [token for token in spare if "reserved" in token.lower() or "unk" in token.lower()]
    for candidates in (named, reserved, spare):
        if candidates:
            return candidates[0]
    raise BaseModelError("the base model's tokenizer has no token for padding besides its end token")


def from_record(record: dict[str, Any], tokenizer: Tokenizer) -> Prompt:
    """Rebuild a manifest's prompt and prove that this tokenizer still renders its probe alike.

    Raises:
        AdapterError: entries are missing, or the probe's token ids differ from those of training.
    """
    try:
        parts = {f.name: record[f.name] for f in fields(Prompt)}
        text, ids = record["probe"], record["probe_ids"]
    except KeyError as missing:
        raise AdapterError(f"finlora.json: the prompt lacks {missing}") from None
    prompt = Prompt(**{**parts, "stop": tuple(parts["stop"])})
    now = prompt.prompt_ids(tokenizer, [text])[0]
    if now != ids:
        place = next(
            (i for i, (a, b) in enumerate(zip(now, ids, strict=False)) if a != b), min(len(now), len(ids))
        )
        raise AdapterError(
            "the base model's tokenizer no longer makes the prompt that was trained: token "
            f"{place} of the probe text is {now[place : place + 1]}, in training {ids[place : place + 1]}.\n"
            "The tokenizer files of the base model differ from those of training; use the base model "
            "named in finlora.json"
        )
    return prompt
