"""Hosted models: what is sent where, what counts as an answer, and what a server's misbehaviour costs."""

import asyncio
import json
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any

import click
import pytest
from click.testing import CliRunner

from finlora.cli.endpoint_options import with_endpoint
from finlora.endpoint import TRIES, Asked, Endpoint
from finlora.endpoint_costs import estimate
from finlora.endpoint_pace import Pace, Timing
from finlora.endpoint_replies import Complaint, complaint, judge, mended, read, retry_after
from finlora.errors import EndpointError, FinLoRAError, UsageError
from finlora.respondents import Reply
from tests.model_server import (
    KEY,
    ModelServer,
    Together,
    body,
    completion,
    cut,
    drip,
    good,
    hang,
    refusing,
    reset,
    serving,
    status,
)


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        return Timing(self.sleep, lambda: self.now, lambda: 1.0)


@dataclass
class Trial:
    """A server, a clock, and everything that was told; the key must be in none of it."""

    server: ModelServer
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def endpoint(self, **options: Any) -> Endpoint:
        wanted = {"url": self.server.url, "model": "m", "key_env": "SERVER_KEY", "timeout": 10.0, **options}
        return Endpoint(Asked(**wanted), self.said.append, self.clock.timing())

    def done(self, number: int, reply: Reply) -> None:
        assert number not in self.replies
        self.replies[number] = reply

    def ask(self, texts: list[str], room: int = 8, **options: Any) -> list[Reply]:
        """Ask, and return what came of each text in the order of the texts."""
        endpoint = self.endpoint(**options)
        endpoint.answer(texts, room, self.done)
        self.seen += [repr(endpoint), json.dumps([endpoint.settings(), endpoint.facts, endpoint.identity])]
        return [self.replies[number] for number in range(len(texts))]

    def end(self, texts: list[str], **options: Any) -> str:
        """Ask, and return why it ended."""
        with pytest.raises(EndpointError) as caught:
            self.ask(texts, **options)
        self.seen.append(str(caught.value))
        return str(caught.value)


