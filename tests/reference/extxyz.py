"""Writes and reads extended XYZ with every digit of a double: the files are read back bit for bit."""
import re

import numpy as np
from ase import Atoms


def write(path, atoms, **info):
    number = "{:.17g}".format
    lattice = " ".join(number(x) for x in atoms.cell.array.flatten())
    notes = "".join(f' {key}="{value}"' for key, value in info.items())
    lines = [str(len(atoms)), f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"{notes}']
    for symbol, position in zip(atoms.get_chemical_symbols(), atoms.positions):
        lines.append(f"{symbol:2s} " + " ".join(f"{number(x):>24s}" for x in position))
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


def read(path):
    with open(path) as file:
        lines = file.read().splitlines()
    cell = np.array(re.search(r'Lattice="([^"]*)"', lines[1]).group(1).split(), float).reshape(3, 3)
    rows = [line.split() for line in lines[2:2 + int(lines[0])]]
    return Atoms([r[0] for r in rows], positions=np.array([r[1:4] for r in rows], float), cell=cell, pbc=True)
