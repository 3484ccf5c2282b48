"""What each reduction contributes: one landscape with more and more of them, as a Markdown table.

    cargo bench --bench point --no-run
    python benches/reductions.py --model MODELS/mp0-medium.model [--axes W1.x,N1.z]

Without symmetry an axis moves one atom instead of an orbit; the bonds are as many. Operations are counted by the
program: the multiplications and additions of what it does, not of what another program would do. Times are medians over
rounds in which the variants take turns.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True                                      # no cache folder beside the scripts
import binary
from binary import ROOT

VARIANTS = [
    ("every atom, every bond", ["--no-symmetry", "--direct", "--full"]),
    ("one atom of each orbit", ["--no-site-symmetry", "--direct", "--full"]),
    ("features and bonds adapted to site symmetry", ["--direct", "--full"]),
    ("pair operators kept for grid, rows and columns", ["--full"]),
    ("irreducible points only", []),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--structure", default=str(ROOT / "configs/structures/W2N3_chgnet.extxyz"))
    parser.add_argument("--axes", default="W1.x,N1.z")
    parser.add_argument("--rounds", type=int, default=3)
    binary.add_option(parser)
    options = parser.parse_args()
    point = binary.point(options, parser)
    runs = {name: [] for name, _ in VARIANTS}
    for _ in range(options.rounds):
        for name, switches in VARIANTS:
            command = [str(point), "--model", options.model, "--structure", options.structure, "--axes", options.axes, *switches,
                       "--points", "96", "--tiles", "1", "--repetitions", "2"]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            runs[name].append(json.loads(output.strip().splitlines()[-1]))
    print(f"{Path(options.structure).name}, {options.axes}, {Path(options.model).name}, float32, one thread, {runs[VARIANTS[0][0]][0]['version']}\n")
    print("| with | atoms | distances a point | MFLOP a point | µs a point | times faster |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    first = None
    for name, _ in VARIANTS:
        one = runs[name][0]
        share = one["evaluated_points"] / one["nodes"]
        time = statistics.median(r["median_us_per_point"] for r in runs[name]) * share
        first = first or time
        print(f"| {name} | {one['evaluated_atoms']} | {one['distances_per_point'] * share:.0f} | {one['mflop_per_point'] * share:.2f} | {time:.0f} | {first / time:.1f} |")


if __name__ == "__main__":
    main()
