"""The shelf of a project: a line for every adapter, whole or damaged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import adapters, record_checks, results
from finlora.adapters import Adapter
from finlora.errors import FinLoRAError
from finlora.json_text import shown


@dataclass(frozen=True)
class KeptScore:
    """One score in `results/`, as far as a list shows it.

    Args:
        title: what was scored.
        score: 0 to 1.
        current: whether the weights are those that were scored; None where the manifest has no digest.
    """

    title: str
    score: float
    current: bool | None


@dataclass(frozen=True)
class Entry:
    """One place on the shelf; what is not known is None.

    Args:
        variant: of the method, `8bits_r8`.
        run: the adapter's name.
        base_model: what it was trained on, as the config names it.
        method: LoRA, rsLoRA or DoRA, and the bits of the frozen weights.
        rank: of the matrices.
        rows: that it was trained on.
        final_loss: training loss of the last step.
        bytes: size of its weights.
        scores: kept for it.
        fault: why it is no whole adapter, in a few words; None for a whole one.
    """

    variant: str
    run: str
    base_model: str | None = None
    method: str | None = None
    rank: int | None = None
    rows: int | None = None
    final_loss: float | None = None
    bytes: int | None = None
    scores: tuple[KeptScore, ...] = ()
    fault: str | None = None


def overview(root: Path) -> list[Entry]:
    """Return every adapter of a project, by variant and name; damaged ones with a word of what is wrong.

    Args:
        root: the project.
    """
    return [_entry(root, folder) for folder in adapters.places(root)]


def _entry(root: Path, folder: Path) -> Entry:
    place = (folder.parent.name, folder.name)
    try:
        adapter = adapters.read(folder)
        size = (folder / adapters.WEIGHTS).stat().st_size
    except (FinLoRAError, OSError) as error:
        return Entry(*place, fault=in_a_word(error, folder))
    kept: list[results.Result] = []
    fault = None
    try:
        kept = results.kept(root, *place)
    except (FinLoRAError, OSError) as error:
        fault = in_a_word(error, root)
    manifest = adapter.manifest or {}
    digest = manifest.get(adapters.DIGEST)
    return Entry(
        *place,
        base_model=_text(
            record_checks.value_at(manifest, "base_model.name") or adapter.peft.get("base_model_name_or_path")
        ),
        method=method(adapter),
        rank=_whole(adapter.peft.get("r")),
        rows=_whole(record_checks.value_at(manifest, "dataset.train")),
        final_loss=_last_loss(manifest),
        bytes=size,
        scores=tuple(
            KeptScore(s.title, s.score, s.adapter_sha256 == digest if digest else None) for s in kept
        ),
        fault=fault,
    )


def in_a_word(error: Exception, folder: Path) -> str:
    """Return an error's first line without the folder that everybody knows by then."""
    if isinstance(error, OSError):
        return f"can't be read: {error.strerror or error}"
    text = str(error).partition("\n")[0]
    return text.replace(f"{folder}/", "").replace(f"{folder}: ", "")


def method(adapter: Adapter) -> str:
    """Return the method of an adapter: its kind, and the bits of the frozen weights where they are known."""
    peft = adapter.peft
    kind = "DoRA" if peft.get("use_dora") else "rsLoRA" if peft.get("use_rslora") else "LoRA"
    if peft.get("peft_type") != "LORA":
        kind = shown(peft.get("peft_type"))
    bits = _whole(record_checks.value_at(adapter.manifest, "run.quant_bits"))
    return f"{kind}, {bits} bits" if bits else kind


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if record_checks.count(value) else None


def _last_loss(manifest: Mapping[str, Any]) -> float | None:
    losses = record_checks.value_at(manifest, "losses.train")
    if not isinstance(losses, list) or not losses:
        return None
    whole = record_checks.pair_of(record_checks.count, record_checks.number)(losses[-1])
    return float(losses[-1][1]) if whole else None
