"""Times other programs that evaluate MACE models, on one CPU thread; prints one line of JSON.

    pip install mace-torch ase
    python peers.py mace MODEL.model STRUCTURE            energy only, float32
    pip install symmetrix-xl symmetrix-xl-cpu-avx512 matscipy ase
    python peers.py symmetrix MODEL.json STRUCTURE        energy and forces (it has no energy alone), float32
    symmetrix_extract_mace -m MODEL.model --atomic-numbers 8 20 22 -o MODEL.json     (its elements; where mace-torch is installed, too)

MODEL is any saved MACE, STRUCTURE any file that ASE reads; the cells of a batch are copies of it with atoms displaced by 0.02 A at random,
so that no two are the same. Options: --batches 1 2 4 8, --repetitions 10, --dtype float32|float64 (mace).

Times are in microseconds, process CPU time and wall time, median and minimum over the repetitions. "prebuilt" leaves out the
neighbour list and the building of the graph, "from_atoms" contains both. `best` is the batch with the smallest median CPU time an atom.
"""
import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KOKKOS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"                # e3nn 0.4.4 under newer torch
import argparse
import json
import platform
import statistics
import time
import warnings
from importlib.metadata import PackageNotFoundError, version

warnings.filterwarnings("ignore")


def copies(atoms, count, first=0):
    out = []
    for seed in range(first, first + count):
        copy = atoms.copy()
        copy.calc = None
        copy.rattle(0.02, seed=seed)
        out.append(copy)
    return out


def timed(function, repetitions, n_atoms, n_cells):
    for _ in range(3):                                              # the first calls compile and allocate
        function(0)
    cpu, wall = [], []
    for k in range(repetitions):
        start_cpu, start = time.process_time(), time.perf_counter()
        function(k + 1)
        cpu.append(time.process_time() - start_cpu)
        wall.append(time.perf_counter() - start)
    total = n_atoms * n_cells
    out = {}
    for name, values in (("cpu", cpu), ("wall", wall)):
        for kind, value in (("median", statistics.median(values)), ("min", min(values))):
            out[f"{name}_{kind}_us_per_atom"] = round(value / total * 1e6, 2)
            out[f"{name}_{kind}_us_per_cell"] = round(value / n_cells * 1e6, 1)
    return out


def mace(options, atoms):
    import torch
    torch.set_num_threads(1)
    from mace import data
    from mace.tools import torch_geometric, utils
    dtype = getattr(torch, options.dtype)
    torch.set_default_dtype(dtype)
    model = torch.load(options.model, map_location="cpu", weights_only=False).to(dtype).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    table = utils.AtomicNumberTable([int(z) for z in model.atomic_numbers])
    heads = getattr(model, "heads", None) or ["Default"]
    cutoff = float(model.r_max)

    def graph(cells):
        data_list = [data.AtomicData.from_config(data.config_from_atoms(a, head_name=heads[0]), z_table=table, cutoff=cutoff, heads=heads) for a in cells]
        return next(iter(torch_geometric.dataloader.DataLoader(data_list, batch_size=len(cells), shuffle=False))).to_dict()

    def energy(batch):
        with torch.no_grad():
            return model(dict(batch), compute_force=False)["energy"]

    rows = []
    for count in options.batches:
        cells = copies(atoms, count)
        prebuilt = graph(cells)
        common = {"batch": count, "edges": int(prebuilt["edge_index"].shape[1])}
        rows.append(dict(common, graph="prebuilt", **timed(lambda k: energy(prebuilt), options.repetitions, len(atoms), count)))
        rows.append(dict(common, graph="from_atoms", **timed(lambda k: energy(graph(cells)), options.repetitions, len(atoms), count)))
    first = float(energy(graph(copies(atoms, 1)))[0])
    return {"program": "mace-torch", "computes": "energy", "dtype": options.dtype, "energy_of_first_cell_eV": first, "rows": rows}


