"""The manifest: gathered from events, refused without proof, and free of this machine."""

import json
from pathlib import Path

import pytest

from finlora import __version__, manifest
from finlora.config import check_run
from finlora.errors import LaunchError
from finlora.manifest import History, compose, without_folder

REPORT = {"rows": 10, "train": 8, "validation": 1, "dropped": {"count": 1, "lines": [3]}, "tokens": 99}
EVENTS = [
    {"event": "rows", "report": REPORT, "prompt": {"style": "chat"}, "pad": "<pad>"},
    {"event": "built", "facts": {"layers": 6, "base_dtype": "float32"}},
    {"event": "start", "engine": "DeepSpeedEngine", "zero_stage": 1, "step": 0, "total": 2, "devices": ["H"]},
    {"event": "step", "step": 1, "loss": 2.0, "tokens": 50},
    {"event": "eval", "step": 1, "loss": 1.9},
    {"event": "checkpoint", "step": 1},
    {"event": "step", "step": 2, "loss": 1.5, "tokens": 99},
    {"event": "trained", "step": 2, "seconds": 12.345, "gpu_peak_bytes": 7, "cpu_peak_bytes": 9},
]


def history(left_out=()):
    gathered = History()
    for event in EVENTS:
        if event["event"] not in left_out:
            gathered.add(event)
    return gathered


def composed(**settings):
    run = check_run("a", {"base_model": "./base", "dataset_path": "../d/x.jsonl", **settings})[0]
    return compose(
        name="a",
        run=run,
        base={"name": run.base_model, "identity": "fingerprint:1", "tokenizer_sha256": "2"},
        dataset_sha256="3",
        yaml="base_model: x\n",
        bf16=False,
        processes=3,
        machines=1,
        effective_batch=24,
        cores=5,
        history=history(),
    )


def test_events_become_history():
    gathered = history()
    assert gathered.losses == [(1, 2.0), (2, 1.5)]
    assert gathered.validation == [(1, 1.9)]
    assert gathered.built == {"layers": 6, "base_dtype": "float32"}
    assert gathered.start["engine"] == "DeepSpeedEngine"
    assert gathered.end["seconds"] == 12.345
    gathered.prove(Path("log"))


@pytest.mark.parametrize(
    ("kind", "report"),
    [("rows", "rows"), ("built", "built as asked"), ("start", "engine"), ("trained", "end")],
)
def test_a_training_without_every_report_proves_nothing(kind, report):
    with pytest.raises(LaunchError) as fault:
        history(left_out=[kind]).prove(Path("train.log"))
    assert f"its plugin never reported: {report}. Nothing is published" in str(fault.value)
    assert str(fault.value).endswith("The whole log: train.log")
    assert fault.value.exit_code == 1


def test_a_step_nobody_saw_proves_nothing():
    gathered = history()
    gathered.losses.pop(0)
    with pytest.raises(LaunchError, match="never reported: the loss of every step"):
        gathered.prove(Path("train.log"))


def test_a_plugin_that_never_ran_is_named_in_full():
    with pytest.raises(LaunchError, match="never reported: rows, built as asked, engine, end"):
        History().prove(Path("train.log"))


def test_the_whole_manifest():
    made = composed(quant_bits=8, batch_size=4, gradient_accumulation_steps=2)
    assert json.loads(json.dumps(made)) == {
        "run_name": "a",
        "variant": "8bits_r8",
        "run": {**made["run"], "quant_bits": 8, "batch_size": 4, "lora_alpha": 16, "learning_rate": 1e-4},
        "base_model": {"name": "./base", "identity": "fingerprint:1", "tokenizer_sha256": "2"},
        "prompt": {"style": "chat"},
        "pad": "<pad>",
        "dataset": {"sha256": "3", **REPORT},
        "built": {"layers": 6, "base_dtype": "float32"},
        "engine": {"class": "DeepSpeedEngine", "zero_stage": 1},
        "dtype": "float32",
        "processes": 3,
        "machines": 1,
        "effective_batch": 24,
        "steps": 2,
        "seconds": 12.3,
        "gpu_peak_bytes": 7,
        "cpu_peak_bytes": 9,
        "losses": {"train": [[1, 2.0], [2, 1.5]], "validation": [[1, 1.9]]},
        "hardware": {"cpu": made["hardware"]["cpu"], "cores": 5, "gpus": ["H"]},
        "versions": manifest.versions(),
        "axolotl_yaml": "base_model: x\n",
    }


def test_every_setting_of_the_run_is_kept():
    made = composed()
    assert len(made["run"]) == 21
    assert made["run"]["dataset_path"] == "../d/x.jsonl"
    assert made["run"]["base_model"] == "./base"


def test_no_folder_of_this_machine_is_kept():
    made = composed(
        base_model="/home/somebody/models/base",
        dataset_path="~/rows.jsonl",
        deepspeed="/home/somebody/zero.json",
    )
    text = json.dumps(made)
    assert "somebody" not in text
    assert "~" not in text
    assert (made["run"]["base_model"], made["base_model"]["name"]) == ("base", "base")
    assert (made["run"]["dataset_path"], made["run"]["deepspeed"]) == ("rows.jsonl", "zero.json")


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/a/b", "b"),
        ("~/a/b", "b"),
        ("./a/b", "./a/b"),
        ("../a/b", "../a/b"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("builtin:x", "builtin:x"),
    ],
)
def test_paths_keep_what_the_config_says_unless_they_name_this_machine(path, left):
    assert without_folder(path) == left


def test_versions_are_those_that_are_installed():
    found = manifest.versions()
    assert found["finlora"] == __version__
    assert found["python"].startswith("3.")
    assert set(found) <= {"python", *manifest.PACKAGES}


def test_the_hardware_is_named_and_the_machine_is_not():
    made = manifest.hardware(["NVIDIA H200"], 4)
    assert made["gpus"] == ["NVIDIA H200"]
    assert made["cores"] == 4
    assert made["cpu"]
