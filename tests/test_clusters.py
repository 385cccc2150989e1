"""What is printed for several machines: commands for each, scripts for a shell, Slurm and Ray."""

import ast
import dataclasses
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finlora import clusters, launch
from finlora.errors import UsageError
from finlora.rendezvous import Cluster, cluster, interface
from finlora.training_plan import Options, dry_run, plan
from tests.conftest import RUN

WORDS = {"overrides": {"lora_r": 4, "base_model": "./a base"}, "new_name": "trial", "overwrite": True}


@pytest.fixture(autouse=True)
def gpus(monkeypatch):
    """Eight GPUs here, unless a test asks for other ones."""

    def see(count):
        monkeypatch.setattr(launch, "visible_gpus", lambda: count)

    see(8)
    return see


def options(machines=2, launcher=None, **more):
    address = None if launcher in ("slurm", "ray") or machines == 1 else "10.0.0.1"
    return Options(cluster=Cluster(machines, 0, address, launcher=launcher), **more)


FAULTS = [
    ((None, 1, None, None, None), "--machine-rank: for several machines; add --num-machines N"),
    ((None, None, "a", 1, None), "--main-process-ip and --main-process-port: for several machines"),
    ((1, 0, None, None, None), "--machine-rank: for several machines"),
    ((2, None, None, None, None), "--num-machines 2 needs --machine-rank and --main-process-ip too"),
    ((2, 0, None, None, None), "--num-machines 2 needs --main-process-ip too"),
    ((2, None, "a", None, None), "--num-machines 2 needs --machine-rank too"),
    ((2, 2, "a", None, None), "--machine-rank 2: the ranks of 2 machines are 0 to 1"),
    ((2, None, None, None, "slurm"), "--launcher slurm: .* add --dry-run"),
    ((None, None, None, None, "ray"), "--launcher ray: .* add --dry-run"),
]


@pytest.mark.parametrize(("given", "message"), FAULTS)
def test_options_that_are_half_given_say_what_is_missing(given, message):
    assert len(FAULTS) == 9
    with pytest.raises(UsageError, match=message):
        cluster(*given)


def test_options_that_belong_together():
    assert cluster(None, None, None, None, None) == cluster(1, None, None, None, None) == Cluster()
    assert cluster(2, 1, "a", None, "torchrun") == Cluster(2, 1, "a", 29500, "torchrun")
    assert cluster(2, None, "a", 7, None, dry_run=True) == Cluster(2, 0, "a", 7)
    assert cluster(2, None, None, None, "slurm", dry_run=True) == Cluster(2, launcher="slurm")
    with pytest.raises(UsageError, match="leave out --machine-rank and --main-process-ip"):
        cluster(2, 0, None, None, "slurm", dry_run=True)


def planned(project, asked):
    return plan(project.load({"a": RUN}), "a", asked)


def test_processes_are_counted_over_all_machines(project, gpus):
    made = planned(project, options(2))
    assert (made.machine.processes, made.processes_here) == (16, 8)
    assert planned(project, options(3, processes=6)).processes_here == 2
    with pytest.raises(UsageError, match="--num-processes 7 counts all machines, and can't be split evenly"):
        planned(project, options(2, processes=7))
    gpus(0)
    assert planned(project, options(2)).machine.processes == 2
    assert planned(project, options(2)).environment()["OMP_NUM_THREADS"] == str(launch.cores())


def test_a_launcher_for_one_process_is_a_mistake(project):
    with pytest.raises(UsageError, match="--launcher torchrun is for several processes"):
        planned(project, options(1, "torchrun", processes=1))


def test_each_machine_keeps_its_files_apart_and_checkpoints_where_the_yaml_says(project):
    zero = planned(project, options())
    one = planned(project, Options(cluster=Cluster(2, 1, "10.0.0.1")))
    assert zero.own_folder == zero.folder == one.folder
    assert one.own_folder == one.folder / "machine-1"
    assert one.mapping() == zero.mapping()
    assert one.environment()["FINLORA_JOB"] == str(one.own_folder / "job.json")
    assert one.argv()[-1] == "axolotl-output/a/machine-1/axolotl.yml"


