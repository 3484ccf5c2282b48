#!/bin/sh
# run.sh [--dry-run] [FOLDER]
# Proves and times s2dpes on this machine's GPU. FOLDER is what pack.sh made, by default the one that this script lies
# in. Writes FOLDER/results/gpu-DEVICE.md as it goes, and prints a table of all checks last; fails if one of them did.
# Takes 10 minutes at most. PEERS_PYTHON (python3) may have mace-torch, cuequivariance-torch, symmetrix-xl, chgnet or
# sevenn for a GPU to compare with. With REQUIRE_GPU=1 it fails without compute-sanitizer, too.
# --dry-run packs a folder and runs everything small through tests/shim, without a GPU: no figure means anything.
set -u
own=$(cd "$(dirname "$0")/../.." && pwd)
dry=""
if [ "${1:-}" = --dry-run ]; then
    dry=yes
    shift
fi
folder=${1:-$own}
if [ -n "$dry" ]; then
    folder=$own/target/gpu-dry-run
    "$own/tests/gpu/pack.sh" --dry-run "$folder" || exit 1
    # Two ceilings of the bench are kernels of their own.
    "$own/tests/shim/build.sh" "$folder/shim" "$own/benches/device/ceilings.cu" || exit 1
fi
cd "$folder" || exit 1
folder=$PWD
if ! [ -x bin/s2dpes ]; then
    echo "$folder is no folder of tests/gpu/pack.sh: unpack what that made, and run tests/gpu/run.sh in it." >&2
    exit 1
fi

# For the packed programs only; the machine's libraries come first, its driver among them.
libraries=LD_LIBRARY_PATH=${dry:+$folder/shim:}${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder/lib
export S2DPES_CACHE_DIR="$folder/target/cache"
export PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
required=${REQUIRE_GPU:-}
export REQUIRE_GPU=1
if [ -n "$dry" ]; then
    device=dry-run
else
    device=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1 | tr -cs 'A-Za-z0-9\n' -)
fi
mkdir -p results target/tmp
results=$folder/results
report=$results/gpu-${device:-unknown}.md
log=$results/log.txt
summary=$results/summary.txt
: >"$log"
: >"$summary"
failed=""
{
    [ -z "$dry" ] || printf '**DRY RUN: no figure below means anything.**\n\n'
    printf '# s2dpes on a GPU: %s\n\n' "${device:-unknown}"
    printf -- '- date: %s\n- commit: %s\n' "$(date -u +%F)" "$(cat commit)"
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null |
        sed 's/^/- /'
} >"$report"

# note CHECK RESULT FIGURE
note() {
    printf '| %s | %s | %s |\n' "$1" "$2" "$3" | tee -a "$summary" >&2
    [ "$2" != FAIL ] || failed=yes
}

# check NAME SECONDS COMMAND...: its output goes to the report, the figure to the summary is what `figure` finds in it.
check() {
    name=$1
    seconds=$2
    shift 2
    printf '\n## %s\n\n' "$name" >>"$report"
    begin=$(date +%s)
    timeout -k 5 "$seconds" "$@" >"$results/output.txt" 2>"$results/errors.txt"
    code=$?
    took=$(($(date +%s) - begin))
    cat "$results/output.txt" "$results/errors.txt" >>"$log"
    printed "$format" >>"$report"
    case $code in
        0) note "$name" PASS "$(figure) (${took} s)" ;;
        124 | 137) note "$name" "$bad" "took more than $seconds s; what there was is in results" ;;
        *)
            note "$name" "$bad" "exit code $code: $(figure | cut -c 1-80)"
            tail -n 40 "$results/errors.txt" | sed 's/^/    /' >>"$report"
            ;;
    esac
    return $code
}

# The last command's output as Markdown, or within it.
printed() {
    case $1 in
        markdown) cat "$results/output.txt" ;;
        *) sed 's/^/    /' "$results/output.txt" ;;
    esac
}

# What counts of the last command's output.
figure() {
    case $name in
        *tests*) sed -n 's/^test result: [a-zA-Z]*\. \([^;]*; [^;]*\);.*/\1/p' "$results/output.txt" | tail -n 1 ;;
        bench) sed -n 's/.*"points_per_s":\([0-9]*\).*/\1 points\/s of the first landscape/p' "$results/gpu.jsonl" |
            head -n 1 ;;
        *) tail -n 1 "$results/output.txt" | cut -c 1-80 ;;
    esac
}

# Tests know their data and the program by where they were built.
root=$(cat root)
program=$(cat program)
[ -e "$root" ] || { mkdir -p "$(dirname "$root")" && ln -s "$folder" "$root"; }
if [ -n "$program" ] && ! [ -e "$program" ]; then
    mkdir -p "$(dirname "$program")" "$(dirname "$(dirname "$program")")/tmp" && ln -s "$folder/bin/s2dpes" "$program"
