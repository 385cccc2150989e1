"""One-letter answers, A to E: which choice does an output take?

In this order, on the model's own text without markdown:

1. The first line begins with the letter, alone or with its mark: "B", "(b)", "B.", "B) Net income",
   "C because A is wrong".
2. Behind "answer is", "answer:", "correct option is": the letter that stands there. All such marks must
agree.
3. "Option B", "choice B", "B is correct", "I choose B": all such phrases must name one letter.

All else is unparsed: two letters joined ("A and B", "A/C"), a denied one ("not A"), letters inside a
sentence, and the article ("a", "A company"): a letter before another word counts only where a reason or a
mark follows it.
"""

import re

from finlora.metrics import Judged, plain

_LETTER = r"[\"'“({\[]*(?P<letter>[A-Ea-e])(?![\w'’+&%-])[\"'”)}\]]*"
# What may stand behind a letter that is an answer.
_END = r"(?=\s*$|\s*\n|\s*[.,;:!)\]}–—]|\s+-\s|\s+(?:because|since|as|is|which)\b|\s*\()"
_START = re.compile(rf"{_LETTER}{_END}", re.IGNORECASE)
_BRACKETED = re.compile(r"[(\[]?(?P<letter>[A-Ea-e])[)\].:](?=\s)")
_STRONG = re.compile(
    rf"(?:\banswer(?:\s+(?:is|was|would\s+be|should\s+be))?|\bcorrect\s+(?:option|choice)(?:\s+is)?"
    rf"|\b(?:option|choice)\s+is|####)\s*[:=]?\s*(?:clearly\s+|therefore\s+)?(?:(?:option|choice|letter)\s+)?{_LETTER}{_END}",
    re.IGNORECASE,
)
_WEAK = re.compile(
    rf"\b(?:option|choice|choose|chose|select|pick|go\s+with|it\s+is|it['’]s)\s*:?\s*(?:option\s+)?{_LETTER}{_END}"
    rf"|(?:^|[.,;:]\s+|\b(?:think|believe|so|therefore|that)\s+)(?P<subject>[A-E])\s+is\s+(?:the\s+)?"
    r"(?:correct|right|best|answer)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"^\s*(?:is\s+|would\s+be\s+)?(?:not|n['’]t|wrong|incorrect|false)\b|^\s*isn['’]t\b", re.IGNORECASE
)
_JOINED = re.compile(
    r"^\s*(?:,|/|&|;|\band\b|\bor\b|\.)*\s*(?:and\b|or\b)?\s*[(\[]?[A-E](?=[\s.,;:)\]/&]*(?:$|\n|and\b|or\b|[A-E]\b))"
)


def judge(output: str, gold: str) -> Judged:
    """Judge a multiple-choice answer.

    Args:
        output: the text a model wrote.
        gold: the right letter, alone or with the text of its choice ("B" or "B. Net income").

    Returns:
        score 1.0 or 0.0; `parsed` and `gold` as capital letters.

    Raises:
        ValueError: `gold` begins with no letter from A to E.
    """
    right = letter_of(gold)
    if right is None:
        raise ValueError(f"{gold!r} is no letter from A to E")
    parsed = _parse(plain.answer_text(output))
    return Judged(parsed, right, float(parsed == right))


def letter_of(gold: str) -> str | None:
    """Return the letter of a choice ("B", "(B)", "B. Net income"), None where the text is no such choice."""
    match = re.fullmatch(r"\s*[(\[]?([A-Ea-e])(?:[)\].:]+\s*|\s*$|[)\].:]+\s.*)", gold, re.DOTALL)
    return match[1].upper() if match else None


def _parse(text: str) -> str | None:
    """Return the one letter that a text answers."""
    line = plain.unbulleted(plain.first_line(text))
    start = _START.match(line) or _BRACKETED.match(line)
    rest = _behind(start) if start else ""
    if start and not _is_article(start["letter"], rest) and not _DENIED.match(rest):
        return _single(start["letter"], rest)
    for pattern in (_STRONG, _WEAK):
        found = {_of_match(match) for match in pattern.finditer(text)} - {""}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _of_match(match: re.Match[str]) -> str | None:
    """Return a match's letter; None where it is denied or joined to another; "" where it is an article."""
    letter = match["letter"] or match.groupdict().get("subject") or ""
    rest = _behind(match)
    return "" if _is_article(letter, rest) else _single(letter, rest)


def _behind(match: re.Match[str]) -> str:
    """Return what stands behind a letter and the brackets it is in."""
    return match.string[match.end() :].lstrip(")]}\"'”’")


def _is_article(letter: str, rest: str) -> bool:
    """Say whether an "a" is a word of the sentence: "a which" is none, "as a, b" neither."""
    return letter == "a" and re.match(r"\s+\w", rest) is not None


def _single(letter: str, rest: str) -> str | None:
    """Return the letter, None where what follows denies it or joins another to it."""
    return None if _DENIED.match(rest) or _JOINED.match(rest) else letter.upper()
