"""`finlora eval` with real tiny models: who is asked, what is kept, what is printed; kills; equal bytes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import make_tiny_adapter, make_tiny_base
from transformers import AutoTokenizer

from finlora import eval_display, models, prompts, results
from tests.conftest import scored, trained_manifest

WORDS = [
    "sales",
    "the bank",
    "profit fell",
    "demand",
    "rates",
    "2024",
    "EUR",
    "news",
    "Shares",
    "weak",
    "margin",
]


@pytest.fixture
def tuned(project, monkeypatch):
    """Two adapters of one base model on a shelf, and rows to ask."""
    monkeypatch.chdir(project.root)
    base = make_tiny_base(project.root / "configs" / "base", template="chatml")
    identity = models.resolve("./base", project.config.parent).identity
    tokenizer = AutoTokenizer.from_pretrained(base)
    for seed, name in enumerate(("one", "two")):
        manifest = trained_manifest(name, identity=identity)
        manifest["prompt"] = prompts.prompt_for(tokenizer, "chat").record(tokenizer)
        folder = project.root / "lora_adapters" / "fp16_r8" / name
        make_tiny_adapter(folder, base, seed=seed)
        (folder / "finlora.json").write_text(json.dumps(manifest))
    rows = [
        {"context": f"{word} {'and more ' * (i % 4)}{i}", "target": ["x", "y", "z z"][i % 3]}
        for i, word in enumerate(WORDS * 3)
    ]
    (project.root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return project


def records(folder):
    """Return everything that is kept, but for times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            record = json.loads(path.read_text())
            found[str(path.relative_to(folder))] = {**record, "seconds": 0, "rows_per_second": 0}
        elif path.suffix == ".jsonl":
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def test_two_adapters_and_their_base_side_by_side(tuned, run):
    done = run("eval", "--adapter", "one", "--adapter", "two", "--data", "mine.jsonl", "--baseline")
    assert done.code == 0, done.err
    [one] = results.kept(tuned.root, "fp16_r8", "one")
    [two] = results.kept(tuned.root, "fp16_r8", "two")
    [base] = results.kept(tuned.root, "base", next((tuned.root / "results" / "base").iterdir()).name)
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["mine"]
    shown = {line[0]: line for line in lines[:6] if line[0] in ("one", "two")}
    assert shown["one"][1] == f"{one.score:.1%}"
    assert shown["two"][1] == f"{two.score:.1%}"
    assert any(line[:3] == ["base", "model", f"{base.score:.1%}"] for line in lines)
    assert any(line[:4] == ["always", "the", "most", "frequent"] for line in lines)
    assert {one.against["name"], two.against["name"]} == {"./base"}
    assert one.against["difference"] == pytest.approx(one.score - base.score)
    assert (one.decode, one.settings["dtype"], one.settings["merged"]) == ("labels", "float32", True)
    assert (base.settings["merged"], base.respondent["prompt_style"]) == (False, "chat")
    assert one.settings["prompt_sha256"] == base.settings["prompt_sha256"]
    assert one.versions.keys() >= {"finlora", "torch", "transformers", "peft", "numpy"}
    worse = ", ".join(map(str, two.against["got_worse"][:12]))
    assert f"got worse: lines {worse}" in done.out
    # No place of this machine in what is kept.
    kept = "".join(path.read_text() for path in (tuned.root / "results").rglob("*.json*"))
    assert str(tuned.root) not in kept
    compared = json.loads(run("compare", "one", "two", "--json").out)
    [fact] = [fact for fact in compared["rows"] if fact["kind"] == "score"]
    assert (fact["name"], fact["values"][0]["score"]) == ("accuracy on mine", one.score)


def test_adapters_of_one_name_are_told_apart_by_their_variants(capsys):
    results = [
        scored(
            respondent={"kind": "adapter", "name": "one", "variant": variant, "adapter_sha256": digest * 64}
        )
        for variant, digest in (("fp16_r8", "a"), ("fp16_r8_fed", "b"))
    ]
    eval_display.scores([SimpleNamespace(result=result) for result in results])
    lines = capsys.readouterr().out.splitlines()
    for variant in ("fp16_r8", "fp16_r8_fed"):
        assert sum(line.startswith(f"{variant}/one ") for line in lines) == 2
    eval_display.scores([SimpleNamespace(result=results[0])])
    assert "\nadapter  " in capsys.readouterr().out


