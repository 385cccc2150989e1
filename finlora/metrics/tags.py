"""US GAAP tags, one or a list: does each place hold the right name?

An output is read as entries between commas or semicolons; where its first line is a single entry, following
lines that are tags are entries too. Taken off an entry: a number in front ("2."), quotes and angle brackets,
a lead-in that ends in "is" or ":", a period, and the namespace `us-gaap:`. Other namespaces stay: `jpm:Fees`
is not `Fees`. What is left must be one word, or it is no tag. Names are equal if all their letters are, in
any case; a name that begins another is a different tag.
"""

import re

from finlora.metrics import Judged, plain

_TAG = re.compile(r"(?:[A-Za-z][\w.-]*:)?[A-Za-z]\w*")
_LEAD = re.compile(r"^.*?(?:\bis|\bare|:)\s+(?=\S+$)", re.DOTALL | re.IGNORECASE)
_NUMBERING = re.compile(r"^\s*(?:\d{1,3}[.):]|\(\d{1,3}\))\s*")
_COMMON = "us-gaap:"


def judge(output: str, gold: str) -> Judged:
    """Judge a whole list: right if every place holds the right tag and there is none too many.

    Args:
        output: the text a model wrote.
        gold: one tag, or several joined by commas.

    Returns:
        score 1.0 or 0.0; `parsed` and `gold` as lower-case names joined by commas, "?" where an entry is no
        tag.

    Raises:
        ValueError: `gold` holds something that is no tag.
    """
    right, answered = ",".join(_gold(gold)), entries(output)
    read = [entry or "?" for entry in answered]
    parsed = ",".join(read) if any(answered) else None
    return Judged(parsed, right, float(parsed == right))


def judge_each(output: str, gold: str) -> list[Judged]:
    """Judge a list place by place, as FiNER and FNXL count.

    A place without an entry is unparsed. Entries beyond the gold's length stand at no place: they neither
    count nor mend one, and `judge` calls such a row wrong.

    Args:
        output: the text a model wrote.
        gold: one tag, or several joined by commas.

    Returns:
        One judged answer for each tag of `gold`, in its order.

    Raises:
        ValueError: `gold` holds something that is no tag.
    """
    rights, answered = _gold(gold), entries(output)
    answered += [None] * (len(rights) - len(answered))
    return [
        Judged(parsed, right, float(parsed == right)) for parsed, right in zip(answered, rights, strict=False)
    ]


def entries(output: str) -> list[str | None]:
    """Return the entries of an output in canonical form, None for one that is no tag."""
    lines = [line for line in plain.answer_text(output).splitlines() if line.strip()]
    while len(lines) > 1 and lines[0].rstrip().endswith(":"):
        lines.pop(0)
    taken = lines[:1]
    for line in lines[1:]:
        whole = all(map(_canonical, _split(line)))
        if not whole or not (
            taken[-1].rstrip().endswith(",") or len(_split(line)) == 1 == len(_split(taken[0]))
        ):
            break
        taken.append(line)
    return [_canonical(entry) for line in taken for entry in _split(line)]


def _split(line: str) -> list[str]:
    """Return the entries of a line; a separator at its end opens none."""
    return re.split(r"[,;]", line.strip().rstrip(",;"))


def _canonical(entry: str) -> str | None:
    """Return a tag in lower case without `us-gaap:`, None where the entry is no tag."""
    text = _NUMBERING.sub("", plain.unbulleted(entry)).strip().rstrip(".").strip(" \"'“”<>/")
    text = _LEAD.sub("", text).strip(" \"'“”<>/")
    return text.lower().removeprefix(_COMMON) if _TAG.fullmatch(text) else None


def _gold(gold: str) -> list[str]:
    """Return the tags of the right answer."""
    names = [_canonical(entry) for entry in _split(gold)]
    if None in names:
        raise ValueError(f"{gold!r} is no list of tags")
    return [name for name in names if name]
