"""`data list` and `data show`, as functions and through the command line."""

import json

import pytest

from finlora import task_list, tasks
from tests.conftest import RUN, Project

SHIPPED = tasks.load()
OWN = {
    "id": "own",
    "name": "Own task",
    "description": "Is this ours?",
    "family": "reporting",
    "answer": "label",
    "prompt": "{text}\nAnswer: ",
    "metrics": ["accuracy"],
    "source": {"kind": "bring", "where": "the shelf", "files": {"all": [{"path": "all.csv"}]}},
    "convert": {"target": "label"},
    "licence": {"stated": "ours", "terms": "free"},
    "split": {"rule": "a tenth", "seed": 1, "test_share": 0.1},
    "files": {"train": "train/rows.jsonl"},
}


def add(project: Project, entry: dict) -> None:
    folder = project.config.parent / "tasks"
    folder.mkdir()
    (folder / f"{entry['id']}.json").write_text(json.dumps(entry, indent=2))


def test_a_line_says_what_there_is_and_what_is_here(project):
    add(project, OWN)
    lines = task_list.overview(tasks.load(project.config), project.root / "data")
    assert len(lines) == len(SHIPPED) + 1
    records = {record["task"]: record for record in task_list.records(lines)}
    assert records["fpb"] == {
        "task": "fpb",
        "family": "general",
        "answer": "label",
        "rows": {"train": 3634, "test": 1212},
        "source": "takala/financial_phrasebank",
        "licence": "CC BY-NC-SA 3.0",
        "terms": "non-commercial",
        "here": (),
    }
    assert records["own"]["here"] == ("train",)
    assert {records[name]["source"] for name in ("own", "cfa", "sentiment", "ner_built")} == {
        "a file to bring",
        "never published",
        "a mix of 4 tasks",
        "built here (ner)",
    }


@pytest.mark.parametrize(
    ("family", "count"), [("general", 12), ("reporting", 4), ("analysis", 10), ("certification", 5)]
)
def test_one_family_alone(family, count, tmp_path):
    lines = task_list.overview(SHIPPED, tmp_path, family)
    assert [line.family for line in lines] == [family] * count


def test_list_prints_a_table_and_json(project, run):
    table = run("data", "list", "--config", project.config)
    assert (table.code, table.err) == (0, "* wants --accept-licence. All about one: finlora data show TASK\n")
    assert len(table.out.splitlines()) == len(SHIPPED) + 1
    [line] = [line for line in table.out.splitlines() if line.startswith("tfns ")]
    words = "tfns label 9,543 / 2,388 MIT - zeroshot/twitter-financial-news-sentiment"
    assert " ".join(line.split()) == words
    printed = json.loads(run("data", "list", "--config", project.config, "--json").out)
    assert [record["task"] for record in printed] == [
        line.task for line in task_list.overview(SHIPPED, project.root)
    ]


def test_show_tells_source_terms_split_files_runs_and_faults(project, run):
    project.write_config(
        {
            "on_the_mix": {**RUN, "dataset_path": "../data/train/finlora_sentiment_train.jsonl"},
            "on_other_rows": RUN,
            "broken": {"base_model": 3},
        }
    )
    (project.root / "data" / "train" / "fpb_train_as_published.jsonl").write_text("{}\n")
    shown = run("data", "show", "fpb", "--config", project.config)
    assert (shown.code, shown.err) == (0, "")
    for part in [
        "Financial PhraseBank: The sentiment of sentences",
        "Input: ‹sentence›",
        "takala/financial_phrasebank on the Hugging Face hub, revision: unpinned",
        "train: data/FinancialPhraseBank-v1.0.zip, in it FinancialPhraseBank-v1.0/Sentences_50Agree.txt",
        "CC BY-NC-SA 3.0; non-commercial, so it wants --accept-licence",
        "a quarter drawn at random becomes the test rows, seed 42",
        "train 3,634, test 1,212",
        "data/train/fpb_train.jsonl (here: fpb_train_as_published.jsonl)",
        "data/test/fpb_test.jsonl (not here)",
        "runs that train on it\n  on_the_mix\n\n",
        "- 2 test rows repeat others\n    mended: repeated rows are out",
        "60.1% on the test rows\n    stays",
    ]:
        assert part in shown.out


@pytest.mark.parametrize("name", SHIPPED)
def test_every_task_can_be_shown(name, project, run):
    shown = run("data", "show", name, "--config", project.config)
    assert (shown.code, shown.err) == (0, "")
    headings = [line for line in shown.out.splitlines() if line and not line.startswith(" ")]
    assert headings[0].startswith(SHIPPED[name].name)
    assert {"source", "licence", "split", "files", "runs that train on it", "known faults"} < set(headings)


def test_what_show_prints_for_programs_is_a_task_again(project, run, tmp_path):
    printed = json.loads(run("data", "show", "xbrl_term", "--config", project.config, "--json").out)
    assert sorted(printed) == ["here", "runs", "task"]
    path = tmp_path / "xbrl_term.json"
    path.write_text(json.dumps(printed["task"]))
    assert tasks.read(path) == SHIPPED["xbrl_term"]


def test_tasks_are_listed_outside_a_project_too(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(json.loads(run("data", "list", "--json").out)) == len(SHIPPED)
    assert json.loads(run("data", "show", "tfns", "--json").out)["runs"] == []


def test_an_unknown_task_is_a_usage_error(project, run):
    done = run("data", "show", "tnfs", "--config", project.config)
    assert (done.code, done.out) == (2, "")
    assert "no task 'tnfs', did you mean 'tfns'?\nSee all with: finlora data list" in done.err


def test_a_faulty_task_of_a_project_stops_both(project, run):
    add(project, {**OWN, "famly": 1})
    for command in (["list"], ["show", "tfns"]):
        done = run("data", *command, "--config", project.config)
        assert (done.code, done.out) == (2, "")
        assert f"{project.config.parent / 'tasks' / 'own.json'}:" in done.err
        assert "unknown key 'famly', did you mean 'family'?" in done.err
