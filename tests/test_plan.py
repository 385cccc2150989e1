"""Plans: what they report, the changes they offer, and what they refuse."""

import json

import pytest

from finlora import data, gpus, plan
from finlora.memory import GIB
from tests.tiny import make_tiny_tokenizer

LLAMA = {
    "base_model": "meta-llama/Llama-3.1-8B-Instruct",
    "dataset_path": "../data/train/rows.jsonl",
    "quant_bits": 8,
    "batch_size": 8,
    "gradient_accumulation_steps": 2,
}
MISSING = {**LLAMA, "dataset_path": "../data/train/nowhere.jsonl"}


@pytest.fixture
def long_rows(project):
    """Rows of which a hundredth is long."""
    rows = [{"context": "word " * (2000 if i % 100 == 0 else 60), "target": "positive"} for i in range(400)]
    data.write_rows(project.dataset, rows)
    return project


def made(project, run, *hardware):
    return plan.plan(project.load({"a_run": run}), "a_run", plan.Hardware(*hardware))


def test_a_plan_says_memory_rows_steps_time_and_money(long_rows):
    report = made(long_rows, LLAMA, "a5000", None, 2, 0.5)
    assert (report.parameters, report.trainable, report.zero_stage) == (8_030_261_248, 4_718_592, 1)
    rows = report.needs.rows
    assert (rows.rows, rows.train, rows.validation, rows.dropped) == (400, 392, 8, 0)
    assert rows.steps == 13
    assert report.needs.memory.peak > report.needs.memory.parts["weights"] > 8 * GIB
    low, high = report.hours
    assert 0 < low < high
    assert report.gpu_hours == (2 * low, 2 * high)
    assert report.cost == (low, high)
    record = json.loads(json.dumps(report.to_record()))
    assert record["rows"]["steps"] == 13
    assert record["memory"]["peak"] == report.needs.memory.peak
    assert record["cost"] == [low, high]


def test_the_memory_is_that_of_the_longest_batch_the_run_will_have(long_rows):
    report = made(long_rows, {**LLAMA, "val_set_size": 0})
    assert report.needs.rows.dropped == 0
    # Without any tokenizer here: 10,000 bytes, a token for 3, and what a prompt has around them.
    assert report.needs.batch.tokens == report.needs.rows.longest == pytest.approx(3380, abs=10)
    shorter = made(long_rows, {**LLAMA, "val_set_size": 0, "sequence_len": 1024})
    assert shorter.needs.rows.dropped == 4
    assert shorter.needs.batch.tokens < 200
    assert shorter.needs.memory.training < report.needs.memory.training
    assert not any("--allow-dropped-rows" in line for line in shorter.assumed)
    all_dropped = made(long_rows, {**LLAMA, "sequence_len": 100})
    assert any("--allow-dropped-rows" in line for line in all_dropped.assumed)


def test_without_data_memory_is_that_of_sequence_len_and_the_rest_is_unknown(project):
    report = made(project, MISSING, "a5000", None, 1, 0.26)
    assert report.needs.batch.tokens == 4096
    assert (report.needs.rows, report.hours, report.cost) == (None, None, None)
    assert any("steps, time and money need the data" in line for line in report.assumed)


def test_the_verdict_leaves_room_for_what_a_plan_may_be_off(project):
    run = {**MISSING, "sequence_len": 512}
    peak = made(project, run).needs.memory.peak / GIB
    fits = [made(project, run, None, peak * room).fits for room in (0.99, 1.01, 1.14, 1.16)]
    assert fits == ["too large", "tight", "tight", "fits"]
    assert made(project, run).fits is None


def test_changes_that_make_it_fit_really_do(project):
    report = made(project, {**MISSING, "quant_bits": 16, "sequence_len": 2048}, "a5000")
    assert report.fits == "too large"
    found = {tuple(change.keys) or tuple(change.options): change for change in report.changes}
    assert list(found) == [
        ("batch_size", "gradient_accumulation_steps"),
        ("quant_bits",),
        ("sequence_len",),
        ("deepspeed",),
        ("gpu",),
    ]
    first = report.changes[0].keys
    assert first["batch_size"] * first["gradient_accumulation_steps"] == 16
    for change in report.changes:
        again = made(
            project,
            {**MISSING, "quant_bits": 16, "sequence_len": 2048, **change.keys},
            change.options.get("gpu", "a5000"),
            None,
            change.options.get("gpus", 1),
        )
        assert again.needs.memory.peak == change.peak
        assert again.fits in ("fits", "tight"), change


