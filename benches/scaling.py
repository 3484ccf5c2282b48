"""Cost against work: time of a point against atoms, and time of a landscape against nodes; draws results/scaling.svg.

    cargo bench --bench point --no-run
    pip install matplotlib
    python scaling.py --models FOLDER            mp0-small.model, mp0-medium.model, mp0-L2.model (L = 0, 1, 2) in FOLDER
    python scaling.py --models FOLDER --large    grids of 1000 x 1000 and 2000 x 2000 nodes, too

`tests/reference/foundation.py` makes models of these sizes. --point is the binary of the bench `point`, the newest one below
target/release/deps by default. Each case times the first tiles of a grid on one thread, a few seconds; the time of a landscape is the time
of a point multiplied by the number of points that have to be evaluated (--tiles 0 times all of them instead).
"""
import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import matplotlib

sys.dont_write_bytecode = True                                      # no cache folder beside the scripts
import binary

matplotlib.use("svg")
import matplotlib.pyplot as plt

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent
MODELS = {0: "mp0-small", 1: "mp0-medium", 2: "mp0-L2"}
CAMPAIGN = "tests/data/campaign/structures"
STRUCTURES = [                                                      # primitive cells of 4, 8, 20, 28, 48 and 60 atoms
    (f"{CAMPAIGN}/aflow-079-AB_mP4_11_e_e.extxyz", "Ni1.x,Ni1.z"),
    (f"{CAMPAIGN}/aflow-041-AB_oP8_62_c_c.extxyz", "S1.x,S1.z"),
    (f"{CAMPAIGN}/aflow-268-A3B2_oP20_62_3c_2c.extxyz", "S1.x,S1.z"),
    (f"{CAMPAIGN}/aviary-0abac6214727.extxyz", "N1.x,N1.z"),
    (f"{CAMPAIGN}/aviary-00021364446a.extxyz", "N1.x,N1.z"),
    (f"{CAMPAIGN}/aviary-006197ce31ef.extxyz", "Hf1.x,Hf1.z"),
]
LANDSCAPE = ("configs/structures/W2N3_chgnet.extxyz", "W1.x,W1.z")
GRIDS, LARGE = [50, 100, 200, 500], [1000, 2000]
SAME_GRID = 100                                                     # of the cases that compare structures
COLUMNS = ["panel", "model", "L", "structure", "axes", "atoms", "evaluated_atoms", "nodes", "evaluated_points", "tiles", "us_per_point", "landscape_s"]


def case(options, panel, degree, structure, axes, points):
    command = [options.point, "--model", options.models / f"{MODELS[degree]}.model", "--structure", ROOT / structure, "--axes", axes]
    command += ["--points", points, "--tiles", options.tiles, "--repetitions", options.repetitions, "--threads", 1]
    start = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{structure}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    row = {"panel": panel, "model": MODELS[degree], "L": degree, "structure": Path(structure).stem, "axes": axes, "tiles": options.tiles or "all",
           "atoms": int(said["atoms"]), "evaluated_atoms": said["evaluated_atoms"], "nodes": said["nodes"], "evaluated_points": said["evaluated_points"],
           "us_per_point": said["median_us_per_point"], "landscape_s": round(said["median_us_per_point"] * said["evaluated_points"] * 1e-6, 3)}
    print(f"L={degree} {row['structure']}: {row['atoms']} atoms, {row['nodes']} nodes, {row['us_per_point']} us a point, "
          f"{row['landscape_s']} s a landscape (took {time.perf_counter() - start:.1f} s)", file=sys.stderr, flush=True)
    return row


def draw(rows, path):
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "scaling", "font.size": 9})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for degree, marker in zip(MODELS, "osd"):
        for axes, panel, x, y in ((left, "atoms", "atoms", "us_per_point"), (right, "nodes", "nodes", "landscape_s")):
            ours = [row for row in rows if row["panel"] == panel and row["L"] == degree]
            axes.plot([row[x] for row in ours], [row[y] for row in ours], marker=marker, markersize=4, label=f"L = {degree}")
    left.set(xlabel="atoms in the cell", ylabel="time of a point (µs)", yscale="log", xscale="log")
    ticks = sorted({row["atoms"] for row in rows if row["panel"] == "atoms"})
    left.set_xticks(ticks, labels=[str(n) for n in ticks])
    left.minorticks_off()
    right.set(xlabel="nodes of the grid", ylabel="time of a landscape (s)", yscale="log", xscale="log", title=f"{rows[-1]['structure']}, {LANDSCAPE[1]}")
    left.set_title("symmetric structures of a campaign")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="major")
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description="cost against work: atoms, nodes, degree of the features")
    parser.add_argument("--models", type=Path, required=True, help="folder of mp0-small.model, mp0-medium.model, mp0-L2.model")
    binary.add_option(parser)
    parser.add_argument("--large", action="store_true", help="grids of 1000 x 1000 and 2000 x 2000 nodes, too")
    parser.add_argument("--tiles", type=int, default=2, help="tiles that are timed; 0: all")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=Path, default=BENCHES / "results/scaling.svg", help="the CSV goes beside it")
    options = parser.parse_args()
    options.point = binary.point(options, parser)
    rows = [case(options, "atoms", degree, *structure, SAME_GRID) for structure in STRUCTURES for degree in MODELS]
    rows += [case(options, "nodes", degree, *LANDSCAPE, points) for points in GRIDS + LARGE * options.large for degree in MODELS]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with open(options.output.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.output)
    print(options.output)


if __name__ == "__main__":
    main()