def test_the_likeliest_label_is_the_answer(tuned, run):
    from finlora import adapters, answering

    assert run("eval", "--adapter", "one", "--data", "mine.jsonl").code == 0
    folder = tuned.root / "lora_adapters" / "fp16_r8" / "one"
    answerer = answering.open_answerer(answering.Wanted(str(folder)), tuned.config, str)
    rows = [json.loads(line) for line in (tuned.root / "mine.jsonl").read_text().splitlines()]
    labels = sorted({row["target"] for row in rows})
    # One by one, in the file's order.
    scores = [answerer.label_scores([row["context"]], labels)[0] for row in rows]
    wanted = [labels[row.index(max(row))] for row in scores]
    path = tuned.root / "results" / "fp16_r8" / "one" / "mine.predictions.jsonl"
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["output"] for line in kept] == wanted
    assert len(set(wanted)) > 1
    assert [line["hit"] for line in kept] == [
        float(row["target"] == answer) for row, answer in zip(rows, wanted, strict=True)
    ]
    assert (
        adapters.read(folder).weights_sha256() == results.kept(tuned.root, "fp16_r8", "one")[0].adapter_sha256
    )


def test_two_evaluations_give_the_same_bytes_but_for_times(tuned, run):
    command = ("eval", "--adapter", "one", "--data", "mine.jsonl", "--baseline")
    first = run(*command, "--json")
    kept = records(tuned.root / "results")
    again = run(*command, "--json", "--fresh")
    assert records(tuned.root / "results") == kept
    assert len(kept) == 4
    assert (first.code, again.code) == (0, 0)
    # What is there is not asked again, not even times change, and no model is loaded.
    before = {path: path.read_bytes() for path in (tuned.root / "results").rglob("*.json*")}
    third = run(*command)
    assert {path: path.read_bytes() for path in before} == before
    assert "loading" not in third.err


@pytest.mark.parametrize("decode", ["labels", "generate"])
def test_the_order_of_rows_changes_no_answer(tuned, run, decode):
    command = ("eval", "--adapter", "one", "--decode", decode, "--max-new-tokens", "8", "--json")
    rows = (tuned.root / "mine.jsonl").read_text().splitlines(keepends=True)
    (tuned.root / "other.jsonl").write_text("".join(reversed(rows)))
    [first] = json.loads(run(*command, "--data", "mine.jsonl").out)
    [second] = json.loads(run(*command, "--data", "other.jsonl").out)
    special = {
        "task",
        "key",
        "dataset",
        "dataset_sha256",
        "file",
        "predictions",
        "seconds",
        "rows_per_second",
    }
    for record in (first, second):
        record["settings"].pop("predictions_sha256")
    assert {k: v for k, v in first.items() if k not in special} == {
        k: v for k, v in second.items() if k not in special
    }
    outputs = []
    for record in (first, second):
        with Path(record["predictions"]).open() as file:
            outputs.append([json.loads(line)["output"] for line in file])
    assert outputs[0] == outputs[1][::-1]


def kill_after(rows):
    return (
        "import os, signal, sys\n"
        "from finlora import kept_answers\n"
        "from finlora.cli import main\n"
        "add, seen = kept_answers.Part.add, []\n"
        "def dying(self, row, answer):\n"
        "    add(self, row, answer)\n"
        "    seen.append(row)\n"
        f"    if len(seen) == {rows}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "kept_answers.Part.add = dying\n"
        "main()\n"
    )


