"""CIFs of the campaign set as ASE, pymatgen and gemmi write them: tests/data/cifs.txt.gz, read by tests/cifs.rs.

Each CIF follows a line `### structure | writer | answer`: `same` must be read as the structure, `refuse` must not be read, `either` may be
refused but never read as another crystal. gemmi writes both origin choices, once with the symbol that names the choice and once without.
"""
import glob
import gzip
import io
import os
import re
import warnings

import ase
import ase.io
import gemmi
import numpy as np
import spglib
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

warnings.filterwarnings("ignore")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data")
FILES = sorted(glob.glob(f"{ROOT}/campaign/structures/*.extxyz"))
SYMPREC = 0.01


def of_ase(atoms):
    text = io.BytesIO()
    ase.io.write(text, atoms, format="cif")
    return text.getvalue().decode()


def without_operations(text):
    """With the symbol and the number alone."""
    return re.sub(r"loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n(  \d.*\n)+", "", text)


def of_pymatgen(atoms, symprec, refine=True):
    structure = Structure(atoms.cell[:], atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    return str(CifWriter(structure, symprec=symprec, refine_struct=refine))


def of_gemmi(atoms, hall_number, named):
    """The standard cell in one setting of spglib's tables."""
    cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
    data = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, hall_number=hall_number)
    kind = spglib.get_spacegroup_type(hall_number)
    lattice = ase.cell.Cell(data.std_lattice)
    small = gemmi.SmallStructure()
    small.name = "x"
    small.cell = gemmi.UnitCell(*lattice.cellpar())
    group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(kind.hall_symbol.replace("=", '"')))
    if group is None:
        return None
    small.spacegroup_hm = group.xhm() if named else group.hm
    operations = spglib.get_symmetry_from_database(hall_number)
    covered, label = [], 0
    for number, x in zip(data.std_types, data.std_positions):
        if any(np.linalg.norm(lattice.cartesian_positions((x - y) - np.round(x - y))) < 0.02 for y in covered):
            continue
        covered += [r @ x + t for r, t in zip(operations["rotations"], operations["translations"])]
        label += 1
        site = gemmi.SmallStructure.Site()
        site.element = gemmi.Element(int(number))
        site.type_symbol = site.element.name
        site.label = f"{site.element.name}{label}"
        site.fract = gemmi.Fractional(*x)
        site.occ = 1
        small.add_site(site)
    return small.make_cif_block().as_string()


def unquoted(text):
    """With the blanks of the symbol and without its quotes."""
    return re.sub(r"(?m)^(_\S*name_H-M\S*\s+)['\"](\S+ [^'\"]*)['\"]", r"\1\2", text)


def main():
    out = []

    def add(name, writer, answer, text):
        if text is not None:
            out.append(f"### {name} | {writer} | {answer}\n{text.rstrip()}\n")

    for number, file in enumerate(FILES):
        name = os.path.basename(file).removesuffix(".extxyz")
        atoms = ase.io.read(file, format="extxyz")
        atoms = ase.Atoms(atoms.get_chemical_symbols(), scaled_positions=atoms.get_scaled_positions(), cell=atoms.cell, pbc=True)
        group = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), symprec=SYMPREC).number
        halls = [h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == group]
        two_origins = [h for h in halls if spglib.get_spacegroup_type(h).choice in ("1", "2")]
        for hall in two_origins:
            add(name, f"gemmi, Hall number {hall}", "same", of_gemmi(atoms, hall, True))
            text = of_gemmi(atoms, hall, False)
            add(name, f"gemmi, symbol alone, Hall number {hall}", "either", text)
        if number % 4 == 0:
            add(name, "ase", "same", of_ase(atoms))
            add(name, "pymatgen, symprec", "same", of_pymatgen(atoms, SYMPREC))
        elif number % 4 == 1:
            add(name, "pymatgen", "same", of_pymatgen(atoms, None))
            add(name, "pymatgen, symbol alone", "either", without_operations(of_pymatgen(atoms, SYMPREC)))
        elif number % 4 == 2 and not two_origins:
            for hall in halls[:: max(1, len(halls) // 2)][:2]:
                add(name, f"gemmi, Hall number {hall}", "same", of_gemmi(atoms, hall, True))
        elif number % 8 == 3:
            text = of_gemmi(atoms, halls[0], True)
            add(name, "gemmi, unquoted", "refuse", text and unquoted(text))
    with gzip.GzipFile(f"{ROOT}/cifs.txt.gz", "wb", compresslevel=9, mtime=0) as file:
        file.write("".join(out).encode())
    print(len(out), os.path.getsize(f"{ROOT}/cifs.txt.gz"))
    print(f"ase {ase.__version__}, gemmi {gemmi.__version__}, spglib {spglib.__version__}")


main()
