#!/bin/bash -l
# s2dpes on LUMI-C: eight ranks a node, 16 cores each.
#SBATCH --job-name=s2dpes
#SBATCH --account=project_465000000  # your project, as `groups` prints it
#SBATCH --partition=standard         # whole nodes; small shares them for 3 days, debug has 30 minutes
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8          # one rank a NUMA domain
#SBATCH --cpus-per-task=16           # threads of a rank
#SBATCH --mem=0                      # all memory of the nodes
#SBATCH --time=12:00:00              # at most 2 days
#SBATCH --signal=USR1@300            # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                    # back to the queue after a node failure, too
#SBATCH --open-mode=append           # and append to the same log
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/lumi-c.sh CAMPAIGN.toml" >&2
    exit 2
fi

module load LUMI/25.03 partition/C PrgEnv-gnu cray-hdf5
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT

code=0
srun --kill-on-bad-exit=0 --wait=60 --distribution=block:block "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
