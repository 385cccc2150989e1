"""The DeepSpeed configurations: FinLoRA's own, Axolotl's at a pinned commit, a user's file.

FinLoRA ships six, one for each ZeRO stage with and without offloading to the CPU. Why they say what they say:

- What the run decides (batch, accumulation, clipping, precision) is "auto": the Trainer fills it in, so
  that the two can't disagree.
- `reduce_bucket_size` is "auto" (the square of the hidden size): DeepSpeed allocates the whole bucket, and
  its default of 5e8 elements is 1 to 2 GB on each device for gradients of a LoRA that need a few MB.
- `zero_force_ds_cpu_optimizer` is false where the optimizer is offloaded: otherwise accelerate puts
  DeepSpeed's own Adam, compiled on first use, in the place of the optimizer that was asked for.
- Stage 3 gathers the weights on saving: without it a partitioned model can't be saved whole. Its offloaded
  weights are pinned, since each of them crosses the bus at every step.

A file in a project that differs from the source counts as edited and is kept, unless force is given.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import __version__
from finlora.errors import DeepSpeedError, UsageError, did_you_mean

SHIPPED = ("zero1", "zero1_offload", "zero2", "zero2_offload", "zero3", "zero3_offload")

_SHIPPED_FOLDER = Path(__file__).parent / "files" / "deepspeed"
_REPOSITORY = "axolotl-ai-cloud/axolotl"
_TIMEOUT_SECONDS = 30
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.json")
_NOTHING_WRITTEN = "Nothing was written; the shipped files need no network: finlora fetch-deepspeed"


@dataclass(frozen=True)
class FetchReport:
    """What became of each file, by name.

    Args:
        new: written where there was none.
        unchanged: already equal to the source.
        kept: edited by the user and left alone.
        replaced: edited by the user and overwritten, because force was given.
        folder: where the files lie.
        source: where they come from, with the version or commit.
    """

    new: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]
    folder: Path
    source: str


def write_shipped(folder: Path, force: bool = False) -> FetchReport:
    """Write FinLoRA's own configurations into a folder, without any network.

    Args:
        folder: where to; made if missing.
        force: overwrite files that were edited.

    Returns:
        What became of each file.

    Raises:
        DeepSpeedError: the folder can't be read or written.
    """
    return _place({f"{name}.json": _shipped(name) for name in SHIPPED}, folder, force, _shipped_source())


def fetch_upstream(
    folder: Path, ref: str, api: str = "https://api.github.com", force: bool = False
) -> FetchReport:
    """Fetch Axolotl's own configurations at a tag or commit into `folder/upstream-REF`.

    All files are fetched and checked before the first is written.

    Args:
        folder: the project's folder of DeepSpeed configurations.
        ref: tag or commit of Axolotl; slashes become dashes in the folder's name.
        api: root of GitHub's REST interface, without a slash at the end.
        force: overwrite files that were edited.

    Returns:
        What became of each file; its source names the commit.

    Raises:
        UsageError: ref can't be the name of a tag or commit.
        DeepSpeedError: a file could not be had whole, or can't be written.

    Source:
        https://docs.github.com/en/rest/repos/contents and, for the digest of a file,
        https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    if not _REF.fullmatch(ref) or ".." in ref:
        raise UsageError(
            f"'{ref}' can't be a tag or commit of Axolotl: letters, digits, '.', '_', '-' and '/' are "
            "allowed, as in: finlora fetch-deepspeed --upstream v0.19.0"
        )
    root = f"{api}/repos/{_REPOSITORY}"
    commit = _field(_get_json(f"{root}/commits/{ref}", ref), "sha")
    entries = _get_json(f"{root}/contents/deepspeed_configs?ref={commit}", ref)
    if not isinstance(entries, list):
        raise DeepSpeedError(f"GitHub's list of deepspeed_configs at {commit} is no list. {_NOTHING_WRITTEN}")
    wanted = [entry for entry in entries if _field(entry, "name").endswith(".json")]
    if not wanted:
        raise DeepSpeedError(f"Axolotl {ref} has no JSON files in deepspeed_configs. {_NOTHING_WRITTEN}")
    files = {entry["name"]: _download(entry, ref, api) for entry in wanted}
    target = folder / f"upstream-{ref.replace('/', '-')}"
    return _place(files, target, force, f"axolotl {ref} at {commit}")


def resolve(choice: str, root: Path) -> Path | None:
    """Turn the word of a run's `deepspeed` key into a checked file.

    Args:
        choice: "none", a shipped name, or the path of a file, relative to the current folder.
        root: the project's folder, where the shipped ones lie.

    Returns:
        The absolute path of the file, or None for "none". A shipped one may be missing there still:
        `ensure` writes it.

    Raises:
        UsageError: neither a shipped name nor a file.
        DeepSpeedError: the file is no DeepSpeed configuration.
    """
    if choice == "none":
        return None
    if choice in SHIPPED:
        path = root.absolute() / "deepspeed_configs" / f"{choice}.json"
    else:
        path = Path(choice).absolute()
        if not path.is_file():
            raise UsageError(
                f"deepspeed: '{choice}' is neither a file nor one of none, {', '.join(SHIPPED)}"
                f"{did_you_mean(choice, SHIPPED)}"
            )
    _stage_at(path)
    return path


