"""Job file and events: what one side writes, the other reads, however it is cut up."""

import json
import subprocess
import sys

import pytest

from finlora.events import JOB_VARIABLE, Asked, EventReader, Job

ASKED = Asked(
    quant_bits=8,
    lora_r=8,
    lora_alpha=16,
    dora=False,
    rslora=True,
    targets=["q_proj"],
    processes=2,
    zero_stage=1,
)


def job(events):
    return Job(
        run="a",
        events=str(events),
        launcher=1,
        device="cpu",
        dataset="/d/é.jsonl",
        dataset_sha256="0",
        prompt_style=None,
        allow_dropped_rows=False,
        step=4,
        seconds=1.5,
        asked=ASKED,
    )


def test_a_job_comes_back_as_it_was(tmp_path, monkeypatch):
    written = job(tmp_path / "events.jsonl")
    written.write(tmp_path / "job.json")
    monkeypatch.setenv(JOB_VARIABLE, str(tmp_path / "job.json"))
    assert Job.read() == written


@pytest.mark.parametrize("value", ["", None])
def test_a_yaml_started_by_hand_is_told_how(monkeypatch, value):
    monkeypatch.setenv(JOB_VARIABLE, "x")
    monkeypatch.delenv(JOB_VARIABLE) if value is None else monkeypatch.setenv(JOB_VARIABLE, value)
    with pytest.raises(RuntimeError, match="finlora finetune NAME --dry-run"):
        Job.read()


def test_events_come_once_and_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert reader.new() == []
    sender = job(path)
    sender.emit("rows", report={"train": 3})
    sender.emit("error", message="é\nsecond line\u2028")
    assert reader.new() == [
        {"event": "rows", "report": {"train": 3}},
        {"event": "error", "message": "é\nsecond line\u2028"},
    ]
    assert reader.new() == []
    line = json.dumps({"event": "step", "text": "é"}, ensure_ascii=False).encode() + b"\n"
    for cut in range(1, len(line)):
        with path.open("ab") as file:
            file.write(line[:cut])
        assert reader.new() == []
        with path.open("ab") as file:
            file.write(line[cut:])
        assert reader.new() == [{"event": "step", "text": "é"}]


def test_processes_do_not_mix_their_lines(tmp_path):
    """Four processes write at once, lines longer than any buffer among them."""
    path, file = tmp_path / "events.jsonl", tmp_path / "job.json"
    job(path).write(file)
    code = (
        "import sys; from finlora.events import Job; job = Job.read()\n"
        "for i in range(50): job.emit('step', who=sys.argv[1], i=i, fill='x' * (i % 5 * 5000))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(who)], env={JOB_VARIABLE: str(file)})
        for who in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    events = EventReader(path).new()
    assert len(events) == 200
    for who in "0123":
        assert [event["i"] for event in events if event["who"] == who] == list(range(50))
