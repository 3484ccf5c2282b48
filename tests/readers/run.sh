#!/bin/sh
# Makes a small result file and reads it with xarray (two engines), h5py and netCDF4.
set -eu
cd "$(dirname "$0")/../.."
if ! [ -x target/readers/bin/python ]; then
    python3 -m venv target/readers
    target/readers/bin/pip install --quiet --requirement tests/readers/requirements.txt
fi
cargo build
target/debug/s2dpes run configs/w2n3.toml --output target/readers/w2n3.h5 --restart
target/readers/bin/python tests/readers/read.py target/readers/w2n3.h5
