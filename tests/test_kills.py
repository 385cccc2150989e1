"""A training killed at any moment goes on, and ends in the adapter of one that nobody disturbed."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from finlora import checkpoints
from tests import training

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Moment:
    """Just before a file is touched in some way for the n-th time.

    Args:
        run: the run to kill; `two` has two processes and DeepSpeed.
        audit: Python's audit event.
        path: pattern of the path it names.
        event: FinLoRA's event that is about to be written, as (kind, step); its number is then looked up.
        step: newest complete checkpoint that must be left.
        torn: newer one that must not be complete, if any.
        times: how often the path is touched so by then; of an event, looked up.
    """

    run: str
    audit: str = "open"
    path: str = r"/events\.jsonl$"
    event: tuple[str, int] | None = None
    step: int = 0
    torn: int | None = None
    times: int = 1


IN_SAVE = r"/checkpoint-%d/%s$"
MOMENTS = {
    "before the first event": Moment("lora", event=("rows", 0)),
    "the model stands": Moment("lora", event=("built", 0)),
    "before the first step": Moment("lora", event=("start", 0)),
    "after the first step": Moment("lora", event=("step", 1)),
    "after step 4": Moment("lora", event=("step", 4), step=3),
    "a checkpoint is done": Moment("lora", event=("checkpoint", 4), step=4),
    "the last step": Moment("lora", event=("step", 8), step=7),
    "the last evaluation": Moment("lora", event=("eval", 8), step=8),
    "the steps are done": Moment("lora", event=("trained", 8), step=8),
    "a save begins": Moment("lora", "os.mkdir", IN_SAVE[:-4] % 3 + "$", step=2),
    "inside a save": Moment("lora", path=IN_SAVE % (4, r"adapter_config\.json"), step=3, torn=4),
    "late in a save": Moment("lora", path=IN_SAVE % (5, r"trainer_state\.json"), step=4, torn=5),
    "saved but not marked": Moment(
        "lora", "os.rename", IN_SAVE % (6, "finlora_complete.json"), step=5, torn=6
    ),
    "an old checkpoint goes": Moment("lora", "shutil.rmtree", r"/checkpoint-2$", step=3, torn=4),
    "the final save": Moment("lora", path=r"/trained/adapter_config\.json$", step=8, times=2),
    "the adapter is published": Moment("lora", "os.rename", r"/lora_adapters/\w+/[a-z0-9_]+$", step=8),
    "two processes: after step 3": Moment("two", event=("step", 3), step=2),
    "two processes: a checkpoint is done": Moment("two", event=("checkpoint", 3), step=3),
    "two processes: inside a save": Moment("two", path=IN_SAVE % (4, "latest"), step=3, torn=4),
    "two processes: saved but not marked": Moment(
        "two", "os.rename", IN_SAVE % (5, "finlora_complete.json"), step=4, torn=5
    ),
}
# These five run in `make test`, all of them in `make test-long`.
ALWAYS = {
    "after step 4",
    "inside a save",
    "the adapter is published",
    "two processes: a checkpoint is done",
    "two processes: saved but not marked",
}
CASES = [
    pytest.param(moment, id=name, marks=[] if name in ALWAYS else pytest.mark.long)
    for name, moment in MOMENTS.items()
]
PROCESSES = {"lora": 1, "two": 2}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return training.make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def undisturbed(file):
    """Train each run once, when it is first asked for; return its adapter and its events."""
    done = {}

    def get(run):
        if run not in done:
            result, _ = training.train(file, run, processes=PROCESSES[run])
            lines = (file.root / "axolotl-output" / run / "events.jsonl").read_text().splitlines()
            done[run] = result, [json.loads(line) for line in lines]
        return done[run]

    return get


def test_twenty_moments_five_of_them_always():
    assert len(MOMENTS) == 20
    assert len(ALWAYS) == 5
    assert set(MOMENTS) >= ALWAYS


def nth(moment, events):
    if moment.event is None:
        return moment.times
    kind, step = moment.event
    hits = [i for i, e in enumerate(events, 1) if e["event"] == kind and e.get("step", 0) == step]
    assert len(hits) == 1
    return hits[0]


@pytest.mark.parametrize("moment", CASES)
def test_killed_at_a_moment(file, undisturbed, moment, monkeypatch, request):
    expected, events = undisturbed(moment.run)
    name = "k_" + "".join(c if c.isalnum() else "_" for c in request.node.callspec.id)
    mark = file.root / f"{name}.killed"
    kill = {"audit": moment.audit, "path": moment.path, "nth": nth(moment, events), "mark": str(mark)}
    options = {"processes": PROCESSES[moment.run], "overrides": {"seed": 42}, "new_name": name}
    with monkeypatch.context() as killing:
        killing.setenv("FINLORA_TEST_KILL", json.dumps(kill))
        killing.setenv("PYTHONPATH", str(Path(__file__).parent / "killer"), prepend=":")
        more = ["--set", "seed=42", "--as", name, "--num-processes", str(PROCESSES[moment.run])]
        process = training.start(file, moment.run, *more)
        said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    assert mark.exists()
    while training.trainings_left(file.root):
        signal.sigtimedwait([], 0.05)
    found = checkpoints.newest(file.root / "axolotl-output" / name / "trained")
    assert found.step == moment.step
    torn = () if moment.torn is None else (f"checkpoint-{moment.torn}",)
    # The other process may have begun its part of the next one by then.
    begun = [(f"checkpoint-{moment.step + 1}",)] if moment.run == "two" and moment.event else []
    assert found.torn in [torn, *begun]
    result, lines = training.train(file, moment.run, **options)
    assert [line for line in lines if "resuming" in line] == (
        [f"resuming at step {moment.step} of 8"] if moment.step else []
    )
    assert sum("is not complete and is passed over" in line for line in lines) == len(found.torn)
    assert training.same(result.folder, expected.folder)
    assert result.manifest["losses"] == expected.manifest["losses"]
