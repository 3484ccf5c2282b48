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
import argparse
import datetime
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
sys.dont_write_bytecode = True
import binary
from compare import ROOT, number, table
from peers import copies, cpu_name, installed

MODEL = "embedded:chgnet-0.3.0"
STRUCTURES = {
    "CaTiO3": ("tests/data/golden/perovskite-CaTiO3-Pnma.extxyz", ["Ca1.x,O1.x", "Ca1.x,Ca1.z"]),
    "Sn2S3": ("tests/data/golden/Sn2S3-Pnma.extxyz", ["Sn1.x,S3.z", "Sn1.x,Sn1.z"]),
}
PREBUILT, FROM_STRUCTURES = "graph made before", "from structures"


class Package:
    """The package and the structures that it is timed with."""

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

    def time(self, name, batch, repetitions):
        """{graph: seconds a structure}"""
        structures = [self.structure(atoms) for atoms in copies(self.atoms[name], batch)]
        graphs = [self.convert(structure) for structure in structures]
        runs = {PREBUILT: lambda: self.energies(graphs), FROM_STRUCTURES: lambda: self.energies([self.convert(s) for s in structures])}
        times = {}
        for graph, run in runs.items():
            for _ in range(repetitions + 1):
                start = time.perf_counter()
                run()
                times[graph] = min(times.get(graph, float("inf")), (time.perf_counter() - start) / batch)
        return times


def s2dpes(options, name, axes, full):
    """Seconds a node of the grid: all of them are evaluated, or only the irreducible ones."""
    command = [options.point, "--model", MODEL, "--structure", ROOT / STRUCTURES[name][0], "--axes", axes, "--points", options.nodes, "--tiles", 1]
    done = subprocess.run([str(word) for word in command + ["--repetitions", options.repetitions] + ["--full"] * full], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    share = 1 if full else answer["evaluated_points"] / answer["nodes"]
    return answer["min_us_per_point"] * 1e-6 * share


def measure(package, options):
    """{(structure, program, what): seconds}"""
    times = {}

    def enter(key, seconds):
        times[key] = min(times.get(key, float("inf")), seconds)

    for _ in range(options.rounds):
        for name, (_, planes) in STRUCTURES.items():
            for axes in planes:
                for full in (True, False):
                    enter((name, "s2dpes", f"{axes}, {'every node' if full else 'irreducible nodes'}"), s2dpes(options, name, axes, full))
            for batch in (1, 4, 16):
                for graph, seconds in package.time(name, batch, 3).items():
                    enter((name, "chgnet", f"batch of {batch}, {graph}"), seconds)
    return times


def report(times):
    rows, ratios = [], []
    for name in STRUCTURES:
        of = lambda graph: min(t for (s, p, what), t in times.items() if s == name and p == "chgnet" and what.endswith(graph))
        for (structure, program, what), seconds in times.items():
            if structure == name:
                rows.append([name, program, what, number(seconds * 1e6)])
                if program == "s2dpes":
                    ratios.append([name, what, *(f"{of(graph) / seconds:.0f}" for graph in (PREBUILT, FROM_STRUCTURES))])
    versions = ", ".join(f"{name} {v}" for name, v in installed(["chgnet", "torch", "numpy"]).items())
    return "\n".join([
        "# s2dpes and the package chgnet on one thread", "",
        f"- date: {datetime.datetime.now().isoformat(' ', 'minutes')}", f"- CPU: {cpu_name()}, load average {os.getloadavg()[0]:.1f}",
        "- command: `python benches/compare_chgnet.py --output benches/results/chgnet.md`", f"- versions: {versions}", "", "## Times", "",
        table(["structure", "program", "what", "us/point"], rows, 1), "",
        "The package's point is one structure. A point of s2dpes is a node of the grid: the time of the points that were evaluated over the number of nodes.",
        "", "## How many times faster s2dpes is", "", table(["structure", "s2dpes", f"chgnet, {PREBUILT}", f"chgnet, {FROM_STRUCTURES}"], ratios, 2), "",
        "Against the package's best batch; with a load average above one, other programs disturbed both. A landscape needs a new graph at every point: the last column is what it takes there.", ""])


def main():
    parser = argparse.ArgumentParser(description="compares s2dpes with the package chgnet")
    binary.add_option(parser)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=5, help="of a round")
    parser.add_argument("--nodes", type=int, default=24, help="along each axis of the landscapes")
    options = parser.parse_args()
    options.point = binary.point(options, parser)
    text = report(measure(Package(), options))
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