@pytest.mark.parametrize(
    ("deepspeed", "engine"),
    [
        ("d.json", "--use_deepspeed --deepspeed_config_file d.json --deepspeed_multinode_launcher standard"),
        (None, "--multi_gpu"),
    ],
)
def test_accelerate_is_told_where_the_machines_meet(deepspeed, engine):
    machine = Cluster(2, 1, "10.0.0.1", 7)
    command = shlex.join(launch.command("a.yml", "cuda", 16, deepspeed, machine)[1:])
    assert command == (
        "-m accelerate.commands.launch --num_processes 16 --num_machines 2 --mixed_precision no "
        "--dynamo_backend no --machine_rank 1 --main_process_ip 10.0.0.1 --main_process_port 7 "
        f"{engine} -m axolotl.cli.train a.yml"
    )
    # Several machines with one process each are several processes too.
    assert "accelerate.commands.launch" in launch.command("a.yml", "cpu", 2, deepspeed, machine)


def test_torchrun_is_told_where_the_machines_meet():
    machine = Cluster(2, 1, "10.0.0.1", 7, "torchrun")
    assert shlex.join(launch.command("a.yml", "cuda", 16, "d.json", machine)[1:]) == (
        "-m torch.distributed.run --nnodes 2 --node_rank 1 --master_addr 10.0.0.1 --master_port 7 "
        "--nproc_per_node 8 -m axolotl.cli.train a.yml"
    )
    alone = launch.command("a.yml", "cuda", 4, "d.json", Cluster(launcher="torchrun"))
    assert shlex.join(alone[3:-3]) == "--standalone --nproc_per_node 4"


ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
fast0\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
down0\t00004E0A\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is written in the byte order of the machine")
@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.77.0.1", "fast0"),
        ("10.77.1.1", "eth0"),
        ("10.78.0.1", "eth0"),
        ("127.0.0.1", "lo"),
        ("node1", None),
        ("fe80::1", None),
    ],
)
def test_the_interface_is_that_of_the_longest_route(tmp_path, monkeypatch, gpus, address, found):
    (tmp_path / "route").write_text(ROUTES)
    assert interface(address, tmp_path / "route") == found


def test_gloo_is_given_the_interface_unless_the_user_did(project, monkeypatch, gpus):
    gpus(0)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    asked = Options(cluster=Cluster(2, 1, "127.0.0.1"))
    assert planned(project, asked).environment()["GLOO_SOCKET_IFNAME"] == "lo"
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")
    assert planned(project, asked).environment()["GLOO_SOCKET_IFNAME"] == "ib0"
    assert "GLOO_SOCKET_IFNAME" not in planned(project, Options(processes=2)).environment()
    gpus(1)
    assert "GLOO_SOCKET_IFNAME" not in planned(project, asked).environment()


def test_the_plan_of_every_machine_is_printed_at_once(project):
    file = project.load({"a": RUN})
    asked = options(**WORDS)
    text = clusters.dry_run(file, "a", asked, every_machine=True)
    settings, _, commands = text.partition("# FINLORA_JOB")
    made = [plan(file, "a", Options(**WORDS, cluster=Cluster(2, rank, "10.0.0.1"))) for rank in (0, 1)]
    assert yaml.safe_load(settings) == made[0].mapping()
    assert [line for line in commands.splitlines() if line.startswith("cd ")] == [m.shell() for m in made]
    typed = [shlex.split(line[1:]) for line in commands.splitlines() if line.startswith("#   finlora ")]
    assert [words[words.index("--machine-rank") + 1] for words in typed] == ["0", "1"]
    assert clusters.dry_run(file, "a", asked) == dry_run(made[0])


