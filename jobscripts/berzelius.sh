#!/bin/bash -l
# s2dpes on Berzelius: one rank an A100.
#SBATCH --job-name=s2dpes
#SBATCH --account=berzelius-2026-123  # your project, as `projinfo` prints it
#SBATCH --partition=berzelius
#SBATCH --constraint=thin             # 40 GB a GPU; fat has 80 GB
#SBATCH --ntasks=8                    # as many ranks as GPUs; a node has eight
#SBATCH --gpus=8
#SBATCH --cpus-per-task=16            # threads of a rank
#SBATCH --time=12:00:00               # at most 3 days (look with `sinfo -p berzelius`)
#SBATCH --signal=USR1@300             # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                     # back to the queue after a node failure, too
#SBATCH --open-mode=append            # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/berzelius.sh CAMPAIGN.toml" >&2
    exit 2
fi

module purge
module load buildenv-gcccuda/12.4.1-gcc13.3.0   # and the HDF5 that s2dpes was built with: module spider HDF5
# export SLURM_MPI_TYPE=pmix                    # if every rank starts alone; check with `srun --mpi=list`
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 --cpu-bind=cores "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