@pytest.fixture
def trial(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Trial]:
    monkeypatch.setenv("SERVER_KEY", KEY)
    for name in ("openai", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    with serving() as server:
        trial = Trial(server)
        yield trial
    records = caplog.get_records("call")
    # Logging was on, and the client's, which could hold rows, was not.
    assert "asyncio" in {record.name for record in records} or not server.sent
    assert [r for r in records if r.name.startswith(("openai", "httpx2", "httpcore2"))] == []
    logged = [f"{record.getMessage()} {record.args}" for record in records]
    told = [*trial.seen, *trial.said, repr(trial.replies), *capfd.readouterr(), *logged]
    assert trial.seen
    assert [text for text in told if KEY in text] == []


# What the server does with one row, how often it is asked, and what comes of it.
ROWS: dict[str, tuple[list[Any], int, Reply]] = {
    "429 with Retry-After": ([status(429, Retry_After="7"), good()], 2, Reply("answer to x")),
    "429 without": ([status(429, "slow down"), good()], 2, Reply("answer to x")),
    "500 then an answer": ([status(500), status(502), good()], 3, Reply("answer to x")),
    "503 forever": ([status(503, "busy")], TRIES, Reply("", f"status 503: busy [key], after {TRIES} tries")),
    "a page with status 503": (
        [body(b"<html>sorry</html>", "text/html", 503)],
        TRIES,
        Reply("", f"status 503, after {TRIES} tries"),
    ),
    "reset once": ([reset, good()], 2, Reply("answer to x")),
    "a body that breaks off": ([cut, good()], 2, Reply("answer to x")),
    "silence once": ([hang, good()], 2, Reply("answer to x")),
    "a slow drip once": ([drip, good()], 2, Reply("answer to x")),
    "damaged JSON once": ([body(b'{"choices": [{"mess'), good()], 2, Reply("answer to x")),
    "damaged JSON forever": (
        [body(completion("y")[:-9])],
        TRIES,
        Reply("", f"the server's JSON was cut off or damaged, after {TRIES} tries"),
    ),
    "a proxy's page": (
        [body(b"<html>positive</html>", "text/html; charset=utf-8")],
        1,
        Reply("", "the server sent text/html instead of JSON: a proxy's page, perhaps"),
    ),
    "a page with no type": (
        [body(completion("y"), "")],
        1,
        Reply("", "the server sent no type instead of JSON: a proxy's page, perhaps"),
    ),
    "no choices": ([good(choices=[])], 1, Reply("", "no answer in what the server sent")),
    "choices of null": ([good(choices=None)], 1, Reply("", "no answer in what the server sent")),
    "JSON that is a list": ([body(b"[1]")], 1, Reply("", "the server's JSON is no chat completion")),
    "an error with status 200": (
        [body(b'{"error": {"message": "no GPU\\nleft"}}')],
        1,
        Reply("", "no answer in what the server sent: no GPU left"),
    ),
    "null as text": (
        [good(choices=[{"finish_reason": "stop", "message": {"content": None}}])],
        1,
        Reply("", "the answer holds no text"),
    ),
    "a tool call": (
        [good(choices=[{"finish_reason": "tool_calls", "message": {"content": None}}])],
        1,
        Reply("", "the answer ended with 'tool_calls'"),
    ),
    "no message": ([good(choices=[{"finish_reason": "stop"}])], 1, Reply("", "the answer holds no text")),
    "parts instead of text": ([good([{"text": "y"}])], 1, Reply("", "the answer holds no text")),
    "content filter": (
        [good("posi", "content_filter")],
        1,
        Reply("", "the server's content filter held the answer back"),
    ),
    "refusal": (
        [good(choices=[{"finish_reason": "stop", "message": {"content": "", "refusal": "I can't"}}])],
        1,
        Reply("", "the model refused: I can't"),
    ),
    "cut by length": ([good(" positive, bec", "length")], 1, Reply("positive, bec")),
    "length used up by thinking": (
        [good("", "length")],
        1,
        Reply("", "the answer's tokens were used up before any text came; raise --max-new-tokens"),
    ),
    "an end nobody knows": ([good("posi", "aborted")], 1, Reply("", "the answer ended with 'aborted'")),
    "an empty answer": ([good("\n")], 1, Reply("")),
    "Google's capitals": ([good("positive\n", "STOP")], 1, Reply("positive")),
    "half a character": ([good("a\ud83d")], 1, Reply("a\ufffd")),
    "the key in the answer": ([good(f"your key is {KEY}")], 1, Reply("your key is [key]")),
    "the key in the answer, spelt otherwise": (
        [body(completion(f"it is {KEY}").replace(b"sk-", b"\\u0073k-"))],
        1,
        Reply("it is [key]"),
    ),
    "the key where the words are cut": (
        [body(json.dumps({"error": f"{'y' * 190} {KEY}"}).encode(), status=400)],
        1,
        Reply("", f"status 400: {'y' * 190} [key]"),
    ),
    "400": ([status(400, "too long")], 1, Reply("", "status 400: too long [key]")),
    "400 with words on a limit": (
        [status(400, "max_tokens is too large, at most 4", param="max_tokens")],
        1,
        Reply("", "status 400: max_tokens is too large, at most 4 [key]"),
    ),
    "413": ([status(413, "too\x1b[31m long")], 1, Reply("", "status 413: too [31m long [key]")),
}


def test_there_are_enough_ways_to_misbehave() -> None:
    assert len(ROWS) == 35


@pytest.mark.parametrize("case", ROWS)
def test_a_row_is_an_answer_or_an_error(trial: Trial, case: str) -> None:
    steps, requests, reply = ROWS[case]
    trial.server.script["x"] = steps
    short = {"timeout": 1.0} if {hang, drip} & set(steps) else {}
    # The others are answered, whatever happens to one.
    replies = trial.ask(["a", "x", "b"], **short)
    assert replies == [Reply("answer to a"), reply, Reply("answer to b")]
    assert trial.server.counts == {"a": 1, "x": requests, "b": 1}
    # Its own pause, and what the server asks for beyond it.
    asked = [1, 6] if case == "429 with Retry-After" else None
    assert trial.clock.slept == (asked or [1, 2, 4, 8, 16, 32][: requests - 1])


# What stops everything: the server's behaviour, and words of the message.
ENDS: dict[str, tuple[Any, str]] = {
    "401": (status(401, "Incorrect key"), "refuses access .status 401.\n.*--key-env NAME"),
    "403": (status(403), "refuses access .status 403."),
    "Google's bad key": (
        body(b'[{"error": {"message": "API key not valid.", "code": 400}}]', status=400),
        "refuses access .status 400.",
    ),
    "no credit": (status(429, "quota", name="insufficient_quota"), "no credit left"),
    "402": (status(402, "Insufficient Balance"), "no credit left .*402: Insufficient Balance"),
    "an unknown model": (status(404, "no such model"), "does not know the model 'm'.*\n.*--model"),
    "an unknown model, told with 400": (status(400, "Model Not Exist"), "does not know the model 'm'"),
    "405": (status(405), "takes no questions at this address"),
    "an hour's wait": (status(429, "daily limit", Retry_After="3600"), "asks to wait 60 minutes"),
    "redirect": (
        status(307, Location="https://elsewhere.example/v1?token=secret"),
        r"sends to another address \(https://elsewhere.example/v1\); the key and the rows are not sent",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_what_is_wrong_for_every_row_stops_at_once(trial: Trial, case: str) -> None:
    trial.server.always, words = ENDS[case]
    message = trial.end([f"row {i}" for i in range(40)], concurrency=2)
    assert re.search(words, message)
    assert message.count("\nWhat to do: ") == 1
    assert trial.replies == {}
    # Those under way beside the first, and no more.
    assert len(trial.server.sent) <= 2
    assert trial.clock.slept == []


def test_what_was_answered_before_the_end_stands(trial: Trial) -> None:
    trial.server.script["bad"] = [status(401)]
    trial.end(["a", "b", "bad", "c"], concurrency=1)
    assert trial.replies == {0: Reply("answer to a"), 1: Reply("answer to b")}


@pytest.mark.parametrize("behaviour", [reset, hang])
def test_a_server_that_never_answers_ends_it(trial: Trial, behaviour: Any) -> None:
    trial.server.always = behaviour
    assert "has answered no request" in trial.end(["x"], timeout=0.1)
    assert trial.server.counts == {"x": TRIES}


def test_nobody_listens(trial: Trial) -> None:
    # Nobody listens at the discard port.
    message = trial.end(["x"], url="http://127.0.0.1:9/v1")
    assert "127.0.0.1:9 has answered no request: the connection failed" in message


def test_a_redirect_does_not_take_the_key_along(trial: Trial) -> None:
    with serving() as other:
        trial.server.always = status(307, Location=f"{other.url}/chat/completions")
        assert other.url in trial.end(["x"])
        assert other.sent == []
    assert len(trial.server.sent) == 1


def test_the_order_is_that_of_the_rows_and_the_bound_is_reached_and_kept(trial: Trial) -> None:
    trial.server.always = together = Together(4)
    texts = [f"row {i}" for i in range(20)]
    assert [reply.output for reply in trial.ask(texts, concurrency=4)] == [f"answer to {t}" for t in texts]
    assert together.most == 4


def test_rows_start_no_faster_than_asked() -> None:
    clock, starts = Clock(), []

    async def row(pace: Pace) -> None:
        await pace.turn()
        starts.append(clock.now)
        if len(starts) == 10:
            pace.hold(30)

    async def rows() -> None:
        pace = Pace(60 / 120, clock.timing())
        await asyncio.gather(*(row(pace) for _ in range(20)))

    asyncio.run(rows())
    assert starts == [i / 2 for i in range(10)] + [34.5 + i / 2 for i in range(10)]


def test_the_limit_holds_for_tries_too(trial: Trial) -> None:
    trial.server.script["row 3"] = [status(500), good()]
    trial.ask([f"row {i}" for i in range(10)], requests_per_minute=30)
    assert len(trial.server.sent) == 11
    assert trial.clock.now >= 10 * 2


def test_what_is_sent(trial: Trial) -> None:
    trial.ask(["  a question \n"], room=5)
    assert trial.server.paths == ["/v1/chat/completions"]
    assert trial.server.sent == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "a question"}],
            "max_tokens": 5,
            "temperature": 0,
            "seed": 42,
        }
    ]


