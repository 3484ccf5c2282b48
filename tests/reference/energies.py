"""Energies of mace-torch for all test models and crystals: tests/data/golden/energies.json.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python crystals.py && python models.py && python energies.py

One record for each (model, head, structure) whose elements the model knows. `energy_eV`, `node_energies_eV` and
`interaction_eV` (the energy without the sum of the atomic energies) are evaluated in float64, whatever the model was saved in
(`saved_dtype`); a model that was saved in float32 keeps its rounded constants, those of the 3j symbols included.
`energy_float32_eV` is the same model evaluated in float32, the way most people run it.
"""
import copy
import gzip
import io
import json
import os
import sys
import warnings

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.filterwarnings("ignore")
from pathlib import Path

import torch

torch.set_num_threads(1)
from mace import data
from mace.tools import torch_geometric, utils

import extxyz

DATA = Path(__file__).resolve().parent.parent / "data"
GOLDEN, MODELS_DIR = DATA / "golden", DATA / "models"


def load(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        return torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=False).eval()


def batch_of(model, atoms, head=None, dtype=torch.float64):
    torch.set_default_dtype(dtype)
    heads = getattr(model, "heads", None) or ["Default"]
    table = utils.AtomicNumberTable([int(z) for z in model.atomic_numbers])
    configuration = data.config_from_atoms(atoms, head_name=head or heads[0])
    graph = data.AtomicData.from_config(configuration, z_table=table, cutoff=float(model.r_max), heads=heads)
    return next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1, shuffle=False))).to_dict()


@torch.no_grad()
def evaluate(model, atoms, head, dtype):
    """Energy, energies of the atoms and sum of the atomic energies, in eV."""
    torch.set_default_dtype(dtype)
    b = batch_of(model, atoms, head, dtype)
    out = model(b, compute_force=False)
    heads = getattr(model, "heads", None) or ["Default"]
    free = model.atomic_energies_fn(b["node_attrs"])
    free = free[:, heads.index(head)] if free.ndim > 1 else free
    return out["energy"].item(), out["node_energy"].double().tolist(), free.double().sum().item()


def records(model, name, structures):
    saved = str(next(model.parameters()).dtype).removeprefix("torch.")
    double, single = copy.deepcopy(model).double(), model.float()
    known = set(model.atomic_numbers.tolist())
    for head in getattr(model, "heads", None) or ["Default"]:
        for structure, atoms in structures.items():
            if not set(atoms.numbers.tolist()) <= known:
                continue
            energy, nodes, free = evaluate(double, atoms, head, torch.float64)
            yield {"model": name, "head": head, "structure": structure, "n_atoms": len(atoms), "saved_dtype": saved, "energy_eV": energy,
                   "interaction_eV": energy - free, "node_energies_eV": nodes, "energy_float32_eV": evaluate(single, atoms, head, torch.float32)[0]}


def write_json(path, rows):
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main():
    structures = {path.stem: extxyz.read(path) for path in sorted(GOLDEN.glob("*.extxyz"))}
    rows = []
    for path in sorted(MODELS_DIR.glob("*.model.gz")):
        name = path.name.removesuffix(".model.gz")
        new = list(records(load(path), name, structures))
        rows += new
        size = [abs(r["interaction_eV"]) / r["n_atoms"] for r in new if "squeezed" not in r["structure"]]
        print(f"{name:28s} {len(new):3d} records, interaction energy {min(size):.3f} .. {max(size):.3f} eV/atom", file=sys.stderr, flush=True)
    write_json(GOLDEN / "energies.json", rows)


if __name__ == "__main__":
    main()
