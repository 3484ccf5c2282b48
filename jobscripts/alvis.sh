#!/bin/bash -l
# s2dpes on Alvis: one rank an A100.
#SBATCH --job-name=s2dpes
#SBATCH --account=NAISS2026-1-23  # your project, as `projinfo` prints it
#SBATCH --partition=alvis
#SBATCH --nodes=1                 # several nodes are always whole ones
#SBATCH --ntasks-per-node=4       # one rank a GPU
#SBATCH --gpus-per-node=A100:4
#SBATCH --cpus-per-task=16        # threads of a rank
#SBATCH --time=12:00:00           # at most 7 days (look with `sinfo -p alvis`)
#SBATCH --signal=USR1@300         # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                 # back to the queue after a node failure, too
#SBATCH --open-mode=append        # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/alvis.sh CAMPAIGN.toml" >&2
    exit 2
fi

module purge
module load HDF5/1.14.3-gompi-2023b             # with its Open MPI; the one that s2dpes was built with
# export SLURM_MPI_TYPE=pmix                    # if every rank starts alone; check with `srun --mpi=list`
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 --cpu-bind=cores "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
