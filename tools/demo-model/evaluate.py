"""How good the demonstration model is, and a picture of its landscape beside CHGNet's.

    python evaluate.py MODEL test.extxyz            errors against CHGNet 0.3.0 on held-out frames, by kind
    python evaluate.py MODEL --landscape OUT.png    the first W orbit of W2N3 moved over its period in x and z, 48 x 48 points
    python evaluate.py MODEL --other OUT.png        x of the first against x of the second W orbit

MODEL is a file of mace_run_train (a whole model, not yet shrunk).
"""
import sys
import warnings

warnings.filterwarnings("ignore")
from pathlib import Path

import numpy as np
import torch
from ase.io import read
from mace import data
from mace.tools import torch_geometric, utils

from generate import XZ, pnma, ratio

torch.set_num_threads(1)
POINTS = 48


class Mace:
    def __init__(self, model):
        self.model = model.double().eval()
        self.table = utils.AtomicNumberTable([int(z) for z in model.atomic_numbers])

    def __call__(self, frames, forces=False, size=16):
        """Energies in eV per atom and, if wanted, forces in eV/A."""
        torch.set_default_dtype(torch.float64)
        energies, all_forces = [], []
        for k in range(0, len(frames), size):
            graphs = [data.AtomicData.from_config(data.config_from_atoms(a), z_table=self.table, cutoff=float(self.model.r_max)) for a in frames[k:k + size]]
            batch = next(iter(torch_geometric.dataloader.DataLoader(graphs, batch_size=len(graphs), shuffle=False)))
            out = self.model(batch.to_dict(), compute_force=forces)
            energies += (out["energy"].detach().numpy() / [len(a) for a in frames[k:k + size]]).tolist()
            if forces:
                all_forces += np.split(out["forces"].detach().numpy(), np.cumsum([len(a) for a in frames[k:k + size]])[:-1])
        return np.array(energies), all_forces


def rms(x):
    return float(np.sqrt(np.mean(np.concatenate([np.ravel(v) for v in x]) ** 2))) if len(x) else float("nan")


def table(mace, path):
    frames = read(path, ":")
    energies, forces = mace(frames, forces=True)
    error = energies - [a.info["REF_energy"] / len(a) for a in frames]
    force_error = [f - a.arrays["REF_forces"] for f, a in zip(forces, frames)]
    kinds = np.array([a.info["config_type"] for a in frames])
    print("| frames | number | energy RMSE (meV/atom) | mean abs. | force RMSE (meV/A) | CHGNet force RMS |")
    print("| --- | --- | --- | --- | --- | --- |")
    open_kinds = ["land1", "land2", "loose", "near", "binary"]
    for name, members in [("all outside the mask", open_kinds), ("landscape points outside the mask", ["land1", "land2"])] + [(k, [k]) for k in open_kinds + ["shell"]]:
        pick = [k for k in range(len(frames)) if kinds[k] in members]
        print(f"| {name} | {len(pick)} | {1e3 * rms([error[k] for k in pick]):.1f} | {1e3 * np.mean(np.abs(error[pick])):.1f} | "
              f"{1e3 * rms([force_error[k] for k in pick]):.0f} | {1e3 * rms([frames[k].arrays['REF_forces'] for k in pick]):.0f} |")


def grid(which):
    line = np.arange(POINTS) / POINTS
    frames = []
    for u in line:
        for v in line:
            xz = XZ.copy()
            if which == "landscape":
                xz[3] = u, v
            else:
                xz[3, 0], xz[4, 0] = u, v
            frames.append(pnma(xz))
    return line, frames


def chgnet_energies(frames, cache):
    if Path(cache).exists():
        return np.load(cache)
    from chgnet.model import CHGNet
    from pymatgen.io.ase import AseAtomsAdaptor
    torch.set_default_dtype(torch.float32)
    chgnet = CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False)
    energies = np.array([float(chgnet.predict_structure(AseAtomsAdaptor.get_structure(a), task="e")["e"]) if ratio(a) > 0.02 else np.nan for a in frames])
    np.save(cache, energies)
    return energies


def picture(mace, which, out):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    line, frames = grid(which)
    ratios = np.array([ratio(a) for a in frames]).reshape(POINTS, POINTS)
    ours = mace(frames)[0].reshape(POINTS, POINTS)
    theirs = chgnet_energies(frames, f"chgnet-{which}.npy").reshape(POINTS, POINTS)
    reference = pnma(XZ)
    ours_at, theirs_at = mace([reference])[0][0], chgnet_energies([reference], "chgnet-reference.npy")[0]
    allowed = ratios >= 1
    difference = (ours - theirs)[allowed]
    print(f"{which}: {allowed.sum()} of {allowed.size} points outside the mask, energy RMSE {1e3 * rms([difference]):.1f} meV/atom, largest {1e3 * np.abs(difference).max():.0f}, "
          f"range there {np.ptp(theirs[allowed]):.2f} eV/atom; at the reference {1e3 * (ours_at - theirs_at):+.1f} meV/atom")
    print(f"lowest point outside the mask {ours[allowed].min() - ours_at:+.3f} (CHGNet {theirs[allowed].min() - theirs_at:+.3f}) eV/atom from the reference")
    for low, high in [(0, .2), (.2, .4), (.4, .6), (.6, .7), (.7, .8), (.8, .9), (.9, 1)]:
        band = (ratios >= low) & (ratios < high) & np.isfinite(ours)
        if band.any():
            print(f"  inside, shortest distance {low:.1f} .. {high:.1f} of the mask: {ours[band].min() - ours_at:8.2f} .. {ours[band].max() - ours_at:8.2f} eV/atom over the reference"
                  f"   (CHGNet {np.nanmin(theirs[band]) - theirs_at:6.2f} .. {np.nanmax(theirs[band]) - theirs_at:6.2f})")
    closed = np.append(line, 1)
    wrapped = lambda x: np.pad(x, ((0, 1), (0, 1)), mode="wrap").T
    names = ["x of W1", "z of W1"] if which == "landscape" else ["x of W1", "x of W2"]
    star = (XZ[3] if which == "landscape" else XZ[[3, 4], [0, 0]]) % 1
    fig, axes = plt.subplots(2, 2, figsize=(13, 12.5), constrained_layout=True)
    for row, (top, steps) in enumerate([(3.0, 31), (15.0, 31)]):
        levels = np.linspace(0, top, steps)
        for axis, values, at, name in zip(axes[row], (theirs, ours), (theirs_at, ours_at), ("CHGNet 0.3.0", "demo-wn")):
            shown = np.nan_to_num(values - at, nan=top)
            filled = axis.contourf(closed, closed, wrapped(shown), levels, cmap="viridis", extend="both")
            axis.contour(closed, closed, wrapped(shown), levels[::2], colors="k", linewidths=.3)
            if row == 0:
                axis.contourf(closed, closed, wrapped(ratios), [0, 1], colors="none", hatches=["///"])
            axis.contour(closed, closed, wrapped(ratios), [1], colors="w", linewidths=1.5)
            axis.plot(*star, "r*", markersize=14)
            axis.set(title=f"{name}, energy over the reference (eV/atom)", xlabel=names[0], ylabel=names[1], aspect="equal")
        fig.colorbar(filled, ax=axes[row], shrink=.8)
    fig.savefig(out, dpi=75)


if __name__ == "__main__":
    model = Mace(torch.load(sys.argv[1], map_location="cpu", weights_only=False))
    if sys.argv[2].startswith("--"):
        picture(model, sys.argv[2][2:], sys.argv[3])
    else:
        table(model, sys.argv[2])
