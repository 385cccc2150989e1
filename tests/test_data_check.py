"""`finlora data check`: what it looks at, how it ends, and that no input makes it stumble."""

import json
import os

import pytest

from finlora import data_check
from finlora.data_targets import Asked, chosen
from finlora.errors import UsageError
from finlora.row_lengths import lengths_of
from tests.conftest import RUN

SENTENCES = [
    "Acme's net sales rose by a fifth on strong orders from Norway",
    "The board of Borealis proposes no dividend for the past year",
    "Cetus will close its plant in Turku, and forty jobs go with it",
    "Delphi signed a frame contract with two railways in Poland",
    "Eridanus repaid the bond early and saves interest on it",
    "Fornax warned that freight costs eat up what prices gained",
    "Gemini appoints a new head of finance from next spring",
    "Hydra takes over a maker of valves for an undisclosed sum",
    "Indus lost its largest customer to a rival from Spain",
    "Lyra keeps its outlook, since demand is as it had expected",
]
LABELS = ("positive", "neutral", "negative")


def sound(count=10, **more):
    return [
        {"context": f"Input: {sentence}\nAnswer: ", "target": LABELS[i % 2], **more}
        for i, sentence in enumerate(SENTENCES[:count])
    ]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def found(result):
    """Return code and lines of every finding of the first file."""
    (first, *_) = json.loads(result.out)["files"]
    return {one["code"]: one["lines"] for one in first["findings"]}


def test_a_sound_file_has_notes_alone(run, tmp_path):
    path = write(tmp_path / "mine.jsonl", sound())
    done = run("data", "check", path, "--json")
    assert (done.code, done.err) == (0, "")
    assert found(done) == {"labels": [], "lengths": []}
    record = json.loads(done.out)
    assert (record["errors"], record["warnings"], record["files"][0]["rows"]) == (0, 0, 10)


def test_a_warning_does_not_fail_and_an_error_does(run, tmp_path):
    rows = sound()
    path = write(tmp_path / "mine.jsonl", [*rows, rows[0]])
    done = run("data", "check", path)
    assert done.code == 0
    assert f"at {path}:11 = 1" in done.out
    assert done.out.endswith("0 errors, 1 warning, 2 notes in 1 file\n")
    write(path, [*rows, {**rows[0], "target": "negative"}])
    done = run("data", "check", path)
    assert done.code == 1
    assert "error    contradiction: 1 question with more than one answer" in done.out


def test_faults_of_every_kind_at_once(run, tmp_path):
    rows = sound()
    rows[0]["context"] = "Input: Lemmink+ñinen rose\nAnswer: "
    rows[1]["context"] = "Input: nan\nAnswer: "
    rows[2]["target"] = "nan"
    rows[3]["context"] = "Input: ask jane@example.com\nAnswer: "
    rows[4]["context"] = "Input: no mark"
    rows[5] = {"context": "no target"}
    path = write(tmp_path / "mine.jsonl", [*rows, rows[6]])
    done = run("data", "check", path, "--json")
    assert done.code == 1
    warnings = {code: lines for code, lines in found(done).items() if lines}
    assert warnings == {
        "mojibake": [1],
        "nan-context": [2],
        "nan-target": [3],
        "e-mail": [4],
        "answer-mark": [5],
        "column": [6],
        "repeated": [11],
    }
    assert "jane" not in done.out


def test_few_questions_sold_as_many(tmp_path):
    """The fault of a published set: 98 questions in 17 wordings, some of them twice, make 3,502 rows."""
    wordings = [
        "Please say what kind of entity {} is.",
        "What is the entity type of {} here?",
        "Which type has {} in this passage?",
        "Identify {} by its type.",
    ]
    passages = [" ".join(SENTENCES[:5]), " ".join(SENTENCES[5:])]
    rows = [
        {"context": f"{passage} {wording.format(passage.split()[0])} Answer:", "target": LABELS[i % 3]}
        for i, passage in enumerate(passages)
        for wording in wordings
    ]
    path = write(tmp_path / "entities.jsonl", [*rows, *rows[:3]])
    (file,) = data_check.check(None, Asked(str(path))).files
    counts = {one.code: one.count for one in file.findings}
    assert len(rows) == 8
    assert (counts["repeated"], counts["near-repeated"]) == (3, 6)


