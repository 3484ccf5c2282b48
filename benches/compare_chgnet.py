"""Compares s2dpes with the package chgnet in one run, one thread each, and writes the times as Markdown.

    cargo bench --bench point --no-run
    pip install -r tests/reference/requirements-chgnet.txt
    python benches/compare_chgnet.py --output benches/results/chgnet.md

The package computes energies only, float32, in batches of 1, 4 and 16 copies of a structure with atoms displaced by 0.02 A at random, once with the
graphs made before and once from structures; its best batch counts. s2dpes takes points of a landscape of the structure. The programs take turns; a time
is the minimum over the rounds of the minimum of a round, wall time, which other programs on the machine disturb least. That both compute the same
energies is what tests/chgnet.rs tests.
"""
import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
import sys
import warnings

warnings.filterwarnings("ignore")
sys.dont_write_bytecode = True
import packages
from compare import ROOT
from packages import FROM_STRUCTURES, PREBUILT
from peers import copies

STRUCTURES = {
    "CaTiO3": ("tests/data/golden/perovskite-CaTiO3-Pnma.extxyz", ["Ca1.x,O1.x", "Ca1.x,Ca1.z"]),
    "Sn2S3": ("tests/data/golden/Sn2S3-Pnma.extxyz", ["Sn1.x,S3.z", "Sn1.x,Sn1.z"]),
}


class Package:
    """The package and the structures that it is timed with."""

    name, versions, structures = "chgnet", ["chgnet", "torch", "numpy"], STRUCTURES
    checkpoint = "embedded:chgnet-0.3.0"

    def __init__(self):
        import torch
        from ase.io import read
        from chgnet.graph import CrystalGraphConverter
        from chgnet.model import CHGNet
        from pymatgen.core import Structure
        torch.set_num_threads(1)
        self.torch, self.convert = torch, CrystalGraphConverter()
        self.model = CHGNet.load(use_device="cpu", verbose=False).eval()
        self.atoms = {name: read(ROOT / file) for name, (file, _) in STRUCTURES.items()}
        self.structure = lambda a: Structure(a.cell.array, a.numbers, a.positions, coords_are_cartesian=True)

    def energies(self, graphs):
        with self.torch.no_grad():
            return self.model(graphs, task="e")["e"].tolist()

    def runs(self, name, batch):
        structures = [self.structure(atoms) for atoms in copies(self.atoms[name], batch)]
        graphs = [self.convert(structure) for structure in structures]
        return {PREBUILT: lambda: self.energies(graphs),
                FROM_STRUCTURES: lambda: self.energies([self.convert(s) for s in structures])}


if __name__ == "__main__":
    packages.main(Package, "compare_chgnet.py")
