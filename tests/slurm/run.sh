#!/bin/sh
# Runs s2dpes and jobscripts/generic.sh under a real Slurm with MPICH, both from Debian, as root.
set -eu
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ]; then
    echo "A Slurm for tests needs root." >&2
    exit 1
fi
missing=""
for command in slurmctld slurmd sbatch munged mpicc.mpich h5diff python3; do
    command -v $command >/dev/null || missing=yes
done
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends slurm-wlm munge mpich libmpich-dev hdf5-tools python3
fi

cargo test --config tests/slurm/mpich.toml --test mpi
# Away from where the program with the default MPI belongs; the next build puts it there.
mkdir -p target/mpich
mv target/debug/s2dpes target/mpich/s2dpes

folder=$(mktemp -d)
trap 'tests/slurm/cluster.sh stop "$folder/cluster"; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$folder/cluster" "$folder/work"
tests/slurm/cluster.sh start "$folder/cluster"
SLURM_CONF="$folder/cluster/slurm.conf" python3 tests/slurm/check.py target/mpich/s2dpes "$folder/work"