def test_the_first_change_is_the_least_that_is_enough(project):
    run = {**MISSING, "sequence_len": 2048}
    peaks = {
        size: made(project, {**run, "batch_size": size}).needs.memory.peak / GIB for size in (8, 4, 2, 1)
    }
    room = (peaks[4] + peaks[2]) / 2
    first = made(project, run, None, room).changes[0]
    assert first.keys == {"batch_size": 2, "gradient_accumulation_steps": 8}


def test_two_changes_are_offered_where_one_is_not_enough(project):
    report = made(project, {**MISSING, "quant_bits": 16}, None, 11.0)
    assert report.changes[0].keys["quant_bits"] == 4
    assert report.changes[0].keys["batch_size"] < 8
    assert all(change.peak <= 11 * GIB for change in report.changes if change.keys)


def test_more_gpus_are_offered_only_where_zero3_helps(project):
    sixteen = made(project, {**MISSING, "quant_bits": 16, "batch_size": 1}, None, 15.0).changes
    assert any(change.keys.get("deepspeed") == "zero3" and change.options["gpus"] > 1 for change in sixteen)
    quantised = made(project, {**MISSING, "batch_size": 1}, None, 8.0).changes
    assert not any("deepspeed" in change.keys for change in quantised)


def test_shorter_rows_say_how_many_are_lost(long_rows):
    report = made(long_rows, {**LLAMA, "sequence_len": 8192}, None, 14.0)
    change = next(change for change in report.changes if "sequence_len" in change.keys)
    assert change.keys["sequence_len"] < 1000
    assert change.price == "4 of 400 rows are dropped"
    run = {**LLAMA, "sequence_len": 8192, "val_set_size": 0}
    rows = [{"context": "word " * (2000 if i % 30 == 0 else 60), "target": "positive"} for i in range(400)]
    data.write_rows(long_rows.dataset, rows)
    change = next(c for c in made(long_rows, run, None, 14.0).changes if "sequence_len" in c.keys)
    assert change.price == "14 of 400 rows are dropped; asks for --allow-dropped-rows"


def test_what_comes_later_is_said(project):
    lines = " ".join(made(project, {**MISSING, "lora_r": 33, "peft_use_dora": True}).later)
    assert "does not serve DoRA" in lines
    assert "--max-lora-rank 64" in lines
    assert "8-bit weights" in lines
    assert made(project, {**MISSING, "quant_bits": 16}).later == ()
    assert made(project, {**MISSING, "quant_bits": 16, "lora_r": 16}).later == ()


def test_a_small_model_is_said_to_take_longer(project):
    slower = "it will take longer than this"
    small = {**LLAMA, "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    assert [
        any(slower in line for line in made(project, run, "a5000").assumed) for run in (small, LLAMA)
    ] == [
        True,
        False,
    ]


