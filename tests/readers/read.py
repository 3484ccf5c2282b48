"""Reads a result file of configs/w2n3.toml as its users do."""
import sys

import h5py
import netCDF4
import numpy as np
import xarray as xr

path = sys.argv[1]
passed = 0

for engine in ("netcdf4", "h5netcdf"):
    tree = xr.open_datatree(path, engine=engine)
    surface = tree["W2N3/W1.x-W1.z/demo-wn"]
    energy = surface["energy"]
    assert energy.dims == ("W1.x", "W1.z"), energy.dims
    assert energy.shape == (120, 120)
    assert energy.attrs["units"] == "eV"
    # Coordinates come from the landscape's group.
    assert np.allclose(energy["W1.x"], np.arange(120) / 120)
    cost = tree["W2N3/W1.x-W1.z"]["distance_cost"]
    outside = energy.where(cost == 0)
    minimum = outside.argmin(["W1.x", "W1.z"])
    reference = tree["W2N3/W1.x-W1.z"]["W1.x"].attrs["reference"]
    assert float(outside.min()) < -9
    assert float(surface["reference_energy"]) < float(outside.quantile(0.2))
    assert 0 <= reference < 1 and len(minimum) == 2
    assert tree["W2N3"].attrs["protostructure"] == "A3B2_oP20_62_3c_2c:N-W"
    assert tree["W2N3"]["lattice"].shape == (3, 3)
    tree.close()
    passed += 1

with h5py.File(path) as file:
    energy = file["W2N3/W1.x-W1.z/demo-wn/energy"]
    assert [d[0].name for d in energy.dims] == ["/W2N3/W1.x-W1.z/W1.x", "/W2N3/W1.x-W1.z/W1.z"]
    assert energy.chunks is None, "contiguous"
    status = file["W2N3/W1.x-W1.z/demo-wn/status"]
    meanings = dict(zip(status.attrs["flag_values"].tolist(), status.attrs["flag_meanings"].split()))
    assert meanings[1] == "done" and set(np.unique(status)) <= set(meanings)
    assert b"embedded:demo-wn" in file["campaign"][()]
    assert file["runs"]["started"][0] and file["runs"]["seconds"][0] > 0
    passed += 1

with netCDF4.Dataset(path) as file:
    energy = file["W2N3/W1.x-W1.z/demo-wn/energy"]
    assert energy.dimensions == ("W1.x", "W1.z")
    passed += 1

print(f"{passed} passed, 0 failed")
