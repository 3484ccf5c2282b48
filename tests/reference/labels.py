"""Protostructure labels by pymatgen and spglib: tests/data/golden/labels.json.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python labels.py FOLDER [PATTERN ...]        FOLDER with extended XYZ files; patterns default to 'aflow-*' 'aviary-*'

symprec 0.01 A, angle tolerance 5 degrees, spglib's default settings of the space groups. pymatgen.analysis.prototypes holds
the labelling code of aviary (Goodall et al. 2022, doi 10.1126/sciadv.abn4117). A structure for which spglib's own two
answers (input cell and standardised cell) differ is left out and named on standard error.
"""
import json
import sys
import warnings

warnings.filterwarnings("ignore")
from importlib.metadata import version
from pathlib import Path

import spglib
from ase.io import read
from pymatgen.analysis.prototypes import get_protostructure_label_from_spg_analyzer
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

SYMPREC, ANGLE = 0.01, 5
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"


def label_of(structure):
    return get_protostructure_label_from_spg_analyzer(SpacegroupAnalyzer(structure, symprec=SYMPREC, angle_tolerance=ANGLE), raise_errors=True)


def main():
    folder, patterns = Path(sys.argv[1]), sys.argv[2:] or ["aflow-*", "aviary-*"]
    labels = {}
    for path in sorted({p for pattern in patterns for p in folder.glob(pattern + ".extxyz")}):
        atoms = read(path, format="extxyz")
        structure = AseAtomsAdaptor.get_structure(atoms)
        cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
        number = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, angle_tolerance=ANGLE).number
        try:
            label = label_of(structure)
            again = label_of(SpacegroupAnalyzer(structure, symprec=SYMPREC, angle_tolerance=ANGLE).get_refined_structure())
        except ValueError as error:
            print(f"left out: {path.name}: {error}", file=sys.stderr)
            continue
        if label != again or int(label.split("_")[2]) != number:
            print(f"left out: {path.name}: {label}, standardised {again}, space group {number}", file=sys.stderr)
            continue
        labels[path.name] = {"label": label, "space_group": number}
    made_with = {name: version(name) for name in ("pymatgen", "pymatgen-core", "spglib", "ase")}
    with open(GOLDEN / "labels.json", "w") as file:
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in labels.items())
        file.write(f'{{"made_with": {json.dumps(made_with)}, "symprec_A": {SYMPREC}, "angle_tolerance_deg": {ANGLE}, "labels": {{\n{rows}\n}}}}\n')
    print(len(labels), "labels")


if __name__ == "__main__":
    main()