def test_what_is_printed_to_be_typed_means_the_same_training(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    more = ["--num-processes", "4", "--deepspeed", "zero2", "--set", 'base_model="./x y"', "--as", "b"]
    where = ["--num-machines", "2", "--main-process-ip", "10.0.0.1", "--dry-run"]
    every = run("finetune", "first_run", *more, *where)
    assert every.code == 0
    typed = [shlex.split(line[1:]) for line in every.out.splitlines() if line.startswith("#   finlora ")]
    assert len(typed) == 2
    for words in typed:
        one = run(*words[1:], "--dry-run")
        assert one.code == 0
        assert one.out.splitlines()[-1] in every.out.splitlines()


def test_what_is_printed_to_be_typed_has_every_flag_that_was_given(project):
    flags = [field.name for field in dataclasses.fields(Options) if field.default is False]
    assert len(flags) == 4
    file = project.load({"a": RUN})
    for given in flags:
        text = clusters.dry_run(file, "a", options(**{given: True}), every_machine=True)
        typed = [shlex.split(line[1:]) for line in text.splitlines() if line.startswith("#   finlora ")]
        assert len(typed) == 2
        for words in typed:
            assert [flag for flag in flags if f"--{flag.replace('_', '-')}" in words] == [given]


def script(project, launcher, machines=2, **more):
    file = project.load({"a": RUN})
    return clusters.dry_run(file, "a", options(machines, launcher, **more))


@pytest.mark.parametrize("launcher", ["slurm", "ray"])
@pytest.mark.parametrize("machines", [1, 2])
def test_a_script_is_one_that_a_shell_can_read(project, launcher, machines):
    text = script(project, launcher, machines, **WORDS)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert "@NAME@" not in text
    assert text.startswith("#!/bin/bash\n")
    assert "must be true on every" in text.partition("\nset ")[0]


@pytest.mark.parametrize("launcher", ["slurm", "ray"])
def test_a_script_needs_to_know_the_gpus(project, gpus, launcher):
    gpus(0)
    with pytest.raises(UsageError, match=r"no GPU is visible here to count; .* --num-processes N"):
        script(project, launcher)
    assert "8 GPUs each" in script(project, launcher, processes=16)


def test_the_slurm_script_asks_for_what_the_training_needs(project):
    lines = script(project, "slurm", 3, processes=6).splitlines()
    asked = dict(
        line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH")
    )
    assert asked == {
        "job-name": "a",
        "nodes": "3",
        "ntasks-per-node": "1",
        "gpus-per-node": "2",
        "exclusive": "",
        "requeue": "",
        "signal": "B:USR1@120",
        "open-mode": "append",
        "output": "a.%j.log",
    }
    # Slurm reads no directive below the first command.
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first:])