def test_the_environment_adds_nothing_and_leads_nowhere_else(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "sk-of-openai",
        "OPENAI_ADMIN_KEY": "sk-of-an-admin",
        "OPENAI_ORG_ID": "org",
        "OPENAI_PROJECT_ID": "project",
        "OPENAI_CUSTOM_HEADERS": "X-Spy: 1\nAuthorization: Bearer other",
        "OPENAI_LOG": "debug",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    trial.ask(["x"])
    trial.replies.clear()
    trial.ask(["x"], key_env=None)
    with_key, without = trial.server.headers
    plain = {"host", "accept", "accept-encoding", "connection", "content-length", "content-type"}
    assert without.keys() == plain | {"user-agent", "x-stainless-raw-response"}
    assert with_key.keys() == without.keys() | {"authorization"}
    assert with_key["authorization"] == f"Bearer {KEY}"
    assert without["user-agent"].startswith("finlora/")


def test_a_proxy_of_the_environment_is_used_for_other_machines(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", trial.server.url.removesuffix("/v1"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert trial.ask(["x"], url="http://models.example/v1", key_env=None) == [Reply("answer to x")]
    assert trial.server.paths == ["http://models.example/v1/chat/completions"]
    assert trial.said[0].startswith("1 row goes to models.example, unencrypted: ")


def test_a_proxy_that_is_none(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"nothing://user:{KEY}@host")
    assert "look at HTTPS_PROXY" in trial.end(["x"], url="https://models.example/v1")


NEWER = {
    "max_tokens": (
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
    ),
    "temperature": (
        "unsupported_value",
        "Unsupported value: 'temperature' does not support 0 with this model. "
        "Only the default (1) value is supported.",
    ),
}


def test_refused_parameters_are_mended_once_for_all_rows(trial: Trial) -> None:
    trial.server.always = refusing(**NEWER)
    endpoint = trial.endpoint(concurrency=1)
    endpoint.answer(["a", "b", "c"], 9, trial.done)
    assert [reply.output for reply in trial.replies.values()] == ["answer to a", "answer to b", "answer to c"]
    assert trial.server.counts == {"a": 3, "b": 1, "c": 1}
    assert {**trial.server.sent[-1], "messages": []} == {
        "model": "m",
        "messages": [],
        "max_completion_tokens": 9,
        "seed": 42,
    }
    settings = endpoint.settings()
    trial.seen.append(str(settings))
    assert settings["parameters"] == {"seed": 42}
    assert settings["max_new_tokens_as"] == "max_completion_tokens"
    # Asked for is what was asked for: the identity is known before.
    assert endpoint.identity["parameters"] == {"temperature": 0, "seed": 42}


def test_rows_that_meet_the_refusal_together_mend_it_once(trial: Trial) -> None:
    trial.server.always = refusing(**NEWER)
    replies = trial.ask([f"row {i}" for i in range(16)], concurrency=8)
    assert {reply.error for reply in replies} == {None}
    assert max(trial.server.counts.values()) <= 3


def test_a_row_that_learns_of_it_late_does_not_undo_what_another_mended(trial: Trial) -> None:
    known = threading.Event()

    def tell(handler: Any, sent: dict[str, Any]) -> None:
        good()(handler, sent)
        known.set()

    def wait(handler: Any, sent: dict[str, Any]) -> None:
        assert known.wait(30)
        refusing(**NEWER)(handler, sent)

    trial.server.script = {"first": [refusing(**NEWER)] * 2 + [tell], "late": [wait]}
    trial.ask(["first", "late"], concurrency=2)
    assert trial.server.counts == {"first": 3, "late": 2}


def test_a_parameter_that_is_always_refused_is_an_error_row(trial: Trial) -> None:
    trial.server.always = status(400, "Unsupported parameter: 'max_completion_tokens'")
    assert trial.ask(["x"])[0].error == ("status 400: Unsupported parameter: 'max_completion_tokens' [key]")
    assert trial.server.counts == {"x": 1}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (Complaint("Extra inputs are not permitted: seed", param=""), ("max_tokens", "temperature")),
        (Complaint("'temperature' is deprecated for this model"), ("max_tokens", "seed")),
        (Complaint("bad", "unsupported_parameter", "seed"), ("max_tokens", "temperature")),
        (Complaint("temperature must be at most 2"), None),
        (Complaint("unsupported: top_p"), None),
        (Complaint(""), None),
    ],
)
def test_which_parameter_a_complaint_is_about(said: Complaint, left: tuple[str, ...] | None) -> None:
    assert mended(("max_tokens", "temperature", "seed"), said) == left


