"""An adapter's weights without torch: the file's header, the numbers, the fit to `adapter_config.json`."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finlora import record_checks
from finlora.errors import AdapterError

AGAIN = "copy it again or train it again"
# Name: bytes of a number, and the bits of its exponent; all of these set mean infinity or no number.
# Source: IEEE 754 for F16, F32 and F64; BF16 is the upper half of F32. Numbers lie little-endian.
_FLOATS = {
    "BF16": (2, 0x7F80),
    "F16": (2, 0x7C00),
    "F32": (4, 0x7F80_0000),
    "F64": (8, 0x7FF0_0000_0000_0000),
}
# Source: the format's page of the safetensors library, which reads no longer header.
_LONGEST_HEADER = 100_000_000
_NUMBERS_AT_ONCE = 1 << 22
_SPAN = record_checks.pair_of(record_checks.count, record_checks.count)
_TENSOR: dict[str, record_checks.Check] = {
    "dtype": record_checks.text,
    "shape": record_checks.list_of(record_checks.count),
    "data_offsets": _SPAN,
}
_PART = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)"
    r"\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)(?:\.weight)?"
)
_LAYER = re.compile(r"(?P<before>.*\.(?:layers|h|blocks))\.(?P<layer>\d+)\.(?P<after>.+)")


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies in a safetensors file.

    Args:
        dtype: `F32`, `BF16`, ….
        shape: its sizes.
        begin: first byte, from the start of the file.
        end: first byte behind it.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def tensors(path: Path) -> dict[str, Tensor]:
    """Read the header of an adapter's safetensors file, and prove that every tensor lies inside the file.

    Raises:
        AdapterError: what is wrong with the file.
    """

    def damaged(what: str) -> AdapterError:
        return AdapterError(f"{path}: damaged, can't be read ({what}); {AGAIN}")

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start == b"version ":
                raise damaged("it is a Git LFS pointer, not the file itself")
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise damaged(f"the header is said to have {length:,} bytes, the file has {size:,}")
            entries = json.loads(file.read(length))
    except OSError as error:
        raise damaged(error.strerror or str(error)) from None
    except (ValueError, RecursionError):
        raise damaged("the header is no JSON") from None
    if not isinstance(entries, dict):
        raise damaged("the header is no JSON object")
    found, end = {}, 8 + length
    named = [(key, entry) for key, entry in entries.items() if key != "__metadata__"]
    if faulty := next((key for key, entry in named if record_checks.faults(entry, _TENSOR)), None):
        raise damaged(f"the header's entry of {faulty} is damaged")
    for key, entry in sorted(named, key=lambda item: item[1]["data_offsets"]):
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        found[key] = Tensor(entry["dtype"], tuple(entry["shape"]), first, last)
        if last > size:
            raise damaged(f"{key} ends at byte {last:,}, the file at {size:,}: it is cut off")
        width = _FLOATS.get(entry["dtype"], (None, 0))[0]
        if first != end or (width and last - first != width * found[key].numbers):
            raise damaged(f"the bytes of {key} are not where the header says")
        end = last
    if end != size:
        raise damaged(f"{size - end:,} bytes belong to no tensor")
    return found


def broken_numbers(path: Path, found: Mapping[str, Tensor]) -> str | None:
    """Return what is wrong with the numbers of a file, or None: all finite, some lora_B not zero.

    Args:
        path: the file.
        found: its tensors, as `tensors` returned them.
    """
    strange = next((key for key, tensor in found.items() if tensor.dtype not in _FLOATS), None)
    if strange:
        return f"{strange} has the type {found[strange].dtype}, and weights are one of {', '.join(_FLOATS)}"
    trained = False
    for key, tensor in found.items():
        finite, zero = _seen(path, tensor)
        if not finite:
            return f"{key} holds numbers that are not finite; train it again"
        trained |= not zero and ("lora_B" in key or "lora_embedding_B" in key)
    return None if trained else "the adapter was never trained: every lora_B is zero; train it again"


def check_numbers(path: Path) -> None:
    """Refuse a file that is damaged, holds no numbers, or was never trained.

    Raises:
        AdapterError: what is wrong.
    """
    if fault := broken_numbers(path, tensors(path)):
        raise AdapterError(f"{path}: {fault}")


def _seen(path: Path, tensor: Tensor) -> tuple[bool, bool]:
    """Return whether all numbers of a tensor are finite, and whether all are zero; by their bits."""
    import numpy as np

    width, exponent = _FLOATS[tensor.dtype]
    kind = np.dtype(f"<u{width}")
    sign = 1 << (8 * width - 1)
    finite = zero = True
    for done in range(0, tensor.numbers, _NUMBERS_AT_ONCE):
        many = min(_NUMBERS_AT_ONCE, tensor.numbers - done)
        bits = np.fromfile(path, kind, many, offset=tensor.begin + done * width)
        finite &= not bool(((bits & kind.type(exponent)) == exponent).any())
        zero &= not bool((bits & kind.type(sign - 1)).any())
    return finite, zero


def misfits(found: Mapping[str, Tensor], peft: Mapping[str, Any]) -> list[str]:
    """Return where a file's tensors are not what `adapter_config.json` says.

    Args:
        found: the tensors of the file.
        peft: the adapter config.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    others = []
    for key, tensor in found.items():
        match = _PART.fullmatch(key)
        if match:
            parts.setdefault(match["module"], {})[match["part"]] = tensor
        else:
            others.append(key)
    faults = [fault for module, its in parts.items() for fault in _misfits_of(module, its, peft)]
    kept_whole = peft.get("modules_to_save") or peft.get("bias") not in (None, "none")
    embeddings = [key for key in others if re.search(r"embed|lm_head|\.wte\.", key)]
    if not kept_whole and len(others) > len(embeddings):
        faults.append(f"{next(key for key in others if key not in embeddings)} is no part of a LoRA")
    return [*faults, *_unnamed(list(parts), peft)]


