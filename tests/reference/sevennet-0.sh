#!/bin/sh
# Fetches the checkpoint of SevenNet-0 (11 July 2024) into target/sevennet, for the tests that need it.
#
# It is part of the Python package sevenn 0.10.1 and under its licence (GPL-3.0): it stays out of this repository.
set -eu
cd "$(dirname "$0")/../.."
file=checkpoint_sevennet_0.pth
mkdir -p target/sevennet
cd target/sevennet
[ -f "$file" ] && exit 0
python3 -m pip download --quiet --no-deps sevenn==0.10.1
python3 - sevenn-0.10.1-*.whl "$file" <<'PYTHON'
import hashlib
import sys
import zipfile

wheel, target = sys.argv[1:]
content = zipfile.ZipFile(wheel).read("sevenn/pretrained_potentials/SevenNet_0__11July2024/" + target)
assert hashlib.sha256(content).hexdigest() == "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36"
open(target, "wb").write(content)
PYTHON