def test_the_limit_of_an_answer_is_never_left_out() -> None:
    said = Complaint("unsupported", "unsupported_parameter", "max_completion_tokens")
    assert mended(("max_completion_tokens", "seed"), said) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error": {"message": "a", "code": "b", "param": "c"}}', Complaint("a", "b", "c")),
        (b'{"error": "a"}', Complaint("a")),
        (b'{"object": "error", "message": "a", "code": 400}', Complaint("a", "400")),
        (b'[{"error": {"code": 400, "message": "a"}}]', Complaint("a", "400")),
        (
            b'{"detail": [{"loc": ["seed"], "msg": "extra"}]}',
            Complaint('[{"loc": ["seed"], "msg": "extra"}]'),
        ),
        (b"<html>", Complaint("")),
        (b"", Complaint("")),
        (b'"a"', Complaint("")),
        (b"\xff", Complaint("")),
        (b"[" * 100_000, Complaint("")),
        (json.dumps({"error": "long " * 99}).encode(), Complaint(("long " * 40)[:199] + "…")),
    ],
)
def test_the_forms_of_a_complaint(content: bytes, said: Complaint) -> None:
    assert complaint(content) == said


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": formatdate(time() - 60, usegmt=True)}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for() -> None:
    found = retry_after({"retry-after": formatdate(time() + 100, usegmt=True)})
    assert found is not None
    assert 90 < found <= 100


