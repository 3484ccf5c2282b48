"""Times other programs that evaluate potentials on a GPU, as benches/peers.py does on one CPU thread.

    python peers.py OUTPUT.jsonl PROGRAM MODEL STRUCTURE ...

PROGRAM is mace (mace-torch with e3nn, energy only), cuequivariance (the same with cuEquivariance's kernels),
symmetrix (symmetrix-xl, energy and forces, MODEL is its JSON), chgnet (the package's own model, energy only, MODEL is
its name) or sevenn (likewise). Appends a line of JSON for each structure and prints a
Markdown table of the best batches. float32; all copies of a structure are rattled differently; wall times with the GPU
idle at their end.
"""
import argparse
import ctypes
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "benches"))
import peers

BATCHES = [1, 16, 64, 256]
REPETITIONS = 3
plain_timed = peers.timed


def timed(function, *rest):
    """Times of calls that end when the GPU has done all it was asked for."""
    driver = ctypes.CDLL("libcuda.so.1")

    def complete(k):
        function(k)
        if driver.cuCtxSynchronize() != 0:
            raise RuntimeError("the GPU cannot be waited for")

    return plain_timed(complete, *rest)


def mace(path, accelerate):
    """Of an ASE structure, the rows of all batches that fit into memory."""
    import torch
    from mace import data
    from mace.tools import torch_geometric, utils
    torch.set_default_dtype(torch.float32)
    # e3nn's compiled parts come to the CPU whatever map_location says.
    model = torch.load(path, map_location="cuda", weights_only=False).float().to("cuda").eval()
    if accelerate:
        from mace.cli.convert_e3nn_cueq import run as convert
        model = convert(model, device="cuda").float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    table = utils.AtomicNumberTable([int(z) for z in model.atomic_numbers])
    heads = getattr(model, "heads", None) or ["Default"]

    def graph(cells):
        configurations = [data.config_from_atoms(cell, head_name=heads[0]) for cell in cells]
        graphs = [data.AtomicData.from_config(c, z_table=table, cutoff=float(model.r_max), heads=heads)
                  for c in configurations]
        loader = torch_geometric.dataloader.DataLoader(graphs, batch_size=len(cells), shuffle=False)
        return next(iter(loader)).to("cuda").to_dict()

    def energy(batch):
        with torch.no_grad():
            return model(dict(batch), compute_force=False)["energy"]

    return batches(graph, energy)


def batches(graph, energy):
    """Of an ASE structure, the rows of all batches that fit into memory, their graphs made before."""
    import torch

    def rows(atoms):
        out = []
        for count in BATCHES:
            try:
                batch = graph(peers.copies(atoms, count))
                times = timed(lambda k: energy(batch), REPETITIONS, len(atoms), count)
            except torch.cuda.OutOfMemoryError:
                break
            out.append({"batch": count, "graph": "prebuilt", **times})
        return out

    return rows


def chgnet(name):
    import torch
    from chgnet.graph import CrystalGraphConverter
    from chgnet.model import CHGNet
    from pymatgen.core import Structure
    model, convert = CHGNet.load(model_name=name, use_device="cuda", verbose=False).eval(), CrystalGraphConverter()

    def graph(cells):
        structure = lambda a: Structure(a.cell.array, a.numbers, a.positions, coords_are_cartesian=True)
        return [convert(structure(cell)).to("cuda") for cell in cells]

    def energy(graphs):
        with torch.no_grad():
            return model(graphs, task="e")["e"]

    return batches(graph, energy)


def sevenn(name):
    import sevenn._keys as KEY
    import sevenn.util
    import torch
    model, settings = sevenn.util.model_from_checkpoint(sevenn.util.pretrained_name_to_path(name))
    model.delete_module_by_key("force_output")
    model = model.to("cuda").eval()
    model.set_is_batch_data(True)

    def graph(cells):
        edges, vectors, first = [], [], 0
        for cell in cells:
            own = sevenn.util.unlabeled_atoms_to_input(cell, settings["cutoff"])
            edges.append(own[KEY.EDGE_IDX] + first)
            vectors.append(own[KEY.EDGE_VEC].detach())
            first += len(cell)
        counts = torch.tensor([len(cell) for cell in cells])
        vectors = torch.cat(vectors)
        out = {KEY.ATOMIC_NUMBERS: torch.tensor([int(z) for cell in cells for z in cell.numbers]),
               KEY.EDGE_IDX: torch.cat(edges, 1), KEY.EDGE_VEC: vectors, KEY.EDGE_LENGTH: vectors.norm(dim=-1),
               KEY.BATCH: torch.repeat_interleave(torch.arange(len(cells)), counts), KEY.NUM_ATOMS: counts}
        return {key: value.to("cuda") for key, value in out.items()}

    def energy(batch):
        with torch.no_grad():
            return model(dict(batch))[KEY.PRED_TOTAL_ENERGY]

    return batches(graph, energy)


def symmetrix(path):
    peers.timed = timed

    def rows(atoms):
        options = argparse.Namespace(model=path, batches=BATCHES, repetitions=REPETITIONS)
        return peers.symmetrix(options, atoms)["rows"]

    return rows


def main():
    output, program, path, *structures = sys.argv[1:]
    from ase.io import read
    known = {"mace": lambda p: mace(p, False), "cuequivariance": lambda p: mace(p, True), "symmetrix": symmetrix,
             "chgnet": chgnet, "sevenn": sevenn}
    rows_of = known[program](path)
    print("Microseconds of wall time a structure at the best batch.\n")
    print("| program | model | structure | batch | us |\n| --- | --- | --- | ---: | ---: |")
    for structure in structures:
        # ASE takes whatever has POSCAR in its name for one.
        atoms = read(structure, format="extxyz" if structure.endswith(".extxyz") else None)
        rows = rows_of(atoms)
        prebuilt = [row for row in rows if row["graph"] == "prebuilt"]
        if not prebuilt:
            sys.exit(f"{program} has no memory for a single {structure}.")
        best = min(prebuilt, key=lambda row: row["wall_median_us_per_cell"])
        names = [program, Path(path).stem, Path(structure).stem]
        with open(output, "a") as file:
            versions = peers.installed(["mace-torch", "torch", "cuequivariance-torch", "symmetrix-xl", "chgnet", "sevenn"])
            file.write(json.dumps({"program": program, "model": names[1], "structure": names[2], "atoms": len(atoms),
                                   "versions": versions, "best": best, "rows": rows}) + "\n")
        print(f"| {' | '.join(names)} | {best['batch']} | {best['wall_median_us_per_cell']} |", flush=True)


if __name__ == "__main__":
    main()
