"""What an evaluation asks: rows of tasks and files, the kind of their answers, what is refused."""

import json

import pytest

from finlora import questions
from finlora.errors import DataError, UsageError
from finlora.questions import Asked


def write(path, targets):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"context": f"row {i}", "target": target} for i, target in enumerate(targets)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def one(config=None, **asked):
    [question] = questions.read(Asked(**asked), config)
    return question


def test_a_task_brings_labels_family_and_tokens(project):
    write(project.root / "data/test/fpb_test.jsonl", ["neutral", "positive", "Neutral"])
    question = one(project.config, tasks=("fpb",))
    assert (question.task, question.family, question.kind) == ("fpb", "general", "label")
    assert question.labels == ("negative", "neutral", "positive")
    assert (question.max_new_tokens, question.limit, len(question.rows)) == (10, None, 3)
    assert question.decode_for("adapter", "finlora") == "labels"
    # Hosted models give no likelihoods, and the benchmark's rule is made for text.
    assert (
        question.decode_for("endpoint", "finlora") == question.decode_for("base", "reference") == "generate"
    )


def test_several_tasks_come_in_the_order_asked_each_once(project):
    for name in ("fpb", "tfns"):
        write(project.root / f"data/test/{name}_test.jsonl", ["neutral"])
    found = questions.read(Asked(tasks=("tfns", "fpb", "tfns")), project.config)
    assert [question.task for question in found] == ["tfns", "fpb"]


def test_only_the_projects_own_test_file_is_the_task(project):
    path = write(project.root / "data/test/formula_test.jsonl", ["1.50", "2"])
    question = one(project.config, file=path)
    assert (question.task, question.kind) == ("formula", "number")
    published = write(project.root / "data/test/formula_test_as_published.jsonl", ["1.50", "2"])
    assert one(project.config, file=published).stem("generate") == "formula.as_published"
    # Elsewhere it is judged alike, and its score does not take the place of the task's.
    other = write(project.root / "elsewhere/formula_test.jsonl", ["1.50", "2"])
    question = one(project.config, file=other)
    assert (question.task, question.kind, question.family) == ("formula_test", "number", "analysis")
    # Rows that are trained on are of the same kind, but they are not the task's test.
    train = write(project.root / "formula_train.jsonl", ["1.50", "2"])
    assert (one(file=train).task, one(file=train).kind) == ("formula_train", "number")
    assert one(file=path, metric="text").task == "formula_test"


def test_a_file_of_ones_own_is_closed_labels_unless_said_otherwise(project):
    path = write(project.root / "mine.jsonl", ["up", "down", " up"])
    question = one(file=path)
    assert (question.task, question.family, question.kind) == ("mine", None, "label")
    assert (question.labels, question.max_new_tokens) == (("down", "up"), 128)
    letters = write(project.root / "exam.jsonl", ["B", "A", "C"])
    assert one(file=letters).kind == "letter"
    assert one(file=letters, metric="label").kind == "label"
    numbers = one(file=write(project.root / "n.jsonl", ["1", "2"]), metric="number")
    assert (numbers.kind, numbers.labels) == ("number", ())
    assert numbers.decode_for("adapter", "finlora") == "generate"


def test_a_drawn_part_is_seeded_and_stays_in_order(project):
    path = write(project.root / "mine.jsonl", ["up", "down"] * 20)
    lines = [row.line for row in one(file=path, limit=10).rows]
    assert (len(lines), lines) == (10, sorted(lines))
    assert lines == [row.line for row in one(file=path, limit=10).rows]
    assert lines != [row.line for row in one(file=path, limit=10, seed=7).rows]
    assert lines != list(range(1, 11))
    # The labels are those of the whole file.
    assert one(file=path, limit=1).labels == ("down", "up")


@pytest.mark.parametrize(
    ("asked", "decode", "stem"),
    [
        ({}, "labels", "mine"),
        ({}, "generate", "mine.generate"),
        ({"limit": 2}, "labels", "mine.limit2"),
        ({"metric": "text"}, "generate", "mine.text"),
        ({"metric": "label"}, "generate", "mine.label.generate"),
    ],
)
def test_each_way_of_asking_has_files_of_its_own(project, asked, decode, stem):
    path = write(project.root / "mine.jsonl", ["up", "down"])
    assert one(file=path, **asked).stem(decode) == stem


