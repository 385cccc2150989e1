"""An output before it is parsed: the model's own answer alone, without markup and without what it went on to
write."""

import re

# More is no answer: it bounds the work of every parser.
_CHARACTERS = 20_000
# Reasoning that a model marks as such is no answer.
_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
# A model that does not stop goes on with a next example in the form of its prompt.
_NEXT = re.compile(
    r"\n\s*(?:#+\s*)?(?:instruction|input|question|context|user|human|xml file|use formula)\b"
    r"|\[/?INST\]|<\|",
    re.IGNORECASE,
)
# Bold marks stand at words' edges: between two words `**` is a power.
_MARKUP = re.compile(
    r"(?<![\w)\]])(?:\*\*|__)(?=\S)|(?<=\S)(?:\*\*|__)(?![\w(\[])|```\w*|`|\\boxed|\\text|\\[()\[\]]|^\s*#+\s+",
    re.MULTILINE,
)
_BULLET = re.compile(r"^\s*[-*•]\s+")
_MARK = re.compile(
    r"\b(?:(?:final|correct|right|best)\s+)*(?:answer|result|solution)(?:\s+is|\s+was|\s*[:=])+\s*:?|####",
    re.IGNORECASE,
)
_DASHES = str.maketrans(
    {"\u2212": "-", "\u2010": "-", "\u2011": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "}
)


def answer_text(output: str) -> str:
    """Return what a model answered.

    Taken off: reasoning in front of `</think>`, everything from a line on that begins a next example
    ("Input:", "Question:"), markdown, space at the ends, and what lies beyond 20,000 characters. Unicode
    minus and special spaces become plain ones.

    Args:
        output: the text a model wrote.
    """
    text = _THOUGHT.sub("", output[:_CHARACTERS].translate(_DASHES)).strip()
    following = _NEXT.search(text)
    if following and following.start() > 0:
        text = text[: following.start()]
    return _MARKUP.sub("", text).strip()


def after_mark(text: str) -> str | None:
    """Return what stands behind the last "answer:", "answer is", "result =" or "####", or None."""
    marks = list(_MARK.finditer(text))
    return text[marks[-1].end() :].strip() if marks else None


def first_line(text: str) -> str:
    """Return the first line that holds something; one that only leads in ("Answer:") is passed over."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        return lines[1]
    return lines[0] if lines else ""


def unbulleted(line: str) -> str:
    """Return a line without the mark of a list in front; not for texts in which a minus may stand there."""
    return _BULLET.sub("", line)
