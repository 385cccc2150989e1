"""Text that was decoded wrongly on its way here, and characters nobody sees."""

import re
from collections.abc import Callable

from finlora.checks import Finding, Rows, Severity, finding, rows_of

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
# UTF-8 read as code page 437, whose frame characters then became plain ones: ä is "+ñ", ´ is "-¦". A minus
# before a letter is a hyphen, and a sign before a currency is an amount; neither is meant.
_CP437 = re.compile("[+][À-ÖØ-öø-ÿª¿¡®«»¬¦]|-[ª¿¡®«»¬¦]")
# Letters of another script that stand in a Latin word: all Cyrillic ones, and the Greek ones that look Latin;
# the other Greek letters are what formulas use.
_OTHER = "[\u0400-\u052fΑΒΕΖΗΙΚΜΝΟΡΤΥΧο]"
_LATIN = "[A-Za-zÀ-ÖØ-öø-ɏ]"
_MIXED = re.compile(f"{_LATIN}{_OTHER}|{_OTHER}{_LATIN}")


def _is_mojibake(text: str) -> bool:
    from ftfy.badness import is_bad

    return bool(_CP437.search(text)) or is_bad(text)


_KINDS: dict[str, tuple[Severity, Callable[[str], object], str, str]] = {
    "mojibake": (
        "warning",
        _is_mojibake,
        "with text that was decoded wrongly (Â£ for £, +ñ for ä)",
        "Read the source with its own encoding again; ftfy.fix_text mends most",
    ),
    "lost-character": (
        "warning",
        lambda text: "\N{REPLACEMENT CHARACTER}" in text,
        "with U+FFFD, which stands where a character was lost",
        "Read the source with its own encoding again",
    ),
    "control-character": (
        "warning",
        _CONTROL.search,
        "with control characters",
        "Remove them; the model would learn to write them",
    ),
    "other-script": (
        "warning",
        _MIXED.search,
        "with a letter of another script inside a word, such as a Cyrillic one",
        "Replace the letter; to the model it is another word",
    ),
    "invisible-character": (
        "note",
        _INVISIBLE.search,
        "with characters nobody sees (zero width, direction marks, soft hyphens)",
        "Remove them unless the script needs them",
    ),
}


def check(rows: Rows) -> list[Finding]:
    """Return what is wrong with the characters of contexts and targets."""
    lines: dict[str, list[int]] = {code: [] for code in _KINDS}
    for row in rows.rows:
        for text in (row.context, row.target):
            if text.isascii():
                if _CONTROL.search(text):
                    lines["control-character"].append(row.line)
                continue
            for code, (_, seen, _, _) in _KINDS.items():
                if seen(text):
                    lines[code].append(row.line)
    return [
        finding(severity, code, rows.file, lines[code], f"{rows_of(len(set(lines[code])))} {words}", advice)
        for code, (severity, _, words, advice) in _KINDS.items()
        if lines[code]
    ]
