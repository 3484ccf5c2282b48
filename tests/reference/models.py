"""Tiny MACE models with random weights, one for each flavour: tests/data/models/*.model.gz.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python crystals.py && python models.py [NAME ...]

The weights are random, but the sizes are those of a trained model: for each layer the last weights of the radial
network are scaled until the features that enter the symmetric contraction have a root mean square of one over the
atoms of some ordinary crystals (so that every body order counts), and `scale` is set so that the interaction energies
of these atoms have a root mean square of 4 eV. Weights are then rounded to 12 significant bits, which lets gzip
halve the files (not 0b2-L0: there every bit is random). Of the seeds 0, 1, 2, ... the first is taken that gives
interaction energies below 40 eV/atom for all crystals but the squeezed ones and that lets every body order change the energies by 2 % or more.
"""
import gzip
import os
import sys
import warnings

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"        # e3nn 0.4.4 under newer torch
warnings.filterwarnings("ignore")
import io
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
from e3nn import o3
from mace import modules

import extxyz
from energies import GOLDEN, MODELS_DIR, batch_of

RESIDUAL, PLAIN = "RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock"
DENSITY_RESIDUAL, DENSITY = "RealAgnosticDensityResidualInteractionBlock", "RealAgnosticDensityInteractionBlock"
TEN = [6, 7, 8, 13, 16, 20, 22, 26, 40, 50]
L0, L1, L2 = "8x0e", "8x0e+8x1o", "8x0e+8x1o+8x2e"
MP0 = dict(first=RESIDUAL, later=RESIDUAL)
ZERO_B = dict(first=PLAIN, later=RESIDUAL, distance_transform="Agnesi", pair_repulsion=True)
ZERO_B2 = dict(first=DENSITY, later=DENSITY_RESIDUAL, distance_transform="Agnesi", pair_repulsion=True)
NARROW = [16, 16, 16]

