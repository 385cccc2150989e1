"""The registry: what is shipped is true of the runs; a project's own tasks are checked to the last key."""

import copy
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finlora import config, task_list, tasks
from finlora.build import BUILDERS, SEED, dataset_files
from finlora.errors import ConfigError, UsageError
from tests.conftest import RUN

ROOT = Path(__file__).parents[1]
SHIPPED = tasks.load()
RUNS = config.load(ROOT / "configs" / config.CONFIG_NAME)
BENCHMARK = {
    "general": ["fiqa", "fpb", "headline", "ner", "nwgi", "tfns"],
    "reporting": ["finer", "fnxl", "xbrl_term"],
    "analysis": [
        "financebench",
        "formula",
        "xbrl_formula_calc_extract",
        "xbrl_formula_extract",
        "xbrl_tags_extract",
        "xbrl_value_extract",
    ],
    "certification": ["cfa_level1", "cfa_level2", "cfa_level3", "cpa_reg"],
}
TOGETHER = ["analysis_multi", "cfa", "general_multi", "reporting_multi", "sentiment", "xbrl_extract"]
BUILT = [
    "formula_built",
    "headline_built",
    "ner_built",
    "sentiment_built",
    "sentiment_sample",
    "xbrl_extract_built",
]
ALONE = [name for names in BENCHMARK.values() for name in names]


# What is shipped.


def test_every_task_of_the_benchmark_its_sets_and_the_built_ones_are_here():
    assert len(ALONE) == 19
    assert sorted(SHIPPED) == sorted([*ALONE, *TOGETHER, *BUILT])
    assert {name: SHIPPED[name].family for name in ALONE} == {
        name: family for family, names in BENCHMARK.items() for name in names
    }


def test_sources_are_of_the_kinds_they_are_known_to_be():
    kinds = {name: SHIPPED[name].source.kind for name in [*ALONE, *TOGETHER]}
    assert sorted(name for name, kind in kinds.items() if kind == "unpublished") == sorted(
        ["cfa", *BENCHMARK["certification"]]
    )
    assert [name for name in TOGETHER if kinds[name] == "mix"] == [name for name in TOGETHER if name != "cfa"]
    assert [name for name in ALONE if kinds[name] == "hub"] == [*BENCHMARK["general"], "finer"]
    assert all(SHIPPED[name].source.kind == "built" for name in BUILT)


def test_the_published_counts_are_those_that_were_counted():
    assert {name: dict(SHIPPED[name].rows) for name in ("fpb", "fiqa", "tfns", "nwgi", "ner")} == {
        "fpb": {"train": 3634, "test": 1212},
        "fiqa": {"train": 750, "test": 235},
        "tfns": {"train": 9543, "test": 2388},
        "nwgi": {"train": 16184, "test": 4047},
        "ner": {"train": 13549, "test": 3502},
    }
    source = SHIPPED["sentiment"].source
    assert SHIPPED["sentiment"].rows["train"] == sum(
        times * SHIPPED[part].rows["train"] for part, times in source.parts.items()
    )


def test_every_file_that_a_shipped_run_trains_on_belongs_to_a_task():
    named = {RUNS.resolve(run.dataset_path) for run in RUNS.runs.values()}
    known = {task.path(RUNS.root / "data", "train") for task in SHIPPED.values() if "train" in task.files}
    assert len(named) == 13
    assert named - known == set()


@pytest.mark.parametrize(
    ("name", "start", "count"),
    [
        ("sentiment_sample", "sentiment_smollm2", 2),
        ("formula_built", "formula_llama", 6),
        ("formula", "analysis_multi", 5),
        ("headline", "headline|general_multi", 11),
        ("tfns", "sentiment_llama|general_multi", 11),
        ("sentiment", "sentiment_llama|general_multi", 11),
        ("finer", "finer|reporting_multi", 11),
        ("xbrl_value_extract", "xbrl_extract|analysis_multi", 11),
        ("financebench", "financebench|analysis_multi", 11),
        ("cpa_reg", "cfa", 5),
        ("fnxl", "nothing", 0),
        ("ner_built", "nothing", 0),
    ],
)
def test_the_runs_of_a_task_train_on_its_rows_or_on_a_set_of_them(name, start, count):
    runs = task_list.runs_of(SHIPPED[name], SHIPPED, RUNS)
    assert len(runs) == count
    assert [run for run in runs if not re.match(start, run)] == []


