"""Numbers: which amount does an output answer, and is it the gold's?

**Which number.** A first line that is one amount is the answer. Else what stands behind the last "answer:"
or "answer is", else behind the last `=` or `≈`; else the first line with a digit. Of that the first line
with a digit counts, to the end of its sentence. It must name one amount: several different ones, or a
calculation that is not worked out, are unparsed.

**How it is read.** Decimal point; groups of three by comma, space or apostrophe, or the Indian 12,34,567;
anything else with commas ("1,23", "21462,58") is unparsed. Sign, Unicode minus, or round brackets for
minus. `1e6`, `5 × 10^6`. hundred, thousand, k, lakh, million, m, mn, mm, crore, billion, b, bn, trillion,
t, tn; cents and pence. Currency sign or code on either side; where output and gold name two different ones,
the answer is wrong.

**What is right.** The difference is at most half a unit of the gold's last written digit, in the gold's own
scale ("5.2 million"), and never more than 0.005 in that scale: files write 0.10 as "0.1" and 12.00 as
"12.0".

**Percent.** Sign on both sides: figures are compared. Sign on the gold only ("5.2%"): 5.2 or 0.052. Sign on
the output only: its value ("5.2%" for "0.052"), and its figure too where the gold is 1 or more ("9.6%" for
"9.6"), since data writes percentages without the sign. Basis points are hundredths of a percent.
"""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from itertools import pairwise

from finlora.metrics import Judged, plain

# Amounts beyond 10^60, or with more digits, are no answer: this bounds all work.
_DIGITS = 60
_LARGEST_TOLERANCE = Decimal("0.005")
_SCALES = {
    **dict.fromkeys(("cent", "cents", "¢", "pence"), -2),
    "hundred": 2,
    **dict.fromkeys(("thousand", "k"), 3),
    **dict.fromkeys(("lakh", "lakhs"), 5),
    **dict.fromkeys(("million", "millions", "mio", "mn", "mm", "m"), 6),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys(("billion", "billions", "bn", "b"), 9),
    **dict.fromkeys(("trillion", "trillions", "tn", "t"), 12),
}
_PERCENTS = {
    **dict.fromkeys(("%", "percent", "per cent", "pct", "percentage points"), 0),
    **dict.fromkeys(("bp", "bps", "basis points"), -2),
}
_CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars"), "USD"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "EUR"),
    **dict.fromkeys(("£", "gbp", "pounds"), "GBP"),
    **dict.fromkeys(("¥", "jpy", "yen"), "JPY"),
    **dict.fromkeys(("₹", "inr", "rs", "rs.", "rupees"), "INR"),
    **dict.fromkeys(("cny", "rmb"), "CNY"),
    **dict.fromkeys(("c$", "cad"), "CAD"),
    **dict.fromkeys(("a$", "aud"), "AUD"),
    **dict.fromkeys(("hk$", "hkd"), "HKD"),
    "chf": "CHF",
    "sek": "SEK",
}


def _one_of(words: dict[str, int] | dict[str, str]) -> str:
    """Return a pattern of whole words, the longest first."""
    choices = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return rf"(?:{choices})(?![A-Za-z])"


_FIGURE = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?"
    r"|\d{1,3}(?:[ ']\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+"
)
# A minus in words, or as another dash right before the figure; a dash behind a figure is a range.
_MINUS = re.compile(
    r"\b(?:minus|negative)\s+(?=[-$€£¥₹]?\s?\d)|(?<![\w\d])[–—‒﹣－⁻](?=[$€£¥₹]?\d)", re.IGNORECASE
)
_SIGN, _MONEY = r"[-+]", _one_of(_CURRENCIES)
_AMOUNT = re.compile(
    rf"(?<![A-Za-z\d.])(?P<before>{_SIGN}\s?)?(?P<open>\(\s*)?"
    rf"(?P<money>{_MONEY}\s*)?(?P<sign>{_SIGN}\s?)?(?P<inner>\(\s*)?"
    # A blob of digits and separators is taken whole, so that a malformed one is seen as such.
    r"(?P<figure>\d{1,3}(?:[ ']\d{3})+(?![\d,])(?:\.\d+)?|\.?\d(?:[\d.,']*\d)?)"
    r"(?:(?:e|\s*[x×*]\s*10\s*(?:\^|\*\*)\s*)(?P<exponent>[-+]?\d+))?"
    rf"(?P<close>\s*\))?(?:(?:\s|-(?=\w{{2}}))?(?P<scale>{_one_of(_SCALES)})|(?:x|times)\b)?(?P<late>\s*\))?"
    rf"(?:\s*(?P<percent>{_one_of(_PERCENTS)}))?(?:\s*(?P<behind>{_MONEY}))?(?P<last>\s*\))?",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"\s*\)*\s*(?:[-+*/×÷^x]|\*\*|to|or)\s*\(*\s*", re.IGNORECASE)
_WORKED = re.compile(r"[=≈]")
_NUMBERING = re.compile(r"\d{1,2}\.\s")
_SENTENCE = re.compile(r"[.;!?](?=\s|$)")


