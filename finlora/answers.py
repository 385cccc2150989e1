"""A loaded model that answers: in batches, piece by piece, or by weighing given answers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from finlora import decoding, prompts, weighing
from finlora.errors import UsageError

# Tokens read at once. More gains no speed on a CPU; a GPU is filled only by many.
_BATCH_TOKENS = {"cpu": 4096, "cuda": 32768}


class Answerer:
    """A loaded model that answers; made by `inference.load`.

    Args:
        model: a causal language model, adapter included.
        tokenizer: the base model's.
        prompt: how a context becomes a prompt.
        notes: what the person at the prompt should know, a line each.
        base: identity of the base model.
        is_merged: the adapter is part of the weights.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompt: prompts.Prompt,
        notes: tuple[str, ...],
        base: str,
        is_merged: bool = False,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.prompt = prompt
        self.notes = notes
        self.base = base
        self.is_merged = is_merged
        self._pad = tokenizer.convert_tokens_to_ids(prompts.pad_token(tokenizer, prompt.end))
        self._stop: list[int] = tokenizer.convert_tokens_to_ids(list(prompt.stop))

    def generate(
        self,
        contexts: Sequence[str],
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 42,
        batch_tokens: int | None = None,
        done: Callable[[int, str], None] | None = None,
    ) -> list[str]:
        """Answer contexts; rows of about one length are answered together.

        Args:
            contexts: what the model is given, without any prompt around it.
            max_new_tokens: longest answer.
            temperature: 0 takes the likeliest token each time; above, tokens are drawn.
            seed: decides the draw.
            batch_tokens: tokens answered at once, padding and room for answers included; what suits the
                device unless given.
            done: told each answer as soon as it is there, with the number of its context from 0.

        Returns:
            The answers in the order of the contexts, without control tokens and outer space.

        Raises:
            UsageError: a context is empty or longer than the model can read.
        """
        import torch

        rows = self._prompt_ids(contexts, max_new_tokens)
        answers = [""] * len(rows)
        with torch.inference_mode():
            for batch, shared, cache in self._batches(rows, max_new_tokens, batch_tokens):
                ids, mask = self._left_padded([rows[i] for i in batch], shared)
                choose = decoding.chooser(temperature, seed, batch, ids.device)
                read = weighing.repeated(cache, len(batch))
                found = decoding.decode(
                    self.model, ids, mask, shared, read, self._stop, max_new_tokens, choose
                )
                for i, answer in zip(batch, found, strict=True):
                    answers[i] = self._text(answer)
                    if done:
                        done(i, answers[i])
        return answers

    def stream(
        self, context: str, max_new_tokens: int = 128, temperature: float = 0.0, seed: int = 42
    ) -> Iterator[str]:
        """Answer one context piece by piece; joined, the pieces are the answer of `generate`.

        Args:
            context: what the model is given.
            max_new_tokens: longest answer.
            temperature: 0 takes the likeliest token each time; above, tokens are drawn.
            seed: decides the draw.

        Raises:
            UsageError: the context is empty or longer than the model can read.
        """
        import torch

        ids = torch.tensor(self._prompt_ids([context], max_new_tokens), device=self.model.device)
        choose = decoding.chooser(temperature, seed, [0], ids.device)
        cache, sent = None, ""
        answer: list[int] = []
        while len(answer) < max_new_tokens and not (answer and answer[-1] in self._stop):
            # Not around the yield: the mode would leak to whoever reads the pieces.
            with torch.inference_mode():
                out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
                logits, cache = out.logits[:, -1].float(), out.past_key_values
                ids = choose(logits, [0])[:, None]
            answer.append(int(ids))
            text = self._text(answer)
            # A character may be made of several tokens: half of one is not shown.
            if not text.endswith("\ufffd") and len(text) > len(sent):
                yield text[len(sent) :]
                sent = text
        if rest := self._text(answer)[len(sent) :]:
            yield rest

    def label_scores(
        self,
        contexts: Sequence[str],
        labels: Sequence[str],
        batch_tokens: int | None = None,
        done: Callable[[int, list[float]], None] | None = None,
    ) -> list[list[float]]:
        """Return the log-likelihood of each label as the answer to each context.

        Args:
            contexts: what the model is given.
            labels: the answers to weigh.
            batch_tokens: see `generate`.
            done: told the scores of each context, with its number from 0, as soon as they are there.

        Returns:
            Per context, in order, and per label: the sum over the tokens of the label and the end
            token of ln p(token | all before), over the token ids that training uses.

        Raises:
            UsageError: a context is empty or longer than the model can read.
        """
        import torch

        columns = [
            self.prompt.answer_ids(self.tokenizer, contexts, [label] * len(contexts)) for label in labels
        ]
        answers = [[answer for _, answer in row] for row in zip(*columns, strict=True)]
        longest = max((len(answer) for row in answers for answer in row), default=0)
        rows = self._prompt_ids(contexts, longest)
        scores: list[list[float]] = [[] for _ in rows]
        with torch.inference_mode():
            for batch, shared, cache in self._batches(rows, longest, batch_tokens):
                ids, mask = self._left_padded([rows[i] for i in batch], shared)
                read = weighing.repeated(cache, len(batch))
                part = [answers[i] for i in batch]
                found = weighing.weigh(self.model, ids, mask, shared, read, part, self._pad)
                for i, row in zip(batch, found, strict=True):
                    scores[i] = row
                    if done:
                        done(i, row)
        return scores

    def unreadable(self, contexts: Sequence[str], room: int) -> dict[int, str]:
        """Return what is wrong with the contexts that can't be answered, by their numbers from 0.

        Args:
            contexts: what the model is given.
            room: tokens that the answer may have.
        """
        return self._faults(self.prompt.prompt_ids(self.tokenizer, contexts), room)

    def room_for(self, labels: Sequence[str]) -> int:
        """Return the tokens that the longest label needs at most, its end token included."""
        ids = self.prompt.answer_ids(self.tokenizer, [""] * len(labels), labels)
        # Behind another text a label may begin with one token more.
        return max(len(answer) for _, answer in ids) + 1

    @property
    def batch_tokens(self) -> int:
        """Tokens that are answered at once on this device."""
        return _BATCH_TOKENS.get(self.model.device.type, _BATCH_TOKENS["cpu"])

    def _prompt_ids(self, contexts: Sequence[str], room: int) -> list[list[int]]:
        rows = self.prompt.prompt_ids(self.tokenizer, contexts)
        for number, fault in self._faults(rows, room).items():
            raise UsageError(f"context {number + 1} {fault}")
        return rows

    def _faults(self, rows: list[list[int]], room: int) -> dict[int, str]:
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        faults = {number: "is empty; give the model some text" for number, row in enumerate(rows) if not row}
        for number, row in enumerate(rows):
            if most and len(row) + room > most:
                faults[number] = (
                    f"is too long: {len(row)} tokens and {room} for the answer; "
                    f"this base model reads {most}. Shorten it"
                )
        return faults

    def _batches(
        self, rows: list[list[int]], room: int, tokens: int | None
    ) -> Iterator[tuple[list[int], int, Any]]:
        """Yield row numbers, how many tokens these rows start with in common, and the cache of these.

        That start is read once: it is often more than half of a prompt (instructions).
        """
        import torch

        budget = tokens or self.batch_tokens
        # A sliding window counts the padding that comes to stand behind the shared start.
        slides = getattr(self.model.config.get_text_config(), "sliding_window", None)
        for shared, group in [(0, list(range(len(rows))))] if slides else decoding.starts(rows):
            cache = None
            if shared:
                ids = torch.tensor([rows[group[0]][:shared]], device=self.model.device)
                cache = self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
            for batch in decoding.batches([len(rows[i]) for i in group], room, budget):
                yield [group[i] for i in batch], shared, cache

    def _left_padded(self, rows: list[list[int]], shared: int) -> tuple[Any, Any]:
        """Return ids and mask of prompts: their shared start, padding, their own rest."""
        import torch

        width = max(len(row) for row in rows)
        ids = [row[:shared] + [self._pad] * (width - len(row)) + row[shared:] for row in rows]
        mask = [[1] * shared + [0] * (width - len(row)) + [1] * (len(row) - shared) for row in rows]
        return torch.tensor(ids, device=self.model.device), torch.tensor(mask, device=self.model.device)

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.strip()
