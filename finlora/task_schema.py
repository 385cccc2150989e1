"""What a task is: the form of its JSON file. Field descriptions say what is allowed."""

import re
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

Side = Literal["train", "test"]
SPLITS: tuple[Side, ...] = ("train", "test")
UNPINNED = "unpinned"
# A column in a prompt: {text}, {Formula Name}, {numerals-tags}; never {text.attribute} or {text[0]}.
_COLUMN = re.compile(r"[^\W\d][\w -]*")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def _plain(text: str) -> str:
    # What a task says is printed; control characters would steer the terminal.
    if not text.strip():
        raise ValueError("is empty")
    if _CONTROL.search(text):
        raise ValueError("holds control characters")
    return text


def _stays_inside(path: str) -> str:
    parts = path.split("/")
    if "\\" in path or path.startswith("~") or any(part in ("", ".", "..") for part in parts):
        raise ValueError("must be a path inside the source: no /, ~, . or .. to begin with, no .. and no \\")
    return path


def _is_format(text: str) -> str:
    """Refuse a prompt that is no format string, or that reaches into the values it is filled with."""
    try:
        fields = [piece[1:] for piece in Formatter().parse(text) if piece[1] is not None]
    except ValueError as error:
        raise ValueError(
            f"is no format string ({error}); a brace of the text is written {{{{ or }}}}"
        ) from None
    for name, form, conversion in fields:
        if form or conversion or not _COLUMN.fullmatch(name or ""):
            shown = f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            raise ValueError(f"holds {{{shown}}}; between braces stands the name of a column, nothing else")
    return text


Text = Annotated[str, AfterValidator(_plain)]
Inside = Annotated[Text, AfterValidator(_stays_inside)]
File = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\.jsonl$", max_length=200)
]
Count = Annotated[int, Field(ge=0)]


class Entry(BaseModel):
    """Any object in a task's file: a key nobody knows is a fault, and so is a number in quotes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Part(Entry):
    """One file of a source."""

    path: Inside = Field(description="text: the file's path in its repository or folder")
    member: Inside | None = Field(None, description="text: the file inside, where `path` is a zip archive")
    columns: list[Text] | None = Field(
        None, min_length=1, description="a list of texts: the columns, where a text file does not name them"
    )
    separator: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="one character: what stands between columns; the last ones of a line count",
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="64 hexadecimal digits; absent until somebody has seen the file",
    )


Files = Annotated[
    dict[Text, Annotated[list[Part], Field(min_length=1)]],
    Field(min_length=1, description="an object: split to a list of files, at least one"),
]


class Hub(Entry):
    """A dataset repository of the Hugging Face hub."""

    kind: Literal["hub"]
    repo: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$",
        max_length=200,
        description="text: owner/name",
    )
    revision: str = Field(
        UNPINNED, pattern=f"^({UNPINNED}|[0-9a-f]{{40}})$", description="a commit of 40 digits, or unpinned"
    )
    files: Files


class Bring(Entry):
    """Files that the user gets and names with --file, since no hub has them."""

    kind: Literal["bring"]
    where: Text = Field(description="text: where to get it")
    files: Files


class Unpublished(Entry):
    """Data nobody has published."""

    kind: Literal["unpublished"]
    why: Text = Field(description="text: why it can't be had")
    parts: list[Text] = Field(
        default_factory=list, description="a list of texts: the tasks whose training rows it put together"
    )


class Built(Entry):
    """Rows this project makes itself."""

    kind: Literal["built"]
    builder: Literal["sentiment_sample", "formula", "sentiment", "headline", "ner", "xbrl_extract"] = Field(
        description="sentiment_sample, formula, sentiment, headline, ner or xbrl_extract: "
        "the name after `finlora data build`"
    )


class Mix(Entry):
    """Training rows of other tasks put together."""

    kind: Literal["mix"]
    parts: dict[Text, Annotated[int, Field(ge=1, le=1000)]] = Field(
        min_length=1,
        description="an object: task to how often the published mix repeats its rows, from 1 to 1000",
    )
    balanced: bool = Field(
        False,
        description="true or false: the published mix takes as many rows of each part as the smallest has, "
        "drawn at random",
    )


class Conversion(Entry):
    """How a source's records become rows. `columns` is for all; the others belong to one source each."""

    how: Literal[
        "columns", "fiqa", "ner", "finer", "fnxl", "xbrl_term", "formula", "financebench", "xbrl_extract"
    ] = Field(
        "columns",
        description="columns, fiqa, ner, finer, fnxl, xbrl_term, formula, financebench or xbrl_extract: "
        "a module in finlora/converters",
    )
    target: Text | None = Field(None, description="text: the column with the answer")
    labels: dict[Text, Text] = Field(
        default_factory=dict, description="an object: what the source writes to the label it means"
    )
    published_labels: dict[Text, Text] = Field(
        default_factory=dict, description="an object: the published map, where it is another (a defect)"
    )
    group: Text | None = Field(
        None, description="text: the column whose equal values stay on one side of the split"
    )


