"""A look for personal data: shapes with check digits where there are any. What is found is never shown."""

import re
from collections.abc import Callable, Iterator

from finlora.checks import Finding, Rows, finding, rows_of

_DIGIT = re.compile(r"\d")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
# Groups as they stand on a card, or one number; never a part of an amount.
_CARD = re.compile(
    r"(?<![\d.,$€£-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3[47]\d{2}([ -])\d{6}\2\d{5})(?![\d.,]\d)"
)
# Issuers' first digits: Visa, Mastercard, American Express, Discover.
_ISSUER = re.compile(r"4|5[1-5]|2[2-7]|3[47]|6011|65")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
# A number with its country's code (E.164: up to 15 digits), or the groups of a North American one.
_PHONE = re.compile(
    r"(?<![\w+])\+[1-9]\d{0,2}[ .-]?(?:\(?\d{1,5}\)?[ .-]?){2,5}\d{2,4}(?![\d,]*\d|%)"
    r"|(?<![\w.,$-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}(?![\d-])"
)
_SHORTEST_IBAN, _LONGEST_IBAN = 15, 34
_PHONE_DIGITS = range(9, 16)


def is_iban(text: str) -> bool:
    """Return whether a text starts with an account number whose check digits are right.

    Source: ISO 13616: with the first four signs moved to the end and read as numbers (A is 10), the rest
    of a division by 97 is 1.
    """
    groups = text.split(" ")
    # Words in capitals that follow look like more groups.
    codes = ("".join(groups[:end]) for end in range(len(groups), 0, -1))
    return any(
        int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1
        for code in codes
        if _SHORTEST_IBAN <= len(code) <= _LONGEST_IBAN
    )


def is_card(text: str) -> bool:
    """Return whether a number is a payment card's: an issuer's first digits and Luhn's check digit.

    Source: ISO/IEC 7812-1, annex B.
    """
    digits = re.sub(r"\D", "", text)
    if len(digits) not in range(13, 20) or not _ISSUER.match(digits):
        return False
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_phone(text: str) -> bool:
    return sum(sign.isdigit() for sign in text) in _PHONE_DIGITS


def _any(_: str) -> bool:
    return True


_KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool], str]] = {
    "e-mail": (_EMAIL, _any, "an e-mail address"),
    "iban": (_IBAN, is_iban, "an account number (IBAN)"),
    "card": (_CARD, is_card, "the number of a payment card"),
    "ssn": (_SSN, _any, "what looks like a US social security number"),
    "phone": (_PHONE, _is_phone, "a telephone number"),
}


def check(rows: Rows) -> list[Finding]:
    """Return the lines that look like personal data, by kind."""
    lines: dict[str, list[int]] = {code: [] for code in _KINDS}
    for row in rows.rows:
        for text in (row.context, row.target):
            for code in _kinds(text):
                lines[code].append(row.line)
    advice = "Remove or replace it: an adapter may repeat what it was trained on"
    return [
        finding(
            "warning", code, rows.file, lines[code], f"{rows_of(len(set(lines[code])))} with {words}", advice
        )
        for code, (_, _, words) in _KINDS.items()
        if lines[code]
    ]


def _kinds(text: str) -> Iterator[str]:
    # Most texts have neither, and looking for these is many times faster than looking for shapes.
    needed = (_DIGIT.search(text), "@" in text)
    for code, (shape, proves, _) in _KINDS.items():
        if not needed[code == "e-mail"]:
            continue
        if any(proves(match[0]) for match in shape.finditer(text)):
            yield code
