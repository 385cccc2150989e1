#!/bin/bash
# The run @NAME@ on @MACHINES@ machines with @GPUS@ GPUs each, under Slurm. Submit it with sbatch; the same
# script goes on from the newest checkpoint when it is submitted, or requeued, again.
# Two lines name places of the machine that printed this, and must be true on every node: cd and python.
# What is yours to add: --account, --partition, --time.
#SBATCH --job-name=@NAME@
#SBATCH --nodes=@MACHINES@
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=@GPUS@
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --output=@NAME@.%j.log

cd @ROOT@ || exit
python=@PYTHON@
finetune=(@FINETUNE@)
@MEET@
# 120 seconds before the time is up Slurm sends USR1: end cleanly, then wait for more time in the queue.
time_is_up=
trap 'time_is_up=yes; kill -TERM "$step"' USR1

# One FinLoRA on each machine, with all its cores; when one of them fails, none waits for it.
srun --kill-on-bad-exit=1 --cpu-bind=none \
    bash -c @TASK@ finetune "$python" -m finlora "${finetune[@]}" &
step=$!
wait "$step"
code=$?
while kill -0 "$step" 2>/dev/null; do
    wait "$step"
    code=$?
done
if [ -n "$time_is_up" ] && [ "$code" -ne 0 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
