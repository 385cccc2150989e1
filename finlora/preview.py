"""A few rows of a run as the model will see them: the very tokens of training, and which are trained."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from finlora import builtin, data, models, prepared_rows, prompts
from finlora.config import ConfigFile
from finlora.errors import BaseModelError, DataError, Problem, UsageError
from finlora.light_tokenizer import LightTokenizer
from finlora.model_folder import is_hub_id

ROWS = 3


@dataclass(frozen=True)
class Wanted:
    """Which rows to show.

    Args:
        rows: how many; None for 3.
        seed: chooses them at random; None takes the first, the longest and some between.
        lines: 1-based lines of the dataset, in the place of the other two.
    """

    rows: int | None = None
    seed: int | None = None
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Token:
    """One token.

    Args:
        id: its number in the vocabulary.
        text: what it stands for; a character cut in two reads U+FFFD.
    """

    id: int
    text: str


@dataclass(frozen=True)
class Piece:
    """Tokens in a row that are all alike.

    Args:
        trained: whether they have labels.
        control: whether they are control tokens, which no data text becomes.
        text: what they stand for together.
        tokens: the tokens.
    """

    trained: bool
    control: bool
    text: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class SeenRow:
    """One row.

    Args:
        line: its 1-based line in the dataset.
        why: why it is among those shown.
        prompt_tokens: tokens that are given.
        answer_tokens: tokens that are trained, the end token among them.
        dropped: whether it is too long and left out of training.
        pieces: its tokens.
    """

    line: int
    why: str
    prompt_tokens: int
    answer_tokens: int
    dropped: bool
    pieces: tuple[Piece, ...]

    @property
    def ids(self) -> list[int]:
        """Its token ids."""
        return [token.id for piece in self.pieces for token in piece.tokens]


@dataclass(frozen=True)
class Preview:
    """Rows of a run.

    Args:
        run: name of the run.
        base_model: as the run names it.
        dataset: as the run names it.
        rows_in_file: rows of the dataset.
        style: prompt style.
        sequence_len: tokens of the longest row that is not dropped.
        stand_in: why another tokenizer than the base model's was taken, and which; else empty.
        rows: the rows, in file order.
    """

    run: str
    base_model: str
    dataset: str
    rows_in_file: int
    style: str
    sequence_len: int
    stand_in: str
    rows: tuple[SeenRow, ...]

    def to_record(self) -> dict[str, Any]:
        """Return the preview for programs."""
        return asdict(self)


def preview(
    file: ConfigFile, name: str, wanted: Wanted, *, offline: bool, say: Callable[[str], None]
) -> Preview:
    """Return rows of a run as the training will have them; no weights are read.

    Args:
        file: the config file.
        name: the run.
        wanted: which rows.
        offline: never use the network.
        say: takes a line before something is fetched.

    Raises:
        UsageError, ConfigError: the run or what is wanted is at fault.
        DataError: the dataset is missing or has faults, or a line is no row.
        BaseModelError: no tokenizer can be had, or it has no such prompt style.
    """
    run = file.pick(name)
    if wanted.lines and (wanted.rows, wanted.seed) != (None, None):
        raise UsageError("--line names the rows themselves: leave --rows and --seed out")
    dataset = file.resolve(run.dataset_path)
    rows = data.read_rows(dataset)
    chosen = _lines(rows, str(dataset), wanted.lines) if wanted.lines else _chosen(rows, wanted)
    tokenizer, stand_in = _tokenizer(run.base_model, file, offline, say)
    prompt = prompts.prompt_for(tokenizer, run.prompt_style)
    picked = sorted(chosen)
    made = prepared_rows.token_rows([rows[i] for i in picked], tokenizer, prompt)
    texts = _Texts(tokenizer, prompt)
    return Preview(
        run=name,
        base_model=run.base_model,
        dataset=run.dataset_path,
        rows_in_file=len(rows),
        style=prompt.style,
        sequence_len=run.sequence_len,
        stand_in=stand_in,
        rows=tuple(
            _seen(rows[i].line, chosen[i], row, run.sequence_len, texts)
            for i, row in zip(picked, made, strict=True)
        ),
    )


def _lines(rows: Sequence[data.Row], file: str, lines: Sequence[int]) -> dict[int, str]:
    """Return the rows of lines, each with the reason."""
    places = {row.line: i for i, row in enumerate(rows)}
    missing = [line for line in dict.fromkeys(lines) if line not in places]
    if missing:
        last = rows[-1].line
        raise DataError(
            [Problem("no such line" if n > last else "the line is blank", file, n) for n in missing],
            f"The rows lie from line {rows[0].line} to line {last}",
        )
    return {places[line]: "asked for" for line in lines}


def _chosen(rows: Sequence[data.Row], wanted: Wanted) -> dict[int, str]:
    """Return rows with the reason of each: at random, or the first, the longest and even steps between."""
    count = min(wanted.rows or ROWS, len(rows))
    if wanted.seed is not None:
        picked = random.Random(wanted.seed).sample(range(len(rows)), count)
        return dict.fromkeys(picked, f"by seed {wanted.seed}")
    by_size = sorted(range(len(rows)), key=lambda i: len(rows[i].context) + len(rows[i].target))
    chosen = {0: "the first"}
    if count > 1:
        chosen.setdefault(by_size[-1], "the longest")
    for step in range(1, count - 1):
        share = step / (count - 1)
        why = "of median length" if share == 0.5 else f"longer than {share:.0%} of the rows"
        chosen.setdefault(by_size[int(share * len(rows))], why)
    # Where the first row was one of these too, others make up the number.
    spare = (i for i in range(len(rows)) if i not in chosen)
    chosen |= {next(spare): "one more" for _ in range(count - len(chosen))}
    return chosen


def _tokenizer(
    name: str, file: ConfigFile, offline: bool, say: Callable[[str], None]
) -> tuple[LightTokenizer, str]:
    """Return the base model's tokenizer, or the built-in model's and why it stands in."""
    folder = file.path.resolve().parent
    try:
        own = models.tokenizer_folder(name, folder, offline=offline, say=say)
    except BaseModelError as error:
        # Only what a hub does not give has a stand-in: a mistake in a name or a folder is to be mended.
        if not is_hub_id(name):
            raise
        why = str(error).partition("\n")[0]
    else:
        if (own / "tokenizer.json").is_file():
            return LightTokenizer(own), ""
        why = f"{name} has no tokenizer.json"
    try:
        spare = models.tokenizer_folder(builtin.NAME, folder, offline=offline, say=say)
    except BaseModelError as error:
        raise BaseModelError(f"{why}\nNor is there another to stand in: {error}") from None
    return LightTokenizer(spare), (
        f"{why}; the tokenizer and chat template of {builtin.NAME} stand in, so that tokens and counts "
        "are not those of training"
    )


class _Texts:
    """Writes tokens as text.

    Args:
        tokenizer: the one that made them.
        prompt: the run's.
    """

    def __init__(self, tokenizer: LightTokenizer, prompt: prompts.Prompt) -> None:
        self._tokenizer = tokenizer
        self.controls = {
            tokenizer.convert_tokens_to_ids(token) for token in prompts.control_tokens(tokenizer)
        } | {tokenizer.convert_tokens_to_ids(prompt.end)}
        # Some decoders trim the space in front of the first token: a token before it keeps it.
        self._before = [tokenizer.convert_tokens_to_ids(prompt.end)]
        self._prefix = tokenizer.decode(self._before)

    def text(self, ids: Sequence[int]) -> str:
        """Return what tokens stand for."""
        return self._tokenizer.decode([*self._before, *ids]).removeprefix(self._prefix)


def _seen(line: int, why: str, row: dict[str, list[int]], sequence_len: int, texts: _Texts) -> SeenRow:
    ids = row["input_ids"]
    marks = [
        (label != prepared_rows.IGNORED, number in texts.controls)
        for number, label in zip(ids, row["labels"], strict=True)
    ]
    pieces = []
    for (trained, control), places in groupby(range(len(ids)), key=marks.__getitem__):
        part = [ids[i] for i in places]
        tokens = tuple(Token(number, texts.text([number])) for number in part)
        pieces.append(Piece(trained, control, texts.text(part), tokens))
    answer = sum(trained for trained, _ in marks)
    return SeenRow(
        line=line,
        why=why,
        prompt_tokens=len(ids) - answer,
        answer_tokens=answer,
        dropped=prepared_rows.too_long(len(ids), sequence_len),
        pieces=tuple(pieces),
    )