class Split(Entry):
    """How rows are divided into training and test rows."""

    rule: Text = Field(description="text: the rule, in words")
    seed: int | None = Field(None, ge=0, lt=2**32, description="an integer from 0 to 4294967295")
    test_share: float | None = Field(
        None, gt=0, lt=1, allow_inf_nan=False, description="a number above 0 and below 1"
    )


class Licence(Entry):
    """On what terms the data may be used, as its source states it."""

    stated: Text = Field(description="text: the licence as the source names it; unstated where it names none")
    terms: Literal["free", "non-commercial", "unstated"] = Field(
        description="free, non-commercial or unstated: the last two need --accept-licence"
    )
    note: Text | None = Field(None, description="text: where sources disagree")


class Defect(Entry):
    """A fault of the published data."""

    what: Text = Field(description="text: the fault, with its counts")
    mended: Text | None = Field(None, description="text: what the mended rows do about it; absent: nothing")


class Task(Entry):
    """One task."""

    id: str = Field(
        pattern="^[a-z][a-z0-9_]{0,63}$", description="small letters, digits and _; the file's name"
    )
    name: Text = Field(description="text: its name for people")
    description: Text = Field(description="text: what is asked, in a sentence")
    family: Literal["general", "reporting", "analysis", "certification"] = Field(
        description="general, reporting, analysis or certification"
    )
    answer: Literal["label", "number", "tags", "formula", "text", "mixed"] = Field(
        description="label, number, tags, formula, text or mixed"
    )
    labels: list[Text] = Field(default_factory=list, description="a list of texts: the closed set of answers")
    prompt: str = Field(
        "",
        description="text: the shape of a row's context, with {column} where the source's go; a mix has none",
    )
    answer_mark: str = Field(
        "Answer:", description="text: what a context ends with, outer space aside; empty: parts differ"
    )
    max_new_tokens: int | None = Field(
        None, ge=1, le=4096, description="an integer from 1 to 4096: tokens an answer may have"
    )
    metrics: list[Literal["accuracy", "weighted_f1", "bertscore_f1"]] = Field(
        description="a list of accuracy, weighted_f1, bertscore_f1"
    )
    source: Annotated[Hub | Bring | Unpublished | Built | Mix, Field(discriminator="kind")] = Field(
        description="an object with kind: hub, bring, unpublished, built or mix"
    )
    convert: Conversion = Field(default_factory=Conversion, description="an object: how records become rows")
    licence: Licence = Field(description="an object with stated and terms")
    split: Split = Field(description="an object with rule")
    rows: dict[Side, Count] = Field(
        default_factory=dict, description="an object: train and test to the published number of rows"
    )
    rows_note: Text | None = Field(None, description="text: where these counts come from, unless counted")
    mended_rows: dict[Side, Count] = Field(
        default_factory=dict,
        description="an object: train and test to the number of mended rows, where known",
    )
    files: dict[Side, File] = Field(
        min_length=1,
        description="an object: train and test to a path below the project's data/, "
        "of letters, digits, _, -, . and /, ending in .jsonl",
    )
    defects: list[Defect] = Field(default_factory=list, description="a list of objects with what and mended")

    @field_validator("prompt", "answer_mark")
    @classmethod
    def _readable(cls, text: str) -> str:
        return _plain(text) if text else text

    @field_validator("prompt")
    @classmethod
    def _fillable(cls, prompt: str) -> str:
        return _is_format(prompt)

    @property
    def parts(self) -> tuple[str, ...]:
        """The tasks whose training rows it puts together; empty for a task of its own."""
        return tuple(self.source.parts) if isinstance(self.source, Mix | Unpublished) else ()

    @property
    def columns(self) -> list[str]:
        """The columns its prompt names, each once, in the prompt's order."""
        names = (name for _, name, _, _ in Formatter().parse(self.prompt) if name)
        return list(dict.fromkeys(names))

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides it has rows on: train, test or both."""
        return tuple(side for side in SPLITS if side in self.files)

    def path(self, data: Path, side: str, as_published: bool = False) -> Path:
        """Return where a side's rows lie.

        Args:
            data: the project's data folder.
            side: train or test.
            as_published: the published rows, faults included, which have a name of their own.
        """
        path = data / self.files[side]  # type: ignore[index]
        return path.with_name(f"{path.stem}_as_published{path.suffix}") if as_published else path