fi
[ -e "$root/tests/data" ] || note "place for tests" FAIL "make $root a link to $folder"

format=text
bad=FAIL
# shellcheck disable=SC2016  # for the inner shell
check doctor 20 env "$libraries" sh -c 'bin/s2dpes doctor && bin/s2dpes doctor --json | grep -q "\"auto\": \"cuda\""'
check "unit tests of the engine" 90 env "$libraries" bin/unit-tests engine::cuda --test-threads 4
check "tests of landscapes" 70 env "$libraries" bin/cuda-tests --test-threads 4

cat >target/small.toml <<'END'
[campaign]
output = "small.h5"
[[model]]
name = "demo-wn"
file = "embedded:demo-wn"
[[model]]
name = "chgnet"
file = "embedded:chgnet-0.3.0"
[[structure]]
file = "../configs/structures/W2N3_chgnet.extxyz"
[[structure.landscape]]
axes = [ { dof = "W1.x", points = 5 }, { dof = "N1.z", points = 5 } ]
END
for tool in memcheck racecheck; do
    if [ -n "$dry" ]; then
        note $tool SKIP "needs a GPU"
    elif command -v compute-sanitizer >/dev/null; then
        check $tool 40 env "$libraries" compute-sanitizer --tool $tool --error-exitcode 9 \
            bin/s2dpes run target/small.toml --engine cuda --restart
    elif [ -n "$required" ]; then
        note $tool FAIL "compute-sanitizer is missing: load the CUDA module or unset REQUIRE_GPU"
    else
        note $tool SKIP "compute-sanitizer is not installed"
    fi
done

structures=tests/data/campaign/structures
nitride=configs/structures/W2N3_chgnet.extxyz
alloy=$structures/spglib-tetragonal-POSCAR-083-2.extxyz
arsenide=$structures/aflow-003-AB_oI4_44_a_b.extxyz
format=markdown
if [ -n "$dry" ]; then
    check bench 60 env "$libraries" bin/gpu --dry-run --output "$results/gpu.jsonl" \
        --program bin/s2dpes --program-points 6 --model embedded:demo-wn --points 4 --rounds 2 --sample 6 \
        --landscape $nitride:W1.x,W1.z --landscape $nitride:W1.x,N1.z
else
    sevennet=""
    [ ! -f models/sevennet-0.pth ] || sevennet="--model models/sevennet-0.pth"
    # shellcheck disable=SC2086  # none or two words
    check bench 170 env "$libraries" bin/gpu --output "$results/gpu.jsonl" --program bin/s2dpes \
        --model models/mp0-medium.model --model models/mp0-small.model --model embedded:chgnet-0.3.0 $sevennet \
        --landscape $nitride:W1.x,W1.z --landscape $nitride:W1.x,N1.z \
        --landscape $alloy:Mn2.x,Mn2.y --landscape $arsenide:As1.z,Ga1.z --points 128 --rounds 3
fi

# Other programs, where there are some.
python=${PEERS_PYTHON:-python3}
export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1
found=""
if [ -z "$dry" ]; then
    found=$(timeout 20 "$python" - 2>>"$log" <<'END'
from importlib.util import find_spec
import torch
if torch.cuda.is_available():
    modules = {"mace": ["mace"], "cuequivariance": ["mace", "cuequivariance_torch"], "symmetrix": ["symmetrix"],
               "chgnet": ["chgnet"], "sevenn": ["sevenn"]}
    print(*(name for name, needed in modules.items() if all(map(find_spec, needed))))
END
    )
fi
why="no Python with torch for GPUs; name one by PEERS_PYTHON"
[ -z "$dry" ] || why="not in a dry run"
[ -n "$found" ] || note "other programs" SKIP "$why"
for program in $found; do
    model=models/mp0-medium.model
    case $program in
        symmetrix)
            extract=$(dirname "$(command -v "$python")")/symmetrix_extract_mace
            timeout 30 "$extract" -m $model --atomic-numbers 7 25 31 33 74 79 -o target/mp0-medium.json >>"$log" 2>&1
            model=target/mp0-medium.json
            ;;
        chgnet) model=0.3.0 ;;
        sevenn) model=SevenNet-0 ;;
    esac
    bad=INCOMPLETE
    check "$program" 35 "$python" tests/gpu/peers.py "$results/peers.jsonl" "$program" $model $nitride $alloy $arsenide
done

{
    printf '\n## Summary\n\n'
    printf '| check | result | figure |\n| --- | --- | --- |\n'
    cat "$summary"
} >>"$report"
echo "$report"
[ -z "$dry" ] || echo "DRY RUN: no figure means anything."
printf '| check | result | figure |\n| --- | --- | --- |\n'
cat "$summary"
[ -z "$failed" ]
