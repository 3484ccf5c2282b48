"""The test crystals: tests/data/golden/*.extxyz, 17 significant digits.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python crystals.py

Lattice parameters and coordinates are textbook values typed in here (or random numbers with a fixed seed);
no file of anybody else is used. The cells are conventional unless the name says otherwise.
"""
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.spacegroup import crystal

import extxyz

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
CUBE = [90, 90, 90]


def spaced(rng, numbers, cell, shortest, longest=None):
    """Random atoms, no pair (images included) closer than `shortest`; with `longest`, each has a neighbour nearer than that."""
    cell = np.asarray(cell, float)
    shifts = np.stack(np.meshgrid(*[range(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    placed = []
    while len(placed) < len(numbers):
        x = rng.random(3)
        nearest = [np.linalg.norm((x - y) @ cell + shifts, axis=1).min() for y in placed] or [shortest]
        if min(nearest) >= shortest and (longest is None or min(nearest) < longest):
            placed.append(x)
    return Atoms(numbers=numbers, scaled_positions=placed, cell=cell, pbc=True)


def recelled(atoms, matrix):
    """The same crystal in the basis `matrix` times the old one (determinant 1 or -1): atoms are kept, images not."""
    cell = np.asarray(matrix) @ atoms.cell.array
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=cell, pbc=True)


def primitive(atoms, matrix):
    """One atom of each class modulo the smaller lattice `matrix` times the old one."""
    cell = np.asarray(matrix, float) @ atoms.cell.array
    fractional = atoms.positions @ np.linalg.inv(cell)
    kept = []
    for i, x in enumerate(fractional):
        if all(np.abs((x - fractional[j]) - np.round(x - fractional[j])).max() > 1e-6 for j in kept):
            kept.append(i)
    return Atoms(numbers=atoms.numbers[kept], positions=atoms.positions[kept], cell=cell, pbc=True)


def crystals():
    made = {}
    rutile = crystal(["Ti", "O"], [(0, 0, 0), (.3053, .3053, 0)], spacegroup=136, cellpar=[4.594, 4.594, 2.959] + CUBE)
    made["rutile-TiO2"] = rutile
    anatase = crystal(["Ti", "O"], [(0, 0, 0), (0, 0, .2081)], spacegroup=141, cellpar=[3.7842, 3.7842, 9.5146] + CUBE)
    made["anatase-TiO2-body-centred"] = anatase
    made["anatase-TiO2-primitive"] = primitive(anatase, [[-.5, .5, .5], [.5, -.5, .5], [.5, .5, -.5]])
    perovskite = crystal(["Ca", "Ti", "O", "O"], [(.0357, .25, -.0065), (0, 0, .5), (.4835, .25, .0725), (.2890, .0371, .7106)],
                         spacegroup=62, cellpar=[5.4405, 7.6436, 5.3812] + CUBE)
    made["perovskite-CaTiO3-Pnma"] = perovskite
    rng = np.random.default_rng(62)
    unwrapped = perovskite.copy()
    unwrapped.positions += rng.integers(-3, 4, (len(unwrapped), 3)) @ unwrapped.cell.array + [0.3, -7.1, 2.2]
    made["perovskite-CaTiO3-atoms-outside-the-cell"] = unwrapped
    made["Sn2S3-Pnma"] = crystal(["Sn", "Sn", "S", "S", "S"],              # five orbits on 4c; coordinates made up, distances sensible
                                 [(.00766, .25, .17070), (.83863, .25, .04923), (.01205, .25, .39069), (.27863, .25, -.00477), (.32867, .25, .21520)],
                                 spacegroup=62, cellpar=[8.878, 3.751, 14.020] + CUBE)
    wurtzite = crystal(["Al", "N"], [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, .3821)], spacegroup=186, cellpar=[3.112, 3.112, 4.982, 90, 90, 120])
    made["wurtzite-AlN"] = wurtzite
    made["wurtzite-AlN-left-handed-cell"] = recelled(wurtzite, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    fcc = crystal(["Al"], [(0, 0, 0)], spacegroup=225, cellpar=[4.05] * 3 + CUBE)
    made["fcc-Al-conventional"] = fcc
    made["fcc-Al-primitive"] = primitive(fcc, [[0, .5, .5], [.5, 0, .5], [.5, .5, 0]])
    made["bcc-Fe"] = crystal(["Fe"], [(0, 0, 0)], spacegroup=229, cellpar=[2.866] * 3 + CUBE)
    made["rocksalt-CaO"] = crystal(["Ca", "O"], [(0, 0, 0), (.5, .5, .5)], spacegroup=225, cellpar=[4.811] * 3 + CUBE)
    made["fluorite-ZrO2"] = crystal(["Zr", "O"], [(0, 0, 0), (.25, .25, .25)], spacegroup=225, cellpar=[5.09] * 3 + CUBE)
    made["pyrite-FeS2"] = crystal(["Fe", "S"], [(0, 0, 0), (.3848, .3848, .3848)], spacegroup=205, cellpar=[5.418] * 3 + CUBE)
    calcite = crystal(["Ca", "C", "O"], [(0, 0, 0), (0, 0, .25), (.2568, 0, .25)], spacegroup=167, cellpar=[4.99, 4.99, 17.06, 90, 90, 120])
    made["calcite-CaCO3"] = calcite
    made["calcite-CaCO3-rhombohedral"] = primitive(calcite, np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3)
    made["dry-ice-CO2"] = crystal(["C", "O"], [(0, 0, 0), (.118, .118, .118)], spacegroup=205, cellpar=[5.624] * 3 + CUBE)
    made["triclinic-Al-one-atom"] = Atoms("Al", positions=[[.3, -1.2, .7]], cell=[[2.61, .11, -.23], [.74, 2.83, .35], [-.41, 1.02, 3.17]], pbc=True)
    triclinic = [[4.6, 0, 0], [.4, 5.06, 0], [-.3, .5, 4.37]]
    made["triclinic-TiO-seven-atoms"] = spaced(np.random.default_rng(7), [22, 8, 8, 22, 8, 22, 8], triclinic, 1.6)
    made["triclinic-CaTiAlO-seven-atoms"] = spaced(np.random.default_rng(8), [13, 8, 8, 22, 8, 20, 8], triclinic, 1.6)
    made["triclinic-CHO-six-atoms"] = spaced(np.random.default_rng(9), [6, 1, 1, 8, 1, 6], triclinic, 1.0)
    made["rutile-TiO2-skewed-cell"] = recelled(rutile, [[1, 0, 0], [3, 1, 0], [-2, 4, 1]])
    skewed = np.array([[1, 0, 0], [4, 1, 0], [-3, 5, 1]]) @ [[2.9, .2, .1], [.3, 3.1, -.2], [.5, -.4, 3.3]]
    made["skewed-TiO-three-atoms"] = spaced(np.random.default_rng(10), [8, 22, 8], skewed, 1.3)
    made["squeezed-TiO-six-atoms"] = spaced(np.random.default_rng(11), [22, 8, 8, 22, 8, 8], np.eye(3) * 4.2, .60, .78)
    made["squeezed-all-elements"] = spaced(np.random.default_rng(12), [7, 8, 13, 20, 22, 26], np.eye(3) * 4.6, .62, .80)
    made["molecule-CO2-in-a-box"] = Atoms("OCO", positions=[[6.1, 7.2, 6.84], [7, 7, 7.5], [7.9, 6.8, 8.16]], cell=np.eye(3) * 15, pbc=True)
    made["molecule-H2O-in-a-box"] = Atoms("OHH", positions=[[0, 0, .119], [0, .763, -.477], [0, -.763, -.477]], cell=[[14, 0, 0], [0, 15, 0], [1, 0, 16]], pbc=True)
    made["single-O-in-a-box"] = Atoms("O", positions=[[1, 2, 3]], cell=np.eye(3) * 16, pbc=True)
    made["rutile-TiO2-supercell-shuffled"] = shuffled(make_supercell(rutile, [[2, 0, 0], [0, 1, 0], [0, 0, 2]]), 13)
    made["Sn2S3-rattled"] = rattled(made["Sn2S3-Pnma"], 14)
    return made


def shuffled(atoms, seed):
    return atoms[np.random.default_rng(seed).permutation(len(atoms))]


def rattled(atoms, seed):
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(0, .08, (len(atoms), 3))
    return atoms


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, atoms in crystals().items():
        bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=True)
        extxyz.write(GOLDEN / f"{name}.extxyz", bare)
        again = extxyz.read(GOLDEN / f"{name}.extxyz")
        assert (again.positions == bare.positions).all() and (again.cell.array == bare.cell.array).all()
        print(f"{name:45s} {len(bare):3d} atoms, {bare.symbols.formula.reduce()[0]}, {bare.get_volume() / len(bare):7.2f} A^3/atom")
