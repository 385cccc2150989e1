"""FinLoRA's part of an adapter's card, put into a card that somebody may have edited.

Two HTML comments frame the part. The first keeps a digest of each front matter entry as FinLoRA wrote it:
an entry that still has it is FinLoRA's to renew, any other is the author's, and so is one that was removed.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from finlora.errors import AdapterError

_BEGIN = re.compile(r"^<!-- finlora card: begin (\{.*\}) -->$", re.MULTILINE)
_END = "<!-- finlora card: end -->"
# As the hub finds it.
_FRONT = re.compile(r"\A(\s*---\n+)(.*?)(\n+---(?:\n|\Z))", re.DOTALL)
# Longer than any entry: a line of YAML is never folded, so that differences between two cards stay readable.
_WIDTH = 1 << 20

Lines = Sequence[str]


def is_ours(text: str) -> bool:
    """Tell whether a card has FinLoRA's marks."""
    return _BEGIN.search(text.replace("\r\n", "\n")) is not None


def fresh(front: Mapping[str, Any], body: str) -> str:
    """Return a whole card.

    Args:
        front: the front matter, in its order.
        body: FinLoRA's part, in Markdown.
    """
    entries = _entries(front)
    block = "".join(f"{line}\n" for lines in entries.values() for line in lines)
    return f"---\n{block}---\n\n{_part(entries, body)}\n"


def merged(text: str, front: Mapping[str, Any], body: str, path: Path) -> str:
    """Return a card with FinLoRA's part and entries renewed, and all else as it was.

    Args:
        text: the card, with FinLoRA's marks.
        front: as for `fresh`.
        body: as for `fresh`.
        path: of the card, for messages.

    Raises:
        AdapterError: marks or front matter are damaged, so nobody knows what is whose.
    """
    unix = text.replace("\r\n", "\n")
    begin = list(_BEGIN.finditer(unix))
    ends = [match.start() for match in re.finditer(f"^{re.escape(_END)}$", unix, re.MULTILINE)]
    if len(begin) != 1 or len(ends) != 1 or ends[0] < begin[0].end():
        raise _damaged(
            path, "its two marks (<!-- finlora card: ... -->) must stand there once, in their order"
        )
    written = _written(begin[0][1], path)
    entries = _entries(front)
    new = unix[: begin[0].start()] + _part(entries, body) + unix[ends[0] + len(_END) :]
    new = _with_front(new, entries, written, path)
    return new.replace("\n", "\r\n") if unix != text else new


def _part(entries: Mapping[str, Lines], body: str) -> str:
    digests = json.dumps({key: _digest(lines) for key, lines in entries.items()})
    return f"<!-- finlora card: begin {digests} -->\n{body.strip()}\n{_END}"


def _entries(front: Mapping[str, Any]) -> dict[str, Lines]:
    dumped = {
        key: yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=_WIDTH)
        for key, value in front.items()
    }
    return {key: text.splitlines() for key, text in dumped.items()}


def _digest(lines: Lines) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _written(words: str, path: Path) -> Mapping[str, str]:
    try:
        written = json.loads(words)
    except (ValueError, RecursionError):
        raise _damaged(path, "its first mark holds no JSON") from None
    return written if isinstance(written, dict) else {}


def _with_front(text: str, entries: Mapping[str, Lines], written: Mapping[str, str], path: Path) -> str:
    """Return a card with its front matter renewed."""
    match = _FRONT.match(text)
    kept: list[str] = []
    there = set()
    for key, lines in _chunks(match[2] if match else "", path):
        ours = key in written and written[key] == _digest(lines)
        kept += entries.get(key, ()) if ours else lines
        there.add(key)
    added = [line for key in entries if key not in there and key not in written for line in entries[key]]
    block = "\n".join([*kept, *added])
    if match:
        return f"{match[1]}{block}{match[3]}{text[match.end() :]}"
    return f"---\n{block}\n---\n\n{text}" if block else text


def _chunks(block: str, path: Path) -> list[tuple[str, Lines]]:
    """Return the front matter as entries with their lines; lines of none have an empty key."""
    try:
        tree = yaml.compose(block, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _damaged(path, f"its front matter is no YAML: {' '.join(str(error).split())}") from None
    lines = block.splitlines()
    if tree is None:
        return [("", lines)]
    block_style = isinstance(tree, yaml.MappingNode) and not tree.flow_style
    keys = [key for key, _ in tree.value] if block_style else []
    if not keys or not all(isinstance(key, yaml.ScalarNode) and key.start_mark.column == 0 for key in keys):
        raise _damaged(path, "its front matter must be lines of `key: value`")
    starts = [key.start_mark.line for key in keys]
    chunks: list[tuple[str, Lines]] = [("", lines[: starts[0]])]
    for key, start, end in zip(keys, starts, [*starts[1:], len(lines)], strict=True):
        # Comments and empty lines after an entry are nobody's, and stay.
        last = max(i for i in range(start, end) if lines[i] and not lines[i].startswith("#"))
        chunks += [(key.value, lines[start : last + 1]), ("", lines[last + 1 : end])]
    return chunks


def _damaged(path: Path, why: str) -> AdapterError:
    return AdapterError(
        f"{path}: can't be renewed: {why}\nMend it, or write the whole card anew with: "
        f"finlora adapters card {path.parent.name} --overwrite"
    )
