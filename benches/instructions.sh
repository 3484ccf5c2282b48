#!/bin/sh
# Counts the instructions of three fixed landscapes with valgrind and writes results/instructions.md. The counts hardly depend on what else
# the machine does: the totals of two runs differ by less than 0.01 %, those of a point by less than 0.1 %.
#
#     cargo build --release && benches/instructions.sh [BINARY]
#
# Needs valgrind (Debian: apt-get install valgrind). Its processor has AVX2 but not AVX-512, so the counts are those of the AVX2 code.
# Each landscape is computed with 144 and with 16 nodes, whole blocks of 16 points: the difference is what 128 points cost without the start.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
binary=${1:-$root/target/release/s2dpes}
output=$root/benches/results/instructions.md
command -v valgrind > /dev/null || { echo "valgrind is not installed" >&2; exit 1; }
[ -x "$binary" ] || { echo "$binary does not exist: cargo build --release" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Instructions of a run: count AXES
count() {
    cat > "$folder/campaign.toml" << TOML
[campaign]
output = "result.h5"
equivalence = "none"

[[model]]
name = "demo-wn"
file = "embedded:demo-wn"

[[structure]]
file = "$root/configs/structures/W2N3_chgnet.extxyz"

[[structure.landscape]]
axes = [ $1 ]
TOML
    if ! valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" run "$folder/campaign.toml" --restart --threads 1 2> "$folder/log"
    then
        cat "$folder/log" >&2
        return 1
    fi
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$folder/log"
}

# An axis: axis DOF NODES
axis() {
    echo "{ dof = \"$1\", points = $2 }"
}

# A line of the table: line NAME NODES AXES-OF-144-NODES AXES-OF-4-NODES
line() {
    many=$(count "$3")
    few=$(count "$4")
    echo "| $1 | $2 | $many | $few | $(((many - few) / 128)) |" | tee -a "$folder/lines" >&2
}

line W1.x-W1.z "12 x 12" "$(axis W1.x 12), $(axis W1.z 12)" "$(axis W1.x 4), $(axis W1.z 4)"
line W1.x-N1.z "12 x 12" "$(axis W1.x 12), $(axis N1.z 12)" "$(axis W1.x 4), $(axis N1.z 4)"
line N1.x 144 "$(axis N1.x 144)" "$(axis N1.x 16)"

mkdir -p "$(dirname "$output")"
{
    echo "# Instructions of three landscapes"
    echo
    echo "- structure and model: W2N3 (20 atoms), demo-wn, float32, one thread, every node evaluated"
    echo "- commit: $(git -C "$root" --no-optional-locks describe --always --dirty), $("$binary" --version)"
    echo "- $(valgrind --version), whose processor has AVX2 but not AVX-512"
    echo
    echo "| landscape | nodes | instructions (Ir) | with 16 nodes | Ir a point |"
    echo "| --- | ---: | ---: | ---: | ---: |"
    cat "$folder/lines"
    echo
    echo "With 16 nodes nearly everything is the start: reading the model, tables, the result file. \"Ir a point\" is the difference over 128."
} > "$output"
echo "$output"
