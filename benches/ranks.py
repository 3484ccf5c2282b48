"""Ranks on this machine: time of a campaign on one rank, on several, and on one rank with as many threads.

    cargo build --release
    python benches/ranks.py --model MODELS/mp0-medium.model --output benches/results/ranks.md

Two campaigns: one landscape, and many small ones of the campaign set. The cases take turns within each round; medians are reported. Times are
those that the runs record themselves (from the first look at the inputs to the last tile), so starting MPI is not in them, but reading,
preparing and making the file are. Parallel efficiency is time of one rank / (ranks * time of some ranks).
"""
import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/s2dpes"
LANDSCAPE = """
[[structure]]
file = "{root}/configs/structures/W2N3_chgnet.extxyz"
name = "W2N3"
[[structure.landscape]]
axes = [ {{ dof = "W1.x", points = {points} }}, {{ dof = "N1.z", points = {points} }} ]
"""
MANY = """
[[structure]]
file = "{root}/tests/data/campaign/structures/{pattern}.extxyz"
[[structure.landscape]]
orbit = "first-free"
points = {points}
"""


def campaign(options, structures):
    return f'[campaign]\noutput = "result.h5"\n[[model]]\nname = "model"\nfile = "{options.model.resolve()}"\n{structures}'


def run(options, text, ranks, threads):
    """Seconds of a run, and its tiles."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "campaign.toml").write_text(text)
        launcher = [*options.mpirun.split(), "-n", str(ranks)] if ranks > 1 else []
        command = [*launcher, str(PROGRAM), "run", "campaign.toml", "--threads", str(threads)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise SystemExit(done.stderr[-2000:])
        said = subprocess.run([str(PROGRAM), "status", "--json", "result.h5"], cwd=folder, capture_output=True, text=True, check=True)
        status = json.loads(said.stdout)
        return status["runs"][0]["seconds"], sum(s["done"] for s in status["surfaces"]), sum(s["seconds"] for s in status["surfaces"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=int, nargs=2, default=[300, 16], help="nodes along each axis: of the landscape, of the small ones")
    parser.add_argument("--pattern", default="aflow-0[0-4]*", help="structures of the campaign set")
    parser.add_argument("--mpirun", default="mpirun --allow-run-as-root --oversubscribe --bind-to core")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    campaigns = {
        f"W2N3, {options.points[0]} x {options.points[0]}": LANDSCAPE.format(root=ROOT, points=options.points[0]),
        f"structures `{options.pattern}`, {options.points[1]} x {options.points[1]} each": MANY.format(root=ROOT, points=options.points[1], pattern=options.pattern),
    }
    cases = [(1, 1), (options.ranks, 1), (1, options.ranks)]
    rows = []
    for name, structures in campaigns.items():
        times = {case: [] for case in cases}
        for _ in range(options.rounds):
            for case in cases:
                seconds, tiles, _ = run(options, campaign(options, structures), *case)
                times[case].append(seconds)
                print(f"{name}: {case[0]} ranks x {case[1]} threads: {seconds:.2f} s", file=sys.stderr, flush=True)
        median = {case: statistics.median(values) for case, values in times.items()}
        alone = median[1, 1]
        for ranks, threads in cases:
            efficiency = alone / (ranks * threads * median[ranks, threads])
            rows.append(f"| {name} | {tiles} | {ranks} | {threads} | {median[ranks, threads]:.2f} | {efficiency:.2f} |")
    version = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    text = "\n".join([
        "# Ranks on one machine", "",
        f"`python benches/ranks.py --model {options.model.name}`, {version}, {date.today()}, {platform.machine()}, medians of {options.rounds} rounds.", "",
        "| campaign | tiles | ranks | threads a rank | seconds | parallel efficiency |", "| --- | ---: | ---: | ---: | ---: | ---: |", *rows, ""])
    print(text)
    if options.output:
        options.output.write_text(text)


main()
