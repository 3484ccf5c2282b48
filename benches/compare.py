"""Compares s2dpes with mace-torch and symmetrix-xl in one run, one thread each, and writes the times as Markdown.

    cargo bench --bench point --no-run
    pip install mace-torch ase
    python compare.py --model mp0-medium.model --output results/compare.md
    python compare.py --model mp0-medium.model --symmetrix mp0-medium.json --symmetrix-python PYTHON --output results/compare.md

PYTHON is one that has symmetrix-xl; `peers.py` tells how to install it and how to make its JSON file (atomic numbers 7 16 50 74).
--point is the binary of the bench `point`, the newest one below target/release/deps by default.

The programs take turns: structure by structure, three rounds. A time is the median over the rounds of the median of a round, wall time.
A batch counts if it is the best of a program for a structure. The other programs get settings of the C library's memory allocator that keep
freed memory, since mace-torch otherwise spends a large part of its time on page faults; s2dpes runs as it is.
"""
import argparse
import datetime
import json
import os
import platform
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True                                      # no cache folder beside the scripts
import binary
from peers import cpu_name

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_TOP_PAD_": "500000000"}
W2N3, SN2S3, RATTLED = "W2N3", "Sn2S3", "Sn2S3, rattled"
STRUCTURES = {
    W2N3: ("configs/structures/W2N3_chgnet.extxyz", ["W1.x,N1.z", "W1.x,W1.z"]),
    SN2S3: ("tests/data/golden/Sn2S3-Pnma.extxyz", ["Sn1.x,S3.z", "Sn1.x,Sn1.z"]),
    RATTLED: ("tests/data/golden/Sn2S3-rattled.extxyz", ["S1.x,S2.x"]),
}
GRAPHS = {"prebuilt": "graph made before", "from_atoms": "with making the graph"}
disturbances = []                                                   # CPU time over wall time of every run
versions = {"Python": platform.python_version()}


