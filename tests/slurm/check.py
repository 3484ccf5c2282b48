"""Runs s2dpes under the Slurm that SLURM_CONF names and checks what it does: check.py PROGRAM FOLDER"""
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROGRAM, FOLDER = (Path(argument).resolve() for argument in sys.argv[1:])
REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "jobscripts/generic.sh"
LANDSCAPE = "/W2N3/N1.x-N1.z"
CAMPAIGN = f"""
[campaign]
output = "result.h5"
equivalence = "none"
tile_points = 512

[[model]]
name = "demo-wn"
file = "embedded:demo-wn"

[[structure]]
name = "W2N3"
file = "{REPOSITORY}/configs/structures/W2N3_chgnet.extxyz"

[[structure.landscape]]
axes = [ {{ dof = "N1.x", points = POINTS }}, {{ dof = "N1.z", points = POINTS }} ]
"""
# Along an axis. The large campaign takes some seconds, so that something can happen to it.
SMALL, LARGE = 60, 400
# Notes where a rank is, then becomes it.
RANK = f"""#!/bin/sh
echo "$$ $SLURMD_NODENAME ${{CUDA_VISIBLE_DEVICES-}}" >"rank$SLURM_PROCID"
exec {PROGRAM} "$@"
"""
FOUR_RANKS = ["--nodes=2", "--ntasks=4", "--ntasks-per-node=2"]
# Scenarios. Ranks of a node share 8 MiB of /dev/shm, and a container may have 64.
AT_ONCE = 3
# Number of points -> a future of the scenario that the others compare with.
REFERENCES = {}
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"}


def call(*command, **options):
    """Exit code and all output of a command."""
    words = [str(word) for word in command]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    done = subprocess.run(words, **streams, text=True, timeout=150, **options)
    return done.returncode, done.stdout


def output_of(*command, **options):
    code, output = call(*command, **options)
    if code != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {code}\n{output}")
    return output