def test_what_decides_an_answer_is_part_of_its_identity(project):
    path = write(project.root / "mine.jsonl", ["up", "down"] * 5)
    base = one(file=path)
    seen = [base.identity("labels"), base.identity("generate"), one(file=path, limit=3).identity("labels")]
    seen += [one(file=path, max_new_tokens=3).identity("generate")]
    assert one(file=path, max_new_tokens=3).identity("labels") == base.identity("labels")
    write(path, ["up", "down", "flat"])
    seen.append(one(file=path).identity("labels"))
    assert len({json.dumps(identity) for identity in seen}) == 5


MANY = [str(i) for i in range(51)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "name what is to be scored: --task NAME"),
        ({"tasks": ("fpb",), "file": "mine.jsonl"}, "name what is to be scored"),
        ({"tasks": ("fbp",)}, "no task 'fbp'.*fpb"),
        ({"tasks": ("general_multi",)}, "general_multi has no test rows to score.*headline"),
        ({"tasks": ("fpb",), "metric": "label"}, "--metric goes with --data"),
        ({"file": "many.jsonl"}, "many.jsonl: 51 different targets.*at most 50.*--metric, one of: label,"),
        ({"file": "many.jsonl", "metric": "label"}, "--metric label does not fit"),
        ({"file": "mine.jsonl", "limit": 9}, "--limit 9: .*mine.jsonl has 2 rows"),
    ],
)
def test_what_can_not_be_asked(project, monkeypatch, asked, message):
    monkeypatch.chdir(project.root)
    write(project.root / "many.jsonl", MANY)
    write(project.root / "mine.jsonl", ["up", "down"])
    if "file" in asked:
        asked = {**asked, "file": project.root / asked["file"]}
    with pytest.raises(UsageError, match=f"(?s){message}"):
        questions.read(Asked(**asked), project.config)


@pytest.mark.parametrize(
    ("task", "step"),
    [
        ("fpb", "finlora data fetch fpb"),
        ("headline_built", "finlora data build headline"),
        ("cfa_level1", "finlora data show cfa_level1"),
    ],
)
def test_rows_that_are_not_there_come_with_how_to_get_them(project, task, step):
    with pytest.raises(DataError, match=f"(?s){task}_test.jsonl: the test rows are not there.*{step}"):
        questions.read(Asked(tasks=(task,)), project.config)


def test_published_rows_are_fetched_with_an_option(project):
    write(project.root / "data/test/fpb_test.jsonl", ["neutral"])
    with pytest.raises(DataError, match=r"(?s)fpb_test_as_published.jsonl.*fetch fpb --as-published"):
        questions.read(Asked(tasks=("fpb",), as_published=True), project.config)


def test_targets_that_are_no_label_are_named_by_line(project):
    path = write(project.root / "data/test/fpb_test.jsonl", ["neutral", "bullish", "bearish"])
    with pytest.raises(
        DataError, match=rf"(?s)2 problems.*{path}:2: the target 'bullish' is none of the labels"
    ):
        questions.read(Asked(tasks=("fpb",)), project.config)
    path = write(project.root / "exam.jsonl", ["A", "F"])
    with pytest.raises(DataError, match=r"exam.jsonl:2: the target 'F' is no letter from A to E"):
        one(file=path, metric="letter")


def test_labels_can_not_be_weighed_where_there_are_none(project):
    path = write(project.root / "n.jsonl", ["1", "2"])
    question = one(file=path, metric="number", decode="labels")
    with pytest.raises(UsageError, match="--decode labels: n has no closed set"):
        question.decode_for("adapter", "finlora")


def test_labels_that_no_answer_can_tell_apart_are_refused(project):
    path = write(project.root / "mine.jsonl", ["<1", ">1", "1"])
    with pytest.raises(
        UsageError, match=r"the labels '1' and '<1' differ in case, brackets|the labels '<1' and '>1'"
    ):
        one(file=path)
