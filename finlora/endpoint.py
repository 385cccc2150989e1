"""A hosted model behind an OpenAI-compatible server, as a respondent of an evaluation."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finlora import endpoint_address, endpoint_client, endpoint_costs, endpoint_replies
from finlora.endpoint_pace import Pace, Timing
from finlora.endpoint_replies import Again
from finlora.errors import EndpointError, UsageError
from finlora.respondents import Done, Reply

TRIES = 7
_SEED = 42
_PARAMETERS: tuple[str, ...] = ("max_tokens", "temperature", "seed")


@dataclass(frozen=True)
class Asked:
    """What is to be asked, and how.

    Args:
        url: of the server, up to what stands before /chat/completions.
        model: its name there.
        key_env: environment variable that holds the key; None for OpenAI's own at OpenAI, none elsewhere.
        concurrency: requests under way at once, at most.
        requests_per_minute: at most, evenly spaced; None for no limit.
        timeout: seconds an answer may take, from the first byte sent to the last that came.
        price_in: US dollars for a million tokens that are read; None if unknown.
        price_out: US dollars for a million tokens that are answered; None if unknown.
    """

    url: str
    model: str
    key_env: str | None = None
    concurrency: int = 8
    requests_per_minute: float | None = None
    timeout: float = 120.0
    price_in: float | None = None
    price_out: float | None = None


class Endpoint:
    """Answers over the network; fulfils `respondents.Respondent`.

    Args:
        asked: what, and how.
        say: told, before the first request, what goes where.
        timing: how time passes.

    Raises:
        UsageError: the address or the key can't be used.
        EndpointError: the client is not installed.
    """

    def __init__(self, asked: Asked, say: Callable[[str], None], timing: Timing | None = None) -> None:
        self._asked, self._say, self._timing = asked, say, timing or Timing()
        self._address = endpoint_address.parse(asked.url)
        if not asked.model.strip().isprintable() or not asked.model.strip():
            raise UsageError("--model wants the model's name on the server")
        self._key = endpoint_address.key_for(self._address, asked.key_env)
        endpoint_client.check_installed()
        url, model = self._address.url, asked.model.strip()
        self._model = model
        self.place = ("endpoint", endpoint_address.slug(self._address, model))
        self.facts: Mapping[str, Any] = {"kind": "endpoint", "name": model, "url": url, "model": model}
        self.identity: Mapping[str, Any] = {
            "url": url,
            "model": model,
            "messages": "the context as one user message",
            "parameters": {"temperature": 0, "seed": _SEED},
        }
        self.trained_on: str | None = None
        self._names = _PARAMETERS
        self._models: set[str] = set()
        self._usage = endpoint_costs.Usage()
        self._estimate: endpoint_costs.Estimate | None = None
        self._was_reached = False

    def prompts(self, contexts: Sequence[str]) -> list[str]:
        """Return what is sent for each context: one message of the user's.

        Raises:
            UsageError: a context is empty.
        """
        texts = [context.strip() for context in contexts]
        for number, text in enumerate(texts, 1):
            if not text:
                raise UsageError(f"context {number} is empty; give the model some text")
        return texts

    def weigh(self, contexts: Sequence[str], labels: Sequence[str], done: Done) -> None:
        """Refuse: hosted models tell no likelihoods of given answers.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "a hosted model does not tell how likely each label is; let it answer: --decode generate"
        )

    def answer(self, contexts: Sequence[str], max_new_tokens: int, done: Done) -> None:
        """Ask for an answer to each context, several at once.

        Args:
            contexts: what is asked.
            max_new_tokens: of the longest answer.
            done: told what came of each as soon as it is there, in this thread.

        Raises:
            UsageError: a context is empty.
            EndpointError: no row can be answered; what was told to `done` before stands.
        """
        texts = self.prompts(contexts)
        if not texts:
            return
        self._usage = endpoint_costs.Usage()
        self._estimate = endpoint_costs.estimate(
            texts, max_new_tokens, self._asked.price_in, self._asked.price_out
        )
        open_word = "" if self._address.is_encrypted or self._address.is_local else ", unencrypted"
        rows = "1 row goes" if len(texts) == 1 else f"{len(texts)} rows go"
        self._say(f"{rows} to {self._address.host}{open_word}: {self._estimate}")
        try:
            asyncio.run(self._answer_all(texts, max_new_tokens, done))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def settings(self) -> dict[str, Any]:
        """Return how the last answers were asked for, and what the server counted."""
        usage = self._usage
        spent = endpoint_costs.cost(
            usage.tokens_in, usage.tokens_out, self._asked.price_in, self._asked.price_out
        )
        return {
            "parameters": {
                name: value for name, value in self._parameters(0).items() if not name.startswith("max_")
            },
            "max_new_tokens_as": next(name for name in self._names if name.startswith("max_")),
            "concurrency": self._asked.concurrency,
            "requests_per_minute": self._asked.requests_per_minute,
            "timeout": self._asked.timeout,
            "models_answered": sorted(self._models),
            "estimate": asdict(self._estimate) if self._estimate else None,
            "usage": asdict(usage),
            "cost_usd": spent,
        }

    def close(self) -> None:
        """Hold nothing: each go of `answer` opens its own connections."""

    def _parameters(self, room: int) -> dict[str, int]:
        values = {"temperature": 0, "seed": _SEED}
        return {name: values.get(name, room) for name in self._names}

    async def _answer_all(self, texts: list[str], room: int, done: Done) -> None:
        todo = iter(enumerate(texts))
        limit = self._asked.requests_per_minute
        pace = Pace(60 / limit if limit else 0.0, self._timing)

        async def work(client: Any) -> None:
            for number, text in todo:
                done(number, await self._ask(client, pace, text, room))

        async with endpoint_client.opened(self._address, self._key) as client, asyncio.TaskGroup() as group:
            for _ in range(min(self._asked.concurrency, len(texts))):
                group.create_task(work(client))

    async def _ask(self, client: Any, pace: Pace, text: str, room: int) -> Reply:
        """Ask one row until something came of it."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await self._timing.sleep(self._timing.pause(attempt))
            outcome = await self._try(client, pace, text, room)
            if isinstance(outcome, Reply):
                error = None if outcome.error is None else self._without_key(outcome.error)
                return Reply(self._without_key(outcome.output), error)
            if outcome.wait is not None:
                pace.hold(outcome.wait)
            why = self._without_key(f"{outcome.why}, after {TRIES} tries")
        if not self._was_reached:
            raise EndpointError(
                f"{self._address.host} has answered no request: {why}\n"
                "What to do: check --endpoint, that the server runs, and HTTPS_PROXY"
            )
        return Reply("", why)

    async def _try(self, client: Any, pace: Pace, text: str, room: int) -> Reply | Again:
        """Ask once; again at once where the server refuses a parameter that can be left out."""
        while True:
            await pace.turn()
            names = self._names
            answer = await self._request(client, text, room)
            if isinstance(answer, Again):
                return answer
            self._was_reached = True
            body = answer.content.replace(self._key.encode(), b"[key]") if self._key else answer.content
            if answer.status_code < 300:
                return self._read(answer.headers.get("content-type", ""), body)
            said = endpoint_replies.complaint(body)
            better = endpoint_replies.mended(names, said) if answer.status_code in (400, 422) else None
            if better is None:
                return self._judge(answer.status_code, answer.headers, body)
            # Another row may have found out before.
            self._names = better if self._names == names else self._names

    def _read(self, content_type: str, body: bytes) -> Reply | Again:
        found = endpoint_replies.read(content_type, body)
        if isinstance(found, Again):
            return found
        self._usage.add(found.usage)
        if found.model:
            self._models.add(self._without_key(found.model))
        return found.reply

    def _judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Reply | Again:
        try:
            return endpoint_replies.judge(status, headers, body, self._address.host, self._model)
        except EndpointError as error:
            raise EndpointError(self._without_key(str(error))) from None

    async def _request(self, client: Any, text: str, room: int) -> Any:
        """Send one request; return the HTTP response, of any status, or Again if none came."""
        import openai

        self._usage.requests += 1
        try:
            async with asyncio.timeout(self._asked.timeout):
                raw = await client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=[{"role": "user", "content": text}],
                    **self._parameters(room),
                )
                return raw.http_response
        except TimeoutError:
            return Again(f"no answer within {self._asked.timeout:g} seconds")
        except openai.APIStatusError as error:
            return error.response
        except openai.APIConnectionError as error:
            cause = endpoint_replies.line(str(error.__cause__ or ""))
            return Again(f"the connection failed{f' ({cause})' if cause else ''}")

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text