def test_definitions_that_are_nearly_copied_into_the_test(tmp_path):
    """The fault of another: a term's definition stands in training under its sister's name."""
    terms = [
        f"{name}, {kind}"
        for name in ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta"]
        for kind in ("Gross", "Net")
    ]
    rows = [
        {
            "context": f"Explain this term: {term}. Answer:",
            "target": f"Amount {kind} {sentence}, at period end.",
        }
        for term, sentence, kind in zip(
            terms, SENTENCES * 2, ["before tax"] * 6 + ["after tax"] * 6, strict=False
        )
    ]
    train = write(tmp_path / "terms_train.jsonl", rows)
    write(
        tmp_path / "terms_test.jsonl",
        [
            {"context": "Explain this term: Eta. Answer:", "target": rows[3]["target"] + " Excludes."},
            {
                "context": "Explain this term: Theta. Answer:",
                "target": "A word that training never gave for it.",
            },
        ],
    )
    (file,) = data_check.check(None, Asked(str(train))).files
    (near,) = [one for one in file.findings if one.code == "near-answer"]
    assert (near.lines, near.against_lines) == ((1,), (4,))
    assert near.figures == {"near": 1, "nearer": 1, "test_rows": 2}


def test_findings_come_worst_first(tmp_path):
    rows = sound()
    path = write(tmp_path / "mine.jsonl", [*rows, rows[0], {"context": "x"}])
    severities = [one.severity for one in data_check.check(None, Asked(str(path))).files[0].findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}


def test_against_a_test_file(run, tmp_path):
    train, test = write(tmp_path / "a.jsonl", sound(8)), write(tmp_path / "b.jsonl", sound(10)[7:])
    done = run("data", "check", train, "--against", test, "--json")
    assert done.code == 1
    assert found(done)["test-in-train"] == [1]
    assert json.loads(done.out)["files"][0]["findings"][0]["file"] == str(test)
    assert found(run("data", "check", train, "--json")).keys() == {"labels", "lengths"} - {"labels"} | {
        "lengths"
    }


def test_a_test_file_that_is_found_and_named_is_compared_with_once(run, tmp_path, monkeypatch):
    train = write(tmp_path / "x_train.jsonl", sound(8))
    write(tmp_path / "x_test.jsonl", sound(10)[7:])
    monkeypatch.chdir(tmp_path)
    done = run("data", "check", train, "--against", "x_test.jsonl", "--json")
    (file,) = json.loads(done.out)["files"]
    assert file["against"] == ["x_test.jsonl"]
    assert [one["code"] for one in file["findings"]].count("test-in-train") == 1


@pytest.mark.parametrize("checked", ["x_train.jsonl", "x_test.jsonl"])
def test_the_other_side_is_found_by_its_name(run, tmp_path, checked):
    write(tmp_path / "x_train.jsonl", sound(8))
    write(tmp_path / "x_test.jsonl", sound(10)[7:])
    done = run("data", "check", tmp_path / checked, "--json")
    assert (done.code, found(done)["test-in-train"]) == (1, [1])


def test_a_missing_file_to_compare_with_is_an_error(run, tmp_path):
    path = write(tmp_path / "a.jsonl", sound())
    done = run("data", "check", path, "--against", tmp_path / "nothing.jsonl")
    assert done.code == 1
    assert "no such dataset file" in done.out


def test_the_task_gives_labels_mark_and_limit(run, tmp_path):
    rows = sound()
    rows[3]["target"] = "bullish"
    rows[4]["target"] = "positive " * 40
    path = write(tmp_path / "mine.jsonl", rows)
    done = run("data", "check", path, "--task", "tfns", "--json")
    assert done.code == 1
    assert found(done)["unknown-label"] == [4, 5]
    assert found(done)["answer-too-long"] == [5]
    by_name = write(tmp_path / "tfns_test.jsonl", rows)
    assert found(run("data", "check", by_name, "--json")) == found(done)
    published = write(tmp_path / "tfns_test_as_published.jsonl", rows)
    assert json.loads(run("data", "check", published, "--json").out)["files"][0]["task"] == "tfns"


