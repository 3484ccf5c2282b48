"""What compare_chgnet.py and compare_sevennet.py share: s2dpes against the Python package of a family of models.

A package is timed through an object with `name`, `versions` (packages to name), `checkpoint` (the model for s2dpes),
`structures` ({name: (file, axes of landscapes)}) and `runs(name, batch)`, which gives {PREBUILT: call, FROM_STRUCTURES:
call} for so many copies of a structure.
"""
import argparse
import datetime
import json
import os
import subprocess
import time
from pathlib import Path

import binary
from compare import ROOT, number, table
from peers import cpu_name, installed

PREBUILT, FROM_STRUCTURES = "graph made before", "from structures"
REPETITIONS = 3


def seconds_of(package, name, batch):
    """{kind: seconds a structure}; the first calls compile."""
    times = {}
    for kind, run in package.runs(name, batch).items():
        for _ in range(2):
            run()
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            run()
            times[kind] = min(times.get(kind, float("inf")), (time.perf_counter() - start) / batch)
    return times


def s2dpes(options, package, name, axes, full):
    """Seconds a node of the grid: all of them are evaluated, or only the irreducible ones."""
    command = [options.point, "--model", package.checkpoint, "--structure", ROOT / package.structures[name][0]]
    command += ["--axes", axes, "--points", options.nodes, "--tiles", 1, "--repetitions", options.repetitions]
    command += ["--full"] * full
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    share = 1 if full else answer["evaluated_points"] / answer["nodes"]
    return answer["min_us_per_point"] * 1e-6 * share


def measure(package, options):
    """{(structure, program, what): seconds}"""
    times = {}

    def enter(key, seconds):
        times[key] = min(times.get(key, float("inf")), seconds)

    for _ in range(options.rounds):
        for name, (_, planes) in package.structures.items():
            for axes in planes:
                for full in (True, False):
                    what = f"{axes}, {'every node' if full else 'irreducible nodes'}"
                    enter((name, "s2dpes", what), s2dpes(options, package, name, axes, full))
            for batch in (1, 4, 16):
                for kind, seconds in seconds_of(package, name, batch).items():
                    enter((name, package.name, f"batch of {batch}, {kind}"), seconds)
    return times


def report(package, times, script, output):
    rows, ratios = [], []
    for name in package.structures:
        def best(kind):
            return min(t for (s, program, what), t in times.items()
                       if s == name and program == package.name and what.endswith(kind))

        for (structure, program, what), seconds in times.items():
            if structure == name:
                rows.append([name, program, what, number(seconds * 1e6)])
                if program == "s2dpes":
                    of_kinds = (f"{best(kind) / seconds:.0f}" for kind in (PREBUILT, FROM_STRUCTURES))
                    ratios.append([name, what, *of_kinds])
    versions = ", ".join(f"{name} {v}" for name, v in installed(package.versions).items())
    return "\n".join([
        f"# s2dpes and the package {package.name} on one thread", "",
        f"- date: {datetime.datetime.now().isoformat(' ', 'minutes')}",
        f"- CPU: {cpu_name()}, load average {os.getloadavg()[0]:.1f}",
        f"- command: `python benches/{script} --output {output}`", f"- versions: {versions}", "", "## Times", "",
        table(["structure", "program", "what", "us/point"], rows, 1), "",
        "The package's point is one structure. A point of s2dpes is a node of the grid: the time of the points that were "
        "evaluated over the number of nodes.",
        "", "## How many times faster s2dpes is", "",
        table(["structure", "s2dpes", *(f"{package.name}, {kind}" for kind in (PREBUILT, FROM_STRUCTURES))], ratios, 2),
        "",
        "Against the package's best batch; with a load average above one, other programs disturbed both. A landscape "
        "needs a new graph at every point: the last column is what it takes there.", ""])


def main(make, script):
    parser = argparse.ArgumentParser(description="compares s2dpes with the package of a family of models")
    binary.add_option(parser)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=5, help="of a round")
    parser.add_argument("--nodes", type=int, default=24, help="along each axis of the landscapes")
    options = parser.parse_args()
    options.point = binary.point(options, parser)
    package = make()
    text = report(package, measure(package, options), script, options.output)
    options.output.write_text(text)
    print(text)