def test_every_run_trains_on_some_task():
    trained = {run for task in SHIPPED.values() for run in task_list.runs_of(task, SHIPPED, RUNS)}
    assert trained == set(RUNS.runs)


def test_a_run_on_the_rows_as_published_is_one_of_the_task(tmp_path):
    path = tmp_path / "configs" / config.CONFIG_NAME
    path.parent.mkdir()
    run = {**RUN, "dataset_path": "../data/train/fpb_train_as_published.jsonl"}
    path.write_text(json.dumps({"faulty_rows": run, "other": RUN}))
    assert task_list.runs_of(SHIPPED["fpb"], SHIPPED, config.load(path)) == ["faulty_rows"]


@pytest.mark.parametrize("name", ALONE)
def test_every_task_of_the_benchmark_says_what_is_wrong_with_it(name):
    assert SHIPPED[name].defects
    assert SHIPPED[name].licence.stated


def test_the_worst_faults_are_named_with_their_counts():
    said = {name: " ".join(defect.what for defect in task.defects) for name, task in SHIPPED.items()}
    for name, figures in {
        "tfns": ["2,041 of 2,388", "85.5%"],
        "ner": ["98 different", "561 rows", "59.2%"],
        "formula": ["54 of 1,000", "6.5%"],
        "xbrl_formula_extract": ["98.8%", "450 of 835"],
        "xbrl_tags_extract": ["215 of 2,945", "jpm:"],
        "xbrl_value_extract": ["2,515"],
        "financebench": ["22 of 43"],
        "xbrl_term": ["6 training answers are 'nan'", "171 test definitions (26.3%)"],
        "sentiment": ["72,824", "26.2%"],
    }.items():
        assert [figure for figure in figures if figure not in said[name]] == []


def test_the_label_map_that_swaps_two_labels_is_kept_apart_from_the_right_one():
    convert = SHIPPED["tfns"].convert
    assert dict(convert.labels) == {"0": "negative", "1": "positive", "2": "neutral"}
    assert dict(convert.published_labels) == {"0": "negative", "1": "neutral", "2": "positive"}


def test_built_tasks_have_the_sizes_and_files_of_their_builders():
    for name, builder in BUILDERS.items():
        task = SHIPPED[builder.stem]
        assert task.source.builder == name
        assert tuple(task.path(Path("data"), side) for side in task.sides) == dataset_files(Path(), name)
        sizes = [builder.train_rows, builder.test_rows]
        if None in sizes:
            sizes = [len(rows) for rows in builder.build(seed=SEED, train_rows=None, test_rows=None)[:2]]
        assert list(task.rows.values()) == sizes


def test_prompts_are_those_of_the_rows_built_here():
    for name, rows in {"sentiment_sample": BUILDERS["sentiment_sample"].build()[1]}.items():
        prompt = SHIPPED[name].prompt
        assert SHIPPED[name].columns == ["text"]
        head, tail = prompt.format(text="\0").split("\0")
        assert [r for r in rows if not (r["context"].startswith(head) and r["context"].endswith(tail))] == []


def test_closed_answers_are_listed():
    closed = {name: len(task.labels) for name, task in SHIPPED.items() if task.labels}
    assert closed == {
        **dict.fromkeys(("fpb", "fiqa", "tfns", "sentiment_sample", "sentiment_built"), 3),
        **dict.fromkeys(("headline", "headline_built"), 2),
        **dict.fromkeys(("ner", "ner_built"), 3),
        "nwgi": 7,
        "finer": 139,
    }


def test_no_shipped_task_is_freer_than_its_source_says():
    wants = sorted(name for name in ALONE if SHIPPED[name].licence.terms == "free")
    assert wants == ["finer", "formula", "tfns", "xbrl_term"]
    assert {SHIPPED[name].licence.terms for name in BUILT} == {"free"}


# A project's own tasks.


OWN: dict[str, Any] = {
    "id": "own",
    "name": "Own task",
    "description": "Is this ours?",
    "family": "general",
    "answer": "label",
    "labels": ["yes", "no"],
    "prompt": "Is this ours? {text}\nAnswer: ",
    "metrics": ["accuracy"],
    "source": {
        "kind": "hub",
        "repo": "us/ours",
        "files": {"train": [{"path": "train.csv"}], "test": [{"path": "all.zip", "member": "test.csv"}]},
    },
    "convert": {"target": "label", "labels": {"1": "yes", "0": "no"}},
    "licence": {"stated": "ours", "terms": "free"},
    "split": {"rule": "as at the source"},
    "rows": {"train": 10},
    "files": {"train": "train/own_train.jsonl", "test": "test/own_test.jsonl"},
    "defects": [{"what": "none"}, {"what": "few", "mended": "all"}],
}
MIX = {"kind": "mix", "parts": {"tfns": 1}}
TRAIN = {"train": "train/own_train.jsonl"}