FLAVOURS = {
    # the published families, in small
    "mp0-L0": dict(MP0, hidden=L0, r_max=6.0, num_bessel=10),
    "mp0-L1": dict(MP0, hidden=L1, r_max=6.0, num_bessel=10),
    "mp0-L2": dict(MP0, hidden=L2, r_max=4.5, num_bessel=10, radial_MLP=NARROW),
    "0b-L0": dict(ZERO_B, hidden=L0, radial_MLP=NARROW),
    "0b-L1": dict(ZERO_B, hidden=L1, r_max=6.0),
    "0b2-L0": dict(ZERO_B2, hidden=L0, radial_MLP=NARROW, rounded=False),
    "0b2-L2": dict(ZERO_B2, hidden=L2, radial_MLP=NARROW),
    "0b3-L1": dict(ZERO_B2, hidden=L1, r_max=6.0, num_bessel=10),
    # parts in other combinations
    "density-no-agnesi-no-zbl": dict(hidden=L1, first=DENSITY, later=DENSITY_RESIDUAL, radial_MLP=NARROW),
    "agnesi-no-zbl": dict(MP0, hidden=L1, distance_transform="Agnesi", radial_MLP=NARROW),
    "zbl-no-agnesi": dict(MP0, hidden=L1, pair_repulsion=True, radial_MLP=NARROW),
    "all-plain": dict(hidden=L1, first=PLAIN, later=PLAIN, radial_MLP=NARROW),
    "density-residual-first": dict(hidden=L1, first=DENSITY_RESIDUAL, later=DENSITY_RESIDUAL, radial_MLP=NARROW),
    # other sizes
    "ell-2": dict(ZERO_B2, hidden=L1, max_ell=2, radial_MLP=NARROW),
    "ell-1": dict(MP0, hidden=L1, max_ell=1, radial_MLP=NARROW),
    "correlation-2": dict(ZERO_B2, hidden=L1, correlation=2, radial_MLP=NARROW, elements=[8, 13, 20, 22]),
    "correlation-1": dict(MP0, hidden=L1, correlation=1, radial_MLP=NARROW, elements=[8, 13, 20, 22]),
    "layers-1": dict(MP0, hidden=L1, num_interactions=1, radial_MLP=NARROW),
    "layers-1-density": dict(ZERO_B2, hidden=L1, num_interactions=1, radial_MLP=NARROW),
    "layers-3": dict(MP0, hidden=L1, num_interactions=3, radial_MLP=NARROW, elements=[7, 8, 13, 22]),
    "channels-12": dict(ZERO_B2, hidden="12x0e+12x1o", radial_MLP=NARROW, elements=[8, 20, 22]),
    "heads-2": dict(ZERO_B2, hidden=L1, heads=["pbe", "r2scan"], radial_MLP=NARROW, elements=[8, 13, 20, 22]),
    "radial-16-16": dict(MP0, hidden=L1, radial_MLP=[16, 16]),
    "readout-5": dict(MP0, hidden=L1, readout="5x0e", radial_MLP=NARROW),
    "float32": dict(ZERO_B2, hidden=L1, radial_MLP=NARROW, dtype=torch.float32),
    "cutoff-6": dict(ZERO_B2, hidden=L1, num_polynomial_cutoff=6, radial_MLP=NARROW),
    "all-elements": dict(ZERO_B2, hidden="4x0e+4x1o", radial_MLP=NARROW, r_max=4.5, readout="4x0e", dtype=torch.float32,
                         elements=list(range(1, 84)) + list(range(89, 95))),
    "reduced-basis": dict(MP0, hidden=L1, use_reduced_cg=True, radial_MLP=NARROW),
}
ORDINARY = ["rutile-TiO2", "perovskite-CaTiO3-Pnma", "fcc-Al-primitive", "Sn2S3-Pnma", "wurtzite-AlN", "pyrite-FeS2",
            "rocksalt-CaO", "fluorite-ZrO2", "calcite-CaCO3-rhombohedral", "triclinic-TiO-seven-atoms"]


def build(hidden, first, later, elements=TEN, r_max=5.0, readout="16x0e", dtype=torch.float64, heads=None, seed=0, **others):
    """A ScaleShiftMACE as mace-torch initialises it, with made-up atomic energies, scale 1 and shift 0.1641."""
    torch.set_default_dtype(dtype)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    rows = len(heads) if heads else 1
    energies = rng.uniform(-8, 0, (rows, len(elements)))
    settings = dict(num_polynomial_cutoff=5, max_ell=3, num_interactions=2, correlation=3, num_bessel=8, use_reduced_cg=False)
    settings.update(others)
    return modules.ScaleShiftMACE(
        interaction_cls_first=modules.interaction_classes[first], interaction_cls=modules.interaction_classes[later],
        hidden_irreps=o3.Irreps(hidden), MLP_irreps=o3.Irreps(readout), gate=torch.nn.functional.silu, r_max=r_max,
        atomic_numbers=elements, num_elements=len(elements), avg_num_neighbors=20.25, heads=heads,
        atomic_energies=energies if heads else energies[0],
        atomic_inter_scale=[1.0] * rows if heads else 1.0, atomic_inter_shift=[0.1641, -0.2] if heads else 0.1641, **settings)


