#!/bin/bash -l
# THIS VERSION OF S2DPES HAS NO ENGINE FOR AMD GPUS: this script refuses to start, and lumi-c.sh is the one for LUMI.
# It is what an AMD engine would need: one rank a graphics compute die, on the 7 cores that are next to it.
#SBATCH --job-name=s2dpes
#SBATCH --account=project_465000000  # your project, as `groups` prints it
#SBATCH --partition=standard-g       # whole nodes; small-g shares them, dev-g has 3 hours
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8          # one rank a die
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=7            # threads of a rank; one core of each eight is the system's
#SBATCH --mem=0                      # all memory of the nodes
#SBATCH --time=12:00:00              # at most 2 days
#SBATCH --signal=USR1@300            # to all ranks, five minutes before the end: stop and keep what is done
#SBATCH --requeue                    # back to the queue after a node failure, too
#SBATCH --open-mode=append           # and append to the same log
set -euo pipefail

if [ "${S2DPES_AMD:-0}" != 1 ]; then
    echo "s2dpes has no engine for AMD GPUs: use lumi-c.sh, or export S2DPES_AMD=1 if your version has one" >&2
    exit 1
fi
if [ $# -ne 1 ]; then
    echo "usage: sbatch jobscripts/lumi-g.sh CAMPAIGN.toml" >&2
    exit 2
fi

module load LUMI/25.03 partition/G PrgEnv-gnu cray-hdf5 rocm
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not take it from sbatch
export HDF5_USE_FILE_LOCKING=BEST_EFFORT
# Rank N takes die N; its cores are in NUMA domain 3, 3, 1, 1, 0, 0, 2, 2.
cores=fe000000000000,fe00000000000000,fe0000,fe000000,fe,fe00,fe00000000,fe0000000000

code=0
srun --kill-on-bad-exit=0 --wait=60 --cpu-bind="mask_cpu:$cores" "${S2DPES:-s2dpes}" run "$1" || code=$?
if [ "$code" -eq 75 ]; then  # stopped in time: the same command goes on
    scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue: submit the same command again" >&2
fi
exit "$code"
