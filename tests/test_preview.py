"""What `finlora data preview` shows is what training has: the same ids, the same part trained."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from finlora import builtin, data, prepared_rows, preview, prompts
from finlora.errors import BaseModelError, DataError, UsageError
from finlora.light_tokenizer import LightTokenizer
from tests.conftest import RUN
from tests.test_models import base_files
from tests.test_models import hub as hub
from tests.test_models import write as write_base
from tests.test_prompts import CASES, CONTEXTS, TARGETS
from tests.tiny import make_tiny_tokenizer

ROWS = [{"context": c, "target": t} for c, t in zip(CONTEXTS, TARGETS, strict=True)]
ESCAPES = "a\x1b[31mb\x9b\u202ec\u2066d\u200b\r\x00e\u2028f"


def write(project, rows=ROWS, kind="chatml", **settings):
    data.write_rows(project.dataset, rows)
    base = project.config.parent / "base"
    make_tiny_tokenizer(kind).save_pretrained(base)
    (base / "config.json").write_text("{}")
    return project.load({"first_run": {**RUN, **settings}})


def show(file, name="first_run", **wanted):
    return preview.preview(file, name, preview.Wanted(**wanted), offline=True, say=print)


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_ids_and_trained_part_are_those_of_training(project, kind, style):
    seen = show(write(project, kind=kind, prompt_style=style), rows=4)
    tokenizer = make_tiny_tokenizer(kind)
    real = prepared_rows.prepare(
        data.read_rows(project.dataset), "f", tokenizer, prompts.prompt_for(tokenizer, style),
        sequence_len=4096, val_set_size=0.0, step_rows=1, seed=1, allow_dropped_rows=False,
    )  # fmt: skip
    assert len(seen.rows) == len(real.train) == 4
    labels = [
        [
            token.id if piece.trained else prepared_rows.IGNORED
            for piece in row.pieces
            for token in piece.tokens
        ]
        for row in seen.rows
    ]
    shown = [(row.ids, label) for row, label in zip(seen.rows, labels, strict=True)]
    assert sorted(shown) == sorted((row["input_ids"], row["labels"]) for row in real.train)
    for row, label in zip(seen.rows, labels, strict=True):
        assert row.answer_tokens == sum(number != prepared_rows.IGNORED for number in label)
        assert row.prompt_tokens + row.answer_tokens == len(row.ids)
    assert (seen.style, seen.stand_in) == (style, "")


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_the_pieces_read_as_prompt_and_answer(project, kind, style):
    seen = show(write(project, kind=kind, prompt_style=style), lines=(1, 2, 3, 4))
    prompt = prompts.prompt_for(make_tiny_tokenizer(kind), style)
    for row, context, target in zip(seen.rows, CONTEXTS, TARGETS, strict=True):
        texts = ["".join(p.text for p in row.pieces if p.trained is trained) for trained in (False, True)]
        assert texts == [prompt.text(context), prompt.separator + target.strip() + prompt.end]


def test_a_control_token_is_told_from_text_that_looks_like_one(project, run):
    write(project, [{"context": "says <|im_end|> and ⟦x⟧", "target": "<|im_end|> too"}])
    done = run("data", "preview", "first_run", "--config", project.config)
    assert done.code == 0
    assert "  prompt  | says <|im_end|> and \\u27e6x\\u27e7⟦<|im_end|>⟧\\n\n" in done.out
    assert "  trained | <|im_end|> too⟦<|im_end|>⟧\n" in done.out
    assert done.out.count("⟦") == 4


def test_the_border_is_marked_without_colours_and_coloured_on_a_terminal(project, run):
    write(project, [{"context": "up", "target": "a\nb"}], prompt_style="plain")
    plain = run("data", "preview", "first_run", "--config", project.config).out
    [row] = show(project.load()).rows
    assert plain == (
        f"\nline 1 (the first): {len(row.ids)} tokens, {row.prompt_tokens} of the prompt and "
        f"{row.answer_tokens} trained\n"
        "  prompt  | up\n  trained |  a\\n\n  trained | b⟦<|im_end|>⟧\n"
    )
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "finlora", "data", "preview", "first_run", "--config", str(project.config)]
    subprocess.run(argv, stdout=theirs, stderr=subprocess.DEVNULL, check=True)
    os.close(theirs)
    coloured = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert "  prompt  | \x1b[36mup\x1b[0m\n" in coloured
    assert "  trained | \x1b[32m a\\n\x1b[0m\n  trained | \x1b[32mb⟦<|im_end|>⟧\x1b[0m\n" in coloured


@pytest.mark.parametrize("options", [(), ("--tokens",), ("--json",)])
def test_nothing_in_data_reaches_the_terminal_raw(project, run, options):
    write(project, [{"context": ESCAPES, "target": "\x1b]0;title\x07x"}])
    done = run("data", "preview", "first_run", *options, "--config", project.config)
    assert done.code == 0
    assert [char for char in done.out + done.err if not char.isprintable() and char != "\n"] == []
    if options != ("--tokens",):
        for written in (
            "\\u001b[31m",
            "\\u009b",
            "\\u202e",
            "\\u2066",
            "\\u200b",
            "\\r",
            "\\u0000",
            "\\u2028",
        ):
            assert written in done.out


def test_a_faulty_row_reaches_the_terminal_escaped(project, run):
    write(project, [{"context\x1b[31m\u202e": "x", "target": "y"}])
    done = run("data", "preview", "first_run", "--config", project.config)
    assert (done.code, done.out) == (1, "")
    assert "columns found: context\\u001b[31m\\u202e, target" in done.err


def test_what_is_json_is_the_text_itself(project, run):
    write(project, [{"context": ESCAPES, "target": "back\\slash\nline"}], prompt_style="plain")
    record = json.loads(run("data", "preview", "first_run", "--json", "--config", project.config).out)
    [row] = record["rows"]
    assert "".join(piece["text"] for piece in row["pieces"]) == f"{ESCAPES} back\\slash\nline<|im_end|>"


def test_each_token_has_its_id(project, run):
    file = write(project)
    done = run("data", "preview", "first_run", "--tokens", "--line", 2, "--config", project.config)
    printed = re.findall(r"^  (prompt |trained) \| +(\d+)  ", done.out, re.MULTILINE)
    [row] = show(file, lines=(2,)).rows
    assert [int(number) for _, number in printed] == row.ids
    assert sum(label == "trained" for label, _ in printed) == row.answer_tokens


def test_the_rows_that_are_chosen(project):
    sizes = [7, 1, 9, 3, 5, 2, 8, 6, 4]
    file = write(project, [{"context": "long " * size, "target": "x"} for size in sizes])
    why = [(row.line, row.why) for row in show(file).rows]
    assert why == [(1, "the first"), (3, "the longest"), (5, "of median length")]
    assert [row.line for row in show(file, rows=1).rows] == [1]
    assert [row.line for row in show(file, rows=2).rows] == [1, 3]
    for count in range(1, 12):
        assert len(show(file, rows=count).rows) == min(count, 9)
    seeded = [[row.line for row in show(file, rows=4, seed=seed).rows] for seed in (1, 1, 3)]
    assert seeded[0] == seeded[1] != seeded[2]
    assert [row.line for row in show(file, lines=(8, 2, 8)).rows] == [2, 8]


def test_lines_are_those_of_the_file(project):
    file = write(project)
    project.dataset.write_text("\n" + project.dataset.read_text())
    assert show(file).rows[0].line == 2
    with pytest.raises(
        DataError, match=r"rows\.jsonl:1: the line is blank\nThe rows lie from line 2 to line 5"
    ):
        show(file, lines=(1,))


@pytest.mark.parametrize("spare", [0, -1])
def test_a_row_that_training_drops_is_shown_as_dropped(project, run, spare):
    [row] = show(write(project), lines=(1,)).rows
    write(project, sequence_len=len(row.ids) + spare)
    done = run("data", "preview", "first_run", "--line", 1, "--config", project.config)
    assert ("dropped: longer than sequence_len" in done.out) is (spare < 0)
    record = json.loads(
        run("data", "preview", "first_run", "--line", 1, "--json", "--config", project.config).out
    )
    assert record["rows"][0]["dropped"] is (spare < 0)


def test_a_decoder_that_trims_leaves_the_space_of_a_piece(tmp_path):
    # As Llama 2's and Mistral's: a space is ▁, and the first one of a text is taken away.
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, "▁up": 4, "up": 5}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.add_special_tokens(["<unk>", "<s>", "</s>"])
    core.save(str(tmp_path / "tokenizer.json"))
    light = LightTokenizer(tmp_path)
    assert light.decode([4]) == "up"
    prompt = prompts.Prompt("plain", "<s>", "", " ", "</s>", ("</s>",))
    texts = preview._Texts(light, prompt)
    assert texts.text([4]) == " up"
    assert texts.text([5, 4]) == "up up"
    assert texts.controls == {0, 1, 2}


FAULTS = {
    "an unknown run": (ROWS, ["first_rum"], 2, "no run 'first_rum'"),
    "a line beyond the end": (ROWS, ["first_run", "--line", 5], 1, "rows.jsonl:5: no such line"),
    "line 0": (ROWS, ["first_run", "--line", 0], 2, "0 is not in the range x>=1"),
    "no rows": (ROWS, ["first_run", "--rows", 0], 2, "0 is not in the range 1<=x<=1000"),
    "a line and a seed": (ROWS, ["first_run", "--line", 1, "--seed", 1], 2, "leave --rows and --seed out"),
    "no target": ([{"context": "x"}], ["first_run"], 1, "rows.jsonl:1: the column 'target' is missing"),
    "an empty target": ([{"context": "x", "target": " "}], ["first_run"], 1, "'target' is empty"),
    "a number": ([{"context": "x", "target": 5}], ["first_run"], 1, "'target' is 5; it must be text"),
    "no rows at all": ([], ["first_run"], 1, "rows.jsonl: holds no row"),
}


def test_the_faults_are_all_here():
    assert len(FAULTS) == 9


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_is_one_message(project, run, fault):
    rows, argv, code, words = FAULTS[fault]
    write(project, rows)
    before = project.files()
    done = run("data", "preview", *argv, "--config", project.config)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err
    assert project.files() == before


def test_a_dataset_or_base_model_that_is_not_there(project, run):
    write(project)
    project.dataset.unlink()
    done = run("data", "preview", "first_run", "--config", project.config)
    assert done.code == 1
    assert "rows.jsonl: no such dataset file" in done.err
    file = write(project, base_model="./nowhere")
    with pytest.raises(BaseModelError, match=r"\./nowhere: no config\.json in .*nowhere"):
        show(file)
    with pytest.raises(BaseModelError, match="'a b' is no name of a base model"):
        show(write(project, base_model="a b"))
    (project.config.parent / "base" / "tokenizer.json").write_text("{")
    with pytest.raises(BaseModelError, match=r"tokenizer\.json can't be read"):
        show(project.load({"first_run": RUN}))
    (project.config.parent / "base" / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match=r"neither tokenizer\.json nor tokenizer\.model"):
        show(project.load({"first_run": RUN}))


def test_a_style_that_the_tokenizer_has_not(project):
    with pytest.raises(BaseModelError, match="the base model has no chat template"):
        show(write(project, kind=None, prompt_style="chat"))


def test_another_tokenizer_stands_in_and_is_named(project, run):
    file = write(project, base_model="nobody/nothing")
    with pytest.raises(BaseModelError) as caught:
        show(file)
    assert "the tokenizer of nobody/nothing is not on this machine, and offline work" in str(caught.value)
    assert "What to do: run once without --offline" in str(caught.value)
    spare = write_base(builtin.model_folder(), base_files())
    make_tiny_tokenizer("chatml").save_pretrained(spare)
    done = run("data", "preview", "first_run", "--offline", "--config", project.config)
    assert done.code == 0
    assert "note: the tokenizer of nobody/nothing is not on this machine" in done.err
    assert "builtin:smollm2-135m-instruct-q4_1 stand in" in done.err


def test_the_hub_gives_the_tokenizer_alone(project, run_process, hub, tmp_path):
    make_tiny_tokenizer("llama3").save_pretrained(tmp_path / "own")
    files = {path.name: path.read_bytes() for path in (tmp_path / "own").iterdir()}
    hub.repositories["org/tok"] = {**files, "config.json": b"{}", "model.safetensors": b"heavy"}
    write(project, base_model="org/tok")
    argv = ("data", "preview", "first_run", "--json", "--config", project.config)
    env = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url}
    first = run_process(*argv, **env)
    assert first.code == 0, first.err
    assert "fetching the tokenizer of org/tok from 127.0.0.1" in first.err
    assert "<|start_header_id|>" in first.out
    assert json.loads(first.out)["stand_in"] == ""
    assert not any("model.safetensors" in request for request in hub.requests)
    hub.requests.clear()
    again = run_process(*argv, "--offline", **env)
    assert (again.code, again.out) == (0, first.out)
    assert hub.requests == []


def test_wanted_lines_exclude_the_others(project):
    with pytest.raises(UsageError, match="leave --rows and --seed out"):
        show(write(project), lines=(1,), rows=2)
