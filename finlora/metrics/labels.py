"""Closed labels: which one of a set does an output name?

An answer is parsed, never searched for pieces of words. In this order:

1. The first line is a label, but for case, space, quotes, markdown and a mark at its end: that label.
2. It begins with a label and punctuation (`. , ; : ! ( - –`) and an explanation: that label. What follows
must be
   more than further labels: "positive/negative" and "positive, neutral" choose nothing.
3. Behind "answer:" or "answer is" the same holds.
4. Else the first sentence of the first line that names a label counts, if it names just one and denies none
   ("not positive", "positive is not").

All else is unparsed. Labels are whole words: "nonpositive", "non-positive", "AA+" (for AA) and "1.5" (for 1)
are other words. Where one label begins or contains another, the longest one counts.
"""

import re
from collections.abc import Sequence

from finlora.metrics import Judged, plain

_OUTER = " \t\"'“”‘’«»*_{}[]()<>"
_SENTENCE = re.compile(r"[.!?](?=\s|$)")
_EXPLAINS = re.compile(r"\s*[\"'”’)\]}]*\s*[.,;:!(\[–—-]")
_JOINERS = re.compile(r"(?:[\s\W]|\b(?:and|or)\b)*")
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|no|cannot|without|hardly|isn|wasn|doesn|don|can)\b|n['’]t\b", re.I
)
_DENIED_BEHIND = re.compile(
    r"[\"'”’]?\s*(?:(?:is|was|would|can|does|seems?|be)\s*)*(?:not\b|n['’]t\b|isn['’]t\b|\?)", re.I
)


def canonical(text: str) -> str:
    """Return a label's form for comparison: without case, quotes, end marks and doubled space."""
    return " ".join(text.strip(_OUTER).rstrip(".!,;:").strip(_OUTER).casefold().split())


def judge(output: str, gold: str, labels: Sequence[str]) -> Judged:
    """Judge an answer out of a closed set.

    Args:
        output: the text a model wrote.
        gold: the right label.
        labels: all labels, any text.

    Returns:
        score 1.0 or 0.0; `parsed` and `gold` in canonical form.

    Raises:
        ValueError: `gold` is none of `labels`.
    """
    names = sorted({canonical(label) for label in labels}, key=lambda name: (-len(name), name))
    right = canonical(gold)
    if right not in names:
        raise ValueError(f"{gold!r} is none of the labels: {', '.join(labels)}")
    parsed = _parse(plain.answer_text(output), names)
    return Judged(parsed, right, float(parsed == right))


def judge_exact(output: str, gold: str) -> Judged:
    """Judge an answer whose set is unknown: right if the first line equals the gold in canonical form."""
    right = canonical(plain.first_line(gold))
    line = plain.unbulleted(plain.first_line(plain.answer_text(output)))
    marked = plain.after_mark(line)
    parsed = canonical(line)
    if parsed != right and marked:
        parsed = canonical(marked)
    return Judged(parsed or None, right, float(parsed == right and parsed != ""))


def _parse(text: str, names: Sequence[str]) -> str | None:
    """Return the one label that a text answers, None where there is none."""
    pattern = _pattern(names)
    line = " ".join(plain.unbulleted(plain.first_line(text)).casefold().split())
    begun = _beginning(line, names, pattern)
    if begun is not None:
        return begun or None
    marked = plain.after_mark(text)
    if marked:
        line = " ".join(plain.first_line(marked).casefold().split())
        begun = _beginning(line, names, pattern)
        if begun is not None:
            return begun or None
    return _named(line, pattern)


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern of whole labels, the longest first; signs are parts of words too."""
    words = "|".join(re.escape(name) for name in names if name)
    return re.compile(rf"(?<![\w+#%$@&-])(?<!\d[.,])(?:{words})(?![\w+#%$@&-])(?![.,]\d)")


def _beginning(line: str, names: Sequence[str], pattern: re.Pattern[str]) -> str | None:
    """Return the label a line begins with; "" where it only lists labels; None where it begins otherwise."""
    if (whole := canonical(line)) in names:
        return whole
    opened = line.lstrip(_OUTER)
    match = pattern.match(opened)
    if not match:
        return None
    rest = opened[match.end() :]
    others = set(pattern.findall(rest)) - {match[0]}
    if others and _JOINERS.fullmatch(pattern.sub(" ", rest)):
        return ""
    return match[0] if _EXPLAINS.match(rest) else None


def _named(line: str, pattern: re.Pattern[str]) -> str | None:
    """Return the only label of the first sentence that names any, unless it is denied."""
    matches = [found for found in pattern.finditer(line) if _is_answer(found)]
    if not matches:
        return None
    ends = [
        m.end() for m in _SENTENCE.finditer(line) if not any(f.start() < m.start() < f.end() for f in matches)
    ]
    start = max((end for end in ends if end <= matches[0].start()), default=0)
    end = min((end for end in ends if end > matches[0].start()), default=len(line))
    named = [match for match in matches if match.start() < end]
    if len({match[0] for match in named}) != 1:
        return None
    before = line[start : named[0].start()]
    denied = _DENIED.search(before) or any(_DENIED_BEHIND.match(line[match.end() : end]) for match in named)
    return None if denied else named[0][0]


def _is_answer(found: re.Match[str]) -> bool:
    """Say whether a label is meant as one: "no" before a word ("no doubt") is grammar."""
    return (
        not _DENIED.fullmatch(found[0])
        or re.match(r"\W*(?:$|[.,;:!])", found.string[found.end() :]) is not None
    )
