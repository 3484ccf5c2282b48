#!/bin/sh
# pack.sh [--dry-run] [--nvrtc] FOLDER [MODELS]
# Puts all that tests/gpu/run.sh needs on a machine with a GPU into FOLDER and FOLDER.tar.gz. MODELS is a folder with
# mp0-small.model and mp0-medium.model of tests/reference/foundation.py; PYTHON (python3), if it has mace-torch, makes
# them smaller by float32. --nvrtc adds NVRTC from target/nvrtc, where tests/kernels/compile.py leaves it. Paths count
# from the root of the repository.
set -eu
cd "$(dirname "$0")/../.."
usage="usage: pack.sh [--dry-run] [--nvrtc] FOLDER [MODELS]"
dry=""
nvrtc=""
while :; do
    case ${1:?$usage} in
        --dry-run) dry=yes ;;
        --nvrtc) nvrtc=yes ;;
        *) break ;;
    esac
    shift
done
folder=$1
models=${2:-}
limit=60 # MiB
if [ -z "$dry" ]; then
    for name in mp0-small mp0-medium; do
        [ -f "${models:?$usage}/$name.model" ] || {
            echo "$models/$name.model is missing: python tests/reference/foundation.py $models $name" >&2
            exit 1
        }
    done
fi

if [ -e "$folder" ] && ! [ -e "$folder/root" ]; then
    echo "$folder is there already, and was not made by this script: name another folder." >&2
    exit 1
fi
rm -rf "$folder" "$folder.tar.gz"
mkdir -p "$folder/bin" "$folder/lib" "$folder/models" "$folder/tests/gpu" "$folder/benches" "$folder/target/tmp"

# The executables that cargo tells of; without MPI, which machines have in kinds of their own, and pictures.
executables() {
    cargo "$@" --no-default-features --features cuda --message-format=json-render-diagnostics |
        sed -n 's/.*"name":"\([^"]*\)".*"executable":"\([^"]*\)".*/\1 \2/p'
}
profile=""
[ -n "$dry" ] || profile=--release
# shellcheck disable=SC2086  # none or one
{
    executables build $profile --bin s2dpes --bench gpu | sed 's/^/bin /'
    # Tests with assertions. Of the library they have its name, as the program has.
    executables test --no-run --lib --test cuda | sed 's/^/test /'
} >"$folder/executables"
while read -r kind name path; do
    case "$kind $name" in
        "test s2dpes") to=unit-tests ;;
        "test cuda") to=cuda-tests ;;
        *) to=$name ;;
    esac
    case "$kind $path" in
        "test "*/deps/*) ;;
        "test "*) continue ;;   # the program, which integration tests start from here
    esac
    strip -o "$folder/bin/$to" "$path"
done <"$folder/executables"
for name in s2dpes gpu unit-tests cuda-tests; do
    [ -x "$folder/bin/$name" ] || {
        echo "$name was not built: see what cargo says above." >&2
        exit 1
    }
done
# Tests know the repository and the program by where they were when they were built.
pwd >"$folder/root"
sed -n 's/^test s2dpes \(.*\/debug\/s2dpes\)$/\1/p' "$folder/executables" >"$folder/program"
git describe --always --dirty >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"
rm "$folder/executables"

for binary in "$folder"/bin/*; do
    ldd "$binary" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'
done | sort -u | grep -v -E '/(libc|libm|libdl|librt|libpthread|libresolv)\.so' | while read -r library; do
    cp -L "$library" "$folder/lib/"
done
if [ -n "$nvrtc" ]; then
    cp target/nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc.so.12 target/nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc-builtins.so.* \
        "$folder/lib/"
fi

cp -r configs "$folder/"
cp -r tests/data tests/shim "$folder/tests/"
cp tests/gpu/run.sh tests/gpu/peers.py "$folder/tests/gpu/"
cp benches/peers.py "$folder/benches/"

if [ -z "$dry" ]; then
    for name in mp0-small mp0-medium; do
        from=$models/$name.model
        to=$folder/models/$name.model
        TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 "${PYTHON:-python3}" - "$from" "$to" <<'END' || cp "$from" "$to"
import sys
import torch
torch.save(torch.load(sys.argv[1], map_location="cpu", weights_only=False).float(), sys.argv[2])
END
    done
fi

# Under GPL-3.0, where tests/reference/sevennet-0.sh has fetched it.
checkpoint=target/sevennet/checkpoint_sevennet_0.pth
[ -n "$dry" ] || [ ! -f $checkpoint ] || cp $checkpoint "$folder/models/sevennet-0.pth"

tar -C "$(dirname "$folder")" -cf - "$(basename "$folder")" | gzip -9 >"$folder.tar.gz"
size=$(($(wc -c <"$folder.tar.gz") / 1048576))
echo "$folder.tar.gz: $size MiB"
if [ $size -ge $limit ] && [ -z "$nvrtc" ]; then
    echo "It should have less than $limit MiB: set PYTHON to one that has mace-torch and makes the models smaller." >&2
    exit 1
fi
