"""Real trainings: the real Axolotl, PEFT, bitsandbytes, accelerate and DeepSpeed, on a tiny model."""

import dataclasses
import http.server
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
import torch

from finlora import adapters, deepspeed, finetune, inference, models, native_builds
from finlora.errors import LaunchError, UsageError
from tests import training

pytestmark = pytest.mark.slow

METHODS = {
    "lora": {"base_classes": ["Linear"], "dora": False, "scalings": [2.0]},
    "qlora": {"base_classes": ["Linear4bit"], "quant_types": ["nf4"], "double_quant": True},
    "eight": {"base_classes": ["Linear8bitLt"], "scalings": [2.0]},
    "dora": {"base_classes": ["Linear"], "dora": True},
    "rslora": {"base_classes": ["Linear"], "scalings": [5.656854249]},
    "qdora": {"base_classes": ["Linear4bit"], "dora": True},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return training.make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def lora(file):
    return training.train(file, "lora")[0]


def test_every_method_is_here():
    assert len(METHODS) == 6


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_is_built_as_asked_and_answers(file, name, request):
    result = request.getfixturevalue("lora") if name == "lora" else training.train(file, name)[0]
    built = result.manifest["built"]
    assert {key: built[key] for key in METHODS[name]} == METHODS[name]
    assert built["trainable_parameters"] == built["lora_parameters"] > 0
    losses = [loss for _, loss in result.manifest["losses"]["train"]]
    assert len(losses) == result.manifest["steps"] == 8
    assert losses[-1] < losses[0] - 0.05
    tensors = training.weights(result.folder)
    kinds = ["lora_A", "lora_B", *["lora_magnitude_vector"] * bool(built["dora"])]
    assert len(tensors) == 6 * len(kinds)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    base = models.resolve("../base", file.path.parent)
    answerer = inference.load(
        adapters.read(result.folder),
        base,
        prompt_style=None,
        quant_bits=result.manifest["run"]["quant_bits"],
    )
    assert len(answerer.generate(["sales rose"], max_new_tokens=3)) == 1


def test_what_is_published_is_the_white_list_and_names_no_place(file, lora):
    assert sorted(p.name for p in lora.folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "finlora.json",
    ]
    text = "".join(p.read_text() for p in [*lora.folder.glob("*.json"), lora.folder / "README.md"])
    assert str(file.root) not in text
    assert os.uname().nodename not in text
    assert (
        json.loads((lora.folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "../base"
    )
    assert lora.manifest["prompt"]["end"] == "<|im_end|>"
    assert lora.manifest["dataset"]["rows"] == 66
    assert not (file.root / "axolotl-output" / "lora" / "trained").exists()


def test_equal_runs_are_bit_equal_and_an_edited_row_is_another_run(file, lora):
    again, _ = training.train(file, "lora", overrides={"seed": 42}, new_name="again")
    assert training.same(lora.folder, again.folder)
    rows = file.root / "data" / "rows.jsonl"
    text = rows.read_text()
    rows.write_text(text.replace("by 5 percent", "by 55 percent"))
    edited, _ = training.train(file, "lora", overrides={"seed": 42}, new_name="edited")
    rows.write_text(text)
    assert not training.same(lora.folder, edited.folder)
    assert edited.manifest["dataset"]["sha256"] != lora.manifest["dataset"]["sha256"]


def test_bfloat16_follows_float32(file, lora):
    result, _ = training.train(file, "bf16")
    assert result.manifest["dtype"] == "bfloat16"
    pairs = zip(result.manifest["losses"]["train"], lora.manifest["losses"]["train"], strict=True)
    assert all(abs(low - high) / high < 0.02 for (_, low), (_, high) in pairs)


@pytest.fixture(scope="module")
def one(file):
    return training.train(file, "one")[0]


STAGES = {
    "zero1": 1,
    "zero2": 2,
    "zero3": 3,
    "zero1_offload": 1,
    "zero2_offload": 2,
    "zero3_offload": 3,
}
# ZeRO-1 is the default and runs always, ZeRO-3 with offload is the furthest from it.
OFTEN = ("zero1", "zero3_offload")


def test_every_shipped_stage_is_here():
    assert tuple(sorted(STAGES)) == tuple(sorted(deepspeed.SHIPPED))


@pytest.mark.parametrize(
    "choice", [pytest.param(c, marks=[] if c in OFTEN else pytest.mark.long) for c in STAGES]
)
def test_two_deepspeed_processes_make_the_adapter_of_one(file, one, choice):
    # As a build leaves it that was killed: PyTorch would wait for it to go, without end.
    with native_builds.held() as builds:
        lock = Path(builds["TORCH_EXTENSIONS_DIR"]) / "deepspeed_shm_comm" / "lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    two, _ = training.train(
        file, "two", processes=2, deepspeed=choice, overrides={"seed": 42}, new_name=f"two_{choice}"
    )
    assert two.manifest["engine"] == {"class": "DeepSpeedEngine", "zero_stage": STAGES[choice]}
    assert one.manifest["effective_batch"] == two.manifest["effective_batch"] == 8
    first, second = training.weights(one.folder), training.weights(two.folder)
    assert {key: value.shape for key, value in first.items()} == {k: v.shape for k, v in second.items()}
    assert max((first[key] - second[key]).abs().max().item() for key in first) < 1e-6
    losses = [[loss for _, loss in r.manifest["losses"]["train"]] for r in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert abs(losses[0][0] - losses[0][-1]) > 0.05


@pytest.mark.parametrize(
    ("run", "choice"),
    [("qlora", "zero2"), *(pytest.param(r, "zero1", marks=pytest.mark.long) for r in ("eight", "dora"))],
)
def test_two_processes_train_a_method_as_one_does(file, run, choice):
    same = {"lora_dropout": 0.0}
    one, _ = training.train(file, run, overrides=same, new_name=f"{run}_alone")
    half = {**same, "batch_size": 4}
    two, _ = training.train(
        file, run, processes=2, deepspeed=choice, overrides=half, new_name=f"{run}_{choice}"
    )
    losses = [[loss for _, loss in r.manifest["losses"]["train"]] for r in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert abs(losses[0][0] - losses[0][-1]) > 0.05


def test_plain_ddp_in_place_of_deepspeed_is_an_error(file, monkeypatch):
    # With this variable accelerate leaves DeepSpeed out and says nothing.
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    with pytest.raises(LaunchError, match="asked DeepSpeed ZeRO-1, but DistributedDataParallel would train"):
        training.train(file, "two", processes=2, overrides={"seed": 1}, new_name="ddp")
    assert not (file.root / "lora_adapters" / "fp16_r8" / "ddp").exists()


def test_a_training_that_is_not_what_was_asked_is_stopped(file, monkeypatch):
    make_job = finetune.job

    def other_wish(*args):
        job = make_job(*args)
        return dataclasses.replace(job, asked=dataclasses.replace(job.asked, rslora=True))

    monkeypatch.setattr(finetune, "job", other_wish)
    with pytest.raises(LaunchError, match=r"scalings: asked \[5.656854249\], built \[2.0\]"):
        training.train(file, "lora", overrides={"seed": 1}, new_name="sabotaged")
    assert not (file.root / "lora_adapters" / "fp16_r8" / "sabotaged").exists()


def test_rows_that_are_too_long_stop_the_training_with_lines(file):
    with pytest.raises(LaunchError, match=r"longer than sequence_len 70") as caught:
        training.train(file, "long")
    assert "rows.jsonl:" in str(caught.value)
    assert "--allow-dropped-rows" in str(caught.value)


def test_a_broken_base_model_is_noticed_at_the_first_step(file):
    with pytest.raises(LaunchError, match="worse than guessing"):
        training.train(file, "broken")


def test_a_plugin_that_can_not_be_imported_is_no_training(file, monkeypatch):
    monkeypatch.setattr("finlora.axolotl_yaml.PLUGIN", "finlora.nothing.Plugin")
    with pytest.raises(LaunchError):
        training.train(file, "lora", overrides={"seed": 1}, new_name="unproven")
    assert not (file.root / "lora_adapters" / "fp16_r8" / "unproven").exists()


def test_training_asks_no_hub(file, monkeypatch):
    asked = []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    training.train(file, "qlora", max_steps=1, new_name="quiet")
    server.shutdown()
    server.server_close()
    assert asked == []


def test_killed_training_leaves_nothing_and_resumes_to_the_same_adapter(file, lora):
    events = file.root / "axolotl-output" / "lora" / "events.jsonl"
    shelf = lora.folder
    kept = shelf.with_name("undisturbed")
    shutil.copytree(shelf, kept)
    before = {p.name: p.read_bytes() for p in shelf.iterdir()}
    events.unlink()
    process = training.start(file, "lora", "--overwrite")
    event = training.follow(process, events, lambda e: e["event"] == "checkpoint" and e["step"] >= 4)
    with pytest.raises(UsageError, match=f"by process {process.pid}"):
        training.train(file, "lora", overwrite=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    while training.trainings_left(file.root):
        signal.sigtimedwait([], 0.05)
    assert {p.name: p.read_bytes() for p in shelf.iterdir()} == before
    result, lines = training.train(file, "lora", overwrite=True)
    resumed = [line for line in lines if line.startswith("resuming at step")]
    assert len(resumed) == 1
    assert int(resumed[0].split()[3]) >= event["step"]
    assert training.same(result.folder, kept)
    assert [step for step, _ in result.manifest["losses"]["train"]] == list(range(1, 9))
    undisturbed = json.loads((kept / "finlora.json").read_text())
    assert [list(pair) for pair in result.manifest["losses"]["train"]] == undisturbed["losses"]["train"]
    shutil.rmtree(kept)


def test_sigterm_ends_everything_and_another_config_does_not_go_on(file):
    folder = file.root / "axolotl-output" / "rslora_trial"
    more = ["--set", "peft_use_rslora=true", "--as", "rslora_trial"]
    process = training.start(file, "lora", *more)
    training.follow(process, folder / "events.jsonl", lambda e: e["event"] == "checkpoint")
    process.terminate()
    said, _ = process.communicate()
    assert process.returncode == 143
    assert "interrupted (SIGTERM); no process is left behind" in said
    assert "The same command goes on from step" in said
    assert training.trainings_left(file.root) == []
    assert not (file.root / "lora_adapters" / "fp16_r8_rslora" / "rslora_trial").exists()
    other = {"overrides": {"peft_use_rslora": True, "seed": 7}, "new_name": "rslora_trial"}
    with pytest.raises(UsageError, match=r"What changed: seed: 42 → 7\n.* --fresh"):
        training.train(file, "lora", **other)
    result, lines = training.train(file, "lora", fresh=True, **other)
    assert not any("resuming" in line for line in lines)
    assert result.manifest["steps"] == 8
