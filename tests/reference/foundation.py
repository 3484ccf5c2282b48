"""Models with the hyperparameters of the published foundation models and random weights, and their energies. By hand; nothing of it is stored.

    python -m venv venv && . venv/bin/activate && pip install -r requirements.txt
    python crystals.py && python foundation.py OUTPUT-FOLDER [NAME ...]

Writes OUTPUT-FOLDER/NAME.model (30 to 100 MB each, float64, 89 elements) and OUTPUT-FOLDER/energies.json, whose records have the form
of energies.py; records of models that are not built again are kept. The weights are brought to physical size as models.py does it.
"""
import json
import sys
from pathlib import Path

import torch

import extxyz
from energies import GOLDEN, records, write_json
from models import DENSITY, DENSITY_RESIDUAL, ORDINARY, PLAIN, RESIDUAL, acceptable, build, to_physical_size

ELEMENTS = list(range(1, 84)) + list(range(89, 95))
SMALL, MEDIUM, LARGE = "128x0e", "128x0e+128x1o", "128x0e+128x1o+128x2e"
MP0 = dict(first=RESIDUAL, later=RESIDUAL, r_max=6.0, num_bessel=10)
ZERO_B = dict(first=PLAIN, later=RESIDUAL, r_max=6.0, num_bessel=8, distance_transform="Agnesi", pair_repulsion=True)
ZERO_B2 = dict(first=DENSITY, later=DENSITY_RESIDUAL, r_max=5.0, num_bessel=8, distance_transform="Agnesi", pair_repulsion=True)
ZERO_B3 = dict(ZERO_B2, r_max=6.0, num_bessel=10)          # also MPA-0 and, with another number of Bessel functions, OMAT-0

FOUNDATION = {
    "mp0-small": dict(MP0, hidden=SMALL), "mp0-medium": dict(MP0, hidden=MEDIUM), "mp0-L2": dict(MP0, hidden=LARGE),
    "0b-medium": dict(ZERO_B, hidden=MEDIUM), "0b2-medium": dict(ZERO_B2, hidden=MEDIUM), "0b3-medium": dict(ZERO_B3, hidden=MEDIUM),
    "mp0-256": dict(MP0, hidden="256x0e+256x1o", num_bessel=8), "0b-small": dict(ZERO_B, hidden=SMALL),
    "0b2-small": dict(ZERO_B2, hidden=SMALL), "0b2-large": dict(ZERO_B2, hidden=LARGE),
}
USUAL = list(FOUNDATION)[:6]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    structures = {path.stem: extxyz.read(path) for path in sorted(GOLDEN.glob("*.extxyz"))}
    for name in sys.argv[2:] or USUAL:
        for seed in range(10):
            model = build(elements=ELEMENTS, seed=seed, **FOUNDATION[name]).eval()
            to_physical_size(model, [structures[key] for key in ORDINARY])
            sizes = acceptable(model, structures)
            if sizes:
                break
        else:
            raise SystemExit(f"{name}: no seed gives energies of physical size")
        torch.save(model, folder / f"{name}.model")
        print(f"{name}: {sum(p.numel() for p in model.parameters() if p.requires_grad)} parameters, seed {seed}, "
              f"at most {sizes[0]:.1f} eV/atom, body orders {sizes[1]:.3f} or more", flush=True)
        kept = json.loads((folder / "energies.json").read_text()) if (folder / "energies.json").exists() else []
        write_json(folder / "energies.json", [r for r in kept if r["model"] != name] + list(records(model, name, structures)))


if __name__ == "__main__":
    main()