@torch.no_grad()
def to_physical_size(model, structures, interaction=4.0):
    """Scales the radial networks and `scale` as the head of this file says."""
    dtype = model.r_max.dtype
    known = set(model.atomic_numbers.tolist())
    batches = [batch_of(model, a, dtype=dtype) for a in structures if set(a.numbers) <= known]
    for interactions, product in zip(model.interactions, model.products):
        features = []
        hook = product.register_forward_pre_hook(lambda _, arguments, keyword: features.append((keyword or {}).get("node_feats", arguments[0] if arguments else None)), with_kwargs=True)
        for b in batches:
            model(b, compute_force=False)
        hook.remove()
        size = torch.cat([f.flatten() for f in features]).square().mean().sqrt()
        interactions.conv_tp_weights[-1].weight /= size
    nodes = []
    for b in batches:
        out = model(b, compute_force=False)
        zbl = model.pair_repulsion_fn(*edge_lengths(b), model.atomic_numbers) if hasattr(model, "pair_repulsion_fn") else 0.0
        e0 = model.atomic_energies_fn(b["node_attrs"])[:, 0]
        nodes.append(out["node_energy"] - e0 - model.scale_shift.shift.flatten()[0] - zbl)
    scale = interaction / torch.cat(nodes).square().mean().sqrt()
    model.scale_shift.scale *= scale
    if model.scale_shift.scale.ndim:
        model.scale_shift.scale[1:] *= 1.3


def edge_lengths(b):
    sender, receiver = b["edge_index"]
    vectors = b["positions"][receiver] - b["positions"][sender] + b["shifts"]
    return vectors.norm(dim=-1, keepdim=True), b["node_attrs"], b["edge_index"]


@torch.no_grad()
def round_weights(model, bits=12):
    for parameter in model.parameters():
        mantissa, exponent = torch.frexp(parameter)
        parameter.copy_(torch.ldexp(torch.round(mantissa * 2 ** bits) / 2 ** bits, exponent))


@torch.no_grad()
def acceptable(model, structures):
    """Sizes as the head of this file says; returns (largest interaction energy, smallest share of a body order) or None."""
    known = set(model.atomic_numbers.tolist())
    dtype = model.r_max.dtype
    batches = [batch_of(model, a, dtype=dtype) for name, a in structures.items() if set(a.numbers) <= known and "squeezed" not in name]

    def interactions():
        return torch.cat([(out["energy"] - model.atomic_energies_fn(b["node_attrs"])[:, 0].sum()).double() / len(b["positions"])
                          for b in batches for out in [model(b, compute_force=False)]])
    whole = interactions()
    shares = []
    orders = {}
    for name, parameter in model.named_parameters():
        if "weights" in name and "contractions" in name:
            orders.setdefault(name.split("weights")[1], []).append(parameter)
    for parameters in orders.values():
        kept = [p.clone() for p in parameters]
        for p in parameters:
            p.zero_()
        shares.append(float((interactions() - whole).square().mean().sqrt() / whole.square().mean().sqrt()))
        for p, k in zip(parameters, kept):
            p.copy_(k)
    largest, smallest = float(whole.abs().max()), min(shares)
    return (largest, smallest) if largest < 40 and smallest > 0.02 else None


def main():
    MODELS_DIR.mkdir(parents=True, exist_ok=True)
    structures = {path.stem: extxyz.read(path) for path in sorted(GOLDEN.glob("*.extxyz"))}
    for name in sys.argv[1:] or FLAVOURS:
        settings = dict(FLAVOURS[name])
        rounded = settings.pop("rounded", True)
        for seed in range(30):
            model = build(seed=seed, **settings).eval()
            to_physical_size(model, [structures[key] for key in ORDINARY])
            if rounded:
                round_weights(model)
            sizes = acceptable(model, structures)
            if sizes:
                break
        else:
            raise SystemExit(f"{name}: no seed gives energies of physical size")
        buffer = io.BytesIO()
        torch.save(model, buffer)
        path = MODELS_DIR / f"{name}.model.gz"
        with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
            packed.write(buffer.getvalue())
        print(f"{name:28s} {sum(p.numel() for p in model.parameters()):7d} parameters  {len(buffer.getvalue()) / 1e6:6.2f} MB  "
              f"{path.stat().st_size / 1e3:6.0f} kB packed  seed {seed}, at most {sizes[0]:.1f} eV/atom, body orders {sizes[1]:.3f} or more", flush=True)


if __name__ == "__main__":
    main()