def changed(**values):
    """Return the good task with other values: `source__repo=...` for what is inside, `...` for a key less."""
    task = copy.deepcopy(OWN)
    for name, value in values.items():
        *outer, key = name.split("__")
        place = task
        for step in outer:
            place = place[int(step)] if step.isdigit() else place[step]
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return task


def write(folder: Path, *entries: Any) -> Path:
    """Write tasks beside a config, each under its id, and return the config."""
    path = folder / "configs" / config.CONFIG_NAME
    (path.parent / "tasks").mkdir(parents=True)
    path.write_text(json.dumps({"first_run": RUN}))
    for entry in entries:
        (path.parent / "tasks" / f"{entry['id']}.json").write_text(json.dumps(entry, indent=2))
    return path


def test_a_task_of_ones_own_stands_beside_the_shipped_ones(tmp_path):
    loaded = tasks.load(write(tmp_path, OWN))
    assert list(loaded) == [*SHIPPED, "own"]
    assert loaded["own"].path(tmp_path / "data", "train") == tmp_path / "data/train/own_train.jsonl"


@pytest.mark.parametrize(
    "source",
    [
        OWN["source"],
        {"kind": "bring", "where": "the shelf", "files": {"all": [{"path": "a folder/all.csv"}]}},
        {"kind": "built", "builder": "ner"},
    ],
)
def test_own_tasks_have_the_sources_a_user_can_have(tmp_path, source):
    assert tasks.load(write(tmp_path, changed(source=source)))["own"].source.kind == source["kind"]


def test_an_own_mix_may_be_of_shipped_and_own_tasks(tmp_path):
    mix = {**changed(id="mixed", source={"kind": "mix", "parts": {"tfns": 1, "own": 2}}, prompt=...)}
    mix["files"] = {"train": "train/mixed_train.jsonl"}
    loaded = tasks.load(write(tmp_path, OWN, mix))
    assert loaded["mixed"].parts == ("tfns", "own")


@dataclass(frozen=True)
class Bad:
    """A faulty task: what the message says, and the text of the line it names (empty: no line)."""

    task: Any
    says: str
    at: str


def hub(**part):
    return changed(source__files={"train": [{"path": "train.csv", **part}]})


