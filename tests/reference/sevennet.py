"""Checkpoints with random weights in the format of sevenn, and energies that sevenn gives for them and for SevenNet-0.

    python -m venv venv && . venv/bin/activate && pip install -r requirements-sevennet.txt
    python sevennet.py

It writes tests/data/models/sevennet/*.pth.gz, tests/data/golden/sevennet/*.extxyz (quartz, its mirror image, and two more),
tests/data/golden/sevennet/energies.json, and landscapes.json beside it. One record for each (model, structure) whose elements the
model knows: `energy_eV` in float64, `node_energies_eV` the same atom by atom, `energy_float32_eV` as most people run it; and one for
each (model, landscape), in float64. In float64 the couplings (3j) are not rounded to float32, as they are in the file; that changes
energies by 3e-9 eV at most.

The weights of SevenNet-0 (11 July 2024) are part of the package sevenn and under its licence (GPL-3.0): they are not in
this repository, only energies that they give. Random weights have the names, shapes and settings of that file; the couplings
of `odd-signs` have the signs that they have there, and which differ from those of today's e3nn.
"""
import gzip
import io
import json
import pathlib

import numpy as np
import torch
from ase import Atoms
from ase.spacegroup import crystal
from e3nn import o3

import extxyz
import landscapes
import sevenn
import sevenn._const
import sevenn._keys as KEY
import sevenn.util
from sevenn.model_build import build_E3_equivariant_model
from sevenn.nn.node_embedding import get_type_mapper_from_specie

DATA = pathlib.Path(__file__).parent.parent / "data"
GOLDEN = DATA / "golden" / "sevennet"
MODELS = DATA / "models" / "sevennet"
ELEMENTS = ["H", "C", "N", "O", "Al", "Si", "S", "Ca", "Ti", "Fe", "Zr", "Sn"]
ODD = [(1, 2, 2), (2, 1, 2), (2, 2, 1)]

XPLOR = {"cutoff_function_name": "XPLOR", "cutoff_on": 4.5}
SEVENNET_0 = dict(irreps_manual=["24x0e"] + ["24x0e+12x1e+8x2e"] * 2 + ["24x0e"], lmax=2, num_convolution_layer=3, cutoff=5.0,
                  cutoff_function=XPLOR, weight_nn_hidden_neurons=[16, 16])
FLAVOURS = {
    "small": SEVENNET_0,
    "odd-signs": SEVENNET_0,
    "poly-cut": dict(irreps_manual=False, channel=8, lmax=1, num_convolution_layer=2, cutoff=4.5, weight_nn_hidden_neurons=[12],
                     cutoff_function={"cutoff_function_name": "poly_cut", "poly_cut_p_value": 5}),
    "degree-3": dict(irreps_manual=False, channel=8, lmax=2, lmax_edge=3, num_convolution_layer=3, cutoff=4.0,
                     cutoff_function={"cutoff_function_name": "XPLOR", "cutoff_on": 3.2}, weight_nn_hidden_neurons=[16, 16]),
    "one-layer": dict(irreps_manual=False, channel=16, lmax=1, num_convolution_layer=1, cutoff=5.0, cutoff_function=XPLOR,
                      weight_nn_hidden_neurons=[8]),
    "uneven": dict(irreps_manual=["16x0e", "12x0e+20x1e", "24x0e+4x1e+6x2e", "10x0e"], lmax=2, num_convolution_layer=3, cutoff=5.0,
                   cutoff_function=XPLOR, weight_nn_hidden_neurons=[16]),
}


def config(settings):
    """All settings of a model that sevenn needs, as it writes them."""
    defaults = {k: v for k, v in sevenn._const.DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG.items() if not k.startswith("readout_fcn")}
    types = get_type_mapper_from_specie(ELEMENTS)
    own = dict(is_parity=False, self_connection_type="linear", radial_basis={"radial_basis_name": "bessel", "bessel_basis_num": 8},
               conv_denominator=[6.0] * settings["num_convolution_layer"], shift=[-3.0 - 0.25 * k for k in range(len(types))],
               scale=[1.0 + 0.0625 * k for k in range(len(types))], version="0.10.1", _model_type="E3_equivariant_model", dtype="single")
    return {**defaults, **own, **settings, "_number_of_species": len(types), "_type_map": types, "chemical_species": sorted(ELEMENTS)}


@torch.no_grad()
def random_model(name, seed):
    torch.manual_seed(seed)
    settings = config(FLAVOURS[name])
    model = build_E3_equivariant_model(dict(settings))
    for key, value in model.named_parameters():
        if "coeffs" in key:
            value += torch.linspace(0.3, -0.2, len(value))
        # Fewer digits take less room in the packed file.
        mantissa, exponent = torch.frexp(value)
        value.copy_(torch.ldexp(torch.round(mantissa * 2 ** 10) / 2 ** 10, exponent))
    if name == "odd-signs":
        for key, value in model.named_buffers():
            if any("_w3j_%d_%d_%d" % degrees in key for degrees in ODD):
                value.neg_()
    buffer = io.BytesIO()
    torch.save({"model_state_dict": model.state_dict(), "optimizer_state_dict": {}, "config": settings, "epoch": seed}, buffer)
    return buffer.getvalue()


