#!/bin/sh
# Installs what the build needs beyond Rust: a C compiler, pkg-config and HDF5. Does nothing where they are there.
set -eu

packages="build-essential pkg-config libhdf5-dev"

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing. Install Rust 1.89 or newer: https://rustup.rs" >&2
    exit 1
fi
# On a cluster a module gives HDF5; HDF5_DIR says where.
if command -v cc >/dev/null 2>&1 && { [ -n "${HDF5_DIR:-}" ] || pkg-config --exists 'hdf5 >= 1.10.8' 2>/dev/null; }; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install a C compiler, pkg-config and HDF5 with its high-level library (1.10.8 or newer), or load the" >&2
    echo "module of your cluster and export HDF5_DIR; then run make again." >&2
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