BAD = {
    "unknown key": Bad(changed(famly="x"), "unknown key 'famly', did you mean 'family'?", '"famly"'),
    "far from any key": Bad(changed(zzz=1), "unknown key 'zzz'; known keys: id, name, description", '"zzz"'),
    "unknown key inside": Bad(
        changed(licence__state="MIT"),
        "unknown key 'state' of licence, did you mean 'stated'?",
        '"state":',
    ),
    "unknown key in a kind of source": Bad(
        changed(source__repos="a/b"), "unknown key 'repos' of source, did you mean 'repo'?", '"repos"'
    ),
    "unknown key in a list": Bad(
        changed(defects__1__waht="x"), "unknown key 'waht' of defects[2], did you mean 'what'?", '"waht"'
    ),
    "missing key": Bad(changed(name=...), "the key 'name' is missing (text: its name for people)", ""),
    "missing key inside": Bad(
        changed(source__repo=...), "the key 'repo' of source is missing (text: owner/name)", '"source"'
    ),
    "missing kind": Bad(changed(source__kind=...), "the key 'kind' of source is missing", '"source"'),
    "unknown kind": Bad(
        changed(source__kind="git"), 'source.kind is "git"; allowed: an object with kind: hub', '"kind"'
    ),
    "no object for a source": Bad(
        changed(source="hub"), 'source is "hub"; allowed: an object with kind', '"source"'
    ),
    "number in quotes": Bad(
        changed(rows__train="10"), 'rows.train is "10"; allowed: an object: train and test', '"train": "10"'
    ),
    "number below nought": Bad(changed(rows__train=-1), "rows.train is -1", '"train": -1'),
    "unknown side": Bad(
        changed(rows={"tain": 1}), "unknown key 'tain' of rows; allowed: an object: train and test", '"tain"'
    ),
    "unknown family": Bad(
        changed(family="sports"),
        'family is "sports"; allowed: general, reporting, analysis or certification',
        '"family"',
    ),
    "unknown metric": Bad(changed(metrics=["rouge"]), 'metrics[1] is "rouge"; allowed: a list of', '"rouge"'),
    "a text for a list": Bad(changed(labels="yes"), 'labels is "yes"; allowed: a list of texts', '"labels"'),
    "empty text": Bad(changed(name=" "), 'name is empty; it is " "', '"name"'),
    "control characters": Bad(changed(name="a\x1b[2Jb"), "name holds control characters", '"name"'),
    "an id that is no name": Bad(changed(id="Own-1"), 'id is "Own-1"; allowed: small letters', '"id"'),
    "no hub repository": Bad(
        changed(source__repo="../.."), 'source.repo is "../.."; allowed: text: owner/name', '"repo"'
    ),
    "a revision that is a branch": Bad(
        changed(source__revision="main"), 'source.revision is "main"; allowed: a commit of 40', '"revision"'
    ),
    "no files at the source": Bad(
        changed(source__files={}), "source.files is {}; allowed: an object: split to a list", '"files": {}'
    ),
    "an empty list of files": Bad(
        changed(source__files={"train": []}), "source.files.train is []", '"train": []'
    ),
    "a path out of the source": Bad(
        hub(path="../secrets.csv"), "source.files.train[1].path must be a path inside", '"../secrets.csv"'
    ),
    "an absolute path at the source": Bad(hub(path="/etc/passwd"), "must be a path inside", '"/etc/passwd"'),
    "a member out of the archive": Bad(
        hub(path="a.zip", member="a/../../b"), "source.files.train[1].member must be", '"a/../../b"'
    ),
    "a member of no archive": Bad(hub(member="b.csv"), "member is for a zip archive", '"b.csv"'),
    "half a text table": Bad(hub(separator="@"), "columns and separator go together", '"separator"'),
    "no digest": Bad(hub(sha256="abc"), 'sha256 is "abc"; allowed: 64 hexadecimal digits', '"sha256"'),
    "a file out of data": Bad(
        changed(files__train="../x.jsonl"), 'files.train is "../x.jsonl"; allowed: an object', '"../x.jsonl"'
    ),
    "a file that is no JSONL": Bad(changed(files__train="x.csv"), 'files.train is "x.csv"', '"x.csv"'),
    "one file for both": Bad(
        changed(files__test="train/own_train.jsonl"), "train and test are one file", '"test": "train/own'
    ),
    "another task's file": Bad(
        changed(files__train="train/fpb_train.jsonl"),
        "'train/fpb_train.jsonl', a file of the task 'fpb'",
        '"train/fpb_train.jsonl"',
    ),
    "another task's file as published": Bad(
        changed(files__train="train/FPB_train_as_published.jsonl"),
        "a file of the task 'fpb'",
        '"train/FPB_train_as_published.jsonl"',
    ),
    "a shipped task's id": Bad(
        changed(id="fpb"), "the task 'fpb' is shipped with FinLoRA; give yours another id", '"id"'
    ),
    "rows of no file": Bad(
        changed(rows__test=1, files=TRAIN), "rows.test counts rows of a file that files does not", '"test": 1'
    ),
    "a brace too many": Bad(changed(prompt="{text Answer:"), "prompt is no format string", '"prompt"'),
    "a way into the values": Bad(
        changed(prompt="{text.__class__} Answer:"), "prompt holds {text.__class__}", '"prompt"'
    ),
    "an index into the values": Bad(
        changed(prompt="{text[0]} Answer:"), "prompt holds {text[0]}", '"prompt"'
    ),
    "a place in the values": Bad(changed(prompt="{} Answer:"), "prompt holds {}", '"prompt"'),
    "a conversion": Bad(changed(prompt="{text!r} Answer:"), "prompt holds {text!r}", '"prompt"'),
    "a width": Bad(changed(prompt="{text:>9999999999} Answer:"), "prompt holds {text:>9999", '"prompt"'),
    "a prompt of one text": Bad(changed(prompt="Say yes. Answer:"), "prompt names no column", '"prompt"'),
    "no prompt": Bad(changed(prompt=...), "the key 'prompt' is missing", ""),
    "a prompt with no mark": Bad(
        changed(prompt="{text}"), "prompt must end with the answer mark 'Answer:'", '"prompt"'
    ),
    "no answer mark": Bad(changed(answer_mark=""), "answer_mark is empty", '"answer_mark"'),
    "an unknown converter": Bad(
        changed(convert__how="ours"), 'convert.how is "ours"; allowed: columns, fiqa', '"how"'
    ),
    "a converter by its path": Bad(changed(convert__how="os.path"), 'convert.how is "os.path"', '"how"'),
    "no column with the answer": Bad(
        changed(convert__target=...), "the key 'target' of convert is missing", '"convert"'
    ),
    "a label nobody listed": Bad(
        changed(convert__labels={"1": "maybe"}),
        "convert.labels gives 'maybe', which is not in",
        '"1": "maybe"',
    ),
    "a label twice": Bad(changed(labels=["yes", "no", "no"]), "labels has 'no' twice", '"no"\n'),
    "published labels of nothing": Bad(
        changed(convert__published_labels={"7": "no"}), "published_labels has '7', which", '"7"'
    ),
    "unpublished": Bad(
        changed(source={"kind": "unpublished", "why": "ours"}),
        "source.kind is 'unpublished'; a task of your own has kind hub, bring, built or mix",
        '"kind": "unpublished"',
    ),
    "an unknown builder": Bad(
        changed(source={"kind": "built", "builder": "os"}),
        'source.builder is "os"; allowed: sent',
        '"builder"',
    ),
    "a mix of nothing": Bad(
        changed(source={"kind": "mix", "parts": {}}), "source.parts is {}; allowed", '"parts"'
    ),
    "a mix of an unknown task": Bad(
        changed(source={"kind": "mix", "parts": {"tnfs": 1}}, prompt=..., files=TRAIN),
        "source.parts names 'tnfs', which is no task, did you mean 'tfns'?",
        '"tnfs"',
    ),
    "a mix of itself": Bad(
        changed(source={"kind": "mix", "parts": {"own": 1}}, prompt=..., files=TRAIN),
        "'own' is made of 'own' itself",
        '"own": 1',
    ),
    "a mix of no training rows": Bad(
        changed(source={"kind": "mix", "parts": {"fnxl": 1}}, prompt=..., files=TRAIN),
        "'fnxl' has no training rows",
        '"fnxl"',
    ),
    "a mix freer than its parts": Bad(
        changed(source={"kind": "mix", "parts": {"fpb": 1}}, prompt=..., files=TRAIN),
        "licence.terms is 'free', but those of 'fpb' are non-commercial",
        '"terms"',
    ),
    "a mix with test rows": Bad(
        changed(source=MIX, prompt=...), "files.test: a mix is made of training rows", '"test": "test/own'
    ),
    "a mix repeated too often": Bad(
        changed(source={"kind": "mix", "parts": {"tfns": 100000}}, prompt=...),
        "source.parts.tfns is 100000; allowed: an object: task to how often",
        '"tfns"',
    ),
    "a share above one": Bad(
        changed(split__test_share=1.5), "split.test_share is 1.5; allowed: a number above 0", '"test_share"'
    ),
    "a seed too large": Bad(changed(split__seed=2**32), "split.seed is 4294967296", '"seed"'),
}


