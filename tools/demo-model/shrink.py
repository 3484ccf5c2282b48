"""Makes the small file of the trained model.

    python shrink.py demo-wn_stagetwo.model ../../assets/demo-wn.model

Numbers in float32, gradients off, nothing of the training kept, and the members of the zip archive deflated (torch.save stores them as they are:
the coupling tensors U are almost all zeros). The pickled objects, their names and the TorchScript strings stay, so that mace-torch loads the file as any
other; a reader of its own must be able to inflate. The time stamps are fixed, so the same weights give the same bytes but for torch's serialisation id.
"""
import io
import os
import sys
import warnings
import zipfile

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.filterwarnings("ignore")
import torch


def main():
    torch.set_default_dtype(torch.float32)
    model = torch.load(sys.argv[1], map_location="cpu", weights_only=False).float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    buffer = io.BytesIO()
    torch.save(model, buffer)
    with zipfile.ZipFile(buffer) as stored, zipfile.ZipFile(sys.argv[2], "w") as packed:
        for name in stored.namelist():
            entry = zipfile.ZipInfo(name)                       # 1 January 1980
            packed.writestr(entry, stored.read(name), zipfile.ZIP_DEFLATED, 9)
    again = torch.load(sys.argv[2], map_location="cpu", weights_only=False)
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items()):
        assert torch.equal(a, b), name
    size = os.path.getsize(sys.argv[2])
    print(f"{len(buffer.getvalue())} -> {size} bytes")
    assert size <= 1_000_000


if __name__ == "__main__":
    main()
