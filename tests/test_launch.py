"""The launcher, with real children: what they say, how they end, and that none is left behind."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finlora import causes, launch
from finlora.errors import FinLoRAError, LaunchError

# What a training may do. The first event carries the process id, which is also that of its group.
CHILD = """
import json, os, signal, sys
from pathlib import Path

def emit(event, **values):
    with open("events.jsonl", "a") as file:
        file.write(json.dumps({"event": event, **values}) + "\\n")

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

def with_grandchild(ready):
    reading, writing = os.pipe()
    if os.fork() == 0:
        ready()
        os.write(writing, b"x")
        while True:
            signal.pause()
    os.read(reading, 1)

what, rest = sys.argv[1], sys.argv[2:]
if what == "hang":
    with_grandchild(lambda: None)
if what == "hang politely":
    def farewell(number, frame):
        emit("farewell", pid=os.getpid())
        os._exit(0)
    with_grandchild(lambda: signal.signal(signal.SIGTERM, farewell))
    signal.signal(signal.SIGTERM, lambda number, frame: os.wait())
if what == "hang stubbornly":
    stubborn()
    with_grandchild(stubborn)
if what == "leave a grandchild":
    with_grandchild(stubborn)
if what == "leave a session":
    def go():
        os.setsid()
        stubborn()
        emit("session", pid=os.getpid())
    with_grandchild(go)
emit("start", pid=os.getpid())
if what.startswith("hang"):
    while True:
        signal.pause()
if what == "wait":
    Path("gate").read_bytes()
if what == "say":
    print(rest[0], flush=True)
if what == "refuse":
    emit("error", message="the loss is nan")
if what == "die of":
    os.kill(os.getpid(), int(rest[0]))
sys.exit(int(rest[-1]) if rest else 0)
"""

LAUNCHER = """
import sys
from pathlib import Path
from finlora import launch
from finlora.errors import LaunchError
launch._GRACE_SECONDS = 0.3
here = Path.cwd()
try:
    launch.train(
        [sys.executable, "child.py", sys.argv[1]], cwd=here, env={}, log=here / "train.log",
        events=here / "events.jsonl", on_event=lambda event: print(event["pid"], flush=True),
    )
except LaunchError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    return tmp_path


def train(folder, *what, on_event=None, python=sys.executable):
    """Run the child; return its events."""
    seen = []
    launch.train(
        [python, "child.py", *map(str, what)],
        cwd=folder,
        env={"MARK": "é"},
        log=folder / "train.log",
        events=folder / "events.jsonl",
        on_event=on_event or seen.append,
    )
    return seen


def failure(folder, *what):
    with pytest.raises(LaunchError) as fault:
        train(folder, *what)
    return fault.value


