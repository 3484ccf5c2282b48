"""assets/chgnet-0.3.0.pth.tar: what the energy of CHGNet 0.3.0 needs, out of the file that the package ships.

    pip install --no-deps chgnet==0.4.2 && pip install -r requirements.txt
    python energy_only.py ../../assets/chgnet-0.3.0.pth.tar

The tensors keep their names and bits (float32). Left out are the state of the optimizer, the history of the training, the branch for magnetic
moments (`site_wise`) and the last angle update, whose output nothing uses.
"""
import importlib.util
import sys
from pathlib import Path

import torch

PACKAGE = Path(importlib.util.find_spec("chgnet").submodule_search_locations[0])
UNUSED = ("site_wise.", "angle_layers.2.")


def main():
    source, = (PACKAGE / "pretrained" / "0.3.0").glob("*.pth.tar")
    model = torch.load(source, map_location="cpu", weights_only=True)["model"]
    tensors = {name: tensor for name, tensor in model["state_dict"].items() if not name.startswith(UNUSED)}
    torch.save({"model": {"state_dict": tensors, "model_args": model["model_args"]}}, sys.argv[1])
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers, {Path(sys.argv[1]).stat().st_size} bytes")


if __name__ == "__main__":
    main()
