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

STRUCTURES = {
    "CaTiO3": ("tests/data/golden/perovskite-CaTiO3-Pnma.extxyz", ["Ca1.x,O1.x", "Ca1.x,Ca1.z"]),
    "Sb2S3": ("tests/data/golden/sevennet/stibnite-Sb2S3.extxyz", ["Sb1.x,S3.z", "Sb1.x,Sb1.z"]),
}
PREBUILT, FROM_STRUCTURES = "graph made before", "from structures"


class Package:
    """The package and the structures that it is timed with."""

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

    def time(self, name, batch, repetitions):
        """{graph: seconds a structure}"""
        structures = copies(self.atoms[name], batch)
        graph = self.graph(structures)
        runs = {PREBUILT: lambda: self.energies(graph), FROM_STRUCTURES: lambda: self.energies(self.graph(structures))}
        times = {}
        for kind, run in runs.items():
            for _ in range(repetitions + 2):  # the first calls compile
                start = time.perf_counter()
                run()
                times[kind] = min(times.get(kind, float("inf")), (time.perf_counter() - start) / batch)
        return times


def s2dpes(options, package, name, axes, full):
    """Seconds a node of the grid: all of them are evaluated, or only the irreducible ones."""
    command = [options.point, "--model", package.checkpoint, "--structure", ROOT / STRUCTURES[name][0], "--axes", axes, "--points", options.nodes, "--tiles", 1]
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
                    what = f"{axes}, {'every node' if full else 'irreducible nodes'}"
                    enter((name, "s2dpes", what), s2dpes(options, package, name, axes, full))
            for batch in (1, 4, 16):
                for kind, seconds in package.time(name, batch, 3).items():
                    enter((name, "sevenn", f"batch of {batch}, {kind}"), seconds)
    return times


def report(times):
    rows, ratios = [], []
    for name in STRUCTURES:
        of = lambda kind: min(t for (s, p, what), t in times.items() if s == name and p == "sevenn" and what.endswith(kind))
        for (structure, program, what), seconds in times.items():
            if structure == name:
                rows.append([name, program, what, number(seconds * 1e6)])
                if program == "s2dpes":
                    ratios.append([name, what, *(f"{of(kind) / seconds:.0f}" for kind in (PREBUILT, FROM_STRUCTURES))])
    versions = ", ".join(f"{name} {v}" for name, v in installed(["sevenn", "e3nn", "torch", "numpy"]).items())
    return "\n".join([
        "# s2dpes and the package sevenn on SevenNet-0, one thread", "",
        f"- date: {datetime.datetime.now().isoformat(' ', 'minutes')}", f"- CPU: {cpu_name()}, load average {os.getloadavg()[0]:.1f}",
        "- command: `python benches/compare_sevennet.py --output benches/results/sevennet.md`", f"- versions: {versions}", "", "## Times", "",
        table(["structure", "program", "what", "us/point"], rows, 1), "",
        "The package's point is one structure. A point of s2dpes is a node of the grid: the time of the points that were evaluated over the number of nodes.",
        "", "## How many times faster s2dpes is", "", table(["structure", "s2dpes", f"sevenn, {PREBUILT}", f"sevenn, {FROM_STRUCTURES}"], ratios, 2), "",
        "Against the package's best batch; with a load average above one, other programs disturbed both. A landscape needs a new graph at every point: the last column is what it takes there.", ""])


def main():
    parser = argparse.ArgumentParser(description="compares s2dpes with the package sevenn")
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
