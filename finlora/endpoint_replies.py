"""What an OpenAI-compatible server's answers mean: an answer, an error, another try, or the end of it all."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from finlora.errors import EndpointError
from finlora.respondents import Reply

# How an answer that is whole may end; what is in no list is no answer.
_ENDS = (None, "", "stop", "eos", "eos_token", "end_turn")
# Statuses that may be another one next time; so may all from 500 on.
_PASSING = (408, 409, 425, 429)
_MOST_CHARACTERS = 200
_LONGEST_WAIT = 300.0
_REFUSED = re.compile(
    "unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|extra|"
    "only the default|deprecated",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model\b.*\b(not (exist|found)|doesn't exist)|(unknown|invalid) model\b", re.IGNORECASE | re.DOTALL
)
_NO_CREDIT = re.compile("insufficient[ _](quota|balance|credit|funds)", re.IGNORECASE)
_BAD_KEY = re.compile(r"\bapi[ _-]?key\b", re.IGNORECASE)


@dataclass(frozen=True)
class Again:
    """Nothing came, but another try may bring an answer.

    Args:
        why: in a line.
        wait: seconds the server asks to wait; None if it does not say.
    """

    why: str
    wait: float | None = None


@dataclass(frozen=True)
class Whole:
    """A body that could be read.

    Args:
        reply: the answer, or why it is none.
        model: that the server says has answered.
        usage: what it counted, as it came.
    """

    reply: Reply
    model: str | None = None
    usage: Any = None


@dataclass(frozen=True)
class Complaint:
    """What a server says of a request that it did not serve.

    Args:
        message: its words, in a line.
        code: its name for the fault.
        param: the parameter at fault.
    """

    message: str
    code: str = ""
    param: str = ""


def read(content_type: str, body: bytes) -> Whole | Again:
    """Read the body of an answer with a good status."""
    if "json" not in content_type:
        kind = content_type.partition(";")[0].strip() or "no type"
        return Whole(_error(f"the server sent {kind} instead of JSON: a proxy's page, perhaps"))
    value = _json(body)
    if value is None:
        return Again("the server's JSON was cut off or damaged")
    if not isinstance(value, Mapping):
        return Whole(_error("the server's JSON is no chat completion"))
    model = value.get("model")
    return Whole(_reply(value, body), line(model) if isinstance(model, str) else None, value.get("usage"))


def _reply(value: Mapping[str, Any], body: bytes) -> Reply:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping):
        said = complaint(body).message
        return _error(f"no answer in what the server sent{f': {said}' if said else ''}")
    message = first.get("message")
    message = message if isinstance(message, Mapping) else {}
    end, text = first.get("finish_reason"), message.get("content")
    end = end.lower() if isinstance(end, str) else end
    if end == "content_filter":
        return _error("the server's content filter held the answer back")
    if refusal := message.get("refusal"):
        return _error(f"the model refused: {line(str(refusal))}")
    if end == "length":
        whole = text.strip() if isinstance(text, str) else ""
        room = "the answer's tokens were used up before any text came; raise --max-new-tokens"
        return Reply(whole_characters(whole)) if whole else _error(room)
    if end not in _ENDS:
        return _error(f"the answer ended with '{line(str(end))}'")
    if not isinstance(text, str):
        return _error("the answer holds no text")
    return Reply(whole_characters(text.strip()))


def complaint(body: bytes) -> Complaint:
    """Return what a body says of a failure; empty where it is none of the known forms."""
    value = _json(body)
    # Google's servers put it into a list, others leave out the frame.
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, Mapping):
        return Complaint("")
    inner = value.get("error", value)
    if not isinstance(inner, Mapping):
        return Complaint(line(str(inner)))
    words = next((inner[key] for key in ("message", "detail") if inner.get(key)), "")
    words = words if isinstance(words, str) else json.dumps(words)
    return Complaint(line(words), str(inner.get("code") or ""), str(inner.get("param") or ""))


def judge(status: int, headers: Mapping[str, str], body: bytes, host: str, model: str) -> Reply | Again:
    """Say what a bad status means for a row.

    Raises:
        EndpointError: it means the same for every row.
    """
    said = complaint(body)
    what = f"status {status}{f': {said.message}' if said.message else ''}"
    if status == 402 or _NO_CREDIT.search(f"{said.code} {said.message}"):
        raise _end(f"{host} says that the account has no credit left ({what})", "top it up")
    # The server's words are not repeated: some quote the key.
    if status in (401, 403) or (status == 400 and _BAD_KEY.search(said.message)):
        raise _end(
            f"{host} refuses access (status {status})",
            "name the variable that holds a key for this server and model with --key-env NAME, and check it",
        )
    if status == 404 or (
        status in (400, 422) and (said.code == "model_not_found" or _NO_MODEL.search(said.message))
    ):
        raise _end(
            f"{host} does not know the model '{model}', or has nothing at this address ({what})",
            "check --model and --endpoint; addresses mostly end with /v1",
        )
    if 300 <= status < 400:
        raise _end(
            f"{host} sends to another address{_target(headers)}; the key and the rows are not sent there",
            "give the right address with --endpoint",
        )
    if status == 405:
        raise _end(f"{host} takes no questions at this address (status 405)", "check --endpoint")
    if status in _PASSING or status >= 500:
        wait = retry_after(headers)
        if wait is not None and wait > _LONGEST_WAIT:
            raise _end(f"{host} asks to wait {wait / 60:.0f} minutes ({what})", "run the command again then")
        return Again(what, wait)
    return _error(what)


def mended(names: tuple[str, ...], said: Complaint) -> tuple[str, ...] | None:
    """Return the parameters to send instead where a server refuses one; None where it refuses none of them.

    Args:
        names: of the parameters that were sent.
        said: the server's complaint.
    """
    if not _REFUSED.search(f"{said.code} {said.message}"):
        return None
    refused = [name for name in names if name == said.param]
    refused += [name for name in names if re.search(rf"\b{name}\b", said.message)]
    for name in refused:
        if name == "max_tokens":
            return tuple("max_completion_tokens" if other == name else other for other in names)
        # Without its limit an answer could cost anything.
        if name != "max_completion_tokens":
            return tuple(other for other in names if other != name)
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait, from any of the forms in use."""
    asked = headers.get("retry-after", "").strip()
    for text, unit in ((headers.get("retry-after-ms", ""), 1000.0), (asked, 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
            return float(text) / unit
    try:
        then = parsedate_to_datetime(asked).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def line(text: str) -> str:
    """Return the beginning of a server's words as one printable line."""
    words = " ".join("".join(c if c.isprintable() else " " for c in whole_characters(text)).split())
    return words if len(words) <= _MOST_CHARACTERS else words[: _MOST_CHARACTERS - 1] + "…"


def whole_characters(text: str) -> str:
    """Put U+FFFD for half a character (a lone surrogate), which no file could hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _error(why: str) -> Reply:
    return Reply("", why)


def _end(problem: str, step: str) -> EndpointError:
    return EndpointError(f"{problem}\nWhat to do: {step}")


def _target(headers: Mapping[str, str]) -> str:
    """Return where a redirect leads, without what might be secret in it."""
    place = line(re.split("[?#]", headers.get("location", ""))[0])
    return f" ({place})" if place and "@" not in place else ""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
