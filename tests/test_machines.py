"""Two machines train one run, for real: two hosts in network namespaces, with ZeRO-1 over gloo."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from finlora import config
from finlora.events import EventReader
from finlora.rendezvous import Cluster
from tests import hosts, training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(hosts.missing()), reason=f"two hosts can't be made: {hosts.missing()}"),
]
# Checkpoints at steps 4 and 8 alone, so that all machines hold the same one when one of them dies.
AXOLOTL = {"warmup_steps": 2, "save_steps": 4}


@pytest.fixture(scope="module")
def cabled():
    with hosts.two_hosts() as prefixes:
        yield prefixes


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project, and what one machine makes in it of a run with the same effective batch."""
    file = training.make_project(tmp_path_factory.mktemp("projects") / "machine0")
    return file, training.train(file, "one")[0]


@pytest.fixture
def files(made, tmp_path, request):
    """The config file that each machine uses: one project on a shared disk, or a copy on each."""
    file, _ = made
    roots = [tmp_path / "project0", tmp_path / ("project0" if request.param == "shared" else "project1")]
    for root in {*roots}:
        shutil.copytree(file.root, root, ignore=shutil.ignore_patterns("axolotl-output", "lora_adapters"))
    return [config.load(root / "configs" / "finetune_configs.json") for root in roots]


@pytest.fixture
def start(cabled):
    """Start one `finlora finetune` on each host; what still runs after the test is ended."""
    started = []

    def on_both(files, *more):
        for rank, (prefix, file) in enumerate(zip(cabled, files, strict=True)):
            command = [
                *prefix,
                sys.executable,
                "-m",
                "finlora",
                "finetune",
                "two",
                "--config",
                str(file.path),
            ]
            command += ["--num-machines", "2", "--machine-rank", str(rank)]
            command += ["--main-process-ip", hosts.ADDRESSES[0], *more]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
            started.append(process)
        return started[-2:]

    yield on_both
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def words_of(processes):
    """Wait for the processes; return what they said and how they ended."""
    said = [process.communicate(timeout=150)[0] for process in processes]
    return said, [process.returncode for process in processes]


def output(file, rank, name="two"):
    folder = file.root / "axolotl-output" / name
    return folder / f"machine-{rank}" if rank else folder


def everything(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("files", "launcher"), [("copies", "accelerate"), ("shared", "torchrun")], indirect=["files"]
)
def test_two_machines_one_of_which_dies_make_the_adapter_of_one(made, start, files, launcher):
    _, one = made
    more = ["--launcher", launcher, "--set", f"axolotl={json.dumps(AXOLOTL)}", "--as", "trial"]
    processes = start(files, *more)
    events = output(files[1], 1, "trial") / "events.jsonl"
    training.follow(processes[1], events, lambda e: e["event"] == "checkpoint" and e["step"] == 4)
    os.killpg(processes[1].pid, signal.SIGKILL)
    said, codes = words_of(processes)
    assert codes == [1, -signal.SIGKILL]
    assert "The same command goes on from step 4." in said[0]
    assert "All machines end together" in said[0]
    while training.trainings_left(files[1].root):
        signal.sigtimedwait([], 0.05)
    assert training.trainings_left(files[0].root) == []
    assert not any((file.root / "lora_adapters").exists() for file in files)

    said, codes = words_of(start(files, *more))
    assert codes == [0, 0], said
    assert ["resuming at step 4 of 8" in text for text in said] == [True, True]
    adapter = files[0].root / "lora_adapters" / "fp16_r8" / "trial"
    assert f"adapter: {adapter}\n" in said[0]
    assert said[1].endswith("trained as machine 1 of 2; machine 0 publishes the adapter\n")
    manifest = json.loads((adapter / "finlora.json").read_text())
    assert (manifest["machines"], manifest["processes"], manifest["effective_batch"]) == (2, 2, 8)
    assert manifest["engine"] == {"class": "DeepSpeedEngine", "zero_stage": 1}

    ours = [loss for _, loss in one.manifest["losses"]["train"]]
    events = [event for event in EventReader(events).new() if event["event"] == "step"]
    for losses in (manifest["losses"]["train"], [(event["step"], event["loss"]) for event in events]):
        steps, theirs = zip(*losses, strict=True)
        assert list(steps) == list(range(1, 9))
        assert theirs == pytest.approx(ours, rel=1e-4)
    assert abs(ours[0] - ours[-1]) > 0.05
    first, second = training.weights(one.folder), training.weights(adapter)
    assert first.keys() == second.keys()
    assert max((first[key] - second[key]).abs().max().item() for key in first) < 1e-6

    copies = files[0].root != files[1].root
    assert (files[1].root / "lora_adapters").exists() is not copies
    mine = ["axolotl.yml", "events.jsonl", "job.json", "lock", "train.log"]
    others = [f"machine-1/{name}" for name in mine]
    left = everything(output(files[1], 0, "trial"))
    assert left == (others if copies else sorted([*mine, *others]))


@pytest.mark.parametrize("files", ["copies"], indirect=True)
def test_machines_that_would_train_something_else_stop_before_the_first_step(start, files):
    rows = files[1].root / "data" / "rows.jsonl"
    rows.write_text(rows.read_text().replace("by 5 percent", "by 55 percent"))
    said, codes = words_of(start(files))
    assert codes == [1, 1]
    for text in said:
        assert "machine 1 has another dataset file than machine 0. Make them equal, and start them" in text
        assert "step 1/" not in text
    assert not any((file.root / "lora_adapters").exists() for file in files)


def test_torchrun_starts_the_processes_of_one_machine_as_well(made):
    file, one = made
    result, _ = training.train(
        file, "two", processes=2, cluster=Cluster(launcher="torchrun"), new_name="by_torchrun"
    )
    assert result.manifest["engine"] == {"class": "DeepSpeedEngine", "zero_stage": 1}
    first, second = training.weights(one.folder), training.weights(result.folder)
    assert max((first[key] - second[key]).abs().max().item() for key in first) < 1e-6
