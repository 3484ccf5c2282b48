"""Structures of W and N, labelled by CHGNet 0.3.0, for training and judging the demonstration model.

    pip install -r requirements.txt
    python generate.py train 1600 1     ->  train.extxyz    (name, number of frames, seed)
    python generate.py valid  120 2     ->  valid.extxyz
    python generate.py test   400 3     ->  test.extxyz

Every frame has REF_energy (eV, the whole cell), REF_forces (eV/A), config_type (how it was made) and
config_weight (its weight in the loss). W2N3_chgnet.extxyz (Pnma, five orbits on 4c, four atoms each in
file order) is the only input besides the CHGNet package; nothing is downloaded.

How the frames are made ("open" = no pair inside the distance mask, ratio = shortest distance over its mask):
    land1     one orbit anywhere in its period, x and z, symmetry kept, open
    land2     two orbits moved in x, z or both, symmetry kept, open
    loose     land1 or land2, then rattled and strained, open
    near      the reference strained and rattled, open
    binary    four WN and WN2 prototypes, strained and rattled, open
    shell     land1 or land2 just inside the mask, 0.70 <= ratio < 1
"""
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
from ase import Atoms
from ase.io import read, write
from ase.spacegroup import crystal

torch.set_num_threads(1)
HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
# 0.75 (r_i + r_j), r the Wigner-Seitz radii of the PAW potentials: N 0.741, W 1.455 A
MASK = {(7, 7): 1.1115, (7, 74): 1.647, (74, 74): 2.1825}
SHELL = 0.70                    # frames with a smaller ratio are never made: CHGNet has false wells there
HIGHEST_ENERGY = -3.0           # eV/atom; the reference has -10.50
LARGEST_FORCE = 60.0            # eV/A
SHARES = {"land1": 0.26, "land2": 0.18, "loose": 0.17, "near": 0.12, "binary": 0.09, "shell": 0.18}

reference = read(f"{HERE}/W2N3_chgnet.extxyz")
CELL = reference.cell.array
XZ = reference.get_scaled_positions(wrap=False)[::4][:, [0, 2]]         # one atom an orbit, y = 1/4
NUMBERS = np.repeat([7, 7, 7, 74, 74], 4)


def pnma(xz, cell=CELL):
    """The crystal with the five orbits (x, 1/4, z) on 4c of Pnma; the atom order of the reference file."""
    sites = [site for x, z in xz for site in
             ((x, .25, z), (-x, .75, -z), (.5 - x, .75, .5 + z), (.5 + x, .25, .5 - z))]
    return Atoms(numbers=NUMBERS, scaled_positions=sites, cell=cell, pbc=True)


IMAGES = np.stack(np.meshgrid(*[[-2, -1, 0, 1, 2]] * 3, indexing="ij"), -1).reshape(-1, 3)


def ratio(atoms):
    """Shortest distance in units of its mask, periodic images included (these cells are never skewed)."""
    fractional = atoms.get_scaled_positions(wrap=False)
    difference = fractional[:, None] - fractional[None]
    difference -= np.round(difference)
    distance = np.linalg.norm((difference[:, :, None] + IMAGES) @ atoms.cell.array, axis=-1)
    own = np.arange(len(atoms))
    distance[own, own, len(IMAGES) // 2] = np.inf
    z = atoms.numbers
    mask = np.array([[MASK[min(p, q), max(p, q)] for q in z] for p in z])
    return float((distance.min(-1) / mask).min())


def moved(rng, orbits):
    """One orbit (a W orbit twice as often as an N orbit) or two, moved anywhere in their periods."""
    xz = XZ.copy()
    if orbits == 1:
        xz[rng.choice(5, p=[1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3])] = rng.random(2)
        return pnma(xz)
    for k in rng.choice(5, 2, replace=False):
        which = rng.integers(3)                                         # x, z or both
        if which != 1:
            xz[k, 0] = rng.random()
        if which != 0:
            xz[k, 1] = rng.random()
    return pnma(xz)


def strained(rng, atoms, size):
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, size, (3, 3))), scale_atoms=True)


def rattled(rng, atoms, size):
    atoms.positions += rng.normal(0, size, (len(atoms), 3))


def prototypes():
    made = [crystal(["W", "N"], [(0, 0, 0), (1 / 3, 2 / 3, .5)], spacegroup=187, cellpar=[2.89, 2.89, 2.83, 90, 90, 120]),
            crystal(["W", "N"], [(0, 0, 0), (1 / 3, 2 / 3, .25)], spacegroup=194, cellpar=[2.9, 2.9, 5.6, 90, 90, 120]),
            crystal(["W", "N"], [(0, 0, 0), (.5, .5, .5)], spacegroup=225, cellpar=[4.3] * 3 + [90] * 3),
            crystal(["W", "N"], [(1 / 3, 2 / 3, .25), (0, 0, .12)], spacegroup=194, cellpar=[2.93, 2.93, 7.8, 90, 90, 120])]
    return [a.repeat((2, 2, 1)) if len(a) < 8 else a for a in made]


def sample(rng, kind):
    """Candidates of one kind until one is open (or, for the shell, just inside the mask)."""
    low, high = (SHELL, 1.0) if kind == "shell" else (1.0, np.inf)
    while True:
        if kind in ("land1", "land2"):
            atoms = moved(rng, int(kind[-1]))
        elif kind == "shell":
            atoms = moved(rng, rng.choice([1, 1, 2]))
        elif kind == "loose":
            atoms = moved(rng, rng.integers(1, 3))
            if ratio(atoms) < 0.95:
                continue
            strained(rng, atoms, rng.uniform(0, 0.03))
            rattled(rng, atoms, rng.uniform(0.01, 0.12))
        elif kind == "near":
            atoms = pnma(XZ)
            strained(rng, atoms, rng.uniform(0, 0.03))
            rattled(rng, atoms, rng.uniform(0.01, 0.20))
        else:
            atoms = BINARIES[rng.integers(len(BINARIES))].copy()
            atoms.set_cell(atoms.cell.array * rng.uniform(.95, 1.10), scale_atoms=True)
            strained(rng, atoms, 0.02)
            rattled(rng, atoms, rng.uniform(0, 0.15))
        if low <= ratio(atoms) < high:
            return atoms


BINARIES = prototypes()


def main():
    from chgnet.model import CHGNet
    from pymatgen.io.ase import AseAtomsAdaptor
    name, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(seed)
    chgnet = CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False)
    kinds = [k for k, share in SHARES.items() for _ in range(round(share * count))]
    rng.shuffle(kinds)
    frames = []
    for kind in kinds:
        while True:
            atoms = sample(rng, kind)
            bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
            label = chgnet.predict_structure(AseAtomsAdaptor.get_structure(bare), task="ef")
            energy, force = float(label["e"]), np.asarray(label["f"], float)
            largest = np.abs(force).max()
            if energy < HIGHEST_ENERGY and largest < LARGEST_FORCE:
                break
        weight = (0.2 if kind == "shell" else 1.0) / (1 + (largest / 10) ** 2)
        bare.info = {"REF_energy": energy * len(bare), "config_type": kind, "config_weight": round(weight, 5)}
        bare.arrays["REF_forces"] = force
        frames.append(bare)
        if len(frames) % 100 == 0:
            print(name, len(frames), flush=True)
    write(f"{name}.extxyz", frames)


if __name__ == "__main__":
    main()
