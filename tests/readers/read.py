"""Reads a result file of configs/w2n3.toml as its users do."""
import shutil
import subprocess
import sys

import h5py
import netCDF4
import numpy as np
import xarray as xr

path = sys.argv[1]
passed = 0
SURFACE = "W2N3/W1.x-W1.z/demo-wn"
TEXTS = ("started", "host", "job", "engine", "version")
COLUMNS = {*TEXTS, "run", "ranks", "seconds"}


def check_runs(columns):
    """`columns` are the values of each dataset of `runs`."""
    assert set(columns) == COLUMNS, columns
    assert {len(values) for values in columns.values()} == {len(columns["run"])}, "only rows in use"
    assert list(columns["run"]) == list(range(len(columns["run"])))
    assert all(isinstance(text, str) for name in TEXTS for text in columns[name]), columns
    assert columns["started"][0].endswith("Z") and columns["version"][0]
    assert columns["ranks"][0] == 1 and columns["seconds"][0] > 0


def check_structure(columns):
    """`columns` are the values of each dataset of a structure."""
    def same(a, b):
        return np.abs(a - b - np.round(a - b)).max(axis=-1) < 1e-6
    columns = {name: np.asarray(values) for name, values in columns.items()}
    x = columns["position"]
    for rotation, translation in zip(columns["rotation"], columns["translation"]):
        images = x @ rotation.T + translation
        assert same(images[:, None], x[None]).any(axis=1).all(), "every operation maps atoms onto atoms"
    in_file = x @ columns["transformation"] + columns["origin_shift"]
    metric = columns["transformation"] @ columns["file_lattice"]
    assert np.allclose(metric @ metric.T, columns["lattice"] @ columns["lattice"].T, atol=1e-3)
    assert in_file.shape == x.shape


def walk(group):
    """All variables of a netCDF group and of those below it."""
    yield from group.variables.values()
    for child in group.groups.values():
        yield from walk(child)


# None: the engine that xarray chooses by itself.
for engine in ("netcdf4", "h5netcdf", None):
    tree = xr.open_datatree(path, engine=engine).load()
    surface = tree[SURFACE]
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
    structure = tree["W2N3"]
    assert structure["lattice"].shape == (3, 3)
    assert structure.attrs["space_group_number"] == 62 and surface.attrs["numerics"] == 1
    assert structure["orbit_representative"].values.tolist() == ["x,1/4,z"] * 5
    check_structure({name: values.to_numpy() for name, values in structure.to_dataset().variables.items()})
    check_runs({name: values.to_numpy() for name, values in tree["runs"].to_dataset().variables.items()})
    tree.close()
    passed += 1

with h5py.File(path) as file:
    energy = file[SURFACE]["energy"]
    assert [d[0].name for d in energy.dims] == ["/W2N3/W1.x-W1.z/W1.x", "/W2N3/W1.x-W1.z/W1.z"]
    assert energy.chunks is None, "contiguous"
    status = file[SURFACE]["status"]
    meanings = dict(zip(status.attrs["flag_values"].tolist(), status.attrs["flag_meanings"].split()))
    assert meanings[1] == "done" and set(np.unique(status)) <= set(meanings)
    assert b"embedded:demo-wn" in file["campaign"][()]
    check_structure({name: values[()] for name, values in file["W2N3"].items() if isinstance(values, h5py.Dataset)})
    runs = file["runs"]
    check_runs({name: values.asstr()[()] if name in TEXTS else values[()] for name, values in runs.items()})
    passed += 1

with netCDF4.Dataset(path) as file:
    assert file[SURFACE]["energy"].dimensions == ("W1.x", "W1.z")
    read = [variable[...] for variable in walk(file)]
    assert len(read) > 20
    check_structure({name: variable[...] for name, variable in file["W2N3"].variables.items()})
    check_runs({name: variable[:] for name, variable in file["runs"].variables.items()})
    passed += 1

if shutil.which("ncdump"):
    for arguments in (["-h"], []):
        result = subprocess.run(["ncdump", *arguments, path], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        runs = result.stdout.partition("group: runs {")[2].partition("// group runs")[0]
        assert all(f" {name}(run)" in runs for name in COLUMNS), runs
    passed += 1

print(f"{passed} passed, 0 failed")
