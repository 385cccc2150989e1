"""Several machines in one training: how their processes meet, compare, and keep checkpoints."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from finlora.events import Job
from finlora.files import write_atomic, write_json

# What process 0 alone saves, wherever the others keep their parts: the adapter, and the name of
# DeepSpeed's newest state.
_OF_PROCESS_0 = ("adapter_config.json", "adapter_model.safetensors", "latest")


def meet(plain_cpu: bool) -> None:
    """Join the process group that training will use; returns once every process has come.

    Args:
        plain_cpu: whether training runs on CPUs without DeepSpeed, which needs to be said.
    """
    from accelerate import PartialState
    from axolotl.utils.distributed import init_distributed_state

    if plain_cpu:
        PartialState(cpu=True)
    init_distributed_state()


def gather(report: Any) -> list[Any]:
    """Return the reports of all processes, in the order of their ranks.

    Args:
        report: this process's, plain values only.
    """
    import torch

    reports: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(reports, report)
    return reports


def holds_part(checkpoint: str | None) -> bool:
    """Return whether a checkpoint holds what this very process wrote into it.

    Every process saves the state of its random numbers where it runs. A disk that belonged to
    another rank holds another part.
    """
    if checkpoint is None:
        return True
    return (Path(checkpoint) / f"rng_state_{os.environ['RANK']}.pth").is_file()


def share_checkpoints(job: Job, cfg: Any, trainer: Any) -> bool:
    """Settle which machines write whole checkpoints: one for each disk, the lowest that sees it.

    Machine 0 always does. A machine with a disk of its own clears it of what this training does
    not go on from, as `finetune` does for machine 0. What Axolotl saves at the end goes to a folder
    of the machine's own: machine 0 publishes, and two may not write one file.

    Args:
        job: this training.
        cfg: Axolotl's configuration.
        trainer: the trainer, before its first step.

    Returns:
        Whether some machine has a disk of its own.
    """
    trained = Path(trainer.args.output_dir)
    own_disk = job.machine == _lowest_on_this_disk(job, trained)
    trainer.args.save_on_each_node = own_disk
    plugin = trainer.accelerator.state.deepspeed_plugin
    if plugin is not None:
        plugin.deepspeed_config.setdefault("checkpoint", {})["use_node_local_storage"] = own_disk
    apart = any(gather(own_disk and job.machine > 0))
    if job.machine == 0:
        return apart
    cfg.output_dir = str(Path(job.events).parent / "trained")
    if own_disk and trainer.args.should_save and not cfg.resume_from_checkpoint:
        for folder in trained.glob("checkpoint-*"):
            shutil.rmtree(folder)
        write_json(trained.parent / "state.json", job.state)
    return apart


def complete_checkpoint(folder: Path, writes: bool) -> None:
    """Bring a checkpoint on a disk of its own what process 0 alone has saved.

    Args:
        folder: the checkpoint, saved by every process.
        writes: whether this process writes for its disk.
    """
    import torch

    first = os.environ["RANK"] == "0"
    found = [folder / name for name in _OF_PROCESS_0] if first else []
    parts: list[Any] = [{path.name: path.read_bytes() for path in found if path.exists()}]
    torch.distributed.broadcast_object_list(parts, src=0)
    if writes and not first:
        for name, content in parts[0].items():
            write_atomic(folder / name, content)


def _lowest_on_this_disk(job: Job, folder: Path) -> int:
    """Return the lowest rank of a machine whose files appear in a folder of this machine."""
    import torch

    # A name nobody has looked for before: what is not there may be remembered for a while on NFS.
    mine = f".machine-{job.machine}-{uuid.uuid4().hex}"
    write_atomic(folder / mine, "")
    seen = gather({"machine": job.machine, "file": mine})
    lowest = min(entry["machine"] for entry in seen if (folder / entry["file"]).exists())
    torch.distributed.barrier()
    (folder / mine).unlink()
    return int(lowest)
