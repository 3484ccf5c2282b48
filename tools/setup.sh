#!/bin/sh
# Installs what the build needs beyond Rust: a C compiler, pkg-config, HDF5, MPI, and libclang, which reads the headers
# of MPI. Does nothing where they are there.
set -eu

packages="build-essential pkg-config libhdf5-dev libopenmpi-dev openmpi-bin libclang-dev"

has_hdf5() {
    # On a cluster a module gives HDF5; HDF5_DIR says where.
    [ -n "${HDF5_DIR:-}" ] || pkg-config --exists 'hdf5 >= 1.10.8' 2>/dev/null
}

has_mpi() {
    command -v "${MPICC:-mpicc}" >/dev/null 2>&1 || [ -n "${CRAY_MPICH_DIR:-}" ]
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || find /usr/lib /usr/lib64 /usr/local/lib -name 'libclang*.so*' 2>/dev/null | grep -q .
}

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing. Install Rust 1.89 or newer: https://rustup.rs" >&2
    exit 1
fi
if command -v cc >/dev/null 2>&1 && has_hdf5 && has_mpi && has_libclang; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install a C compiler, pkg-config, HDF5 with its high-level library (1.10.8 or newer), an MPI and libclang, or" >&2
    echo "load the modules of your cluster and export HDF5_DIR; then run make again. Without MPI and libclang," >&2
    echo "cargo build --release --no-default-features --features figures makes a program for one machine." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1; then
    sudo="sudo"
else
    echo "Some packages are missing. As root, type:" >&2
    echo "    apt-get update && apt-get install -y --no-install-recommends $packages" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update
# shellcheck disable=SC2086  # a list of words
$sudo apt-get install -y --no-install-recommends $packages