def _misfits_of(module: str, its: Mapping[str, Tensor], peft: Mapping[str, Any]) -> Iterator[str]:
    kind = "lora_embedding_" if "lora_embedding_A" in its or "lora_embedding_B" in its else "lora_"
    a, b = its.get(f"{kind}A"), its.get(f"{kind}B")
    if a is None or b is None:
        yield f"{module} has no {kind}{'A' if a is None else 'B'}"
        return
    if len(a.shape) < 2 or len(b.shape) < 2 or a.shape[0] != b.shape[1]:
        yield f"{module}: A of {_sizes(a)} and B of {_sizes(b)} do not make one matrix"
        return
    pattern = peft.get("rank_pattern")
    ranks = [peft.get("r", 8), *(pattern.values() if isinstance(pattern, dict) else ())]
    if a.shape[0] not in ranks and not peft.get("target_parameters"):
        yield f"{module} has rank {a.shape[0]}; the config says {', '.join(map(str, ranks))}"
    scale = its.get("lora_magnitude_vector")
    if bool(peft.get("use_dora")) != (scale is not None):
        has = "no magnitude vector" if scale is None else "a magnitude vector"
        yield f"{module} has {has}; the config says DoRA is {'on' if scale is None else 'off'}"
    elif scale is not None and scale.numbers != b.shape[0]:
        yield f"{module}: a magnitude vector of {_sizes(scale)} does not fit B of {_sizes(b)}"


def _sizes(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))


def _unnamed(modules: list[str], peft: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is adapted and not named by the config, or the other way round."""
    wanted = peft.get("target_modules")
    # A text is a pattern or `all-linear`, and says nothing without the model.
    if not isinstance(wanted, list):
        return
    for name in sorted(wanted):
        if not any(_is_called(module, name) for module in modules):
            yield f"no tensor of {name}, which the config adapts"
    for module in modules:
        if not any(_is_called(module, name) for name in wanted) and not peft.get("target_parameters"):
            yield f"{module} is adapted, and the config does not name it"


def gaps(found: Mapping[str, Tensor]) -> list[str]:
    """Return the matrices that are adapted in some layers and not in all.

    A few models have layers of several kinds, where that is as it should be.

    Args:
        found: the tensors of the file.
    """
    places: dict[tuple[str, str], set[int]] = {}
    for key in found:
        module = _PART.fullmatch(key)
        if module and (match := _LAYER.fullmatch(module["module"])):
            places.setdefault((match["before"], match["after"]), set()).add(int(match["layer"]))
    every = range(1 + max((layer for layers in places.values() for layer in layers), default=-1))
    return [
        f"no tensor of {before}.{missing[0]}.{after}, though other layers have it"
        for (before, after), layers in places.items()
        if (missing := sorted(set(every) - layers))
    ]


def _is_called(module: str, name: str) -> bool:
    return module == name or module.endswith(f".{name}")
