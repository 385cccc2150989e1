"""What a dry run prints: the training commands of each machine, or a script for Slurm or Ray."""

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from finlora import deepspeed, launch, machine_checks, training_plan
from finlora.config import ConfigFile
from finlora.errors import UsageError
from finlora.rendezvous import PRINTED
from finlora.training_plan import Options, Plan, plan, seen_from

_HERE = "# Paths, threads and network interface are those of the machine that prints this."
_SCRIPTS = Path(__file__).parent / "files" / "cluster"


def dry_run(file: ConfigFile, name: str, options: Options, every_machine: bool = False) -> str:
    """Return what a training would run, for this machine or for all.

    Args:
        file: the config file.
        name: the run.
        options: what the command line adds.
        every_machine: print the commands of all machines instead of one machine's.

    Returns:
        The YAML and the command of each machine; for Slurm and Ray the script that starts FinLoRA
        on every machine, which writes the YAML itself.

    Raises:
        UsageError, ConfigError: the run or the options are at fault.
    """
    cluster = options.cluster
    if cluster.launcher in PRINTED:
        return _script(cluster.launcher, plan(file, name, _counted(options)), file, name, options)
    if cluster.machines == 1 or not every_machine:
        return training_plan.dry_run(plan(file, name, options))
    ranks = range(cluster.machines)
    plans = [plan(file, name, replace(options, cluster=replace(cluster, rank=rank))) for rank in ranks]
    parts = [f"{plans[0].yaml()}\n{training_plan.NOTE}\n{_HERE}"]
    for made in plans:
        words = shlex.join(["finlora", *_words(made, file, name, options), *_meeting(made)])
        parts.append(f"# Machine {made.cluster.rank}: type\n#   {words}\n# which starts\n{made.shell()}")
    return "\n\n".join(parts) + "\n"


def obstacles(file: ConfigFile, name: str, options: Options) -> list[str]:
    """Return why a training could not start on this machine now; a script is for other machines."""
    if options.cluster.launcher in PRINTED:
        return []
    return machine_checks.obstacles(plan(file, name, options))


def _meeting(made: Plan) -> list[str]:
    """Return the options that say which machine this is and where the machines meet."""
    cluster = made.cluster
    return [
        *("--machine-rank", str(cluster.rank), "--main-process-ip", str(cluster.address)),
        *("--main-process-port", str(cluster.port)),
    ]


def _counted(options: Options) -> Options:
    if options.processes is None and not launch.visible_gpus():
        raise UsageError(
            f"--launcher {options.cluster.launcher}: no GPU is visible here to count; "
            "give the GPUs of all machines: --num-processes N"
        )
    return options


def _words(made: Plan, file: ConfigFile, name: str, options: Options) -> list[str]:
    """Return what follows `finlora` to start this training in the project's folder, without the meeting."""
    cluster = made.cluster
    words = ["finetune", name, "--config", seen_from(made.root, file.path.resolve())]
    words += ["--num-processes", str(made.machine.processes)]
    words += ["--num-machines", str(cluster.machines)] if cluster.machines > 1 else []
    words += ["--launcher", cluster.launcher] if cluster.launcher not in (None, *PRINTED) else []
    strategy = options.deepspeed
    if strategy is not None and strategy not in (*deepspeed.SHIPPED, "none"):
        strategy = made.machine.deepspeed
    valued = {"--deepspeed": strategy, "--max-steps": options.max_steps, "--as": options.new_name}
    for option, value in valued.items():
        words += [option, str(value)] if value is not None else []
    for key, value in options.overrides.items():
        words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    flags = {
        "--overwrite": options.overwrite,
        "--fresh": options.fresh,
        "--allow-dropped-rows": options.allow_dropped_rows,
        "--offline": options.offline,
    }
    return [*words, *(flag for flag, given in flags.items() if given)]


def _script(launcher: str, made: Plan, file: ConfigFile, name: str, options: Options) -> str:
    words, machines = _words(made, file, name, options), made.cluster.machines
    values = {
        "NAME": made.name,
        "MACHINES": str(machines),
        "GPUS": str(made.processes_here),
        "PORT": str(made.cluster.port),
        "ROOT": shlex.quote(str(made.root)),
        "PYTHON": shlex.quote(sys.executable),
        "FINETUNE": shlex.join(words),
        "ROOT_PY": repr(str(made.root)),
        "PYTHON_PY": repr(sys.executable),
        "FINETUNE_PY": repr(words),
        **(_meeting_in_slurm(made) if machines > 1 else {"MEET": "", "TASK": """'exec "$@"'"""}),
    }
    return _filled((_SCRIPTS / f"{launcher}.sh").read_text(encoding="utf-8"), values)


def _meeting_in_slurm(made: Plan) -> Mapping[str, str]:
    meet = (
        "# The machines meet at the first of them.\n"
        'head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)\n'
        f'finetune+=(--main-process-ip "$head" --main-process-port {made.cluster.port})\n'
    )
    return {"MEET": meet, "TASK": """'exec "$@" --machine-rank "$SLURM_NODEID"'"""}


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in their places in one pass, so that nothing inside a value is taken for a place."""
    return re.sub("@([A-Z_]+)@", lambda place: values[place[1]], text)