def symmetrix(options, atoms):
    import numpy as np
    cache = os.environ.setdefault("SYMMETRIX_JIT_CACHE", os.path.join(os.getcwd(), "symmetrix-jit"))
    os.makedirs(cache, exist_ok=True)
    os.chmod(cache, 0o700)
    from matscipy.neighbours import neighbour_list
    from symmetrix import Symmetrix
    calculator = Symmetrix(options.model, dtype="float32", neighbor_skin=0.0, execution_profile="speed")
    one = copies(atoms, 1)[0]
    one.calc = calculator
    first = one.get_potential_energy()
    evaluator = calculator.evaluator
    elements = list(evaluator.atomic_numbers)
    cutoff = float(json.load(open(options.model))["r_cut"])

    def edges(cells):
        columns, offset = [], 0
        for cell in cells:
            i, j, d, vectors = neighbour_list("ijdD", cell, cutoff)
            order = np.argsort(i, kind="stable")
            i, j, d, vectors = i[order], j[order], d[order], vectors[order]
            types = np.array([elements.index(z) for z in cell.numbers], np.int32)
            columns.append((types, np.bincount(i, minlength=len(cell)), j + offset, types[j], vectors.ravel(), d))
            offset += len(cell)
        types, counts, senders, sender_types, vectors, distances = [np.concatenate(c) for c in zip(*columns)]
        graph = evaluator._prepare_factorized_graph(offset, types, counts.astype(np.int32), senders.astype(np.int32), sender_types.astype(np.int32))
        return graph, np.ascontiguousarray(vectors), np.ascontiguousarray(distances)

    def ase_energy(cell):
        cell = cell.copy()
        cell.calc = calculator
        return cell.get_potential_energy()

    rows = []
    for count in options.batches:
        cells = copies(atoms, count)
        prebuilt = edges(cells)
        common = {"batch": count, "edges": len(prebuilt[2])}
        rows.append(dict(common, graph="prebuilt", **timed(lambda k: evaluator._compute_prepared_factorized(*prebuilt), options.repetitions, len(atoms), count)))
        sums = float(np.sum(np.asarray(evaluator.node_energies)[:len(atoms)], dtype=np.float64))
        assert abs(sums - first) < 1e-3 * max(1, abs(first)), (sums, first)
        rows.append(dict(common, graph="from_atoms", **timed(lambda k: evaluator._compute_prepared_factorized(*edges(cells)), options.repetitions, len(atoms), count)))
        if count == 1:
            moved = copies(atoms, options.repetitions + 1, 100)
            rows.append(dict(common, graph="ase_calculator", **timed(lambda k: ase_energy(moved[k]), options.repetitions, len(atoms), 1)))
    return {"program": "symmetrix-xl", "computes": "energy and forces", "dtype": "float32", "energy_of_first_cell_eV": first, "rows": rows}


def cpu_name():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def installed(names):
    out = {}
    for name in names:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            pass
    return out


def main():
    parser = argparse.ArgumentParser(description="times other programs that evaluate MACE models")
    parser.add_argument("program", choices=["mace", "symmetrix"])
    parser.add_argument("model")
    parser.add_argument("structure")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    options = parser.parse_args()
    from ase.io import read
    atoms = read(options.structure)
    result = (mace if options.program == "mace" else symmetrix)(options, atoms)
    rows = result.pop("rows")
    best = {graph: min((r for r in rows if r["graph"] == graph), key=lambda r: r["cpu_median_us_per_atom"]) for graph in dict.fromkeys(r["graph"] for r in rows)}
    print(json.dumps(dict(result, model=os.path.basename(options.model), structure=os.path.basename(options.structure), n_atoms=len(atoms), threads=1, cpu=cpu_name(),
                          load_average=round(os.getloadavg()[0], 2), versions=installed(["mace-torch", "torch", "e3nn", "symmetrix-xl", "symmetrix-xl-cpu-avx512", "ase", "numpy"]),
                          repetitions=options.repetitions, best=best, rows=rows)))


if __name__ == "__main__":
    main()