def alive(group):
    """Return the processes of a group that still run, zombies that nobody reaped left out."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        # Some end while they are looked at.
        with contextlib.suppress(OSError):
            status = (place / "stat").read_text().rpartition(")")[2].split()
            if int(status[2]) == group and status[0] != "Z":
                found.append(int(place.name))
    return found


def test_a_training_that_ends_well(folder):
    events = train(folder, "say", "good morning", 0)
    assert [event["event"] for event in events] == ["start"]
    assert (folder / "train.log").read_text() == "good morning\n"
    assert alive(events[0]["pid"]) == []


def test_the_log_of_a_resumed_training_is_appended_to(folder):
    train(folder, "say", "first", 0)
    train(folder, "say", "second", 0)
    assert (folder / "train.log").read_text() == "first\nsecond\n"


@pytest.mark.parametrize(("code", "passed_on"), [(1, 1), (2, 1), (3, 3), (137, 137)])
def test_exit_codes_are_passed_on_but_two_means_usage(folder, code, passed_on):
    error = failure(folder, "exit", code)
    assert error.exit_code == passed_on
    assert str(error) == f"training failed: exit code {code}\nThe whole log: {folder / 'train.log'}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_dies_of_a_signal(folder, number):
    error = failure(folder, "die of", int(number))
    assert error.exit_code == 128 + number
    if number == signal.SIGKILL:
        assert "killed from outside (often: the machine's memory is full)" in str(error)
        assert "What to do: lower batch_size or sequence_len" in str(error)


CAUSES = {
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate": "the GPU's memory is full.",
    "OSError: [Errno 28] No space left on device": "the disk is full.",
    "RuntimeError: Found no NVIDIA driver on your system": "no usable GPU.",
    "ModuleNotFoundError: No module named 'axolotl'": "the training packages are not installed.",
    "RuntimeError: The server socket: Address already in use": "the port of the training processes is taken.",
    "RuntimeError: DefaultCPUAllocator: can't allocate memory": "the memory is full.",
}


def test_every_known_cause_is_tried():
    assert len(CAUSES) == len(causes.CAUSES)


@pytest.mark.parametrize("line", CAUSES)
def test_a_known_cause_is_one_line_with_the_cheapest_change(folder, line):
    error = failure(folder, "say", line, 1)
    first, step, log = str(error).splitlines()
    assert first == f"training failed: {CAUSES[line]}"
    assert step.startswith("What to do: ")
    assert log == f"The whole log: {folder / 'train.log'}"
    assert error.exit_code == 1


def test_out_of_memory_says_how_to_keep_the_result(folder):
    error = failure(folder, "say", "CUDA out of memory", 1)
    assert "halve batch_size and double gradient_accumulation_steps (same result)" in str(error)


def test_another_fault_is_told_by_its_last_exception(folder):
    text = "KeyError: 'first'\n  more\nsome.module.OddError: second\nnoise"
    assert str(failure(folder, "say", text, 1)).startswith("training failed: some.module.OddError: second\n")


PEER = "RuntimeError: [/x/pair.cc:553] Connection closed by peer [10.0.0.2]:7. Check the logs"
CHILD_FAILED = "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:"


def test_of_several_processes_the_one_that_failed_first_is_told(folder):
    lines = ["[rank1]: ValueError: odd", f"[rank0]: {PEER}", CHILD_FAILED]
    assert str(failure(folder, "say", "\n".join(lines), 1)).startswith("training failed: ValueError: odd\n")
    assert str(failure(folder, "say", "\n".join(lines[1:]), 1)).startswith(f"training failed: {PEER}\n")
    assert str(failure(folder, "say", lines[2], 1)).startswith(f"training failed: {CHILD_FAILED}\n")


def test_what_an_earlier_training_died_of_is_no_cause(folder):
    failure(folder, "say", "CUDA out of memory", 1)
    assert str(failure(folder, "exit", 3)).startswith("training failed: exit code 3\n")


@pytest.mark.parametrize(("code", "passed_on"), [(0, 1), (1, 1), (4, 4)])
def test_what_the_plugin_refuses_is_the_message_whatever_the_exit_code(folder, code, passed_on):
    error = failure(folder, "refuse", code)
    assert str(error) == f"the loss is nan\nThe whole log: {folder / 'train.log'}"
    assert error.exit_code == passed_on


def test_what_outlives_its_parent_is_ended(folder):
    events = train(folder, "leave a grandchild")
    assert alive(events[0]["pid"]) == []


def test_what_made_itself_a_session_of_its_own_is_ended(folder):
    events = train(folder, "leave a session")
    assert [event["event"] for event in events] == ["session", "start"]
    assert alive(events[0]["pid"]) == []


def test_what_another_launch_started_is_left_alone(folder, monkeypatch):
    monkeypatch.setenv("FINLORA_LAUNCHES", "outer")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        train(folder, "leave a session")
        assert other.poll() is None


def test_a_fault_while_following_ends_the_training(folder, monkeypatch):
    monkeypatch.setattr(launch, "_GRACE_SECONDS", 0.3)
    seen = []

    def broken(event):
        seen.append(event["pid"])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(folder, "hang stubbornly", on_event=broken)
    assert len(seen) == 1
    assert alive(seen[0]) == []


def test_a_command_that_is_not_there(folder):
    with pytest.raises(LaunchError, match="/no/python: can't be started: No such file or directory"):
        train(folder, "exit", 0, python="/no/python")


def test_the_child_is_in_a_group_of_its_own_with_the_settings_asked_for(folder, monkeypatch):
    monkeypatch.setenv("FROM_HERE", "here")
    (folder / "child.py").write_text(
        "import os, sys\n"
        "print(os.getpgid(0) == os.getpid(), os.environ['MARK'], os.environ['FROM_HERE'], file=sys.stderr)"
    )
    train(folder, "x")
    assert (folder / "train.log").read_text() == "True é here\n"


def test_the_child_reads_nothing_from_the_terminal(folder):
    (folder / "child.py").write_text("print(repr(open(0).read()))")
    done = subprocess.run([sys.executable, "-c", LAUNCHER, "x"], cwd=folder, input=b"typed", check=True)
    assert done.returncode == 0
    assert (folder / "train.log").read_text() == "''\n"


def start(folder, what, **options):
    """Start a process that launches; return it and the group of its training, once that runs."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, what],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        **options,
    )
    return launcher, int(launcher.stdout.readline())


