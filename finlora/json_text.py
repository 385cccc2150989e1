"""JSON files written by people: read strictly, with the line of every key at hand."""

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import yaml

from finlora.errors import ConfigError, Problem

# Where something stands in a JSON text: keys of objects and 0-based places in lists, from the outside in.
Place = tuple[str | int, ...]


def parse_object(text: str, file: str) -> dict[str, Any]:
    """Parse a JSON object; a key that stands twice is a fault, not a silent last-one-wins.

    Args:
        text: the file's text.
        file: its path, for messages.

    Raises:
        ConfigError: not JSON (with line and column), a repeated key (with its line), or no object.
    """
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key, value in pairs:
            if key in entries:
                repeated.append(key)
            entries[key] = value
        return entries

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON number")

    try:
        entries = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
        json.dumps(entries, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(f"not JSON: {error.msg}", file, error.lineno, error.colno)]) from None
    except RecursionError:
        raise ConfigError([Problem("nested too deeply", file)]) from None
    except UnicodeEncodeError:
        raise ConfigError(
            [Problem("holds half a character (a lone surrogate, \\ud800 to \\udfff)", file)]
        ) from None
    except ValueError as error:
        # Also a whole number of more digits than Python reads.
        raise ConfigError([Problem(f"not JSON: {error}", file)]) from None
    if repeated:
        faults = KeyLines(text).repeated() or [(key, None) for key in repeated]
        raise ConfigError([Problem(f"the key '{key}' stands twice", file, line) for key, line in faults])
    if not isinstance(entries, dict):
        raise ConfigError([Problem("must be a JSON object", file, 1)])
    return entries


def shortened(value: Any) -> str:
    """Return a value as JSON for a message, cut off where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


class KeyLines:
    """Where keys stand in a JSON text. Composed only once somebody asks: that takes a moment."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _tree(self) -> yaml.Node | None:
        # JSON reads as YAML, whose parser knows its lines; YAML alone refuses tabs between tokens.
        # The few texts that are JSON and no YAML (a colon on the next line, a raw DEL) have no lines.
        try:
            return yaml.compose(self._text.replace("\t", " "), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError):
            return None

    def of(self, *path: str | int) -> int | None:
        """Return the 1-based line of the deepest part of `path` that is there, or None.

        Args:
            path: keys of objects and 0-based places in lists, from the outside in.
        """
        node, line = self._tree, None
        for wanted in path:
            found = _children(node).get(wanted)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    def repeated(self) -> list[tuple[str, int | None]]:
        """Return (key, 1-based line) of every key that stands a second time in its object."""
        return list(_repeated(self._tree))


def _children(node: yaml.Node | None) -> dict[str | int, tuple[yaml.Node, yaml.Node]]:
    """Return what is inside a node: by its key or its place, where it begins and what it is."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: (key, value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return {place: (value, value) for place, value in enumerate(node.value)}
    return {}


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int | None]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _repeated(child)


def shown(value: Any) -> str:
    """Return a value as messages show it: text as it is, all else as JSON; None is absent."""
    if value is None:
        return "absent"
    if isinstance(value, float) and value.is_integer():
        # 1 and 1.0 are one setting.
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def printable(text: str) -> str:
    """Return a text with all that is no printable character written as JSON would, in ASCII.

    Escape sequences, control characters and marks that turn the direction of text reach no terminal.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each as `printable` returns it; tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
