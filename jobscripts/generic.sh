#!/bin/bash -l
# s2dpes on any cluster with Slurm. Options on the command line of sbatch win over the ones below:
#
#     sbatch -A PROJECT -p PARTITION -n 8 -c 16 -t 1-0 jobscripts/generic.sh my.toml
#SBATCH --job-name=s2dpes
##SBATCH --account=PROJECT      # where the cluster wants one
##SBATCH --partition=PARTITION  # where the default is not the right one
#SBATCH --ntasks=4              # ranks
#SBATCH --cpus-per-task=1       # threads of a rank
#SBATCH --time=12:00:00         # no longer than the partition allows
#SBATCH --signal=USR1@300       # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue               # back to the queue after a node failure, too
#SBATCH --open-mode=append      # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/generic.sh CAMPAIGN.toml" >&2
    exit 2
fi

# Load the modules that s2dpes was built with. If every rank starts alone, srun speaks another protocol than the MPI:
# export SLURM_MPI_TYPE=pmi2 (MPICH) or pmix (Open MPI) before sbatch; `srun --mpi=list` shows what there is.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
