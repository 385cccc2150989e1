"""Builds the training command, runs it, follows it, and ends it. The only user of subprocess."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from finlora import causes
from finlora.errors import FinLoRAError, InterruptedLaunchError, LaunchError
from finlora.events import JOB_VARIABLE, EventReader
from finlora.privacy import OFFLINE, QUIET
from finlora.rendezvous import Cluster, interface

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 15.0
# Marks every process below a launch, also one that made itself a session of its own, as Flower's do.
_MARK = "FINLORA_LAUNCHES"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def visible_gpus() -> int:
    """Return how many NVIDIA GPUs training would see, without loading torch."""
    folder = Path("/proc/driver/nvidia/gpus")
    present = len(list(folder.iterdir())) if folder.is_dir() else 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return present
    return min(present, len([name for name in named.split(",") if name.strip() not in ("", "-1")]))


def cpu_has_bf16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"\b(avx512_bf16|amx_bf16)\b", text) is not None


def cores() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0))


def command(
    yaml: str, device: str, processes: int, deepspeed: str | None, cluster: Cluster | None = None
) -> list[str]:
    """Return the training command of one machine.

    One process in all skips `axolotl train` and `accelerate launch`, whose own start takes longer
    than the work they'd do.

    Args:
        yaml: Axolotl's configuration file.
        device: `cuda` or `cpu`.
        processes: training processes over all machines.
        deepspeed: DeepSpeed configuration file, for several processes.
        cluster: the machines; None is one.
    """
    cluster = cluster or Cluster()
    module = ["-m", "axolotl.cli.train", yaml]
    if processes == 1:
        return [sys.executable, *module]
    if cluster.launcher == "torchrun":
        return [sys.executable, "-m", "torch.distributed.run", *_torchrun(processes, cluster), *module]
    launcher = [sys.executable, "-m", "accelerate.commands.launch"]
    launcher += ["--num_processes", str(processes), "--num_machines", str(cluster.machines)]
    launcher += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    if cluster.machines > 1:
        launcher += ["--machine_rank", str(cluster.rank), "--main_process_ip", str(cluster.address)]
        launcher += ["--main_process_port", str(cluster.port)]
    else:
        launcher += ["--main_process_port", "0"]
    if deepspeed is not None:
        launcher += ["--use_deepspeed", "--deepspeed_config_file", deepspeed]
        # Else accelerate would start the other machines itself, over ssh.
        launcher += ["--deepspeed_multinode_launcher", "standard"] if cluster.machines > 1 else []
    else:
        launcher += ["--cpu"] if device == "cpu" else ["--multi_gpu"]
    return [*launcher, *module]


def _torchrun(processes: int, cluster: Cluster) -> list[str]:
    here = ["--nproc_per_node", str(processes // cluster.machines)]
    if cluster.machines == 1:
        return ["--standalone", *here]
    where = ["--node_rank", str(cluster.rank), "--master_addr", str(cluster.address)]
    return ["--nnodes", str(cluster.machines), *where, "--master_port", str(cluster.port), *here]


def environment(job: Path, device: str, processes: int, cluster: Cluster | None = None) -> dict[str, str]:
    """Return what training adds to the environment: threads, privacy, offline, the job.

    Args:
        job: the job file.
        device: `cuda` or `cpu`.
        processes: training processes on this machine, which share its cores.
        cluster: the machines; None is one.
    """
    settings = {
        **QUIET,
        **OFFLINE,
        JOB_VARIABLE: str(job),
        # accelerate would set one thread a process.
        "OMP_NUM_THREADS": str(max(1, cores() // processes)),
        # Threads that wait by spinning slow down every other program on these cores, and gain nothing.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "true",
        # DeepSpeed builds its library with the ninja of this Python, whether or not it is activated.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }
    if device == "cpu":
        settings |= {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}
        if cluster and cluster.address and (found := interface(cluster.address)):
            # gloo would take the address that the machine's own name stands for: often a loopback.
            settings |= {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", found)}
    return settings


class _Signals:
    """Notes SIGINT, SIGTERM and SIGHUP instead of dying of them, while a child runs."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number

    def __enter__(self) -> "_Signals":
        # What is ignored stays so: `nohup finlora finetune …` is to outlive its terminal.
        # A thread beside the main one can't hear any.
        here = threading.current_thread() is threading.main_thread()
        heard = [n for n in _SIGNALS if here and signal.getsignal(n) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def train(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str | None],
    log: Path,
    events: Path,
    on_event: Callable[[dict[str, Any]], None],
) -> None:
    """Run a training to its end, in a process group of its own, and leave no process behind.

    Args:
        argv: the command.
        cwd: folder to run in.
        env: added to this process's environment; what is None is taken out of it.
        log: file that takes the child's output.
        events: file the training process appends events to.
        on_event: called with each event as it comes.

    Raises:
        LaunchError: the training failed or was interrupted; carries the exit code to pass on.
    """
    reader = EventReader(events)
    errors: list[str] = []

    def follow() -> None:
        for event in reader.new():
            if event["event"] == "error":
                errors.append(event["message"])
            on_event(event)

    mark = uuid.uuid4().hex
    with log.open("ab") as output, _Signals() as signals:
        start = output.tell()
        child = _start(argv, cwd, {**env, _MARK: f"{os.environ.get(_MARK, '')} {mark}"}, output)
        try:
            while signals.received is None and child.poll() is None:
                follow()
                _wait(child, _POLL_SECONDS)
        finally:
            _end(child, mark)
        follow()
    if signals.received is not None:
        name = signal.Signals(signals.received).name
        message = f"interrupted ({name}); no process is left behind"
        raise InterruptedLaunchError(message, 128 + signals.received)
    if child.returncode != 0 or errors:
        raise LaunchError(*causes.explain(child.returncode, errors, log, start))


def _start(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str | None], output: Any
) -> "subprocess.Popen[bytes]":
    merged = {**os.environ, **env}
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"{argv[0]}: can't be started: {error.strerror}") from None


def _wait(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(child: "subprocess.Popen[bytes]", mark: str) -> None:
    """End all that a launch started: first its group, politely, then every process for certain."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        _wait(child, _GRACE_SECONDS)
    # What was killed takes a moment to go, and holds its memory till then.
    end = time.monotonic() + _GRACE_SECONDS
    while (left := _left(child.pid, mark)) and time.monotonic() < end:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    child.wait()


def _left(group: int, mark: str) -> list[int]:
    """Return the processes of a launch that are left; the dead that nobody reaps don't count."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        # Some end while they are looked at, and of other users' only the first is told.
        with contextlib.suppress(OSError):
            state, _, of_group = (place / "stat").read_bytes().rpartition(b")")[2].split()[:3]
            if state not in (b"Z", b"X") and (
                int(of_group) == group or mark.encode() in (place / "environ").read_bytes()
            ):
                found.append(int(place.name))
    return found


def run_tool(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Run a small program to its end and return what it printed.

    Raises:
        FinLoRAError: it failed; the message ends with its last lines.
    """
    done = subprocess.run(
        argv, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise FinLoRAError(f"{Path(argv[0]).name} {' '.join(argv[1:4])} failed: {tail}")
    return done.stdout
