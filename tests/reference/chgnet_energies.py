"""Energies of the package chgnet, version 0.3.0 of the model: tests/data/golden/chgnet/energies.json and landscapes.json, and some crystals.

    python -m venv venv && . venv/bin/activate && pip install -r requirements-chgnet.txt
    python chgnet_energies.py

The model and its graphs are in float64; `energy_float32_eV` is the package as people run it, with its own graph builder. Energies are per atom,
`node_energies_eV` those of the atoms one by one, in float64. A point of the landscapes where the package gives no number has null.
"""
import json
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import chgnet.graph.converter
import chgnet.graph.crystalgraph
import numpy as np
import torch
from ase import Atoms
from ase.spacegroup import crystal
from chgnet.graph import CrystalGraphConverter
from chgnet.model import CHGNet
from pymatgen.core import Structure

import extxyz
from landscapes import LANDSCAPES, landscape

torch.set_num_threads(1)
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
OUT = GOLDEN / "chgnet"
CUBE = [90, 90, 90]


def rutile(x):
    return crystal(["Ti", "O"], [(0, 0, 0), (x, x, 0)], spacegroup=136, cellpar=[4.594, 4.594, 2.959] + CUBE)


def own_crystals():
    """Crystals that only this model is asked about."""
    quartz = crystal(["Si", "O"], [(.4697, 0, 0), (.4133, .2672, .1188)], spacegroup=154, cellpar=[4.916, 4.916, 5.4054, 90, 90, 120])
    mirrored = quartz.copy()
    mirrored.set_cell(quartz.cell.array * [1, 1, -1])
    mirrored.positions = quartz.positions * [1, 1, -1]
    perovskite = crystal(["Sr", "Ti", "O"], [(0, 0, 0), (.5, .5, .5), (.5, .5, 0)], spacegroup=221, cellpar=[3.905] * 3 + CUBE)
    return {
        "quartz": quartz, "quartz-mirror-image": mirrored, "perovskite-SrTiO3-cubic": perovskite,
        "squeezed-MgO": crystal(["Mg", "O"], [(0, 0, 0), (.5, .5, .5)], spacegroup=225, cellpar=[3.5] * 3 + CUBE),
        "squeezed-Fe": crystal(["Fe"], [(0, 0, 0)], spacegroup=229, cellpar=[2.2] * 3 + CUBE),
        "fcc-U": crystal(["U"], [(0, 0, 0)], spacegroup=225, cellpar=[4.9] * 3 + CUBE),
        "fcc-Cu-primitive": Atoms("Cu", cell=[[0, 1.81, 1.81], [1.81, 0, 1.81], [1.81, 1.81, 0]], pbc=True),
        "overlapping-rutile-0.9": rutile(.14), "overlapping-rutile-0.4": rutile(.06),
    }


class Package:
    """The model in one precision."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.model = CHGNet.load(use_device="cpu", verbose=False).to(dtype).eval()
        # Energies of isolated atoms, which the package knows how to add in float32 only.
        self.atoms = self.model.composition_model.fc.weight[0].detach().double().numpy()
        self.model.composition_model = None
        self.convert = CrystalGraphConverter(algorithm="fast" if dtype == torch.float32 else "legacy", on_isolated_atoms="ignore")

    @torch.no_grad()
    def energies(self, atoms):
        """eV per atom, None where it is no number, and the atoms' own energies."""
        torch.set_default_dtype(self.dtype)
        chgnet.graph.converter.TORCH_DTYPE = chgnet.graph.crystalgraph.TORCH_DTYPE = self.dtype
        try:
            structure = Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)
            out = self.model([self.convert(structure)], task="e", return_site_energies=True)
        finally:
            torch.set_default_dtype(torch.float32)
        energy, isolated = out["e"].item(), self.atoms[atoms.numbers - 1]
        nodes = isolated + out["site_energies"][0].double().numpy()
        return energy + isolated.mean() if np.isfinite(energy) else None, nodes.tolist()


def write(name, rows):
    (OUT / name).write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, atoms in own_crystals().items():
        extxyz.write(OUT / f"{name}.extxyz", Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=True))
    double, single = Package(torch.float64), Package(torch.float32)
    rows = []
    for path in sorted(GOLDEN.glob("*.extxyz")) + sorted(OUT.glob("*.extxyz")):
        atoms = extxyz.read(path)
        energy, nodes = double.energies(atoms)
        rows.append({"structure": str(path.relative_to(GOLDEN).with_suffix("")), "n_atoms": len(atoms),
                     "energy_eV": energy, "energy_float32_eV": single.energies(atoms)[0], "node_energies_eV": nodes})
        print(rows[-1], flush=True)
    write("energies.json", rows)
    write("landscapes.json", [landscape(name, lambda atoms: double.energies(atoms)[0]) for name in LANDSCAPES])


if __name__ == "__main__":
    main()
