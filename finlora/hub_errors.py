"""What a failure of the Hugging Face hub's library means, and what to do."""

from typing import Any

LOG_IN = "log in with `hf auth login` or set HF_TOKEN"


def answer_of(error: BaseException | None) -> Any:
    """Return the hub's answer that an error, or what it came from, stands for."""
    while error is not None:
        if (answer := getattr(error, "response", None)) is not None:
            return answer
        error = error.__cause__
    return None


def status_of(error: Exception) -> int | None:
    """Return the status of the hub's answer, or None where it gave none."""
    answer = answer_of(error)
    return None if answer is None else int(answer.status_code)


def is_out_of_reach(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that the hub can't be reached, or may not be."""
    import httpx

    while error is not None:
        # What the hub's library says of a line that it gave up on, after its own tries.
        closed = isinstance(error, RuntimeError) and "client has been closed" in str(error)
        if closed or isinstance(error, ConnectionError | httpx.TransportError):
            return True
        error = error.__cause__ or error.__context__
    return False


def explain(error: Exception, noun: str, page: str, absent: str, instead: str) -> tuple[str, str]:
    """Say what a failure of the hub's library means, without any of its text, and what to do.

    Args:
        error: what the library raised.
        noun: model or dataset.
        page: host and path of its page.
        absent: what to do where there is no such repository.
        instead: what else there is where the hub can't be reached.

    Returns:
        The problem and the next step.

    Raises:
        Exception: the error itself, where it is none of the hub's or the network's.
    """
    import httpx
    from huggingface_hub import errors

    host = page.partition("/")[0]
    status = status_of(error)
    if isinstance(error, errors.GatedRepoError):
        licence = f"accept the licence on the {noun}'s page ({page}), then {LOG_IN}"
        return f"{host} gives it only to those who accepted its licence", licence
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{host} knows no such {noun}, or it is private", absent
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{host} has no such revision of it", f"see its revisions on {page}/commits/main"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"{host} has no such file in it ({_file_of(error)})", f"see its files on {page}/tree/main"
    if status in (401, 403):
        return f"{host} refuses access (status {status})", f"{LOG_IN} with a token that may read it"
    if status == 429:
        step = (
            f"wait some minutes and try again; those who {LOG_IN.replace(' or ', ', or ')} may ask more often"
        )
        return f"{host} answers that it was asked too often (status 429)", step
    # A download through hf_xet fails with RuntimeError.
    if not isinstance(error, errors.HfHubHTTPError | httpx.HTTPError | OSError | RuntimeError):
        raise error
    if status is None and isinstance(error, OSError) and error.errno is not None:
        return f"the hub's cache can't be written: {error.strerror}", "free some space, try again"
    if status is None and (
        isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) or "Consistency check" in str(error)
    ):
        return f"the answer of {host} was cut off", "try again; what came is kept, and it goes on from there"
    problem = f"{host} answers with status {status}" if status else f"{host} can't be reached"
    return problem, f"try again; {instead}"


def _file_of(error: Exception) -> str:
    answer = answer_of(error)
    return "" if answer is None else str(answer.request.url.path).partition("/resolve/")[2].partition("/")[2]
