"""How texts of other people's files may stand in a card: none of them is Markdown, HTML or a mark."""

import re
from collections.abc import Callable
from html import escape
from string import Formatter
from typing import Any

from markupsafe import Markup

from finlora.json_text import printable, printable_lines
from finlora.results import Result

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$#])")
_HEX = re.compile(r"[0-9a-f]{64}")


def words(text: Any) -> Markup:
    """Return a text as prose."""
    return Markup(_MARKDOWN.sub(r"\\\1", escape(printable(str(text)), quote=False)))


def code(text: Any) -> Markup:
    """Return a text as a code span, in which Markdown and HTML are plain characters."""
    plain = printable(str(text)) or " "
    fence = "`" * (_longest(plain) + 1)
    pad = " " if plain.startswith(("`", " ")) or plain.endswith(("`", " ")) else ""
    return Markup(f"{fence}{pad}{plain}{pad}{fence}")


def cell(text: Any) -> Markup:
    """Return a text as a code span in a table."""
    return Markup(code(text).replace("|", "\\|"))


def fenced(text: Any) -> Markup:
    """Return lines as a code block."""
    plain = printable_lines(str(text).strip("\n")).replace("<!--", "<\\u0021--")
    fence = "`" * max(3, _longest(plain) + 1)
    return Markup(f"{fence}text\n{plain}\n{fence}")


def shape(prompt: str) -> str:
    """Return a task's prompt with its columns in angle brackets, as braces may be part of a question."""
    pieces = Formatter().parse(prompt)
    return "".join(before + (f"⟨{column}⟩" if column else "") for before, column, _, _ in pieces)


def literal(value: Any) -> Markup:
    """Return a text or a list of texts as Python, in ASCII, with nothing that ends a code block."""
    return Markup(ascii(value).replace("`", "\\x60").replace("<!--", "\\x3c!--"))


def digest(text: Any) -> Markup:
    """Return a SHA-256; of any other text no more than that it is none."""
    return Markup(text if _HEX.fullmatch(str(text)) else "damaged")


def share(value: float | None, result: Result) -> str:
    """Return a score as its metric is read: right answers in percent, similarities as they are."""
    if value is None:
        return "-"
    return f"{value:.1%}" if result.metric == "accuracy" else f"{value:.4f}"


def _longest(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)


FILTERS: dict[str, Callable[..., Any]] = {
    "words": words,
    "code": code,
    "cell": cell,
    "fenced": fenced,
    "literal": literal,
    "shape": shape,
    "digest": digest,
    "share": share,
}