def test_after_a_kill_it_goes_on_row_for_row(tuned, run):
    command = ["eval", "--adapter", "one", "--data", "mine.jsonl", "--decode", "generate"]
    command += ["--max-new-tokens", "4", "--json"]
    whole = json.loads(run(*command).out)[0]
    wanted = records(tuned.root / "results")
    for path in (tuned.root / "results").rglob("*mine.generate*"):
        path.unlink()
    killed = subprocess.run(
        [sys.executable, "-c", kill_after(7), *command], capture_output=True, text=True, env=dict(os.environ)
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    part = tuned.root / "results" / "fp16_r8" / "one" / ".mine.generate.part.jsonl"
    lines = part.read_text().splitlines()
    assert len(lines) == 1 + 7
    # The next go keeps the seven: one of them is marked to see it.
    marked = json.loads(lines[3])
    part.write_text("\n".join([*lines[:3], json.dumps({**marked, "output": "kept"}), *lines[4:]]) + "\n")
    again = run(*command)
    assert again.code == 0, again.err
    path = tuned.root / "results" / "fp16_r8" / "one" / "mine.generate.predictions.jsonl"
    kept = {line["row"]: line for line in map(json.loads, path.read_text().splitlines())}
    assert kept[marked["row"]]["output"] == "kept"
    assert [row for row, line in kept.items() if line["output"] == "kept"] == [marked["row"]]
    path.write_bytes(wanted["fp16_r8/one/mine.generate.predictions.jsonl"])
    assert json.loads(again.out)[0]["key"] == whole["key"]
    assert not part.exists()


def test_a_row_that_is_too_long_is_no_answer(tuned, run):
    with (tuned.root / "mine.jsonl").open("a") as file:
        file.write(json.dumps({"context": "sales " * 20000, "target": "x"}) + "\n")
    done = run("eval", "--adapter", "one", "--data", "mine.jsonl")
    assert done.code == 1
    assert (
        "mine: 1 of 34 rows have no answer and count as wrong. The first is line 34: is too long" in done.err
    )
    assert results.kept(tuned.root, "fp16_r8", "one")[0].errors == 1


def test_rows_that_were_trained_on_are_told(tuned, run):
    path = tuned.root / "lora_adapters" / "fp16_r8" / "one" / "finlora.json"
    manifest = json.loads(path.read_text())
    from finlora.files import sha256

    manifest["dataset"]["sha256"] = sha256(tuned.root / "mine.jsonl")
    path.write_text(json.dumps(manifest))
    done = run("eval", "--adapter", "one", "--data", "mine.jsonl")
    assert "one was trained on these very rows" in done.err


def test_an_adapter_elsewhere_and_a_base_alone_are_kept_apart(tuned, run, tmp_path):
    (tuned.root / "lora_adapters" / "fp16_r8" / "two").rename(tmp_path / "two")
    done = run(
        "eval", "--adapter", tmp_path / "two", "--data", "mine.jsonl", "--base-model", "./configs/base"
    )
    assert done.code == 0, done.err
    [folder] = (tuned.root / "results" / "elsewhere").iterdir()
    assert folder.name.startswith("two_")
    assert run("eval", "--base-model", "./configs/base", "--data", "mine.jsonl").code == 0
    assert len(list((tuned.root / "results" / "base").glob("*/mine.json"))) == 1
    assert not (tuned.root / "results" / "fp16_r8").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "mine.jsonl"], "name who is to be scored: --adapter NAME"),
        (["--adapter", "one"], "name what is to be scored: --task NAME"),
        (["--adapter", "one", "--task", "fpb"], "fpb_test.jsonl: the test rows are not there"),
        (["--adapter", "one", "--data", "mine.jsonl", "--metric", "lable"], "--metric lable: no such kind"),
        (["--adapter", "one", "--adapter", "lora_adapters/fp16_r8/one", "--data", "mine.jsonl"],
         "'lora_adapters/fp16_r8/one' and 'one' are one adapter"),
        (["--adapter", "nobody", "--data", "mine.jsonl"], "no adapter 'nobody'"),
    ],
)  # fmt: skip
def test_what_can_not_be_scored_is_told_and_nothing_is_written(tuned, run, options, message):
    done = run("eval", *options)
    assert done.code in (1, 2)
    assert message in done.err
    assert not (tuned.root / "results").exists()


@pytest.mark.slow
def test_the_order_of_sets_changes_nothing(tuned):
    rows = [{"context": f"{word} {i}", "target": f"{(i * 7 % 5) / 2}"} for i, word in enumerate(WORDS, 1)]
    (tuned.root / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = []
    for seed in ("0", "1", "2"):
        for path in (tuned.root / "results").rglob("*numbers*"):
            path.unlink()
        for more in (
            ["--metric", "number"],
            ["--metric", "label"],
            ["--metric", "number", "--scorer", "reference"],
        ):
            command = ["eval", "--adapter", "one", "--data", "numbers.jsonl", "--max-new-tokens", "6", *more]
            done = subprocess.run(
                [sys.executable, "-m", "finlora", *command],
                capture_output=True,
                text=True,
                env={
                    **os.environ,
                    "PYTHONHASHSEED": seed,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                },
                check=False,
            )
            assert done.returncode == 0, done.stderr
        kept.append(records(tuned.root / "results"))
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == 6
