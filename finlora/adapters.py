"""What lies in `lora_adapters/`: manifests, finding and checking adapters, publishing them."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import record_checks
from finlora.errors import AdapterError, FinLoRAError, UsageError, did_you_mean
from finlora.files import sha256, write_atomic, write_json
from finlora.json_text import shown

SHELF = "lora_adapters"
MANIFEST = "finlora.json"
SCHEMA = 1
WEIGHTS = "adapter_model.safetensors"
PEFT_CONFIG = "adapter_config.json"
CARD = "README.md"
# The manifest's key for the digest of the weights; one from before it was kept has none.
DIGEST = "weights_sha256"
# Keys of PEFT's LoraConfig that decide what is built; each has a default there.
_NAMES = (record_checks.text, record_checks.list_of(record_checks.text, least=1))
_PEFT: dict[str, record_checks.Check] = {
    "r": record_checks.optional(record_checks.positive),
    **dict.fromkeys(["lora_alpha", "lora_dropout"], record_checks.optional(record_checks.number)),
    **dict.fromkeys(["use_dora", "use_rslora"], record_checks.optional(record_checks.flag)),
    "target_modules": record_checks.optional(lambda value: any(check(value) for check in _NAMES)),
    "base_model_name_or_path": record_checks.optional(record_checks.text),
}
_PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth")


@dataclass(frozen=True)
class Adapter:
    """A trained folder.

    Args:
        folder: where it lies.
        peft: its `adapter_config.json`.
        manifest: its `finlora.json`; None for a bare PEFT adapter.
    """

    folder: Path
    peft: dict[str, Any]
    manifest: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The run it came from, or the folder's name."""
        return self.folder.name

    def weights_sha256(self) -> str:
        """Return the digest of the weights: equal runs have equal ones, unlike their manifests."""
        return sha256(self.folder / WEIGHTS)

    def manifest_with(self, shape: Mapping[str, record_checks.Check]) -> dict[str, Any]:
        """Return the manifest once the parts that are needed are known to be there.

        Args:
            shape: those parts (see `record_checks`).

        Raises:
            AdapterError: there is no manifest, or it was damaged or edited: a guess in its place would
                be wrong without a word.
        """
        if self.manifest is None:
            raise AdapterError(
                f"{self.folder}: no {MANIFEST} says how this adapter was trained; it comes with what "
                "`finlora finetune` trains, and can't be made afterwards"
            )
        damaged = record_checks.faults(self.manifest, shape)
        if damaged:
            raise AdapterError(
                f"{self.folder / MANIFEST}: {', '.join(damaged)} missing or damaged; get the file anew, or "
                "train the run again"
            )
        return self.manifest


def place(root: Path, variant: str, run: str) -> Path:
    """Return the folder of a run's adapter on the shelf of a project."""
    return root / SHELF / variant / run


def shelved(folder: Path, root: Path) -> tuple[str, str] | None:
    """Return variant and run of an adapter folder on a project's shelf; None for one elsewhere."""
    shelf, place = (root / SHELF).resolve(), folder.resolve()
    if not place.is_relative_to(shelf) or len(place.relative_to(shelf).parts) != 2:
        return None
    return place.parent.name, place.name


