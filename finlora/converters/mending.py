"""What the converters mend alike: broken encoding, rows that say nothing, repeats, leaks, random splits."""

import math
import random
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

# Letters of the Nordic names in Financial PhraseBank, whose UTF-8 was read as code page 850 and whose box
# drawing characters were then replaced by plain ones: "Lemmink+ñinen" is "Lemminkäinen".
_LETTERS = "äöåÄÖÅéøæØÆ"
_BOXES = str.maketrans("├┬┤", "+-¦")
_RESIDUE = {letter.encode().decode("cp850").translate(_BOXES): letter for letter in _LETTERS}
_PIECES = "|".join(re.escape(piece) for piece in _RESIDUE)
# One of them stands next to a letter, or to another of them.
_IN_WORD = re.compile(rf"(?<=[^\W\d_])(?:{_PIECES})|(?:{_PIECES})+(?=[^\W\d_])")
_SIGNS = {sign.encode().decode("cp850").translate(_BOXES): sign for sign in "©®"}
_SIGN = re.compile(rf"(?<=\s)({'|'.join(re.escape(piece) for piece in _SIGNS)})(?=\s)")
# The acute accent that stood for an apostrophe; nothing else is followed by a lone s.
_GENITIVE = re.compile(rf"{re.escape('´'.encode().decode('cp850').translate(_BOXES))} ?s\b")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_text(text: str) -> tuple[str, tuple[str, ...]]:
    """Repair broken encoding where the repair is certain: taken back, it gives the text as it was.

    Args:
        text: of one column of a record.

    Returns:
        The text, and what was changed in it; nothing in most cases.

    Source:
        ftfy, https://ftfy.readthedocs.io, for UTF-8 read as another encoding.
    """
    if text.isascii():
        return text, ()
    mended = "".join(
        piece if piece.isascii() else _mend_word(piece) for piece in re.split(r"([ \t\r\n]+)", text)
    )
    mended = _IN_WORD.sub(lambda found: _letters(found[0]), mended)
    mended = _SIGN.sub(lambda found: _SIGNS[found[0]], mended)
    mended = _GENITIVE.sub("'s", mended)
    return mended, ("broken encoding repaired",) if mended != text else ()


def _letters(piece: str) -> str:
    return re.sub(_PIECES, lambda found: _RESIDUE[found[0]], piece)


def _mend_word(word: str) -> str:
    # Imported here: most commands mend nothing.
    from ftfy import TextFixerConfig, fix_encoding_and_explain

    careful = TextFixerConfig(
        restore_byte_a0=False, replace_lossy_sequences=False, decode_inconsistent_utf8=False
    )
    mended, steps = fix_encoding_and_explain(word, careful)
    again: Any = mended
    try:
        for action, encoding in reversed(steps or []):
            if action == "encode":
                again = again.decode(encoding)
            elif action == "decode":
                again = again.encode(encoding)
            else:
                return word
    except UnicodeError:
        return word
    # U+FFFD stands for a byte in ftfy's code pages, and would become a control character.
    if again != word or (_CONTROL.search(mended) and not _CONTROL.search(word)):
        return word
    return mended


def broken(text: str) -> str | None:
    """Return why a text can't be used, in the same words for every such row, or None where it can.

    Args:
        text: a column's text, after `clean_text`.
    """
    if not text.strip():
        return "empty"
    if text.strip().lower() == "nan":
        return "'nan' instead of a text"
    if "\ufffd" in text:
        return "a replacement character (U+FFFD) where a letter was lost"
    if _CONTROL.search(text):
        return "control characters"
    if re.search("[\ud800-\udfff]", text):
        return "half a character (a lone surrogate)"
    return None


def without_duplicates(
    rows: Sequence[Mapping[str, Any]], apart_from: Sequence[Mapping[str, Any]] = ()
) -> list[int]:
    """Return the numbers of the rows that stay when each pair of context and target stays once.

    Rows that differ in space or in the case of letters alone count as equal.

    Args:
        rows: with `context` and `target`.
        apart_from: rows that count as met already, such as the test rows for the training rows.

    Returns:
        0-based numbers, in order.
    """
    met = {_same(row) for row in apart_from}
    kept = []
    for number, row in enumerate(rows):
        if (key := _same(row)) not in met:
            met.add(key)
            kept.append(number)
    return kept


def _same(row: Mapping[str, Any]) -> Hashable:
    return tuple(same(str(row[column])) for column in ("context", "target"))


def same(text: str) -> str:
    """Return what two texts have in common that differ in space or in the case of letters alone."""
    return " ".join(text.split()).casefold()


def keep_groups_apart(
    rows: Sequence[Mapping[str, Any]], group: str, test_share: float, seed: int
) -> tuple[list[int], list[int]]:
    """Split rows at random so that all rows of one group are on one side.

    Args:
        rows: what to split.
        group: the column whose equal values belong together.
        test_share: share of the test rows, above 0 and below 1; met as nearly as whole groups can.
        seed: decides the order in which groups are taken.

    Returns:
        The 0-based numbers of the training rows and of the test rows, each in order.
    """
    members: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        members.setdefault(str(row[group]), []).append(number)
    order = sorted(members)
    random.Random(seed).shuffle(order)
    wanted = len(rows) * test_share
    test: list[int] = []
    for name in order[:-1]:
        if abs(len(test) + len(members[name]) - wanted) < abs(len(test) - wanted):
            test += members[name]
    held = set(test)
    return [number for number in range(len(rows)) if number not in held], sorted(test)


def datasets_split(n: int, test_size: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the training and test numbers of `datasets.Dataset.train_test_split`, in its order.

    Args:
        n: rows in all.
        test_size: share of the test rows, above 0 and below 1.
        seed: the seed given to it.

    Source:
        https://huggingface.co/docs/datasets/package_reference/main_classes
    """
    import numpy

    return _cut(numpy.random.default_rng(seed).permutation(n).tolist(), test_size)


def sklearn_split(n: int, test_size: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the training and test numbers of scikit-learn's shuffled `train_test_split`, in its order.

    Arguments as for `datasets_split`; the seed is its `random_state`.

    Source:
        https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    import numpy

    return _cut(numpy.random.RandomState(seed).permutation(n).tolist(), test_size)


def _cut(order: list[int], test_size: float) -> tuple[list[int], list[int]]:
    tests = math.ceil(test_size * len(order))
    return order[tests:], order[:tests]