def ensure(path: Path) -> None:
    """Write the shipped configuration that `resolve` found missing.

    Raises:
        DeepSpeedError: it can't be written.
    """
    if path.stem in SHIPPED and not path.exists():
        _place({path.name: _shipped(path.stem)}, path.parent, False, _shipped_source())


def stage_of(choice: str, root: Path) -> int | None:
    """Return the ZeRO stage that a run's `deepspeed` key leads to; None for "none".

    Arguments and errors as in `resolve`.
    """
    path = resolve(choice, root)
    return _stage_at(path) if path else None


def _stage_at(path: Path) -> int:
    """Return the stage of a file that may be a shipped one still to be written."""
    return stage(path if path.exists() else _SHIPPED_FOLDER / path.name)


def stage(path: Path) -> int:
    """Read the ZeRO stage of a DeepSpeed configuration.

    Args:
        path: a JSON file.

    Returns:
        0 to 3.

    Raises:
        DeepSpeedError: the file can't be read, is no JSON object, or names no such stage.
    """
    try:
        settings = json.loads(path.read_bytes())
    except OSError as error:
        raise DeepSpeedError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise DeepSpeedError(f"{path} is not JSON: {error}. {_restore(path)}") from error
    zero = settings.get("zero_optimization") if isinstance(settings, dict) else None
    found = zero.get("stage") if isinstance(zero, dict) else None
    if type(found) is not int or found not in range(4):
        raise DeepSpeedError(
            f"{path}: zero_optimization.stage must be 0, 1, 2 or 3, but is {json.dumps(found)}. "
            f"{_restore(path)}"
        )
    return found


def _restore(path: Path) -> str:
    if path.stem in SHIPPED:
        return "To get the shipped file back: finlora fetch-deepspeed --force"
    return "For files that work: finlora fetch-deepspeed"


def _shipped(name: str) -> bytes:
    return (_SHIPPED_FOLDER / f"{name}.json").read_bytes()


def _shipped_source() -> str:
    return f"shipped with FinLoRA {__version__}"


def _place(files: Mapping[str, bytes], folder: Path, force: bool, source: str) -> FetchReport:
    """Bring files into a folder: all are staged beside it first, so that a full disk changes nothing."""
    fates: dict[str, list[str]] = {"new": [], "unchanged": [], "kept": [], "replaced": []}
    try:
        for name, content in files.items():
            path = folder / name
            if not path.exists():
                fate = "new"
            elif path.read_bytes() == content:
                fate = "unchanged"
            else:
                fate = "replaced" if force else "kept"
            fates[fate].append(name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".deepspeed-", dir=folder.parent) as staging:
            due = [*fates["new"], *fates["replaced"]]
            for name in due:
                (Path(staging) / name).write_bytes(files[name])
            folder.mkdir(exist_ok=True)
            for name in due:
                (Path(staging) / name).replace(folder / name)
    except OSError as error:
        raise DeepSpeedError(
            f"{error.filename or folder} can't be read or written: {error.strerror}"
        ) from error
    return FetchReport(**{fate: tuple(names) for fate, names in fates.items()}, folder=folder, source=source)


def _get(url: str, ref: str) -> bytes:
    # Imported here because most commands need no network, and these would be a fifth of a light start.
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    request = Request(url, headers={"User-Agent": f"finlora/{__version__}"})
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            body: bytes = response.read()
            return body
    except (OSError, HTTPException) as error:
        raise DeepSpeedError(
            f"{url} could not be fetched: {_reason(error, ref)}. {_NOTHING_WRITTEN}"
        ) from error


def _reason(error: Exception, ref: str) -> str:
    code = getattr(error, "code", None)
    # GitHub answers 422 for a commit that nobody has, and 403 once its limit is reached.
    if code in (404, 422):
        return f"{code}, Axolotl has nothing there for '{ref}'; give one of its tags or commits"
    if code in (403, 429):
        return f"{code}, most likely GitHub's hourly limit for this address is used up; try again in an hour"
    return str(error if code else getattr(error, "reason", error))


def _get_json(url: str, ref: str) -> Any:
    return _parse(_get(url, ref), url)


def _parse(content: bytes, url: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DeepSpeedError(f"{url} is not JSON: {error}. {_NOTHING_WRITTEN}") from error


def _field(record: Any, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, str):
        raise DeepSpeedError(f"GitHub's answer has no '{key}' where one belongs. {_NOTHING_WRITTEN}")
    return value


def _download(entry: Any, ref: str, api: str) -> bytes:
    name, digest, url = (_field(entry, key) for key in ("name", "sha", "download_url"))
    # Neither a name that leaves the folder nor a local file in the place of a download.
    if not _FILE_NAME.fullmatch(name) or not url.startswith(("https://", f"{api}/")):
        raise DeepSpeedError(
            f"GitHub lists a file that FinLoRA won't fetch: {name} from {url}. {_NOTHING_WRITTEN}"
        )
    content = _get(url, ref)
    found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if found != digest:
        raise DeepSpeedError(f"{url} has digest {found}, but GitHub lists {digest}. {_NOTHING_WRITTEN}")
    _parse(content, url)
    return content