def read(folder: Path) -> Adapter:
    """Read an adapter folder and check that it is one.

    Raises:
        AdapterError: what is missing or wrong.
    """
    mend(folder)
    if not folder.is_dir():
        raise AdapterError(f"{folder}: no such adapter folder")
    pickles = [name for name in _PICKLES if (folder / name).exists()]
    if pickles and not (folder / WEIGHTS).exists():
        raise AdapterError(
            f"{folder / pickles[0]}: weights as pickle can run code when loaded; FinLoRA reads "
            f"safetensors only. Ask its author for {WEIGHTS}"
        )
    missing = [name for name in (PEFT_CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise AdapterError(f"{folder}: not an adapter: {' and '.join(missing)} missing; found: {found}")
    manifest = _read_json(folder / MANIFEST) if (folder / MANIFEST).exists() else None
    if manifest is not None and manifest.get("schema") != SCHEMA:
        raise AdapterError(
            f"{folder / MANIFEST}: schema {manifest.get('schema')!r}; this FinLoRA reads schema {SCHEMA}"
        )
    return Adapter(folder, _read_peft(folder / PEFT_CONFIG), manifest)


def _read_peft(path: Path) -> dict[str, Any]:
    """Return an adapter config; damage in a LoRA's is named, which PEFT would blame on the base model."""
    peft = _read_json(path)
    damaged = record_checks.faults(peft, _PEFT) if peft.get("peft_type") == "LORA" else []
    if damaged:
        found = ", ".join(f"{key} is {shown(peft.get(key))}" for key in damaged)
        raise AdapterError(f"{path}: damaged: {found}; get the file anew, or train the run again")
    return peft


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if "\\ud" in text.lower():
            # Half a character (a lone surrogate) could not be printed; only an escape can make one.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, OSError) as error:
        raise AdapterError(f"{path}: can't be read: {error}") from None
    if not isinstance(value, dict):
        raise AdapterError(f"{path}: must be a JSON object")
    return value


def find(path_or_name: str, root: Path | None) -> Adapter:
    """Find an adapter by folder, or by run name on a project's shelf.

    Args:
        path_or_name: a folder, the name of a run, or VARIANT/NAME.
        root: the project; None when there is none around.

    Raises:
        UsageError: nothing is called so; near names are listed.
        AdapterError: it is there, but no adapter.
    """
    if not path_or_name:
        raise UsageError("the name of an adapter is empty; see them with: finlora adapters list")
    try:
        folder = Path(path_or_name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path_or_name}: {error}") from None
    if folder.exists():
        # "." has no name, and an adapter is called like its folder.
        return read(folder if folder.name else folder.absolute())
    shelf = on_shelf(root) if root else []
    hits = [adapter for adapter in shelf if is_called(adapter, path_or_name)]
    if len(hits) == 1:
        return read(hits[0])
    if hits:
        raise UsageError(
            f"several adapters are called '{path_or_name}'; name the variant too: "
            + " or ".join(map(_in_full, hits))
        )
    in_full = path_or_name.count("/") == 1
    near = did_you_mean(path_or_name, [_in_full(one) if in_full else one.name for one in shelf])
    there = f" on the shelf {root / SHELF}" if root else " (no project here)"
    variant, _, run = path_or_name.rpartition("/")
    command = "federate" if variant.endswith("_fed") else "finetune"
    raise UsageError(f"no adapter '{path_or_name}'{there}{near}\nTrain it with: finlora {command} {run}")


def is_called(place: Path, name: str) -> bool:
    """Tell whether a place on the shelf is called so: by its run, or as VARIANT/NAME."""
    return name in (place.name, _in_full(place))


def typed(folder: Path, root: Path | None) -> str:
    """Return what to type for an adapter: its run, VARIANT/NAME where others have the name, or its folder.

    Args:
        folder: of the adapter.
        root: the project; None outside one.
    """
    if root is None or shelved(folder, root) is None:
        return str(folder)
    twins = [place for place in on_shelf(root) if place.name == folder.resolve().name]
    return _in_full(folder.resolve()) if len(twins) > 1 else folder.resolve().name


def _in_full(place: Path) -> str:
    return f"{place.parent.name}/{place.name}"


def on_shelf(root: Path) -> list[Path]:
    """Return every adapter folder on a project's shelf, by variant and name."""
    return [folder for folder in places(root) if (folder / PEFT_CONFIG).exists()]


def places(root: Path) -> list[Path]:
    """Return what lies where the shelf of a project has adapters, whole or not: folders and links."""
    shelf = root / SHELF
    for old in shelf.glob("*/.*.old"):
        mend(old.with_name(old.name.removeprefix(".").removesuffix(".old")))
    found = (path for path in shelf.glob("*/*") if not path.name.startswith("."))
    return sorted(path for path in found if path.is_symlink() or path.is_dir())


def check_free(folder: Path, overwrite: bool) -> None:
    """Refuse to train what has no place: an adapter that is there stays, unless it may be replaced.

    Raises:
        UsageError: it is there.
    """
    if folder.exists() and not overwrite:
        raise UsageError(
            f"{folder} exists already; replace it with --overwrite, or name the new one with --as"
        )


def mend(folder: Path) -> None:
    """Finish or undo a swap that `publish` could not end."""
    if not folder.name:
        return
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and folder.is_dir():
        # Another process may be at it too, or the shelf be read-only: it is in nobody's way.
        shutil.rmtree(old, ignore_errors=True)
    elif old.is_dir():
        old.rename(folder)


def publish(
    trained: Path, folder: Path, manifest: dict[str, Any], base_name: str, card: str | None = None
) -> Adapter:
    """Put a trained adapter on the shelf, whole or not at all.

    The white-listed files are copied beside the final place and renamed; an adapter that is there
    already gives way only then. Absolute paths of the training machine do not come along.

    Args:
        trained: the folder with Axolotl's final files.
        folder: the final place.
        manifest: what goes into `finlora.json`; the digest of the weights is added.
        base_name: the base model's name as the config gives it, for `adapter_config.json`.
        card: text of its `README.md`; None for none.

    Raises:
        AdapterError: training left no complete adapter.
        FinLoRAError: the disk is full or not writable; the old adapter, if any, is untouched.
    """
    peft = read(trained).peft
    try:
        with replacing(folder) as fresh:
            shutil.copyfile(trained / WEIGHTS, fresh / WEIGHTS)
            write_json(fresh / PEFT_CONFIG, {**peft, "base_model_name_or_path": base_name})
            digest = sha256(fresh / WEIGHTS)
            write_json(fresh / MANIFEST, {"schema": SCHEMA, **manifest, DIGEST: digest})
            if card is not None:
                write_atomic(fresh / CARD, card)
    except OSError as error:
        raise FinLoRAError(f"{folder}: the adapter can't be published: {error.strerror}") from None
    return read(folder)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder to fill, which takes its place at the end of the block, whole or not at all.

    It lies beside that place; a folder that is there already gives way only then.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    mend(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        if folder.exists():
            folder.rename(folder.with_name(f".{folder.name}.old"))
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        mend(folder)