@dataclass(frozen=True)
class Amount:
    """A number as it was written.

    Args:
        figure: the number in its own scale, with its sign ("-5.2 million" is -5.2).
        scale: the power of ten that a word adds (6 for million).
        places: the power of ten of the figure's last written digit (-1 for 5.2).
        percent: whether it is in percent.
        currency: a code, None where none is named.
    """

    figure: Decimal
    scale: int
    places: int
    percent: bool
    currency: str | None

    @property
    def amount(self) -> Decimal:
        """The figure with its scale; percent stays percent."""
        return self.figure.scaleb(self.scale, _context())

    def text(self) -> str:
        """Return the canonical form: plain digits, a percent sign, a currency code."""
        digits = f"{self.amount.normalize(_context()):f}"
        digits = "0" if digits == "-0" else digits
        return digits + ("%" if self.percent else "") + (f" {self.currency}" if self.currency else "")


def judge(output: str, gold: str) -> Judged:
    """Judge an amount.

    Args:
        output: the text a model wrote.
        gold: the right amount, as the data has it.

    Returns:
        score 1.0 or 0.0; `parsed` and `gold` as plain digits.

    Raises:
        ValueError: no amount can be read from `gold`.
    """
    right = read(gold)
    if right is None:
        raise ValueError(f"{gold!r} is no number")
    answered = answer(output)
    return Judged(
        answered.text() if answered else None,
        right.text(),
        float(answered is not None and equal(answered, right)),
    )


def read(text: str) -> Amount | None:
    """Read a text that is one amount and nothing else; None where it is not."""
    match = _AMOUNT.fullmatch(_MINUS.sub("-", plain.answer_text(text)).strip(" \"'“”").rstrip(".,;:\"'”"))
    return _amount(match) if match else None


def answer(output: str) -> Amount | None:
    """Return the amount an output answers; None where it names none, or several."""
    text = _MINUS.sub("-", plain.answer_text(output))
    if (alone := read(plain.first_line(text))) is not None:
        return alone
    marked = plain.after_mark(text)
    text = text if marked is None else marked
    if _WORKED.search(text):
        text = _WORKED.split(text)[-1]
    line = next((line for line in text.splitlines() if re.search(r"\d", line)), "")
    return _only(line)


def equal(answered: Amount, right: Amount) -> bool:
    """Say whether an amount is the right one, by the rules of this module."""
    if answered.currency and right.currency and answered.currency != right.currency:
        return False
    with localcontext(_context()):
        figures = [answered.amount]
        if answered.percent and not right.percent:
            figures = [answered.amount / 100] + ([answered.amount] if abs(right.amount) >= 1 else [])
        elif right.percent and not answered.percent:
            figures = [answered.amount, answered.amount * 100]
        tolerance = min(Decimal(5).scaleb(right.places - 1), _LARGEST_TOLERANCE).scaleb(right.scale)
        return any(abs(figure - right.amount) <= tolerance for figure in figures)


def _only(line: str) -> Amount | None:
    """Return the one amount of a line's first sentence with a digit."""
    matches = list(_AMOUNT.finditer(line))
    if not matches:
        return None
    # "1. 5": the number of a list ends no sentence.
    numbering = _NUMBERING.match(line)
    first = max(matches[0].end(), numbering.end() if numbering else 0)
    ends = [end.end() for end in _SENTENCE.finditer(line) if end.start() >= first]
    matches = [match for match in matches if match.start() < min(ends, default=len(line))]
    amounts = [_amount(match) for match in matches]
    if (
        any(amount is None or amount.text() != amounts[0].text() for amount in amounts if amounts[0])
        or not amounts[0]
    ):
        return None
    between = [line[a.end() : b.start("figure")] for a, b in pairwise(matches)]
    return None if any(_OPERATOR.fullmatch(text) for text in between) else amounts[0]


def _amount(match: re.Match[str]) -> Amount | None:
    """Return what a written amount says; None where it is malformed or too large."""
    written, behind = match["figure"], match.string[match.end() :]
    exponent = match["exponent"] or "0"
    if (
        not _FIGURE.fullmatch(written)
        or re.match(r"-?[A-Za-z\d]", behind)
        or len(written) > _DIGITS
        or len(exponent) > 4
    ):
        return None
    signs = (match["before"] or "").strip() + (match["sign"] or "").strip()
    opened = [part for part in (match["open"], match["inner"]) if part]
    closed = [part for part in (match["close"], match["late"], match["last"]) if part]
    bracketed = bool(opened and closed)
    if len(signs) > 1 or (bracketed and signs):
        return None
    digits = Decimal(re.sub(r"[, ']", "", written)).scaleb(int(exponent), _context())
    unit = (match["percent"] or "").lower()
    scale = _SCALES.get((match["scale"] or "").lower(), 0) + _PERCENTS.get(unit, 0)
    if abs(digits.adjusted() + scale) > _DIGITS or abs(int(digits.as_tuple().exponent)) > _DIGITS:
        return None
    sign = -1 if bracketed or signs == "-" else 1
    money = (match["money"] or match["behind"] or "").strip().lower()
    return Amount(
        digits.copy_sign(sign), scale, int(digits.as_tuple().exponent), bool(unit), _CURRENCIES.get(money)
    )


def _context() -> Context:
    """Return exact arithmetic for all amounts within the bounds."""
    return Context(prec=4 * _DIGITS)