def test_a_wait_is_everybodys(trial: Trial) -> None:
    trial.server.script["a"] = [status(429, Retry_After="200"), good()]
    trial.ask(["a", "b"], concurrency=1)
    assert trial.clock.now >= 200


def test_no_case_of_another_module_is_read_as_an_answer() -> None:
    assert read("application/json", b"{}") == read("application/problem+json", b'{"choices": [[]]}')
    assert isinstance(judge(418, {}, b"", "host", "m"), Reply)


def interrupt(handler: Any, sent: dict[str, Any]) -> None:
    """Press Ctrl-C while the answer is awaited."""
    os.kill(os.getpid(), signal.SIGINT)
    hang(handler, sent)


def test_ctrl_c_ends_it_promptly(trial: Trial) -> None:
    trial.server.script = {"a": [good()], "b": [interrupt]}
    trial.server.always = hang
    trial.seen.append("nothing")
    with pytest.raises(KeyboardInterrupt):
        trial.ask(["a", "b", "c"], timeout=60, concurrency=1)
    # What was answered stands, and no row after it was asked.
    assert trial.replies == {0: Reply("answer to a")}
    assert trial.server.counts == {"a": 1, "b": 1}


def test_a_fault_of_whoever_takes_the_answers_is_passed_on(trial: Trial) -> None:
    trial.seen.append("nothing")

    def full(_number: int, _reply: Reply) -> None:
        raise FinLoRAError("the disk is full")

    with pytest.raises(FinLoRAError, match="the disk is full"):
        trial.endpoint().answer(["a", "b"], 8, full)


