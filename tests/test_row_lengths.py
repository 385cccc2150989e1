"""Rows counted without transformers: the same tokens, batches and steps as a real training has."""

import json
import math

import pytest

from finlora import data, planned_rows, prompts, row_lengths
from finlora.errors import BaseModelError, DataError
from finlora.light_tokenizer import LightTokenizer
from finlora.prepared_rows import prepare
from tests.test_prompts import CASES, CONTEXTS, TARGETS
from tests.tiny import make_tiny_tokenizer

SETTINGS = {"sequence_len": 90, "val_set_size": 0.1, "seed": 42}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for kind in ("chatml", "llama3", None):
        made[kind] = tmp_path_factory.mktemp("tokenizer")
        make_tiny_tokenizer(kind).save_pretrained(made[kind])
    return made


def write_rows(path, count=203):
    rows = [
        {
            "context": f"Net sales rose {'and rose again ' * (i * 7 % 11)}by {i}%.",
            "target": "up " * (1 + i % 3),
        }
        for i in range(count)
    ]
    data.write_rows(path, rows)
    return path


@pytest.mark.parametrize(("kind", "style"), CASES)
def test_the_light_tokenizer_gives_the_tokens_of_transformers(folders, kind, style):
    light, real = LightTokenizer(folders[kind]), make_tiny_tokenizer(kind)
    prompt = prompts.prompt_for(light, style)
    assert prompt == prompts.prompt_for(real, style)
    assert prompt.answer_ids(light, CONTEXTS, TARGETS) == prompt.answer_ids(real, CONTEXTS, TARGETS)


@pytest.mark.parametrize(("batch_size", "accumulation", "processes"), [(4, 1, 1), (8, 2, 1), (3, 2, 4)])
def test_rows_and_batches_are_those_of_a_real_training(
    folders, tmp_path, batch_size, accumulation, processes
):
    path = write_rows(tmp_path / "rows.jsonl")
    tokenizer = make_tiny_tokenizer("chatml")
    step_rows = batch_size * accumulation * processes
    real = prepare(
        data.read_rows(path), str(path), tokenizer, prompts.prompt_for(tokenizer, "chat"),
        step_rows=step_rows, allow_dropped_rows=True, **SETTINGS,
    )  # fmt: skip
    lengths = row_lengths.row_lengths(path, folders["chatml"], "tiny", "chat")
    ours = planned_rows.planned_rows(
        lengths, batch_size=batch_size, accumulation=accumulation, processes=processes, epochs=1, **SETTINGS
    )
    assert lengths.counted == 203
    assert 0 < ours.dropped == real.report["dropped"]["count"]
    assert (ours.train, ours.validation) == (len(real.train), len(real.validation))
    assert (ours.longest, ours.tokens) == (real.report["longest"], real.report["tokens"])
    groups = [real.train[start : start + batch_size] for start in range(0, len(real.train), batch_size)]
    assert [b.rows for b in ours.batches] == [len(group) for group in groups]
    assert [b.tokens for b in ours.batches] == [max(len(r["input_ids"]) for r in g) for g in groups]
    assert [b.positions for b in ours.batches] == [positions(group) for group in groups]


def positions(group):
    import torch

    from finlora.answer_logits import answer_positions

    width = max(len(row["labels"]) for row in group)
    labels = torch.tensor([row["labels"] + [-100] * (width - len(row["labels"])) for row in group])
    return len(answer_positions(labels)["logits_to_keep"])


@pytest.mark.parametrize("rows", [1, 7, 64, 65])
@pytest.mark.parametrize(("batch_size", "accumulation", "epochs"), [(8, 1, 1), (4, 3, 2.5), (1, 8, 0.3)])
def test_steps_are_those_that_the_trainer_counts(rows, batch_size, accumulation, epochs, tmp_path):
    import torch
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=batch_size, use_cpu=True,
        gradient_accumulation_steps=accumulation, num_train_epochs=epochs, report_to=[],
    )  # fmt: skip
    trainer = Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=[{"x": i} for i in range(rows)])
    counted = trainer.set_initial_training_values(arguments, trainer.get_train_dataloader())
    assert planned_rows.steps(rows, batch_size, accumulation, 1, epochs) == counted[-1]


def test_several_processes_share_the_batches():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    for rows, processes in ((65, 4), (64, 4), (3, 2)):
        sampler = BatchSampler(range(rows), 8, drop_last=False)
        shares = [len(list(BatchSamplerShard(sampler, processes, i))) for i in range(processes)]
        assert len(set(shares)) == 1
        assert (
            planned_rows.steps(rows, 8, 1, processes, 1)
            == shares[0]
            == math.ceil(math.ceil(rows / 8) / processes)
        )


def test_a_large_file_is_counted_in_part_and_the_longest_rows_always(folders, tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"context": "sales rose " * (20 + i % 50), "target": "positive"} for i in range(3000)]
    rows[1234]["context"] = "long " * 3000
    data.write_rows(path, rows)
    every = row_lengths.row_lengths(path, folders["chatml"], "tiny", "chat")
    assert 100 < every.counted < 3000
    assert f"{every.counted} of 3000 rows counted" in every.how
    light = LightTokenizer(folders["chatml"])
    real = prompts.prompt_for(light, "chat").answer_ids(
        light, [r["context"] for r in rows], [r["target"] for r in rows]
    )
    exact = [len(q) + len(a) for q, a in real]
    assert max(every.totals) == max(exact)
    assert sum(every.totals) == pytest.approx(sum(exact), rel=0.03)


def test_without_a_tokenizer_bytes_are_counted_and_it_is_said(folders, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl")
    guessed = row_lengths.row_lengths(path, None, "", "chat")
    assert "a token for 3 bytes (no tokenizer is on this machine)" in guessed.how
    assert len(guessed.totals) == 203
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "tokenizer.json").write_text("{}")
    assert "tokenizer.json can't be read" in row_lengths.row_lengths(path, tmp_path / "bad", "x", None).how


def test_a_faulty_row_or_style_is_told(folders, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"context": "x", "answer": "y"}) + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl:1: the column 'target' is missing"):
        row_lengths.row_lengths(path, folders["chatml"], "tiny", None)
    with pytest.raises(BaseModelError, match="the base model has no chat template"):
        row_lengths.row_lengths(write_rows(path), folders[None], "tiny", "chat")