def test_a_run_is_its_dataset_and_its_test_files(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write_config({"first_run": {**RUN, "dataset_path": "../data/train/mine_train.jsonl"}})
    write(project.root / "data" / "train" / "mine_train.jsonl", sound(9))
    write(project.root / "data" / "test" / "mine_test.jsonl", sound(10)[8:])
    write(project.root / "data" / "test" / "other_test.jsonl", sound())
    done = run("data", "check", "first_run", "--json")
    files = json.loads(done.out)["files"]
    assert [file["file"] for file in files] == ["data/train/mine_train.jsonl", "data/test/mine_test.jsonl"]
    assert files[0]["against"] == ["data/test/mine_test.jsonl"]
    assert found(done)["test-in-train"] == [1]
    assert done.code == 1


def test_rows_over_a_runs_sequence_len(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write_config({"first_run": {**RUN, "sequence_len": 60}, "twin": {**RUN, "sequence_len": 60}})
    write(project.dataset, sound())
    write(project.root / "data" / "test" / "rows_test.jsonl", sound())
    done = run("data", "check", "first_run", "--json")
    assert done.code == 1
    assert found(done)["too-long"]
    assert "sequence_len 60 of first_run" in done.out
    # What is only asked is not dropped.
    asked = json.loads(done.out)["files"][1]["findings"]
    assert {one["code"] for one in asked} == {"labels", "lengths"}
    assert "of first_run and 1 more" in run("data", "check", "all", "--json").out
    named = run("data", "check", project.dataset, "--run", "twin", "--json")
    assert "sequence_len 60 of twin" in named.out


def test_all_is_every_run_and_every_file(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write_config(
        {
            "first_run": {**RUN, "dataset_path": "../data/train/mine_train.jsonl"},
            "second_run": {**RUN, "dataset_path": "../data/train/mine_train.jsonl", "quant_bits": 4},
            "elsewhere": {**RUN, "dataset_path": "../nowhere.jsonl"},
        }
    )
    write(project.root / "data" / "train" / "mine_train.jsonl", sound())
    write(project.root / "data" / "test" / "mine_test.jsonl", sound())
    write(project.root / "data" / "more" / "free.jsonl", sound())
    done = run("data", "check", "all", "--json")
    files = {file["file"]: file for file in json.loads(done.out)["files"]}
    assert sorted(files) == [
        "data/more/free.jsonl",
        "data/test/mine_test.jsonl",
        "data/train/mine_train.jsonl",
        "data/train/rows.jsonl",
        "nowhere.jsonl",
    ]
    assert files["data/train/mine_train.jsonl"]["runs"] == ["first_run", "second_run"]
    assert files["data/train/mine_train.jsonl"]["against"] == ["data/test/mine_test.jsonl"]
    # A dataset that was never fetched is no fault of the project.
    assert [(one["code"], one["severity"]) for one in files["nowhere.jsonl"]["findings"]] == [
        ("missing", "note")
    ]
    lengths = [f for f in files["data/train/mine_train.jsonl"]["findings"] if f["code"] == "lengths"]
    assert len(lengths) == 1


def test_the_tests_of_a_mix_are_those_of_its_parts(project, monkeypatch):
    monkeypatch.chdir(project.root)
    part = json.loads((data_check.__file__ and _shipped("tfns")).read_text(encoding="utf-8"))
    mix = {
        **part,
        "id": "both",
        "source": {"kind": "mix", "parts": {"tfns": 2}},
        "files": {"train": "train/both.train.jsonl"},
        "rows": {},
    }
    (project.config.parent / "tasks").mkdir()
    (project.config.parent / "tasks" / "both.json").write_text(json.dumps(mix))
    write(project.root / "data" / "train" / "both.train.jsonl", sound())
    write(project.root / "data" / "test" / "tfns_test.jsonl", sound())
    file = project.load({"first_run": {**RUN, "dataset_path": "../data/train/both.train.jsonl"}})
    train, test = chosen(file, Asked("first_run"))
    assert (train.task.id, test.task.id) == ("both", "tfns")
    assert [str(path) for path in train.against] == ["data/test/tfns_test.jsonl"]


def test_the_marks_of_a_mix_are_those_of_its_parts(run, tmp_path):
    rows = sound(6)
    rows[1]["context"] = "1. Which tag? Output US GAAP tags: "
    rows[2]["context"] = "Which tag? Reply:"
    path = write(tmp_path / "mine.jsonl", rows)
    assert found(run("data", "check", path, "--task", "reporting_multi", "--json"))["answer-mark"] == [3]
    assert found(run("data", "check", path, "--task", "xbrl_term", "--json"))["answer-mark"] == [2, 3]
    # Nobody published the certificates' rows, nor their mark: the one that most rows end with.
    assert found(run("data", "check", path, "--task", "cfa", "--json"))["answer-mark"] == [2, 3]


def _shipped(task):
    from finlora.tasks import SHIPPED

    return SHIPPED / f"{task}.json"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("first_rum"), "did you mean 'first_run'"),
        (Asked("all", run="first_run"), "go with a file, not with all"),
        (Asked("first_run", task="tfns"), "go with a file, not with a run"),
        (Asked("x.jsonl", task="tfn"), "no task 'tfn'"),
        (Asked("x.jsonl", run="nobody"), "no run 'nobody'"),
    ],
)
def test_what_can_not_be_asked(project, asked, words):
    with pytest.raises(UsageError, match=words):
        data_check.check(project.load(), asked)


