"""How many tokens the rows of a dataset have, counted without transformers, estimated where they are many."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finlora import data, prompts
from finlora.errors import BaseModelError
from finlora.light_tokenizer import LightTokenizer

# Less than half a second of tokenising on one core.
_BYTES_COUNTED = 500_000
_LONGEST_COUNTED = 16
# For `lengths_of`: about ten seconds on one core.
_BYTES_CHECKED = 10_000_000
# Rows tokenised at once: their ids would take a hundred times the memory of their text.
_BATCH = 256
# Without any tokenizer: on the safe side of what financial text has (2.3 to 4 characters a token).
_BYTES_PER_TOKEN = 3.0
_FRAME_TOKENS = 40


@dataclass(frozen=True)
class RowLengths:
    """Tokens of every row, in file order.

    Args:
        questions: tokens of each row's prompt.
        answers: tokens of each row's answer, its end token among them.
        counted: rows that were counted; the others are estimated from these and their bytes.
        how: what counted them, in words.
        by_bytes: whether no tokenizer counted any of them.
    """

    questions: tuple[int, ...]
    answers: tuple[int, ...]
    counted: int
    how: str
    by_bytes: bool = False

    @property
    def totals(self) -> list[int]:
        """Tokens of each row."""
        return [q + a for q, a in zip(self.questions, self.answers, strict=True)]


def row_lengths(path: Path, tokenizer: Path | None, who: str, style: str | None) -> RowLengths:
    """Count the tokens of a dataset as training would.

    A file of more than 0.5 MB is counted in part: rows at even distances and the longest ones.

    Args:
        path: the dataset.
        tokenizer: a folder with tokenizer.json; None estimates by bytes.
        who: whose tokenizer it is, for `how`; without one, why there is none.
        style: the run's prompt style.

    Raises:
        DataError: the file is no dataset, or a row that is looked at is faulty.
        BaseModelError: the prompt style can't be had from the tokenizer.
    """
    lines = data.read_lines(path)
    return _lengths(
        [len(raw) for _, raw in lines],
        lambda picked: data.parse_rows([lines[i] for i in picked], path),
        (tokenizer, who, style),
        _BYTES_COUNTED,
    )


def lengths_of(rows: Sequence[data.Row], tokenizer: Path | None, who: str, style: str | None) -> RowLengths:
    """Count the tokens of rows as training would, all of them in a file of up to 10 MB.

    Args:
        rows: sound rows, one at least.
        tokenizer: as for `row_lengths`.
        who: the same.
        style: the same.

    Raises:
        BaseModelError: the prompt style can't be had from the tokenizer.
    """
    sizes = [len(row.context.encode()) + len(row.target.encode()) for row in rows]
    return _lengths(sizes, lambda picked: [rows[i] for i in picked], (tokenizer, who, style), _BYTES_CHECKED)


def _lengths(
    sizes: Sequence[int],
    rows_at: Callable[[Sequence[int]], Sequence[data.Row]],
    by: tuple[Path | None, str, str | None],
    budget: int,
) -> RowLengths:
    """Count rows up to `budget` bytes and estimate the others; `by` is tokenizer, who and style."""
    tokenizer, who, style = by
    even, longest = _picked(sizes, budget)
    picked = sorted({*even, *longest})
    rows = rows_at(picked)
    part = (
        ""
        if len(picked) == len(sizes)
        else f"; {len(picked)} of {len(sizes)} rows counted, the others by size"
    )
    try:
        if tokenizer is None:
            raise BaseModelError(who or "no tokenizer is on this machine")
        light = LightTokenizer(tokenizer)
    except BaseModelError as error:
        by_bytes, pairs, frame = True, [_by_bytes(row) for row in rows], _FRAME_TOKENS
        how = f"estimated, a token for {_BYTES_PER_TOKEN:g} bytes ({error}){part}"
    else:
        prompt = prompts.prompt_for(light, style)
        by_bytes, pairs = False, _counted(prompt, light, rows)
        frame = len(prompt.prompt_ids(light, [""])[0])
        how = f"tokens of {who}, prompt style {prompt.style}{part}"
    filled = _filled(dict(zip(picked, pairs, strict=True)), even, sizes, frame)
    return RowLengths(
        tuple(q for q, _ in filled), tuple(a for _, a in filled), len(picked), how, by_bytes=by_bytes
    )


def _counted(
    prompt: prompts.Prompt, light: LightTokenizer, rows: Sequence[data.Row]
) -> list[tuple[int, int]]:
    pairs = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        texts = [row.context for row in batch], [row.target for row in batch]
        pairs += [(len(q), len(a)) for q, a in prompt.answer_ids(light, *texts)]
    return pairs


def _picked(sizes: Sequence[int], budget: int) -> tuple[list[int], list[int]]:
    """Return rows at even distances, as many as may be counted, and the longest rows."""
    total = sum(sizes)
    if total <= budget:
        return list(range(len(sizes))), []
    count = max(1, len(sizes) * budget // total)
    even = [i * len(sizes) // count for i in range(count)]
    return even, sorted(range(len(sizes)), key=lambda i: -sizes[i])[:_LONGEST_COUNTED]


def _by_bytes(row: data.Row) -> tuple[int, int]:
    context, target = len(row.context.encode()), len(row.target.encode())
    return _FRAME_TOKENS + round(context / _BYTES_PER_TOKEN), 1 + max(1, round(target / _BYTES_PER_TOKEN))


def _filled(
    known: dict[int, tuple[int, int]], even: Sequence[int], sizes: Sequence[int], frame: int
) -> list[tuple[int, int]]:
    """Return (question, answer) tokens of every row; those not known follow the evenly picked ones."""
    content = sum(sum(known[i]) - frame for i in even)
    rate = content / sum(sizes[i] for i in even)
    answer = round(sum(known[i][1] for i in even) / len(even))
    pairs = []
    for i, size in enumerate(sizes):
        question = max(1, frame + round(rate * size) - answer)
        pairs.append(known.get(i) or (question, answer))
    return pairs
