"""Going on from a checkpoint: only with the same training, and never by losing one in silence."""

import dataclasses
import json

import pytest

from finlora import resume
from finlora.checkpoints import mark_complete
from finlora.errors import UsageError
from finlora.models import BaseModel
from finlora.training_plan import Options, plan
from tests.conftest import RUN


@pytest.fixture
def made(project):
    return plan(project.load({"a": RUN}), "a", Options())


@pytest.fixture
def base(project):
    return BaseModel("./base", project.root / "base", "fingerprint:1")


def find(made, base, digest="d", fresh=False):
    said = []
    return resume.find(made, base, digest, fresh, said.append), said


def cut_off(made, base, *steps):
    """Leave what a training leaves that was cut off after some checkpoints."""
    find(made, base)
    for step in steps:
        folder = made.folder / "trained" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"w")
        mark_complete(folder, step, 9)
    events = [{"event": "rows"}, {"event": "eval", "step": 0, "loss": 3.0}]
    for step in range(1, 6):
        events.append({"event": "step", "step": step, "loss": 2.0, "seconds": step * 1.5})
        events.append({"event": "checkpoint", "step": step})
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (made.folder / "events.jsonl").write_text(lines + '{"event": "step", "st')


def test_nothing_to_go_on_from(made, base):
    start, said = find(made, base)
    assert (start, said) == (resume.Start(made), [])
    assert json.loads((made.folder / "state.json").read_text())["dataset"] == "d"


def test_the_newest_complete_checkpoint_and_its_losses(made, base):
    cut_off(made, base, 2, 4)
    (made.folder / "trained" / "checkpoint-5").mkdir()
    start, said = find(made, base)
    assert said == ["checkpoint-5 is not complete and is passed over", "resuming at step 4 of 9"]
    assert (start.step, start.seconds) == (4, 6.0)
    assert start.plan.machine.resume == "axolotl-output/a/trained/checkpoint-4"
    kept = [json.loads(line) for line in (made.folder / "events.jsonl").read_text().splitlines()]
    assert [(event["event"], event["step"]) for event in kept] == [
        ("eval", 0), ("step", 1), ("step", 2), ("step", 3), ("step", 4)
    ]  # fmt: skip


def test_a_base_model_that_moved_is_the_same(made, base):
    cut_off(made, base, 2)
    machine = dataclasses.replace(made.machine, base="/elsewhere")
    start, _ = find(dataclasses.replace(made, machine=machine), base)
    assert start.step == 2


def other_rate(made):
    return dataclasses.replace(made, run=made.run.model_copy(update={"learning_rate": 0.5}))


def other_style(made):
    return dataclasses.replace(made, run=made.run.model_copy(update={"prompt_style": "inst"}))


def other_processes(made):
    return dataclasses.replace(made, machine=dataclasses.replace(made.machine, processes=2))


CHANGES = {
    "learning_rate: 0.0001 → 0.5": (other_rate, "fingerprint:1", "d"),
    "prompt style: absent → inst": (other_style, "fingerprint:1", "d"),
    "processes: 1 → 2": (other_processes, "fingerprint:1", "d"),
    "dataset: d → e": (lambda made: made, "fingerprint:1", "e"),
    "base model: fingerprint:1 → fingerprint:2": (lambda made: made, "fingerprint:2", "d"),
}


def test_enough_changes_are_tried():
    assert len(CHANGES) == 5


@pytest.mark.parametrize("words", CHANGES)
def test_another_training_does_not_go_on_and_nothing_is_lost(project, made, base, words):
    cut_off(made, base, 2)
    before = project.files()
    change, identity, digest = CHANGES[words]
    other = dataclasses.replace(base, identity=identity)
    with pytest.raises(UsageError) as fault:
        find(change(made), other, digest)
    assert f"cut off at step 2 of 9, and can't go on as another one. What changed: {words}\n" in str(
        fault.value
    )
    assert str(fault.value).endswith("--fresh")
    assert project.files() == before


def test_other_versions_are_named(made, base, monkeypatch):
    cut_off(made, base, 2)
    monkeypatch.setattr("finlora.manifest.versions", lambda: {"torch": "9.9"})
    with pytest.raises(UsageError, match=r"torch: \S+ → 9.9"):
        find(made, base)


def test_a_checkpoint_nobody_wrote_down_is_not_lost(made, base):
    cut_off(made, base, 2)
    (made.folder / "state.json").unlink()
    with pytest.raises(UsageError, match="dataset: absent → d"):
        find(made, base)
    assert (made.folder / "trained" / "checkpoint-2").is_dir()


def test_fresh_forgets(made, base):
    cut_off(made, base, 2)
    start, said = find(other_rate(made), base, fresh=True)
    assert (start.step, said) == (0, [])
    assert not (made.folder / "trained").exists()
    assert not (made.folder / "events.jsonl").exists()
    assert json.loads((made.folder / "state.json").read_text())["settings"]["learning_rate"] == 0.5


def test_only_torn_ones_start_anew(made, base):
    cut_off(made, base)
    (made.folder / "trained" / "checkpoint-3").mkdir(parents=True)
    start, said = find(other_rate(made), base)
    assert (start.step, said) == (0, ["checkpoint-3 is not complete and is passed over"])
    assert not (made.folder / "trained").exists()
