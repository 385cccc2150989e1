"""Machines that train together must be about to train the same: what differs is named."""

import copy

import pytest

from finlora.agreement import differences
from finlora.machines import holds_part

TERMS = {
    "dataset file": "d1",
    "base model": "b1",
    "prompt": "p1",
    "settings": {"learning_rate": 0.1, "datasets": [{"path": "é"}]},
    "versions": {"torch": "2.13.0"},
    "step": 40,
    "part": True,
}


def reports(*changes):
    """Return the reports of four processes on two machines; machine 1 differs."""
    other = copy.deepcopy(TERMS)
    for path, value in changes:
        inner = other
        for name in path[:-1]:
            inner = inner[name]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
    return [{"machine": rank // 2, "terms": other if rank // 2 else TERMS} for rank in range(4)]


def test_machines_that_agree():
    assert differences(reports()) is None


CASES = [
    ([(["dataset file"], "d2")], "machine 1 has another dataset file than machine 0. Make them equal"),
    ([(["prompt"], "p2")], "machine 1 has another prompt than machine 0. Make them equal"),
    ([(["settings", "learning_rate"], 0.2)], "machine 1 has learning_rate 0.2, machine 0 has 0.1. Make"),
    ([(["settings", "seed"], 7)], "machine 1 has seed 7, machine 0 has absent. Make"),
    ([(["settings", "datasets"], [])], 'machine 1 has datasets [], machine 0 has [{"path": "é"}]. Make'),
    ([(["versions", "torch"], "2.12.0")], "machine 1 has torch 2.12.0, machine 0 has 2.13.0. Make"),
    ([(["versions", "torch"], None)], "machine 1 has torch absent, machine 0 has 2.13.0. Make"),
    ([(["step"], 0)], "machine 1 would go on from step 0, machine 0 from 40. Give every machine --fresh"),
    (
        [(["part"], False)],
        "machine 1 lacks its part of the checkpoint at step 40. Give every machine --fresh",
    ),
    (
        [(["base model"], "b2"), (["step"], 0)],
        "machine 1 has another base model than machine 0; machine 1 would go on from step 0, machine 0 from "
        "40. Make them equal",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CASES)
def test_what_differs_is_named_once(changes, message):
    assert len(CASES) == 10
    said = differences(reports(*changes))
    assert said.startswith(f"the machines would not train the same: {message}")
    assert said.endswith(", and start them all again")
    assert "\n" not in said


def test_machine_0_may_lack_its_part_as_well():
    lacking = [{"machine": 0, "terms": {**TERMS, "part": False}}, {"machine": 1, "terms": TERMS}]
    assert "machine 0 lacks its part of the checkpoint at step 40" in differences(lacking)


def test_a_process_looks_for_its_own_part_of_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert holds_part(None)
    (tmp_path / "rng_state_0.pth").touch()
    assert not holds_part(str(tmp_path))
    (tmp_path / "rng_state_1.pth").touch()
    assert holds_part(str(tmp_path))
