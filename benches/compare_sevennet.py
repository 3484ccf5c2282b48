"""Compares s2dpes with the package sevenn on SevenNet-0 in one run, one thread each, and writes the times as Markdown.

    cargo bench --bench point --no-run
    pip install -r tests/reference/requirements-sevennet.txt
    python benches/compare_sevennet.py --output benches/results/sevennet.md

The package computes energies only (its module of forces is left out), float32, in batches of 1, 4 and 16 copies of a structure with atoms displaced by
0.02 A at random, with the graphs made before and from structures; its best batch counts. s2dpes takes points of a landscape of the structure, with the
checkpoint that the package holds. The programs take turns; a time is the minimum over the rounds of the minimum of a round, wall time, which other
programs on the machine disturb least. That both compute the same energies is what tests/sevennet.rs tests.
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
    "Sb2S3": ("tests/data/golden/sevennet/stibnite-Sb2S3.extxyz", ["Sb1.x,S3.z", "Sb1.x,Sb1.z"]),
}


class Package:
    """The package and the structures that it is timed with."""

    name, versions, structures = "sevenn", ["sevenn", "e3nn", "torch", "numpy"], STRUCTURES

    def __init__(self):
        import sevenn._const
        import sevenn._keys as KEY
        import sevenn.util
        import torch
        from ase.io import read
        torch.set_num_threads(1)
        self.torch, self.key, self.util = torch, KEY, sevenn.util
        self.checkpoint = sevenn._const.SEVENNET_0_11July2024
        self.model, self.settings = sevenn.util.model_from_checkpoint(self.checkpoint)
        self.model.delete_module_by_key("force_output")
        self.model.eval().set_is_batch_data(True)
        self.atoms = {name: read(ROOT / file) for name, (file, _) in STRUCTURES.items()}

    def graph(self, structures):
        """One graph of several structures."""
        torch, KEY = self.torch, self.key
        numbers, edges, vectors, batch, first = [], [], [], [], 0
        for k, atoms in enumerate(structures):
            graph = self.util.unlabeled_atoms_to_input(atoms, self.settings["cutoff"])
            numbers += atoms.numbers.tolist()
            edges.append(graph[KEY.EDGE_IDX] + first)
            vectors.append(graph[KEY.EDGE_VEC].detach())
            batch += [k] * len(atoms)
            first += len(atoms)
        vectors = torch.cat(vectors)
        return {KEY.ATOMIC_NUMBERS: torch.tensor(numbers), KEY.EDGE_IDX: torch.cat(edges, 1), KEY.EDGE_VEC: vectors, KEY.EDGE_LENGTH: vectors.norm(dim=-1),
                KEY.BATCH: torch.tensor(batch), KEY.NUM_ATOMS: torch.bincount(torch.tensor(batch))}

    def energies(self, graph):
        with self.torch.no_grad():
            return self.model(dict(graph))[self.key.PRED_TOTAL_ENERGY].tolist()

    def runs(self, name, batch):
        structures = copies(self.atoms[name], batch)
        graph = self.graph(structures)
        return {PREBUILT: lambda: self.energies(graph),
                FROM_STRUCTURES: lambda: self.energies(self.graph(structures))}


if __name__ == "__main__":
    packages.main(Package, "compare_sevennet.py")
