#!/bin/bash
# The run @NAME@ on @MACHINES@ machines with @GPUS@ GPUs each, under Ray. Run it where `ray job submit` works
# (RAY_ADDRESS names the cluster). Ray finds the machines, and starts one FinLoRA on each; these start
# the training processes, follow them, and machine 0 publishes the adapter.
# PROJECT and PYTHON name places of the machine that printed this, and must be true on every machine.
set -eu
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cat > "$folder/machines.py" <<'PYTHON'
import subprocess
import sys

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

MACHINES, GPUS, PORT = @MACHINES@, @GPUS@, @PORT@
PROJECT = @ROOT_PY@
PYTHON = @PYTHON_PY@
FINETUNE = @FINETUNE_PY@


def address():
    return ray.util.get_node_ip_address()


def finetune(rank, ip):
    words = ["--machine-rank", str(rank), "--main-process-ip", ip, "--main-process-port", str(PORT)]
    # setpriv: FinLoRA is asked to end when Ray ends this worker.
    command = ["setpriv", "--pdeathsig", "TERM", PYTHON, "-m", "finlora", *FINETUNE]
    return subprocess.call([*command, *(words if MACHINES > 1 else [])], cwd=PROJECT)


ray.init()
group = placement_group([{"GPU": GPUS, "CPU": 1}] * MACHINES, strategy="STRICT_SPREAD")
ray.get(group.ready())


def on(rank, function, gpus):
    place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
    return ray.remote(num_gpus=gpus, num_cpus=1, max_retries=0)(function).options(scheduling_strategy=place)


ip = ray.get(on(0, address, 0).remote())
codes = ray.get([on(rank, finetune, GPUS).remote(rank, ip) for rank in range(MACHINES)])
sys.exit(max(abs(code) for code in codes))
PYTHON
ray job submit --working-dir "$folder" -- python machines.py
