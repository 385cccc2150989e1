"""The registry of tasks: what each asks, where its data comes from, on what terms, and what is wrong with it.

The shipped tasks are the JSON files in `finlora/files/tasks/`; a project adds its own in `tasks/*.json`
beside its config, in the same form.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from finlora.errors import ConfigError, Problem, UsageError, did_you_mean
from finlora.json_text import KeyLines, parse_object

SHIPPED = Path(__file__).parent / "files" / "tasks"
SPLITS = ("train", "test")
UNPINNED = "unpinned"
Side = Literal["train", "test"]
Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Part(_Entry):
    """One file of a source."""

    path: Text = Field(description="text: the file's path in its repository or folder")
    member: Text | None = Field(None, description="text: the file inside, where `path` is a zip archive")
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


class Hub(_Entry):
    """A dataset repository of the Hugging Face hub."""

    kind: Literal["hub"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="text: owner/name")
    revision: str = Field(
        UNPINNED, pattern=f"^({UNPINNED}|[0-9a-f]{{40}})$", description="a commit of 40 digits, or unpinned"
    )
    files: dict[Text, list[Part]] = Field(min_length=1, description="an object: split to a list of files")


class Bring(_Entry):
    """Files that the user gets and names with --file, since no hub has them."""

    kind: Literal["bring"]
    where: Text = Field(description="text: where to get it")
    files: dict[Text, list[Part]] = Field(min_length=1, description="an object: split to a list of files")


class Unpublished(_Entry):
    """Data nobody has published."""

    kind: Literal["unpublished"]
    why: Text = Field(description="text: why it can't be had")


class Built(_Entry):
    """Rows this project makes itself."""

    kind: Literal["built"]
    builder: Text = Field(description="text: the name after `finlora data build`")


class Mix(_Entry):
    """Training rows of other tasks put together."""

    kind: Literal["mix"]
    parts: dict[Text, Annotated[int, Field(ge=1, le=1000)]] = Field(
        min_length=1, description="an object: task to how often the published mix repeats its rows"
    )


class Conversion(_Entry):
    """How a source's records become rows. `columns` is for all; the others belong to one source each."""

    how: Text = Field("columns", description="text: columns, or the name of a module in finlora/converters")
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


class Split(_Entry):
    """How rows are divided into training and test rows."""

    rule: Text = Field(description="text: the rule, in words")
    seed: int | None = Field(None, ge=0, lt=2**32, description="an integer from 0 to 4294967295")
    test_share: float | None = Field(None, gt=0, lt=1, description="a number above 0 and below 1")


class Licence(_Entry):
    """On what terms the data may be used, as its source states it."""

    stated: Text = Field(description="text: the licence as the source names it; unstated where it names none")
    terms: Literal["free", "non-commercial", "unstated"] = Field(
        description="free, non-commercial or unstated: the last two need --accept-licence"
    )
    note: str | None = Field(None, description="text: where sources disagree")


class Defect(_Entry):
    """A fault of the published data."""

    what: Text = Field(description="text: the fault, with its counts")
    mended: Text | None = Field(None, description="text: what the mended rows do about it; absent: nothing")


class Task(_Entry):
    """One task. Field descriptions say what is allowed."""

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
    prompt: Text = Field(
        description="text: the shape of a row's context, with {column} where the source's go"
    )
    answer_mark: str = Field("Answer:", description="text: what a context ends with, outer space aside")
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
    rows: dict[Side, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="an object: train and test to the published number of rows"
    )
    mended_rows: dict[Side, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="an object: train and test to the number of mended rows, where known",
    )
    files: dict[Side, Text] = Field(
        default_factory=dict, description="an object: train and test to a path below the project's data/"
    )
    defects: list[Defect] = Field(default_factory=list, description="a list of objects with what and mended")

    @field_validator("files")
    @classmethod
    def _stays_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for path in files.values():
            if Path(path).is_absolute() or ".." in Path(path).parts or "\0" in path:
                raise ValueError("must stay below data/")
        return files

    @model_validator(mode="after")
    def _labels_belong(self) -> "Task":
        strange = sorted(set(self.convert.labels.values()) - set(self.labels))
        if self.labels and strange:
            raise ValueError(f"convert.labels gives {', '.join(strange)}, which is not in labels")
        return self

    def path(self, data: Path, side: str, as_published: bool = False) -> Path:
        """Return where a side's rows lie.

        Args:
            data: the project's data folder.
            side: train or test.
            as_published: the published rows, faults included, which have a name of their own.
        """
        path = data / self.files[side]  # type: ignore[index]
        return path.with_name(f"{path.stem}_as_published{path.suffix}") if as_published else path


def load(config: Path | None = None) -> Mapping[str, Task]:
    """Return every task by id: the shipped ones, then those of a project.

    Args:
        config: the project's config file; its own tasks lie in `tasks/*.json` beside it.

    Raises:
        ConfigError: a task file is faulty; every fault of every file, with its line.
    """
    own = sorted((config.resolve().parent / "tasks").glob("*.json")) if config else []
    tasks: dict[str, Task] = {}
    problems: list[Problem] = []
    for path in [*sorted(SHIPPED.glob("*.json")), *own]:
        try:
            task = read(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if task.id in tasks:
            problems.append(Problem(f"the task '{task.id}' is there already; give it another id", str(path)))
        tasks.setdefault(task.id, task)
    if problems:
        raise ConfigError(problems)
    return tasks


def pick(tasks: Mapping[str, Task], name: str) -> Task:
    """Return the task called `name`.

    Raises:
        UsageError: no such task; the message names the nearest.
    """
    if name not in tasks:
        raise UsageError(
            f"no task '{name}'{did_you_mean(name, list(tasks))}\nSee all with: finlora data list"
        )
    return tasks[name]


def read(path: Path) -> Task:
    """Read and check one task file.

    Raises:
        ConfigError: every fault, with its line.
    """
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"not UTF-8 text ({error.reason})", name)]) from None
    except OSError as error:
        raise ConfigError([Problem(f"can't be read: {error.strerror}", name)]) from None
    lines = KeyLines(text)
    entry = parse_object(text, name)
    try:
        task = Task.model_validate(entry)
    except ValidationError as error:
        faults = [(fault["loc"], _describe(fault)) for fault in error.errors()]
        raise ConfigError(
            [Problem(message, name, lines.of(*(str(part) for part in place))) for place, message in faults]
        ) from None
    if task.id != path.stem:
        raise ConfigError(
            [Problem(f"id is '{task.id}', the file's name says '{path.stem}'", name, lines.of("id"))]
        )
    return task


def _describe(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place or 'task'}: {fault['msg']}"
