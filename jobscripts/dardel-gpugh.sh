#!/bin/bash -l
# s2dpes on Dardel, Grace Hopper nodes: one rank a GPU.
# The nodes are aarch64: build s2dpes on one of them.
#SBATCH --job-name=s2dpes
#SBATCH --account=naiss2026-1-234  # your project, as `projinfo` prints it
#SBATCH --partition=gpugh          # whole nodes
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4        # a node has four GPUs
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=72         # threads of a rank
#SBATCH --time=12:00:00            # at most 24 hours
#SBATCH --signal=USR1@300          # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                  # back to the queue after a node failure, too
#SBATCH --open-mode=append         # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/dardel-gpugh.sh CAMPAIGN.toml" >&2
    exit 2
fi

module load PDC/25.03 PrgEnv-gnu cudatoolkit/24.11_12.6 cray-hdf5
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 --hint=nomultithread "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