@pytest.mark.parametrize("what", ["hang", "hang stubbornly"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupt_ends_everything(folder, what, number, code):
    launcher, group = start(folder, what)
    assert len(alive(group)) == 2
    launcher.send_signal(number)
    out, _ = launcher.communicate()
    assert launcher.returncode == code
    assert out == f"interrupted ({number.name}); no process is left behind\n"
    assert alive(group) == []


def test_every_process_is_asked_to_end_before_it_is_killed(folder):
    launcher, group = start(folder, "hang politely")
    launcher.send_signal(signal.SIGTERM)
    out, _ = launcher.communicate()
    grandchild, message = out.splitlines()
    assert int(grandchild) != group
    assert message == "interrupted (SIGTERM); no process is left behind"
    assert alive(group) == []


def test_an_impatient_user_changes_nothing(folder):
    launcher, group = start(folder, "hang stubbornly")
    for _ in range(3):
        launcher.send_signal(signal.SIGINT)
    launcher.communicate()
    assert launcher.returncode == 130
    assert alive(group) == []


def test_what_nohup_ignores_stays_ignored(folder):
    os.mkfifo(folder / "gate")
    launcher, group = start(folder, "wait", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    launcher.send_signal(signal.SIGHUP)
    (folder / "gate").write_bytes(b"")
    launcher.communicate()
    assert launcher.returncode == 0
    assert alive(group) == []


def test_signals_are_as_before_after_a_training(folder):
    before = [signal.getsignal(number) for number in launch._SIGNALS]
    train(folder, "exit", 0)
    failure(folder, "exit", 1)
    assert [signal.getsignal(number) for number in launch._SIGNALS] == before


def test_one_process_needs_no_launcher():
    assert launch.command("a.yml", "cpu", 1, None) == [sys.executable, "-m", "axolotl.cli.train", "a.yml"]


@pytest.mark.parametrize(
    ("device", "deepspeed", "engine"),
    [
        ("cuda", "d.json", ["--use_deepspeed", "--deepspeed_config_file", "d.json"]),
        ("cpu", "d.json", ["--use_deepspeed", "--deepspeed_config_file", "d.json"]),
        ("cuda", None, ["--multi_gpu"]),
        ("cpu", None, ["--cpu"]),
    ],
)
def test_several_processes_go_through_accelerate(device, deepspeed, engine):
    command = launch.command("a.yml", device, 4, deepspeed)
    assert command[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    assert command[command.index("--num_processes") + 1] == "4"
    assert command[command.index("--main_process_port") + 1] == "0"
    assert command[-3 - len(engine) :] == [*engine, "-m", "axolotl.cli.train", "a.yml"]


@pytest.mark.parametrize(("cores", "processes", "threads"), [(8, 1, "8"), (8, 3, "2"), (2, 4, "1")])
def test_the_environment_of_a_training(monkeypatch, cores, processes, threads):
    monkeypatch.setattr(launch, "cores", lambda: cores)
    cpu = launch.environment(Path("/job"), "cpu", processes)
    assert (cpu["OMP_NUM_THREADS"], cpu["FINLORA_JOB"]) == (threads, "/job")
    assert (cpu["CUDA_VISIBLE_DEVICES"], cpu["DS_ACCELERATOR"]) == ("", "cpu")
    assert (cpu["HF_HUB_OFFLINE"], cpu["AXOLOTL_DO_NOT_TRACK"]) == ("1", "1")
    cuda = launch.environment(Path("/job"), "cuda", processes)
    assert set(cpu) - set(cuda) == {"CUDA_VISIBLE_DEVICES", "DS_ACCELERATOR"}
    # accelerate takes these for "no DeepSpeed".
    assert not any(key.startswith("ACCELERATE_USE") for key in cpu)


def test_hidden_gpus_are_not_counted(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    present = launch.visible_gpus()
    for named, most in (("", 0), ("-1", 0), ("0", 1), ("0,1", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert launch.visible_gpus() == min(present, most)


def test_the_cores_are_those_this_process_may_use():
    assert launch.cores() == len(os.sched_getaffinity(0)) >= 1


def test_small_programs_return_what_they_print(monkeypatch):
    monkeypatch.setenv("FROM_HERE", "here")
    code = "import os, sys; print(os.environ['FROM_HERE'], os.environ['MORE']); print('x', file=sys.stderr)"
    assert launch.run_tool([sys.executable, "-c", code], {"MORE": "more"}) == "here more\n"


def test_small_programs_that_fail_say_why():
    code = "import sys; print('\\n'.join('abcd'), file=sys.stderr); sys.exit(3)"
    with pytest.raises(FinLoRAError) as fault:
        launch.run_tool([sys.executable, "-c", code])
    assert str(fault.value).endswith(" failed: b\nc\nd")
    with pytest.raises(FinLoRAError, match="failed: out"):
        launch.run_tool([sys.executable, "-c", "print('out'); raise SystemExit(1)"])
