#!/bin/sh
# build.sh OUTDIR [--sanitize] [EXTRA.cu ...]
# Builds OUTDIR/libcuda.so and OUTDIR/libnvrtc.so from this folder, all kernels and the given ones. Does nothing where
# they are up to date; several processes may call it at once.
set -eu
out=${1:?usage: build.sh OUTDIR [--sanitize] [EXTRA.cu ...]}
shift
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(cd "$here/../../kernels" && pwd)
variant=plain
includes="-I$here -I$kernels"
# In the order in which the program gives them to the run-time compiler, for later ones use what earlier ones define.
sources=$(sed -n 's|.*include_str!(".*/kernels/\(.*\.cu\)").*|\1|p' "$here/../../src/engine/cuda/source.rs" |
    while read -r name; do echo "$kernels/$name"; done)
for argument; do
    case $argument in
        --sanitize) variant=sanitize ;;
        *)
            folder=$(cd "$(dirname "$argument")" && pwd)
            sources="$sources
$folder/$(basename "$argument")"
            includes="$includes -I$folder"
            ;;
    esac
done

mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.lock"
flock 9
objects=$out/objects/$variant
mkdir -p "$objects"

# One translation unit with all kernels, compiled for each precision. Nameless, so that the two do not mix.
{
    echo '#include <iterator>'
    echo '#include "cuda_runtime_shim.h"'
    echo '#if defined(S2DPES_DOUBLE)'
    echo 'constexpr bool is_double = true;'
    echo '#else'
    echo 'constexpr bool is_double = false;'
    echo '#endif'
    echo 'namespace {'
    echo '#include "common.cuh"'
    echo "$sources" | while read -r source; do echo "#include \"$source\""; done
    echo "$sources" | while read -r source; do
        sed -n 's/^KERNEL(\([A-Za-z0-9_]*\).*/SHIM_REGISTER(\1);/p' "$source"
    done
    echo '}'
} >"$objects/kernels.new"
cmp -s "$objects/kernels.new" "$objects/kernels.cpp" || mv "$objects/kernels.new" "$objects/kernels.cpp"
# The libraries belong to one variant and one set of kernels.
echo "$variant $sources" >"$out/objects/inputs.new"
cmp -s "$out/objects/inputs.new" "$out/objects/inputs" || mv "$out/objects/inputs.new" "$out/objects/inputs"

# Not as part of the make that may have called this.
MAKEFLAGS='' make --silent --jobs=2 -f "$here/build.mk" -C "$objects" \
    SHIM="$here" OUT="$out" VARIANT="$variant" INCLUDES="$includes" >"$out/build.log" 2>&1 || {
    cat "$out/build.log" >&2
    exit 1
}
