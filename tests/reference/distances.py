"""Distance costs and shortest distances by brute force: tests/data/golden/distances.json.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python crystals.py && python distances.py RADII.csv FOLDER [COUNT]

RADII.csv: columns Z and rwigs_angstrom; FOLDER: extended XYZ files, of which COUNT (60) evenly spaced ones are taken beside all
of tests/data/golden. With Dmin(i, j) = scale 0.75 (r_i + r_j), in Angstrom,

    cost = 1/2 sum_ij max(0, Dmin(i, j) - D(i, j) - d_lattice delta_ij)

where D(i, j) is the shortest distance between atom i and any image of j (0 for i = j: the exact nearest image also in skewed cells) and
d_lattice the length of the shortest lattice vector. `costs_A` has scale 1, 1.3 and 1.6; the radii used are written beside the results.
"""
import csv
import json
import sys
from pathlib import Path

import numpy as np
from ase.io import read

import extxyz

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
SCALES = [1.0, 1.3, 1.6]


def lattice_vectors(cell, radius):
    """All lattice vectors that can carry a vector of the central cell (|fraction| <= 1/2) to within `radius` of the origin."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    counts = np.ceil(radius / heights + 0.5).astype(int)
    return np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in counts], indexing="ij"), -1).reshape(-1, 3) @ cell


def nearest(atoms):
    """Matrix of the shortest distances between different atoms (0 on the diagonal) and the shortest lattice vector."""
    cell = atoms.cell.array
    fractional = atoms.positions @ np.linalg.inv(cell)
    shortest = min(np.linalg.norm(v) for v in cell)
    lengths = np.linalg.norm(lattice_vectors(cell, shortest), axis=1)
    shortest = lengths[lengths > 1e-9].min()
    matrix = np.zeros((len(atoms), len(atoms)))
    for i in range(len(atoms)):
        for j in range(i):
            difference = fractional[i] - fractional[j]
            vector = (difference - np.round(difference)) @ cell
            images = lattice_vectors(cell, np.linalg.norm(vector))
            matrix[i, j] = matrix[j, i] = np.linalg.norm(vector + images, axis=1).min()
    return matrix, shortest


def record(name, atoms, radii):
    matrix, lattice = nearest(atoms)
    r = np.array([radii[z] for z in atoms.numbers])
    allowed = 0.75 * (r[:, None] + r[None])
    held = matrix + lattice * np.eye(len(atoms))
    return {"structure": name, "n_atoms": len(atoms), "shortest_lattice_vector_A": lattice, "minimum_distance_A": float(held.min()),
            "scales": SCALES, "costs_A": [float(0.5 * np.maximum(0, s * allowed - held).sum()) for s in SCALES]}


def main():
    with open(sys.argv[1]) as file:
        radii = {int(row["Z"]): float(row["rwigs_angstrom"]) for row in csv.DictReader(line for line in file if not line.startswith("#"))}
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    files = sorted(Path(sys.argv[2]).glob("*.extxyz"))
    files = [files[k * len(files) // count] for k in range(count)]
    rows = [record(path.name, extxyz.read(path), radii) for path in sorted(GOLDEN.glob("*.extxyz"))]
    used = {z for path in sorted(GOLDEN.glob("*.extxyz")) for z in extxyz.read(path).numbers.tolist()}
    for path in files:
        atoms = read(path, format="extxyz")
        rows.append(record(path.name, atoms, radii))
        used |= set(atoms.numbers.tolist())
    with open(GOLDEN / "distances.json", "w") as file:
        table = json.dumps({str(z): radii[z] for z in sorted(used)})
        file.write(f'{{"radii_A": {table},\n"records": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")
    print(len(rows), "structures,", sum(row["costs_A"][0] > 0 for row in rows), "with a cost")


if __name__ == "__main__":
    main()
