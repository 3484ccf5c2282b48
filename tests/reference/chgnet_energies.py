"""Energies of the package chgnet, version 0.3.0 of the model: tests/data/golden/chgnet/energies.json and landscapes.json, and some crystals.

    python -m venv venv && . venv/bin/activate && pip install -r requirements-chgnet.txt
    python chgnet_energies.py

The model and its graphs are in float64; `energy_float32_eV` is the package as people run it, with its own graph builder. Energies are per atom.
The landscapes are built from the positions that the International Tables list, typed in below; a point where the package gives no number has null.
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

torch.set_num_threads(1)
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
OUT = GOLDEN / "chgnet"
CUBE = [90, 90, 90]
NODES, POINTS = 60, 200


def pnnm_4g(x, y):
    return [(x, y, 0), (-x, -y, 0), (.5 - x, .5 + y, .5), (.5 + x, .5 - y, .5)]


def pnma_4c(x, z):
    return [(x, .25, z), (.5 - x, .75, .5 + z), (-x, .75, -z), (.5 + x, .25, .5 - z)]


def cmcm_4c(y):
    return [(0, y, .25), (0, -y, .75), (.5, .5 + y, .25), (.5, .5 - y, .75)]


LANDSCAPES = {                                             # structure of the campaign set: axes, edges, atoms as functions of the axes
    "aflow-013-AB2_oP6_58_a_g": (["Cl1.x", "Cl1.y"], [6.24, 6.43, 4.2],
                                 lambda x, y: {"Ca": [(0, 0, 0), (.5, .5, .5)], "Cl": pnnm_4g(x, y)}),
    "aflow-041-AB_oP8_62_c_c": (["S1.x", "Sn1.z"], [11.18, 3.982, 4.329],
                                lambda x, z: {"S": pnma_4c(x, .0201), "Sn": pnma_4c(.11937, z)}),
    "aflow-195-A2B_oC12_63_2c_c": (["Si1.y", "Si2.y"], [3.73, 14.72, 3.67],
                                   lambda y, v: {"Si": cmcm_4c(y) + cmcm_4c(v), "Zr": cmcm_4c(.604)}),
}


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
    def energy(self, atoms):
        """eV per atom, None where it is no number."""
        torch.set_default_dtype(self.dtype)
        chgnet.graph.converter.TORCH_DTYPE = chgnet.graph.crystalgraph.TORCH_DTYPE = self.dtype
        try:
            structure = Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)
            energy = self.model([self.convert(structure)], task="e")["e"].item()
        finally:
            torch.set_default_dtype(torch.float32)
        return energy + self.atoms[atoms.numbers - 1].mean() if np.isfinite(energy) else None


def landscape(package, name):
    axes, edges, build = LANDSCAPES[name]
    nodes = np.sort(np.random.default_rng(30).choice(NODES * NODES, POINTS, replace=False))
    energies = []
    for node in nodes:
        sites = build(node // NODES / NODES, node % NODES / NODES)
        symbols = [symbol for symbol, places in sites.items() for _ in places]
        places = np.array([place for places in sites.values() for place in places])
        distances = Atoms(symbols, scaled_positions=places, cell=edges, pbc=True).get_all_distances(mic=True)
        np.fill_diagonal(distances, 1)
        energies.append(package.energy(Atoms(symbols, scaled_positions=places, cell=edges, pbc=True)) if distances.min() > 1e-3 else None)
    print(f"{name}: {sum(e is None for e in energies)} of {POINTS} points without energy", flush=True)
    return {"structure": name, "axes": axes, "nodes_per_axis": NODES, "nodes": nodes.tolist(), "energies_eV_per_atom": energies}


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
        rows.append({"structure": str(path.relative_to(GOLDEN).with_suffix("")), "n_atoms": len(atoms),
                     "energy_eV": double.energy(atoms), "energy_float32_eV": single.energy(atoms)})
        print(rows[-1], flush=True)
    write("energies.json", rows)
    write("landscapes.json", [landscape(double, name) for name in LANDSCAPES])


if __name__ == "__main__":
    main()