def test_phi_3_is_planned_with_its_one_matrix(project):
    config = {"model_type": "phi3", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    config |= {"num_attention_heads": 4, "vocab_size": 400}
    (project.config.parent / "phi").mkdir()
    (project.config.parent / "phi" / "config.json").write_text(json.dumps(config))
    assert made(project, {**MISSING, "base_model": "./phi"}).trainable == 2 * 8 * (64 + 3 * 64)


def test_what_no_setting_mends_and_what_is_unknown_is_said(project, run):
    project.write_config({"a_run": MISSING})
    out = run("plan", "a_run", "--config", project.config, "--memory-gb", 5).out
    assert "no other setting of this run would be enough" in out
    assert "would fit: --gpu a10" in out
    assert "rows, steps, time and money: unknown without the dataset" in out


def test_whose_tokens_were_counted_is_said(project, monkeypatch):
    from finlora import builtin

    own = {**LLAMA, "base_model": "./base"}
    assert any("a token for 3 bytes" in line for line in made(project, LLAMA).assumed)
    make_tiny_tokenizer("chatml").save_pretrained(builtin.model_folder())
    assert any("standing in for the base model's own" in line for line in made(project, LLAMA).assumed)
    base = project.config.parent / "base"
    make_tiny_tokenizer("llama3").save_pretrained(base)
    config = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    config |= {"num_attention_heads": 4, "vocab_size": 400}
    (base / "config.json").write_text(json.dumps(config))
    assert any("tokens of ./base, prompt style chat" in line for line in made(project, own).assumed)


def test_nothing_is_written(project):
    file = project.load({"a_run": {**LLAMA, "deepspeed": "zero3"}})
    before = project.files()
    assert plan.plan(file, "a_run", plan.Hardware("a100", None, 4)).zero_stage == 3
    assert project.files() == before


@pytest.mark.parametrize(("processes", "steps"), [(1, 25), (2, 25), (4, 25)])
def test_a_global_batch_is_the_same_on_any_number_of_gpus(long_rows, run, processes, steps):
    keys = {key: value for key, value in LLAMA.items() if key != "gradient_accumulation_steps"}
    long_rows.write_config({"a_run": {**keys, "batch_size": 4, "global_batch_size": 16, "num_epochs": 1}})
    command = ["plan", "a_run", "--config", long_rows.config, "--gpus", processes]
    assert json.loads(run(*command, "--json").out)["rows"]["steps"] == steps
    # 392 rows by 16; without a global batch more GPUs would take fewer steps.
    long_rows.write_config({"a_run": {**LLAMA, "batch_size": 4, "num_epochs": 1}})
    assert json.loads(run(*command, "--json").out)["rows"]["steps"] == -(-392 // (8 * processes))


def test_a_global_batch_that_cannot_be_shared_is_told(long_rows, run):
    keys = {key: value for key, value in LLAMA.items() if key != "gradient_accumulation_steps"}
    long_rows.write_config({"a_run": {**keys, "global_batch_size": 16}})
    result = run("plan", "a_run", "--config", long_rows.config, "--gpus", 4)
    assert (result.code, "global_batch_size 16 can't be split over 4" in result.err) == (2, True)


def test_every_gpu_has_its_figures():
    assert len(gpus.GPUS) == len({gpu.name for gpu in gpus.GPUS}) == 13
    assert all(10 < gpu.memory < 300 and 50 < gpu.tflops < 3000 and gpu.source for gpu in gpus.GPUS)


MISTAKES = [
    (["--gpu", "a500"], {}, 2, "--gpu a500: not known here, did you mean 'a5000'?\nKnown: a10, a5000,"),
    (["--gpu", "a5000", "--memory-gb", "24"], {}, 2, "give one of them"),
    (["--gpus", "0"], {}, 2, "--gpus 0: at least 1"),
    (["--memory-gb", "0"], {}, 2, "--memory-gb 0: GiB of one GPU, above 0"),
    (["--memory-gb", "nan"], {}, 2, "--memory-gb nan: GiB of one GPU, above 0"),
    (["--price", "-1"], {}, 2, "--price -1: US dollars"),
    ([], {"base_model": "nobody/nothing-7b"}, 1, "nobody/nothing-7b: its shape is not known here"),
    ([], {"lora_target_modules": ["q_prj"]}, 1, "no module is called 'q_prj', did you mean 'q_proj'?"),
    (["--gpus", "2"], {"deepspeed": "zero9"}, 2, "'zero9' is neither a file nor one of none, zero1"),
    ([], {"axolotl": {"warmup": 1}}, 2, "axolotl.warmup is no key of Axolotl's schema"),
]


@pytest.mark.parametrize(("argv", "keys", "code", "message"), MISTAKES)
def test_a_mistake_is_one_clear_message(project, run, argv, keys, code, message):
    project.write_config({"a_run": {**MISSING, **keys}})
    result = run("plan", "a_run", "--config", project.config, *argv)
    assert result.code == code
    assert message in result.err
    assert (result.out, "Traceback" in result.err) == ("", False)


def test_the_number_of_mistakes():
    assert len(MISTAKES) == 10


def test_an_unknown_run_and_a_faulty_dataset_are_told(project, run):
    project.write_config({"a_run": LLAMA})
    result = run("plan", "a_rum", "--config", project.config)
    assert (result.code, "did you mean 'a_run'?" in result.err) == (2, True)
    project.dataset.write_text("{}\n")
    result = run("plan", "a_run", "--config", project.config)
    assert (result.code, "rows.jsonl:1: the column 'context' is missing" in result.err) == (1, True)


def test_what_is_printed(long_rows, run):
    long_rows.write_config({"a_run": LLAMA})
    shown = run(
        "plan", "a_run", "--config", long_rows.config, "--gpu", "a5000", "--gpus", "4", "--price", "0.26"
    )
    assert shown.code == 0
    for text in (
        "4 × NVIDIA RTX A5000, DeepSpeed ZeRO-1",
        "quantisation state",
        "; 24 GiB are there: ",
        "held out, 0 dropped",
        "steps: 7;",
        "GPU-hours",
        "USD at 0.26 USD a GPU-hour",
    ):
        assert text in shown.out
    assert "assumed: row lengths:" in shown.err
    assert (
        "would fit: batch_size" in run("plan", "a_run", "--config", long_rows.config, "--memory-gb", "14").out
    )
    assert "unknown without --gpu NAME" in run("plan", "a_run", "--config", long_rows.config).out
    as_json = run("plan", "a_run", "--config", long_rows.config, "--json")
    assert json.loads(as_json.out)["run"] == "a_run"