def test_outside_a_project(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.jsonl", sound())
    assert run("data", "check", "mine.jsonl").code == 0
    for argv in (["all"], ["nothing"], ["mine.jsonl", "--run", "x"]):
        done = run("data", "check", *argv)
        assert (done.code, done.out) == (2, "")


def test_progress_ends_at_a_hundred(tmp_path):
    seen = []
    data_check.check(None, Asked(str(write(tmp_path / "a.jsonl", sound()))), seen.append)
    assert (seen[0], seen[-1]) == (0, 100)


def test_nothing_is_changed(run, project):
    write(project.dataset, sound())
    before = project.files()
    run("data", "check", "all", "--config", project.config)
    assert project.files() == before


def test_every_row_of_a_small_file_is_counted():
    from finlora.data import Row

    rows = [Row("c" * (30 * i), "t", i) for i in range(1, 500)]
    lengths = lengths_of(rows, None, "no run is named", None)
    assert lengths.counted == 499
    assert lengths.totals == [42 + 10 * i for i in range(1, 500)]
    assert lengths.by_bytes
    assert lengths.how == "estimated, a token for 3 bytes (no run is named)"


# Files that are none, or hold what nobody expects: name to (what makes it, a code that must be found).
ROW = b'{"context": "q Answer:", "target": "a"}\n'
BAD = {
    "missing": (lambda path: None, "missing"),
    "folder": (lambda path: path.mkdir(), "file"),
    "empty": (lambda path: path.write_bytes(b""), "file"),
    "only_spaces": (lambda path: path.write_bytes(b" \n\t\n\r\n"), "file"),
    "only_a_mark": (lambda path: path.write_bytes(b"\xef\xbb\xbf"), "file"),
    "symlink_loop": (lambda path: path.symlink_to(path), "file"),
    "broken_symlink": (lambda path: path.symlink_to(path.with_name("gone")), "file"),
    "named_pipe": (lambda path: os.mkfifo(path), "file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "file"),
    "lfs_pointer": (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "file"),
    "utf_16": (lambda path: path.write_bytes(ROW.decode().encode("utf-16")), "utf-8"),
    "utf_16_without_mark": (lambda path: path.write_bytes(ROW.decode().encode("utf-16-le")), "json"),
    "utf_32": (lambda path: path.write_bytes(ROW.decode().encode("utf-32")), "utf-8"),
    "latin_1": (
        lambda path: path.write_bytes('{"context": "café", "target": "a"}'.encode("latin-1")),
        "utf-8",
    ),
    "overlong_utf_8": (lambda path: path.write_bytes(b'{"context": "\xc0\xaf", "target": "a"}'), "utf-8"),
    "surrogate_bytes": (
        lambda path: path.write_bytes(b'{"context": "\xed\xa0\x80", "target": "a"}'),
        "utf-8",
    ),
    "random_bytes": (lambda path: path.write_bytes(bytes(range(256)) * 50), "utf-8"),
    "gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(100)), "utf-8"),
    "nul_bytes": (lambda path: path.write_bytes(bytes(10_000)), "json"),
    "raw_nul_in_text": (lambda path: path.write_bytes(b'{"context": "a\x00b", "target": "a"}'), "json"),
    "escaped_nul": (lambda path: path.write_bytes(b'{"context": "a\\u0000b", "target": "\\u0000"}'), None),
    "csv": (lambda path: path.write_bytes(b"context,target\na,b\n"), "json"),
    "json_array": (lambda path: path.write_bytes(b"[" + ROW.strip() + b"]"), "not-an-object"),
    "spread_json": (
        lambda path: path.write_text(json.dumps({"context": "a", "target": "b"}, indent=1)),
        "json",
    ),
    "cut_off": (lambda path: path.write_bytes(ROW + ROW[:20]), "json"),
    "two_in_a_line": (lambda path: path.write_bytes(ROW.strip() * 2), "json"),
    "huge_line": (lambda path: path.write_bytes(b'{"context": "' + b"word " * 2_000_000 + b'"}'), "column"),
    "huge_number": (lambda path: path.write_bytes(b'{"context": ' + b"9" * 100_000 + b"}"), "json"),
    "deep_lists": (lambda path: path.write_bytes(b"[" * 200_000), "json"),
    "deep_objects": (lambda path: path.write_bytes(b'{"a":' * 200_000), "json"),
    "number_keys": (lambda path: path.write_bytes(b'{"1": "a", "2": "b"}'), "column"),
    "bare_number_keys": (lambda path: path.write_bytes(b'{1: "a"}'), "json"),
    "names_in_capitals": (lambda path: path.write_bytes(b'{"Context": "a", "Target": "b"}'), "column"),
    "terminal_codes_as_keys": (lambda path: path.write_bytes(b'{"\\u001b[31m": 1, "\\ud800": 2}'), "column"),
    "nan_values": (lambda path: path.write_bytes(b'{"context": NaN, "target": Infinity}'), "type"),
    "null_values": (lambda path: path.write_bytes(b'{"context": null, "target": null}'), "type"),
    "nested_values": (lambda path: path.write_bytes(b'{"context": {"a": 1}, "target": ["b"]}'), "type"),
    "lone_surrogate": (
        lambda path: path.write_bytes(b'{"context": "\\udfff", "target": "a"}'),
        "half-character",
    ),
    "blank_texts": (lambda path: path.write_bytes(b'{"context": "\\u00a0", "target": "\\u2003"}'), "empty"),
    "ten_thousand_columns": (
        lambda path: path.write_text(json.dumps({f"column {i}": "a" for i in range(10_000)})),
        "column",
    ),
    "same_key_twice": (
        lambda path: path.write_bytes(b'{"context": "a", "target": "b", "target": "c"}'),
        "column-twice",
    ),
}


def test_so_many_bad_files():
    assert len(BAD) == 41


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_a_bad_file_is_a_finding_and_no_traceback(run, tmp_path, name, as_json):
    make, code = BAD[name]
    path = tmp_path / f"{name}.jsonl"
    make(path)
    done = run("data", "check", path, *["--json"] * as_json)
    assert done.code == (0 if code is None else 1)
    assert "Traceback" not in done.err
    assert "Unexpected" not in done.err
    assert "\x1b[31m" not in done.out
    if as_json:
        assert code is None or code in found(done)
        assert code is not None or "control-character" in found(done)
    else:
        assert code is None or f"error    {code}: " in done.out
    assert len(done.out) < 5000


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_to_compare_with_is_no_traceback_either(run, tmp_path, name):
    path = tmp_path / f"{name}.jsonl"
    BAD[name][0](path)
    train = write(tmp_path / "mine.jsonl", sound())
    done = run("data", "check", train, "--against", path, "--json")
    assert (done.code, done.err) == (1, "")
    # Three of them hold a sound row, whose label training does not have.
    sound_row = name in ("escaped_nul", "same_key_twice", "cut_off")
    assert ("unseen-label" if sound_row else BAD[name][1]) in found(done)


@pytest.mark.parametrize(
    "context",
    [
        ": nan" + " " * 1_000_000 + "x",
        "a" * 1_000_000 + " @ x",
        "a." * 500_000 + "@",
        "+1" + " (" * 500_000 + "1",
        "1 " * 500_000,
        "DE89" + " ABCD" * 200_000,
        "x:" * 500_000,
        "+ñ" * 500_000,
        "é" * 1_000_000,
    ],
    ids=range(9),
)
def test_a_long_text_takes_no_quadratic_time(tmp_path, context):
    # No clock: a pattern that goes back over a million signs would take hours.
    path = write(tmp_path / "mine.jsonl", [{"context": context, "target": "a"}])
    assert data_check.check(None, Asked(str(path))).files[0].rows == 1


def test_a_name_that_is_no_text(run, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    write(path, [*sound(), *sound(1)])
    for options in ([], ["--json"]):
        done = run("data", "check", path, *options)
        assert (done.code, done.err) == (0, "")
        assert "\\udce9.jsonl" in done.out


def test_a_name_with_nul(run):
    done = run("data", "check", "a\0b.jsonl")
    assert done.code in (1, 2)
    assert "Unexpected" not in done.err


def test_a_file_to_compare_with_that_can_not_be_read_is_named(run, tmp_path):
    path, pipe = write(tmp_path / "mine.jsonl", sound()), tmp_path / "pipe"
    os.mkfifo(pipe)
    done = run("data", "check", path, "--against", pipe)
    assert done.code == 1
    assert f"file: is no regular file\n           at {pipe}\n" in done.out


def test_a_task_is_its_files(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write_config({"first_run": RUN})
    train, test = (f"data/{side}/sentiment_sample_{side}.jsonl" for side in ("train", "test"))
    assert run("data", "build", "sentiment_sample").code == 0
    done = json.loads(run("data", "check", "sentiment_sample", "--json").out)
    assert [(one["file"], one["against"]) for one in done["files"]] == [(train, [test]), (test, [])]
    absent = run("data", "check", "tfns")
    assert absent.code == 1
    assert absent.out.count("Get it with: finlora data fetch tfns") == 2
    assert "Make it with: finlora data build ner" in run("data", "check", "ner_built").out
    assert "Nobody has published it" in run("data", "check", "cfa").out
    assert "no run, no task and no file 'tfnz', did you mean" in run("data", "check", "tfnz").err


def test_files_of_runs_that_are_not_there_are_one_line(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    runs = {f"run_{i}": {**RUN, "dataset_path": f"../data/train/none_{i}.jsonl"} for i in range(3)}
    project.write_config({"first_run": RUN, **runs})
    out = run("data", "check", "all").out
    names = ", ".join(f"data/train/none_{i}.jsonl" for i in range(3))
    assert f"not there, though runs name them: {names}\n" in out
    assert out.count("none_0") == 1


def test_mended_and_published_rows_are_compared_with_their_like(run, project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.write_config({"first_run": RUN})
    files = {}
    for form in ("", "_as_published"):
        for side in ("train", "test"):
            path = project.root / "data" / side / f"tfns_{side}{form}.jsonl"
            files[side, form] = str(path.relative_to(project.root))
            write(path, sound())
    for form in ("", "_as_published"):
        done = json.loads(run("data", "check", files["train", form], "--json").out)
        assert done["files"][0]["against"] == [files["test", form]]