def test_the_costs_are_told_before_and_counted_after(trial: Trial) -> None:
    trial.server.script["bad"] = [good("x", "content_filter")]
    trial.server.script["silent"] = [good(usage=None)]
    endpoint = trial.endpoint(price_in=2.0, price_out=10.0)
    endpoint.answer(["a" * 9, "bad", "silent"], 8, trial.done)
    settings = endpoint.settings()
    trial.seen.append(str(settings))
    host = trial.server.url.split("/")[2]
    assert trial.said == [
        f"3 rows go to {host}: about 6 tokens in, at most 24 out; about 0.0000 to 0.0003 USD"
    ]
    assert settings["estimate"] == {
        "requests": 3,
        "tokens_in": 6,
        "most_tokens_out": 24,
        "usd": (42 / 1e6, 252 / 1e6),
    }
    assert settings["usage"] == {
        "requests": 3,
        "tokens_in": 20,
        "tokens_out": 4,
        "uncounted": 1,
    }
    assert settings["cost_usd"] == pytest.approx(80 / 1e6)
    assert settings["models_answered"] == ["m-2026-01-01"]
    # What the next answers cost is counted for themselves.
    trial.replies.clear()
    endpoint.answer(["a"], 8, trial.done)
    assert endpoint.settings()["usage"]["requests"] == 1


def test_an_estimate_without_prices_names_none() -> None:
    found = estimate(["12345", ""], 10)
    assert (found.requests, found.tokens_in, found.most_tokens_out, found.usd) == (2, 2, 20, None)
    assert str(found) == "about 2 tokens in, at most 20 out"
    assert estimate([], 10, 1, 1).usd == (0, 0)


def test_no_rows_no_request(trial: Trial) -> None:
    assert trial.ask([]) == []
    assert (trial.server.sent, trial.said) == ([], [])


def endpoint_at(url: str, model: str = "m", key_env: str | None = None) -> Endpoint:
    return Endpoint(Asked(url, model, key_env), lambda _line: None)


def test_who_it_is() -> None:
    endpoint = endpoint_at("https://API.together.xyz/v1/chat/completions/", "meta-llama/Llama-3.1-8B")
    assert endpoint.facts == {
        "kind": "endpoint",
        "name": "meta-llama/Llama-3.1-8B",
        "url": "https://api.together.xyz/v1",
        "model": "meta-llama/Llama-3.1-8B",
    }
    assert endpoint.place[0] == "endpoint"
    assert re.fullmatch("api.together.xyz-meta-llama-Llama-3.1-8B-[0-9a-f]{6}", endpoint.place[1])
    assert endpoint.prompts([" a \n"]) == ["a"]
    with pytest.raises(UsageError, match="--decode generate"):
        endpoint.weigh(["a"], ["b"], lambda *_: None)
    with pytest.raises(UsageError, match="context 2 is empty"):
        endpoint.answer(["a", " "], 8, lambda *_: None)


def test_two_models_never_share_a_place() -> None:
    urls = [
        "http://localhost:8000/v1",
        "http://localhost:8000/v2",
        "http://localhost:8001/v1",
        "http://[::1]",
    ]
    models = ["a/b", "a-b", "A-b", "../../etc", "ä", "x" * 300]
    places = {endpoint_at(url, model).place[1] for url in urls for model in models}
    assert len(places) == len({place.lower() for place in places}) == 24
    assert {place for place in places if not re.fullmatch(r"[a-z0-9][\w.-]{1,120}", place, re.ASCII)} == set()