def wait_for(what, condition, seconds):
    """The first result of a condition that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.1)
    raise RuntimeError(f"after {seconds} s: still not {what}")


class Job:
    """A job of a batch script."""

    def __init__(self, number):
        self.number = number

    def show(self):
        text = output_of("scontrol", "--oneliner", "show", "job", self.number)
        return dict(re.findall(r"(\S+?)=(\S*)", text))

    def wait(self, state, seconds):
        """Its fields when it is in a state, or has ended in another one."""
        def there():
            fields = self.show()
            now = fields["JobState"]
            return fields if now == state or now not in ALIVE else None
        return wait_for(state, there, seconds)


class Snapshot:
    """Which tiles a result file holds, and how long they took."""

    def __init__(self, scenario):
        state = scenario.dataset("demo-wn/tile_state")
        seconds = scenario.dataset("demo-wn/tile_seconds")
        self.all = len(state)
        self.seconds = {t: seconds[8 * t : 8 * t + 8] for t, state in enumerate(state) if state == 1}
        self.done = len(self.seconds)

    def is_kept_by(self, later):
        return self.seconds.items() <= later.seconds.items()


class Scenario:
    """A folder with a campaign, what is done there and what is found."""

    def __init__(self, name, points):
        self.name, self.points, self.lines, self.failed = name, points, [], 0
        self.folder = FOLDER / name.replace(" ", "-")
        self.folder.mkdir()
        self.write("my.toml", CAMPAIGN.replace("POINTS", str(points)))
        self.write("rank", RANK).chmod(0o755)

    def place_of(self, rank):
        """Process, node and visible GPUs of a rank."""
        process, node, *gpus = (self.folder / f"rank{rank}").read_text().split()
        return int(process), node, gpus

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def check(self, what, holds, found=""):
        self.failed += not holds
        found = "" if holds else f" ({found})"
        self.lines.append(f"{'ok' if holds else 'FAILED':<7} {self.name}: {what}{found}")

    def run(self, body):
        try:
            body(self)
        except Exception as error:
            self.check(f"{type(error).__name__}: {error}", False, "a step failed")
        if self.failed:
            self.lines.append("log:\n" + self.log())
        print("\n".join(self.lines), flush=True)
        return self.failed

    def submit(self, *options, script=SCRIPT):
        environment = {**os.environ, "S2DPES": str(self.folder / "rank"), "SLURM_MPI_TYPE": "pmi2"}
        command = ["sbatch", "--parsable", "--output=log", *options, script, "my.toml"]
        return Job(output_of(*command, cwd=self.folder, env=environment).strip())

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def status(self):
        """What `s2dpes status` says; nothing if there is no result yet."""
        code, output = call(PROGRAM, "status", "--json", "result.h5", cwd=self.folder)
        return json.loads(output) if code == 0 else None

    def wait_for_tiles(self):
        """Waits until the first tiles are stored, when every rank still has much to do."""
        def there():
            status = self.status()
            return status and status["surfaces"][0]["done"] > 0
        wait_for("a tile in the file", there, 60)

    def dataset(self, name):
        """The bytes of a dataset."""
        (self.folder / "bytes").unlink(missing_ok=True)
        output_of("h5dump", "-d", f"{LANDSCAPE}/{name}", "-b", "LE", "-o", "bytes", "result.h5", cwd=self.folder)
        return (self.folder / "bytes").read_bytes()

    def snapshot(self):
        """Of a run that was stopped."""
        snapshot = Snapshot(self)
        self.check("the file holds a part", 0 < snapshot.done < snapshot.all, snapshot.done)
        return snapshot

    def check_end(self, job, seconds=120):
        """That a job ends with a complete result, the same as one process computes."""
        fields = job.wait("COMPLETED", seconds)
        ending = (fields["JobState"], fields["ExitCode"])
        self.check("the job ends with 0", ending == ("COMPLETED", "0:0"), ending)
        surface = self.status()["surfaces"][0]
        self.check("the result is complete", surface["open"] == 0 and surface["failed"] == 0, surface)
        exclude = [f"--exclude-path=/N1.x-N1.z/demo-wn/{name}" for name in ("tile", "tile_seconds")]
        reference = REFERENCES[self.points].result()
        difference = call("h5diff", *exclude, reference.folder / "result.h5", "result.h5", "/W2N3", cwd=self.folder)
        self.check("h5diff finds no difference from one process", difference == (0, ""), difference)
        for name in ("demo-wn/energy", "demo-wn/status", "distance_cost", "minimum_distance"):
            same = self.dataset(name) == reference.dataset(name)
            self.check(f"{name} has the bytes that one process computes", same)

    def check_runs(self, ranks, job):
        """That the file tells of all runs, the last one of a job."""
        runs = self.status()["runs"]
        self.check("the file knows all runs", [r["ranks"] for r in runs] == ranks, runs)
        self.check("the file knows the job", runs[-1]["job"] == job.number, runs)

    def check_no_result(self):
        self.check("no result file is left", not (self.folder / "result.h5").exists())

    def check_once(self, what, text):
        """That there is one message in all."""
        errors = re.findall(r"^error: .*", text, re.MULTILINE)
        self.check(f"one message names {what}", len(errors) == 1 and what in errors[0], errors)


def compute_reference(points):
    """A scenario in which one process has computed the campaign."""
    scenario = Scenario(f"one process, {points} points", points)
    output_of(PROGRAM, "run", "my.toml", cwd=scenario.folder)
    return scenario


def seats(scenario):
    """Of the log: node -> (ranks, the rest of the line)."""
    lines = re.findall(r"INFO \] (n\d): ranks ([\d ]+), (.*)", scenario.log())
    return [(node, [int(r) for r in ranks.split()], rest) for node, ranks, rest in lines]


def devices(scenario, gpus):
    """Node and GPU of each rank: what it sees, at the index that the log tells."""
    found = []
    for rank, index in enumerate(gpus):
        _, node, [visible] = scenario.place_of(rank)
        found.append((node, visible.split(",")[index]))
    return found


def check_idle(scenario):
    """That the log says once why GPUs are not used: they are none."""
    reasons = re.findall(r"WARN \] computing on CPUs, and GPUs stay idle: (.+)", scenario.log())
    scenario.check("the log says once why GPUs stay idle", len(reasons) == 1, reasons)


ALL_DEVICES = [("n1", "0"), ("n1", "1"), ("n2", "0"), ("n2", "1")]


def gpus_of_a_node(scenario):
    job = scenario.submit(*FOUR_RANKS, "--gpus-per-node=2")
    scenario.check_end(job)
    scenario.check_runs([4], job)
    expected = [("n1", [0, 1], "1 thread each, GPU 0 1"), ("n2", [2, 3], "1 thread each, GPU 0 1")]
    scenario.check("the log has one line a node", seats(scenario) == expected, seats(scenario))
    found = devices(scenario, [0, 1, 0, 1])
    scenario.check("each rank has its own GPU", found == ALL_DEVICES, found)
    check_idle(scenario)


def gpus_of_a_task(scenario):
    job = scenario.submit(*FOUR_RANKS, "--gpus-per-task=1", "--distribution=cyclic")
    scenario.check_end(job)
    scenario.check_runs([4], job)
    expected = [("n1", [0, 2], "1 thread each, GPU 0"), ("n2", [1, 3], "1 thread each, GPU 0")]
    scenario.check("the log has one line a node", seats(scenario) == expected, seats(scenario))
    found = devices(scenario, [0, 0, 0, 0])
    scenario.check("each rank has its own GPU", sorted(found) == ALL_DEVICES, found)
    scenario.check("nobody is said to share one", "share" not in scenario.log(), scenario.log())
    check_idle(scenario)


def check_requeue(scenario, job):
    """That a job is in the queue with a part of the results, and goes on when it is its turn."""
    fields = job.wait("PENDING", 45)
    scenario.check("the job is back in the queue", fields["JobState"] == "PENDING", fields)
    before = scenario.snapshot()
    output_of("scontrol", "update", f"JobId={job.number}", "StartTime=now")
    scenario.check_end(job)
    scenario.check_runs([4, 4], job)
    restarts = job.show()["Restarts"]
    scenario.check("it was requeued once", restarts == "1", restarts)
    resumed = f"{before.done} of {before.all} tiles were in the file already"
    scenario.check("the same log says what was there", resumed in scenario.log())
    scenario.check("no tile was computed again", before.is_kept_by(Snapshot(scenario)))
    return before


def usr1(scenario):
    job = scenario.submit(*FOUR_RANKS)
    scenario.wait_for_tiles()
    output_of("scancel", "--signal=USR1", job.number)
    before = check_requeue(scenario, job)
    stored = f"{before.done} of {before.all} tiles are in result.h5; the same command goes on"
    scenario.check("the log says what is stored", f"stopped by SIGUSR1: {stored}" in scenario.log())


def node_failure(scenario):
    job = scenario.submit(*FOUR_RANKS, "--partition=fragile")
    scenario.wait_for_tiles()
    # All that a node does not do any more: its daemon, the one that looks after the ranks, and the ranks.
    ranks = [scenario.place_of(rank)[0] for rank in (2, 3)]
    node = scenario.place_of(2)[1]
    keeper = int(re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{ranks[0]}/status").read_text(), re.MULTILINE)[1])
    slurmd = int((Path(os.environ["SLURM_CONF"]).parent / f"slurmd-{node}.pid").read_text())
    for process in (slurmd, keeper, *ranks):
        os.kill(process, signal.SIGKILL)
    output_of("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    check_requeue(scenario, job)


def scancel(scenario):
    job = scenario.submit(*FOUR_RANKS)
    scenario.wait_for_tiles()
    output_of("scancel", job.number)
    # Slurm itself would kill what is left after a minute.
    state = job.wait("CANCELLED", 45)["JobState"]
    scenario.check("the job ends by itself", state == "CANCELLED", state)
    check_resume(scenario, [4, 1], "--nodes=1", "--ntasks=1")
    state = job.show()["JobState"]
    scenario.check("nobody requeued it", state == "CANCELLED", state)


def check_resume(scenario, ranks, *options):
    """That a new job goes on with what there is."""
    before = scenario.snapshot()
    job = scenario.submit(*options)
    scenario.check_end(job)
    scenario.check_runs(ranks, job)
    scenario.check("no tile was computed again", before.is_kept_by(Snapshot(scenario)))


def kill(scenario, rank, *options):
    # The script's minute that srun waits for other ranks is long.
    text = SCRIPT.read_text()
    script = scenario.write("generic.sh", text.replace("--wait=60", "--wait=5"))
    scenario.check("the script says how long srun waits", script.read_text() != text)
    job = scenario.submit(*FOUR_RANKS, script=script)
    scenario.wait_for_tiles()
    os.kill(scenario.place_of(rank)[0], signal.SIGKILL)
    fields = job.wait("FAILED", 30)
    ending = (fields["JobState"], fields["ExitCode"])
    scenario.check("the job fails", ending == ("FAILED", "137:0"), ending)
    check_resume(scenario, [4, 2], *options)
    state = job.show()["JobState"]
    scenario.check("nobody requeued it", state == "FAILED", state)


def kill_rank_0(scenario):
    kill(scenario, 0, "--nodes=2", "--ntasks=2")


def kill_rank_3(scenario):
    kill(scenario, 3, "--nodes=1", "--ntasks=2")


def no_mpi(scenario):
    environment = {**os.environ, "SLURM_MPI_TYPE": "none"}
    command = ["srun", *FOUR_RANKS, PROGRAM, "run", "my.toml"]
    code, output = call(*command, cwd=scenario.folder, env=environment)
    scenario.check("ranks that do not find each other exit with 2", code == 2, code)
    scenario.check_once("pmi2", output)
    scenario.check_no_result()


def no_srun(scenario):
    for command in (["salloc", "--ntasks=4", PROGRAM, "run", "my.toml"],
                    ["sbatch", "--ntasks=4", "--output=log", "--wait", "--wrap", f"{PROGRAM} run my.toml"]):
        code, output = call(*command, cwd=scenario.folder)
        scenario.check(f"under {command[0]} alone it exits with 2", code == 2, code)
        scenario.check_once("`srun s2dpes run ...`", scenario.log() or output)
        scenario.check_no_result()
    code, output = call("salloc", "--ntasks=4", PROGRAM, "plan", "my.toml", cwd=scenario.folder)
    scenario.check("other commands need no srun", code == 0, output)
    code, output = call("salloc", "--ntasks=4", "srun", "--ntasks=1", PROGRAM, "run", "my.toml", cwd=scenario.folder)
    scenario.check("one rank of a larger job may compute", code == 0, output)


def bad_campaign(scenario):
    scenario.write("my.toml", "nonsense")
    fields = scenario.submit(*FOUR_RANKS).wait("FAILED", 20)
    scenario.check("the job exits with 2", fields["ExitCode"] == "2:0", fields["ExitCode"])
    scenario.check_once("my.toml", scenario.log())


SCENARIOS = [
    ("killed rank 0", LARGE, kill_rank_0),
    ("killed rank 3", LARGE, kill_rank_3),
    ("scancel", LARGE, scancel),
    ("node failure", LARGE, node_failure),
    ("SIGUSR1", LARGE, usr1),
    ("GPUs of a node", SMALL, gpus_of_a_node),
    ("GPUs of a task", SMALL, gpus_of_a_task),
    ("bad campaign", SMALL, bad_campaign),
    ("srun without MPI", SMALL, no_mpi),
    ("no srun", SMALL, no_srun),
]


def forget_other_launchers():
    """What a shell inside of another job may have told us."""
    for name in list(os.environ):
        if name != "SLURM_CONF" and name.startswith(("SLURM_", "SBATCH_", "SRUN_", "PMI_", "OMPI_", "S2DPES")):
            del os.environ[name]


def main():
    forget_other_launchers()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for points in (SMALL, LARGE):
            REFERENCES[points] = pool.submit(compute_reference, points)
        runs = [pool.submit(Scenario(name, points).run, body) for name, points, body in SCENARIOS]
    failed = sum(run.result() for run in runs)
    print(f"{failed} checks failed" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