def test_there_are_enough_bad_tasks():
    assert len(BAD) == 63


def line_with(text: str, part: str) -> int:
    """Return the 1-based number of the first line that holds a text, its end included."""
    return next(number for number, line in enumerate(text.splitlines(keepends=True), 1) if part in line)


@pytest.mark.parametrize("name", BAD)
def test_a_faulty_task_is_one_message_with_its_file_and_line(tmp_path, name):
    bad = BAD[name]
    path = write(tmp_path, bad.task)
    file = path.parent / "tasks" / f"{bad.task['id']}.json"
    with pytest.raises(ConfigError) as caught:
        tasks.load(path)
    [problem] = caught.value.problems
    assert bad.says in problem.message
    assert problem.file == str(file)
    text = file.read_text()
    assert problem.line == (line_with(text, bad.at) if bad.at else None)
    assert str(caught.value).endswith("finlora data show tfns --json")


def test_all_faults_of_all_files_come_at_once(tmp_path):
    first = changed(id="first", family="x", licence__terms="x", files__train="x", nobody=1)
    second = changed(id="second", labels=["yes", "yes", "no"], files=TRAIN, prompt="{text!r} Answer:")
    third = changed(id="third", labels=["yes", "yes", "no"], answer_mark="", convert__target=...)
    with pytest.raises(ConfigError) as caught:
        tasks.load(write(tmp_path, OWN, first, second, third))
    found = [(Path(problem.file).stem, problem.line) for problem in caught.value.problems]
    assert [name for name, _ in found] == ["first"] * 4 + ["second"] + ["third"] * 3
    assert all(line for _, line in found)
    assert str(caught.value).startswith("8 problems\n")


