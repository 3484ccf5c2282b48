#!/bin/bash -l
# s2dpes on Arrhenius, GPU nodes: one rank a GH200.
# The GPU nodes are aarch64 and the login nodes x86-64: build s2dpes on a GPU node.
#SBATCH --job-name=s2dpes
#SBATCH --account=naiss2026-1-234-gpu  # your project, as `projinfo` prints it, with the suffix -gpu
#SBATCH --partition=gpu
#SBATCH --ntasks=4                     # as many ranks as GPUs; a node has four
#SBATCH --gpus=4
#SBATCH --cpus-per-task=72             # threads of a rank
#SBATCH --time=12:00:00                # at most 72 hours; short jobs are backfilled
#SBATCH --signal=USR1@300              # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                      # back to the queue after a node failure, too
#SBATCH --open-mode=append             # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/arrhenius.sh CAMPAIGN.toml" >&2
    exit 2
fi

module purge
module load GPU/buildenv-gcccuda/2026.03-cu13.0  # and the HDF5 that s2dpes was built with: module spider HDF5
export SLURM_MPI_TYPE=pmi2                       # MPICH: without it every rank starts alone
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK   # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 --cpu-bind=cores "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
