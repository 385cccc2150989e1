"""The Hugging Face hub: the named files of a dataset repository.

The hub's own library decides on endpoint, token, cache and offline mode (HF_ENDPOINT, HF_TOKEN, HF_HOME,
HF_HUB_OFFLINE). Files are only ever read; nothing in a repository is run.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from finlora.errors import HubError
from finlora.files import sha256
from finlora.hub_errors import LOG_IN, answer_of, explain, status_of

T = TypeVar("T")
_TRIES = 4
_LONGEST_WAIT = 120.0

OnBytes = Callable[[str, int, int | None], None]


def _ignore(_path: str, _count: int, _size: int | None) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Taken:
    """Files of a dataset repository that are on this machine.

    Args:
        commit: of the repository, 40 hexadecimal digits.
        files: path in the repository to path on this machine.
        digests: path in the repository to SHA-256.
    """

    commit: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]


def take(
    repo: str,
    revision: str | None,
    paths: Sequence[str],
    *,
    offline: bool = False,
    on_bytes: OnBytes = _ignore,
    wait: Callable[[float], None] = time.sleep,
) -> Taken:
    """Return files of a dataset repository, fetched if they are not in the hub's cache.

    Args:
        repo: owner/name.
        revision: a commit; None for the newest.
        paths: the files, and no others.
        offline: take only what is in the cache.
        on_bytes: called with a path, the bytes that came, and the file's size where a download begins (with
            the bytes of it that had come before).
        wait: sleeps for seconds, between tries.

    Raises:
        HubError: a file can't be had whole; the message says what to do.
    """
    from huggingface_hub import constants

    offline = offline or constants.HF_HUB_OFFLINE
    if offline:
        files = {path: _cached(repo, revision or "main", path) for path in paths}
        commit = next(iter(files.values())).parents[len(Path(paths[0]).parts) - 1].name
    else:
        try:
            commit = revision or _newest(repo, wait)
            files = {path: _download(repo, commit, path, on_bytes, wait) for path in paths}
        except HubError:
            raise
        except Exception as error:
            raise HubError(_say(repo, error)) from None
    digests = {}
    for path, file in files.items():
        digest = sha256(file)
        if not _is_what_the_hub_named(file, digest):
            _forget(file)
            raise HubError(
                f"{repo}: '{path}' is not what the hub announced: its digest differs\n"
                "What to do: run the command again; it was removed from the cache"
            )
        digests[path] = digest
    return Taken(commit, files, digests)


def load() -> None:
    """Import the hub's library; its parts come lazily, and two threads that meet in that both fail."""
    import huggingface_hub

    for part in ("HfApi", "constants", "hf_hub_download"):
        getattr(huggingface_hub, part)
    # Its own words on what it tries again; we say it once, in the end.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _newest(repo: str, wait: Callable[[float], None]) -> str:
    from huggingface_hub import HfApi, constants

    try:
        commit = _patiently(lambda: HfApi().dataset_info(repo, revision="main").sha, wait)
    except (ValueError, TypeError, KeyError):
        # A page to log in to some network, perhaps, instead of JSON.
        commit = None
    if not re.fullmatch("[0-9a-f]{40}", str(commit)):
        raise HubError(
            f"{repo} can't be fetched: {urlsplit(constants.ENDPOINT).hostname} does not answer as a hub "
            "does\n"
            "What to do: look at HF_ENDPOINT, and at what the network puts in between (HTTPS_PROXY)"
        )
    return str(commit)


def _cached(repo: str, revision: str, path: str) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            hf_hub_download(repo, path, repo_type="dataset", revision=revision, local_files_only=True)
        )
    except LocalEntryNotFoundError:
        raise HubError(
            f"{repo}: '{path}' is not in the hub's cache ({constants.HF_HUB_CACHE}) and offline work was "
            "asked for\nWhat to do: run once without --offline (and without HF_HUB_OFFLINE)"
        ) from None


def _download(repo: str, commit: str, path: str, on_bytes: OnBytes, wait: Callable[[float], None]) -> Path:
    from huggingface_hub import hf_hub_download

    force = False

    def get() -> Path:
        nonlocal force
        try:
            return Path(
                hf_hub_download(
                    repo,
                    path,
                    repo_type="dataset",
                    revision=commit,
                    force_download=force,
                    tqdm_class=_counter(lambda count, size: on_bytes(path, count, size)),
                )
            )
        except OSError as error:
            # The size is another than announced: what is there can't be completed, only begun anew.
            force = "Consistency check failed" in str(error) or status_of(error) == 416
            raise

    return _patiently(get, wait)


def _counter(report: Callable[[int, int | None], None]) -> Any:
    """Return a class that stands in for the library's progress bar, and counts bytes instead."""
    from huggingface_hub.utils.tqdm import tqdm

    untyped: Any = tqdm

    class Counter(untyped):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            report(int(kwargs.get("initial") or 0), int(kwargs.get("total") or 0))

        def update(self, n: float | None = 1) -> None:
            report(int(n or 0), None)

    return Counter


def _patiently(action: Callable[[], T], wait: Callable[[float], None]) -> T:
    """Do something, again after a while where the hub is busy or the line was cut."""
    for attempt in range(1, _TRIES + 1):
        try:
            return action()
        except Exception as error:
            seconds = _pause(error, attempt)
            if seconds is None or attempt == _TRIES:
                raise
            wait(seconds)
    raise AssertionError("the last try returns or raises")


def _pause(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before another try, or None where another would end the same."""
    import httpx

    answer = answer_of(error)
    if answer is None:
        cut = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.TimeoutException)
        return float(attempt) if cut or "Consistency check failed" in str(error) else None
    if answer.status_code not in (416, 429) and answer.status_code < 500:
        return None
    asked = answer.headers.get("Retry-After", "")
    seconds = float(asked) if asked.isdecimal() else 2.0 ** (attempt - 1)
    return seconds if seconds <= _LONGEST_WAIT else None


def _is_what_the_hub_named(file: Path, digest: str) -> bool:
    """Whether a cached file has the digest the hub announced, which is the name it lies under.

    Large files go by SHA-256, small ones by that of a Git blob; a mirror may have names of its own.
    """
    name = file.resolve().name
    if len(name) == 64:
        return name == digest
    if len(name) == 40:
        content = file.read_bytes()
        return name == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return True


def _forget(file: Path) -> None:
    file.resolve().unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _say(repo: str, error: Exception) -> str:
    from huggingface_hub import constants

    page = f"{urlsplit(constants.ENDPOINT).hostname}/datasets/{repo}"
    problem, step = explain(
        error,
        "dataset",
        page,
        absent=f"check the name; for a private dataset {LOG_IN}",
        instead="behind a firewall set HF_ENDPOINT to a mirror, or HTTPS_PROXY to a proxy",
    )
    return f"{repo} can't be fetched: {problem}\nWhat to do: {step}"