def load(source):
    """The model of a file, without forces."""
    model, settings = sevenn.util.model_from_checkpoint(torch.load(source, map_location="cpu", weights_only=False))
    model.delete_module_by_key("force_output")
    model.set_is_batch_data(False)
    return model.eval(), settings


@torch.no_grad()
def to_double(model):
    """In float64, with couplings as exact as e3nn computes them and the signs of the file."""
    model.double()

    def cast(module, arguments, data):
        for key in (KEY.NODE_FEATURE, KEY.NODE_ATTR):
            data[key] = data[key].double()
        return data
    model._modules["onehot_idx_to_onehot"].register_forward_hook(cast)
    for key, value in model.named_buffers():
        if "_w3j_" in key:
            exact = o3.wigner_3j(*map(int, key.split("_w3j_")[1].split("_")), dtype=torch.float64)
            value.copy_(exact * torch.sign((exact * value).sum()))


def evaluate(model, settings, atoms, dtype):
    graph = sevenn.util.unlabeled_atoms_to_input(atoms, settings["cutoff"])
    for key, value in graph.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            graph[key] = value.detach().to(dtype)
    vectors(graph, atoms, dtype)
    with torch.no_grad():
        out = model(graph)
    return out[KEY.ATOMIC_ENERGY].double().flatten().numpy()


def vectors(graph, atoms, dtype):
    """Edge vectors in float64 from positions and cells."""
    first, second = graph[KEY.EDGE_IDX].numpy()
    shifts = np.asarray(graph[KEY.CELL_SHIFT], float)
    v = atoms.positions[second] - atoms.positions[first] + shifts @ atoms.cell.array
    graph[KEY.EDGE_VEC] = torch.tensor(v, dtype=dtype)
    graph[KEY.EDGE_LENGTH] = graph[KEY.EDGE_VEC].norm(dim=-1)


def structures():
    made = {"quartz": crystal(["Si", "O"], [(.4697, 0, 2 / 3), (.4135, .2669, .1191 + 2 / 3)], spacegroup=154, cellpar=[4.9137, 4.9137, 5.4047, 90, 90, 120])}
    mirror = made["quartz"].copy()
    mirror.set_cell(mirror.cell.array * [-1, 1, 1])
    mirror.positions *= [-1, 1, 1]
    made["quartz-mirror-image"] = mirror
    positions = [(.0293, .25, .6739), (.3505, .25, .4640), (.0497, .25, .1301), (.3750, .25, .0614), (.2079, .25, .8083)]
    made["stibnite-Sb2S3"] = crystal(["Sb", "Sb", "S", "S", "S"], positions, spacegroup=62, cellpar=[11.311, 3.836, 11.229, 90, 90, 90])
    made["isolated-Fe-beside-H2"] = Atoms("FeHH", positions=[[0, 0, 0], [9, 9, 9], [9, 9, 9.74]], cell=np.eye(3) * 18, pbc=True)
    for name, atoms in made.items():
        bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=True)
        extxyz.write(GOLDEN / f"{name}.extxyz", bare)
    paths = sorted((DATA / "golden").glob("*.extxyz")) + sorted(GOLDEN.glob("*.extxyz"))
    return {str(p.relative_to(DATA / "golden").with_suffix("")): extxyz.read(p) for p in paths}


def surfaces_of(name, model, settings):
    """Landscapes whose elements the model knows."""
    def energy(atoms):
        return float(evaluate(model, settings, atoms, torch.float64).mean())
    known = [k for k in landscapes.LANDSCAPES if landscapes.elements(k) <= set(settings["_type_map"])]
    return [{"model": name, **landscapes.landscape(k, energy)} for k in known]


def write(name, rows):
    (GOLDEN / name).write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main():
    torch.set_num_threads(1)
    MODELS.mkdir(parents=True, exist_ok=True)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    sources = {}
    for seed, name in enumerate(FLAVOURS):
        sources[name] = random_model(name, 0 if name == "odd-signs" else seed)
        with open(MODELS / f"{name}.pth.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
            packed.write(sources[name])
    sources["SevenNet-0"] = pathlib.Path(sevenn._const.SEVENNET_0_11July2024).read_bytes()
    crystals = structures()
    records, surfaces = [], []
    for name, source in sources.items():
        single, settings = load(io.BytesIO(source))
        double, _ = load(io.BytesIO(source))
        to_double(double)
        for key, atoms in crystals.items():
            if not set(map(int, atoms.numbers)) <= set(settings["_type_map"]):
                continue
            if len(sevenn.util.unlabeled_atoms_to_input(atoms, settings["cutoff"])[KEY.EDGE_IDX][0]) == 0:
                continue  # the package fails without edges
            nodes = evaluate(double, settings, atoms, torch.float64)
            records.append({"model": name, "structure": key, "n_atoms": len(atoms), "energy_eV": float(nodes.sum()), "node_energies_eV": nodes.tolist(),
                            "energy_float32_eV": float(evaluate(single, settings, atoms, torch.float32).sum())})
        surfaces += surfaces_of(name, double, settings)
        print(name, len(records), records[-1]["energy_eV"], flush=True)
    write("energies.json", records)
    write("landscapes.json", surfaces)


if __name__ == "__main__":
    main()