def call(command, environment=None):
    """Runs a program and returns the JSON on its last line, and its CPU time over its wall time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env={**os.environ, **(environment or {})})
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(str(word) for word in command)}\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.strip().splitlines()[-1]), cpu / wall


def peer(options, program, structure, environment):
    """{(batch, graph): microseconds a cell}, and the whole answer."""
    python, model, batches = {
        "mace": (options.mace_python, options.model, ["1", "4", "8"]),
        "symmetrix": (options.symmetrix_python, options.symmetrix, ["1", "8", "32"]),
    }[program]
    command = [python, BENCHES / "peers.py", program, model, ROOT / STRUCTURES[structure][0], "--repetitions", options.repetitions]
    answer, _ = call(command + ["--batches", *batches], {**KEEP_MEMORY, **environment})
    rows = [row for row in answer["rows"] if row["graph"] in GRAPHS]
    versions.update(answer["versions"])
    disturbances.extend(row["cpu_median_us_per_cell"] / row["wall_median_us_per_cell"] for row in rows)
    return {(row["batch"], row["graph"]): row["wall_median_us_per_cell"] for row in rows}, answer


def cases(options, structure):
    """What s2dpes does with a structure: {name: options}."""
    out = {}
    for axes in STRUCTURES[structure][1]:
        if structure == RATTLED:
            out[f"{axes}, no symmetry"] = ["--axes", axes, "--points", 8, "--full", "--no-symmetry"]
            continue
        whole = ["--axes", axes, "--points", options.nodes, "--tiles", 0]
        out[f"{axes}, every node evaluated"] = [*whole, "--full"]
        out[f"{axes}, irreducible nodes evaluated"] = whole
    return out


def s2dpes(options, structure, arguments):
    """Microseconds a node of the grid: all of them are evaluated with --full, only the irreducible ones without."""
    command = [options.point, "--model", options.model, "--structure", ROOT / STRUCTURES[structure][0], "--threads", 1]
    answer, busy = call(command + ["--repetitions", options.repetitions, *arguments])
    disturbances.append(busy)
    versions["s2dpes"] = answer.get("version") or re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    return answer["median_us_per_point"] * answer["evaluated_points"] / answer["nodes"]


def measure(options):
    """[(structure, program, what, microseconds a point, atoms)], and what the programs said about themselves."""
    times, answers, atoms = {}, {}, {}
    programs = ["mace"] + (["symmetrix"] if options.symmetrix else [])
    with tempfile.TemporaryDirectory() as cache:
        for round_ in range(options.rounds):
            for structure in STRUCTURES:
                print(f"round {round_ + 1} of {options.rounds}: {structure}", file=sys.stderr, flush=True)
                for program in programs:
                    rows, answers[program, structure] = peer(options, program, structure, {"SYMMETRIX_JIT_CACHE": cache})
                    atoms[structure] = answers[program, structure]["n_atoms"]
                    for key, value in rows.items():
                        times.setdefault((structure, program, key), []).append(value)
                for name, arguments in cases(options, structure).items():
                    times.setdefault((structure, "s2dpes", name), []).append(s2dpes(options, structure, arguments))
    medians = {key: statistics.median(values) for key, values in times.items()}
    rows = []
    for structure in STRUCTURES:
        for program in programs:
            said = answers[program, structure]
            for graph, description in GRAPHS.items():
                ours = {key[2][0]: value for key, value in medians.items() if key[:2] == (structure, program) and key[2][1] == graph}
                batch = min(ours, key=ours.get)
                rows.append((structure, said["program"], f"{said['computes']}, batch of {batch}, {description}", ours[batch], atoms[structure]))
        rows += [(structure, "s2dpes", name, medians[structure, "s2dpes", name], atoms[structure]) for name in cases(options, structure)]
    return rows, answers


def check_energies(answers):
    """The other programs must compute the same energy of the same cell."""
    for (program, structure), said in answers.items():
        mine, theirs = answers["mace", structure]["energy_of_first_cell_eV"], said["energy_of_first_cell_eV"]
        if abs(mine - theirs) > 1e-4 * abs(mine) + 1e-3 * said["n_atoms"]:
            raise SystemExit(f"{structure}: mace-torch computes {mine} eV, {program} {theirs} eV: not the same model")


def table(head, rows, numbers):
    """A Markdown table whose last columns, so many, are numbers."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rows])


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def report(options, rows):
    commit = subprocess.run(["git", "--no-optional-locks", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    short = lambda word: Path(word).name if os.sep in word else word
    built = datetime.datetime.fromtimestamp(options.point.stat().st_mtime).isoformat(" ", "minutes")
    head = {
        "date": datetime.datetime.now().isoformat(" ", "minutes"), "CPU": cpu_name(), "commit": f"{commit}, `point` built {built}",
        "command": "`python benches/compare.py " + shlex.join(short(word) for word in sys.argv[1:]) + "`",
        "versions": ", ".join(f"{name} {v}" for name, v in sorted(versions.items())),
        "undisturbed": f"at least {min(disturbances):.0%} of the wall time was CPU time in every run (below 95%, other programs ran beside: measure again)",
    }
    peers = list(dict.fromkeys(program for _, program, *_ in rows if program != "s2dpes"))
    best = {(structure, program): us for structure, program, what, us, _ in rows if what.endswith(GRAPHS["prebuilt"])}
    ratios = [[structure, what] + [f"{best[structure, p] / us:.1f}" for p in peers] for structure, program, what, us, _ in rows if program == "s2dpes"]
    times = [[structure, program, what, number(us), number(us / atoms)] for structure, program, what, us, atoms in rows]
    nodes = f"{options.nodes} x {options.nodes}"
    return "\n".join([
        "# s2dpes and other programs on one thread", "", *(f"- {name}: {value}" for name, value in head.items()), "", "## Times", "",
        table(["structure", "program", "what", "us/point", "us/atom"], times, 2), "",
        f"For s2dpes a point is a node of the {nodes} grid (8 x 8 without symmetry): the time of the points that were evaluated over the number of nodes.",
        "Atoms are those of the whole cell for every program. Loading models and preparing scenes is in none of the times.",
        "", "## How many times faster s2dpes is", "", table(["structure", "s2dpes", *(f"{p} / s2dpes" for p in peers)], ratios, len(peers)), "",
        "Against the other programs' times with the graph made before, at their best batch.", ""])


def main():
    parser = argparse.ArgumentParser(description="compares s2dpes with mace-torch and symmetrix-xl")
    parser.add_argument("--model", required=True, help="a saved MACE that knows N, S, Sn and W")
    parser.add_argument("--symmetrix", help="the same model as symmetrix-xl's JSON")
    parser.add_argument("--symmetrix-python", default=sys.executable)
    parser.add_argument("--mace-python", default=sys.executable)
    binary.add_option(parser)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=5, help="of a round")
    parser.add_argument("--nodes", type=int, default=120, help="along each axis of the landscapes")
    options = parser.parse_args()
    options.point = binary.point(options, parser)
    rows, answers = measure(options)
    check_energies(answers)
    text = report(options, rows)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