# Plays Slurm: srun starts the command once for each of two machines, as Slurm would on each of them.
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
for rank in 0 1; do SLURM_NODEID=$rank "$@" & done
trap 'kill -TERM $(jobs -p); wait; exit 143' TERM
wait
"""
SCONTROL = """#!/bin/bash
if [ "$1" = requeue ]; then echo "$2" > requeued; else printf 'node7\\nnode8\\n'; fi
"""
FINLORA = """
import json, os, signal, sys
with open(f"machine{os.environ['SLURM_NODEID']}", "w") as file: json.dump(sys.argv[1:], file)
if os.path.exists("hang"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    open(f"hang/{os.environ['SLURM_NODEID']}", "w").close()
    os.write(1, b"started\\n")
    while True: signal.pause()
"""


@pytest.fixture
def slurm(project, tmp_path, monkeypatch):
    """Programs that play Slurm, and a package that plays FinLoRA, for the script of a run."""
    text = script(project, "slurm", **WORDS)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, content in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    (project.root / "finlora.py").write_text(FINLORA)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name, value in {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_JOB_ID": "5"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "a.sbatch").write_text(text)
    return tmp_path / "a.sbatch"


def test_the_slurm_script_starts_one_finlora_on_each_machine(project, slurm):
    done = subprocess.run(["bash", slurm], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for rank in (0, 1):
        words = ast.literal_eval((project.root / f"machine{rank}").read_text())
        assert words[:2] == ["finetune", "a"]
        assert words[words.index("--num-processes") + 1] == "16"
        meeting = f"--main-process-ip node7 --main-process-port 29500 --machine-rank {rank}"
        assert " ".join(words[-6:]) == meeting
        assert 'base_model="./a base"' in words
    assert not (project.root / "requeued").exists()


def test_the_slurm_script_ends_cleanly_when_time_is_up_and_waits_for_more(project, slurm):
    (project.root / "hang").mkdir()
    job = subprocess.Popen(["bash", slurm], stdout=subprocess.PIPE, text=True)
    assert [job.stdout.readline() for _ in range(2)] == ["started\n"] * 2
    job.send_signal(signal.SIGUSR1)
    job.communicate(timeout=30)
    assert job.returncode == 143
    assert (project.root / "requeued").read_text() == "5\n"


RAY = {
    "__init__.py": """
import os, sys
from types import SimpleNamespace
from ray import util
def init(): pass
def get(values): return [v() for v in values] if isinstance(values, list) else values()
def remote(**wanted):
    def wrap(function):
        def options(scheduling_strategy):
            index = scheduling_strategy[1]
            def call(*args):
                def work():
                    print("on", index, wanted["num_gpus"], flush=True)
                    return function(*args)
                return work
            return SimpleNamespace(remote=call)
        return SimpleNamespace(options=options)
    return wrap
""",
    "util/__init__.py": "def get_node_ip_address(): return '10.0.0.7'\n",
    "util/placement_group.py": """
from types import SimpleNamespace
def placement_group(bundles, strategy):
    print(bundles, strategy, flush=True)
    return SimpleNamespace(ready=lambda: (lambda: None))
""",
    "util/scheduling_strategies.py": """
def PlacementGroupSchedulingStrategy(group, placement_group_bundle_index):
    return group, placement_group_bundle_index
""",
}


def test_the_ray_script_starts_one_finlora_on_each_machine(project, tmp_path, monkeypatch):
    text = script(project, "ray", **WORDS)
    program = text.partition("<<'PYTHON'\n")[2].partition("\nPYTHON\n")[0]
    (tmp_path / "machines.py").write_text(program)
    for name, content in RAY.items():
        path = tmp_path / "ray" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (project.root / "finlora.py").write_text("import sys; print(sys.argv[1:]); sys.exit(3)")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    done = subprocess.run(
        [sys.executable, "machines.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "[{'GPU': 8, 'CPU': 1}, {'GPU': 8, 'CPU': 1}] STRICT_SPREAD"
    assert lines[1::2] == ["on 0 0", *lines[3::2]]
    assert [lines[2], lines[4]] == ["on 0 8", "on 1 8"]
    for rank, line in enumerate((lines[3], lines[5])):
        words = ast.literal_eval(line)
        meeting = f"--machine-rank {rank} --main-process-ip 10.0.0.7 --main-process-port 29500"
        assert " ".join(words[-6:]) == meeting
        assert words[:2] == ["finetune", "a"]


@pytest.mark.parametrize("launcher", ["slurm", "ray"])
def test_the_command_line_prints_scripts_and_starts_nothing(project, run, launcher):
    before = project.files().keys()
    words = ["finetune", "first_run", "--config", project.config, "--launcher", launcher]
    refused = run(*words, "--num-machines", "2")
    assert refused.code == 2
    assert "add --dry-run" in refused.err
    done = run(*words, "--num-machines", "2", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("#!/bin/bash\n")
    new = {Path(name).parts[0] for name in project.files().keys() - before}
    assert new <= {"deepspeed_configs"}