def test_a_mix_of_a_faulty_task_is_not_a_second_fault(tmp_path):
    mix = changed(id="mixed", source={"kind": "mix", "parts": {"own": 1}}, prompt=..., files=TRAIN)
    with pytest.raises(ConfigError) as caught:
        tasks.load(write(tmp_path, changed(family="x"), mix))
    assert [Path(problem.file).stem for problem in caught.value.problems] == ["own"]


def test_two_mixes_of_each_other_are_told(tmp_path):
    pair = [
        changed(
            id=name,
            source={"kind": "mix", "parts": {other: 1}},
            prompt=...,
            files={"train": f"train/{name}.jsonl"},
        )
        for name, other in (("one", "two"), ("two", "one"))
    ]
    with pytest.raises(ConfigError, match=r"'two' is made of 'one' itself"):
        tasks.load(write(tmp_path, *pair))


@dataclass(frozen=True)
class BadFile:
    """A file that can't be read as a task: what makes it, and what is said of it."""

    make: Callable[[Path], object]
    says: str


GOOD = json.dumps(OWN)
FILES = {
    "not JSON": BadFile(lambda p: p.write_text('{\n "id": own}'), ":2:8: not JSON"),
    "a list": BadFile(lambda p: p.write_text("[]"), ":1: must be a JSON object"),
    "empty": BadFile(lambda p: p.write_text(""), ":1:1: not JSON"),
    "a key twice": BadFile(
        lambda p: p.write_text('{"id": "own",\n"id": "own"}'), ":2: the key 'id' stands twice"
    ),
    "not a number": BadFile(lambda p: p.write_text('{"rows": NaN}'), "NaN is no JSON number"),
    "half a character": BadFile(lambda p: p.write_text('{"id": "\\ud800"}'), "half a character"),
    "nested without end": BadFile(lambda p: p.write_text("[" * 100_000), "nested too deeply"),
    "not UTF-8": BadFile(lambda p: p.write_bytes(b'{"id": "\xff"}'), ": not UTF-8 text"),
    "UTF-16": BadFile(lambda p: p.write_bytes(GOOD.encode("utf-16")), ": not UTF-8 text"),
    "too large": BadFile(lambda p: p.write_text(" " * (1 << 20) + GOOD), ": is larger than 1 MiB"),
    "a folder": BadFile(lambda p: p.mkdir(), ": is no file"),
    "a pipe": BadFile(lambda p: os.mkfifo(p), ": is no file"),
    "a link": BadFile(lambda p: p.symlink_to(tasks.SHIPPED / "fpb.json"), ": is a link"),
    "a link to nothing": BadFile(lambda p: p.symlink_to("nowhere"), ": is a link"),
    "another name": BadFile(
        lambda p: p.write_text(GOOD.replace('"own"', '"won"')), ":1: id is 'won', the file"
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_task_is_one_message(tmp_path, name):
    path = write(tmp_path)
    file = path.parent / "tasks" / "own.json"
    FILES[name].make(file)
    with pytest.raises(ConfigError) as caught:
        tasks.load(path)
    assert len(caught.value.problems) == 1
    assert str(caught.value.problems[0]).startswith(f"{file}")
    assert FILES[name].says in str(caught.value.problems[0]).removeprefix(str(file))


def test_there_are_enough_bad_files():
    assert len(FILES) == 15


def test_a_file_where_the_folder_of_tasks_should_be_is_told(tmp_path):
    path = write(tmp_path)
    (path.parent / "tasks").rmdir()
    (path.parent / "tasks").write_text("")
    with pytest.raises(ConfigError, match=r"tasks: can't be read: Not a directory"):
        tasks.load(path)


def test_a_project_without_tasks_of_its_own_has_the_shipped_ones(tmp_path):
    path = write(tmp_path)
    (path.parent / "tasks").rmdir()
    assert list(tasks.load(path)) == list(SHIPPED)


def test_an_unknown_task_is_told_with_the_nearest():
    with pytest.raises(
        UsageError, match=r"no task 'tfn', did you mean 'tfns'\?\nSee all with: finlora data list"
    ):
        tasks.pick(SHIPPED, "tfn")


def test_the_example_in_the_docs_is_a_task(tmp_path):
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    entry = json.loads(example)
    assert entry["id"] in tasks.load(write(tmp_path, entry))