@pytest.mark.parametrize(
    "url",
    ["", "api.openai.com/v1", "ftp://a/v1", "https://", "https://a b/", "http://a:99999/v1", "http://[::"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="wants the address of a server"):
        endpoint_at(url)


@pytest.mark.parametrize("url", [f"https://u:{KEY}@a/v1", f"https://a/v1?key={KEY}", f"https://a/v1#{KEY}"])
def test_a_secret_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="--key-env NAME") as caught:
        endpoint_at(url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("model", ["", " ", "a\nb"])
def test_what_is_no_model(model: str) -> None:
    with pytest.raises(UsageError, match="--model wants"):
        endpoint_at("http://localhost/v1", model)


def test_where_a_key_comes_from_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OTHER_KEY", f" {KEY}\n")
    monkeypatch.setenv("BAD_KEY", f"{KEY} é")

    def key(url: str, key_env: str | None = None) -> str:
        return endpoint_at(url, key_env=key_env)._key

    assert key("https://api.openai.com/v1") == "sk-of-openai"
    assert key("https://api.openai.com/v1", "OTHER_KEY") == KEY
    # The key of one company is no business of another.
    assert key("https://api.together.xyz/v1") == ""
    assert key("https://api.openai.com.evil.example/v1") == ""
    assert key("https://api.together.xyz/v1", "OTHER_KEY") == KEY
    for local in ("localhost:8000", "127.0.0.1:1", "[::1]:1", "x.localhost"):
        assert key(f"http://{local}/v1") == ""
        assert key(f"http://{local}/v1", "OTHER_KEY") == KEY
    assert key("http://10.0.0.5:8000/v1") == ""
    for url, name, words in [
        ("http://10.0.0.5:8000/v1", "OTHER_KEY", "unencrypted"),
        ("http://api.openai.com/v1", None, "unencrypted"),
        ("https://a/v1", "BAD_KEY", "BAD_KEY holds characters"),
        ("https://a/v1", "NO_SUCH_KEY", "NO_SUCH_KEY is not set"),
    ]:
        with pytest.raises(UsageError, match=words) as caught:
            key(url, name)
        assert KEY not in str(caught.value)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="export OPENAI_API_KEY="):
        key("https://api.openai.com/v1")


@click.command()
@click.option("--offline", is_flag=True)
@with_endpoint
def command(offline: bool, endpoint: Asked | None) -> None:
    click.echo(repr(endpoint))


def test_the_options_become_one_record() -> None:
    run: Callable[..., Any] = CliRunner().invoke
    assert run(command, []).output == "None\n"
    few = ["--endpoint", "https://a/v1", "--model", "m"]
    assert run(command, few).output == f"{Asked('https://a/v1', 'm')!r}\n"
    words = "--key-env K --concurrency 3 --requests-per-minute 60 --timeout 9 --price-in 1 --price-out 2"
    assert run(command, [*few, *words.split()]).output == (
        f"{Asked('https://a/v1', 'm', 'K', 3, 60.0, 9.0, 1.0, 2.0)!r}\n"
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--model m", "needs --endpoint too"),
        ("--endpoint https://a", "needs --model too"),
        ("--concurrency 3", "needs --endpoint too"),
        ("--endpoint https://a --model m --offline", "--offline forbids it"),
        ("--endpoint https://a --model m --price-in 1", "both prices or none"),
    ],
)
def test_options_that_do_not_go_together(argv: str, words: str) -> None:
    found = CliRunner().invoke(command, argv.split()).exception
    assert isinstance(found, UsageError)
    assert words in str(found)


@pytest.mark.parametrize(
    "argv", ["--concurrency 0", "--timeout 0", "--requests-per-minute 0", "--price-in -1"]
)
def test_numbers_out_of_range_are_refused(argv: str) -> None:
    assert CliRunner().invoke(command, argv.split()).exit_code == 2
