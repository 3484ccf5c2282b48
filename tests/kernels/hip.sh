#!/bin/sh
# Compiles the kernels for AMD's gfx90a, in both precisions, with Debian's clang and HIP. Nothing runs, and no GPU is
# needed.
set -eu
cd "$(dirname "$0")/../.."

packages="hipcc rocm-device-libs libamdhip64-dev"
compiler=clang++-15
bitcode=/usr/lib/$(uname -m)-linux-gnu/amdgcn/bitcode
if ! command -v $compiler >/dev/null || ! [ -d "$bitcode" ] || ! [ -f /usr/include/hip/hip_runtime.h ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "HIP's compiler is missing. On Debian 12, as root, type:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends $packages" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y --no-install-recommends $packages
fi

folder=target/hip
mkdir -p $folder
# As src/engine/cuda/source.rs joins them.
sed -n 's|.*("\(.*\)", include_str!.*|\1|p' src/engine/cuda/source.rs | while read -r name; do
    printf '#line 1 "kernels/%s"\n' "$name"
    cat "kernels/$name"
    echo
done >$folder/kernels.hip

# Products and sums are rounded one by one, as with --fmad=false. Loops that are not unrolled are no errors.
for precision in float32 float64; do
    option=""
    [ $precision = float32 ] || option=-DS2DPES_DOUBLE
    # shellcheck disable=SC2086  # none or one
    $compiler -x hip --offload-arch=gfx90a --cuda-device-only -O3 -std=c++17 -ffp-contract=off \
        --rocm-path=/usr --rocm-device-lib-path="$bitcode" -Wall -Wextra -Werror -Wno-pass-failed \
        $option $folder/kernels.hip -o $folder/kernels-$precision.co
    echo "The kernels compile for gfx90a in $precision."
done
