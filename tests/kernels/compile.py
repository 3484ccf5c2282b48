"""Compiles the kernels with NVRTC, as the program does, and notes what they use; no GPU is needed.

    python3 tests/kernels/compile.py            writes benches/results/kernels.md
    python3 tests/kernels/compile.py --check    fails if that file says something else

NVRTC comes from a wheel that pip fetches into target/nvrtc. Sources are in the order of src/engine/cuda/source.rs,
options those of src/engine/cuda/compile.rs. It fails where the compiler warns, where a float32 kernel spills or has a
stack frame, and where one of HOT does in float64.
"""
import argparse
import ctypes
import datetime
import difflib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WHEEL = "nvidia-cuda-nvrtc-cu12==12.9.86"
FOLDER = ROOT / "target/nvrtc"
RESULT = ROOT / "benches/results/kernels.md"
# Bytes of shared memory of a multiprocessor.
ARCHITECTURES = {"sm_80": 164 << 10, "sm_90": 228 << 10}
PRECISIONS = {"float32": False, "float64": True}
HOT = {"linear", "contract", "first_messages", "later_messages", "apply_first", "apply_later", "operators",
       "linear_rows", "bond_messages", "angle_messages"}
BLOCK_WARPS = 4
NOTE = "- date: "


def library():
    """NVRTC in an environment of its own, so that pip is there and the system's packages stay as they are."""
    def found():
        return sorted(FOLDER.glob("lib/python3*/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"))

    if not found():
        commands = [[sys.executable, "-m", "venv", FOLDER],
                    [FOLDER / "bin/pip", "install", "--quiet", "--no-deps", WHEEL]]
        if any(subprocess.run(command).returncode != 0 for command in commands) or not found():
            sys.exit(f"{WHEEL} could not be installed into {FOLDER}: that takes python3-venv and a connection to PyPI.")
    return str(found()[0])


def source():
    """All kernels as one text, as source.rs joins them."""
    names = re.findall(r'\("([^"]+)", include_str!', (ROOT / "src/engine/cuda/source.rs").read_text())
    if not names:
        sys.exit("src/engine/cuda/source.rs names no kernels in a form that this script knows.")
    return "".join(f'#line 1 "kernels/{name}"\n{(ROOT / "kernels" / name).read_text()}\n' for name in names)


def options(architecture, double):
    """Those of compile.rs."""
    found = re.findall(r'"(-[^"]+)"', (ROOT / "src/engine/cuda/compile.rs").read_text())
    only_double = [option for option in found if option.startswith("-D")]
    if len(only_double) != 1 or "--gpu-architecture={target}" not in found:
        sys.exit("src/engine/cuda/compile.rs has its options in no form that this script knows.")
    kept = [option for option in found if double or option not in only_double]
    return [option.replace("{target}", architecture) for option in kept]


def compile_kernels(nvrtc, text, choices):
    """What the compiler says."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"s2dpes.cu", 0, None, None)
    array = (ctypes.c_char_p * len(choices))(*(choice.encode() for choice in choices))
    failed = created or nvrtc.nvrtcCompileProgram(program, len(choices), array)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value + 1)
    nvrtc.nvrtcGetProgramLog(program, log)
    said = log.value.decode().strip()
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    if failed or re.search(r"\b(warning|error)\b", said):
        sys.exit(f"NVRTC complains with {' '.join(choices)}:\n{said}")
    return said


def usage(log):
    """{kernel: (registers, static shared memory, stack frame, spills)}"""
    out, name = {}, None
    for line in log.splitlines():
        if entry := re.search(r"Compiling entry function '(\w+)'", line):
            name = entry[1]
        elif memory := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            stack, stores, loads = map(int, memory.groups())
        elif (used := re.search(r"Used (\d+) registers", line)) and name:
            shared = re.search(r"(\d+) bytes smem", line)
            out[name] = (int(used[1]), int(shared[1]) if shared else 0, stack, stores + loads)
            name = None
    return out


def blocks(registers, shared, limit):
    """Blocks of 128 threads that a multiprocessor takes: 64 warps, 65536 registers that warps get by 256 and in four
    equal parts, and shared memory, of which each block takes 1 KiB more than its own, in units of 128 bytes."""
    warp = -(-registers * 32 // 256) * 256
    by_registers = 4 * min(16, 16384 // warp) // BLOCK_WARPS
    by_shared = limit // (-(-shared // 128) * 128 + 1024)
    return min(by_registers, by_shared)


def complaints(found):
    for (architecture, precision), kernels in found.items():
        for name, (_, _, stack, spills) in kernels.items():
            if (precision == "float32" or name in HOT) and (stack or spills):
                yield f"{name} has a stack frame of {stack} B and spills {spills} B ({architecture}, {precision})."
    missing = HOT - set.intersection(*(set(kernels) for kernels in found.values()))
    if missing:
        yield f"No kernel is called {', '.join(sorted(missing))}; correct HOT."


def report(version, found, date):
    lines = [
        "# What the kernels use", "",
        "`make kernels`. Counted by the compiler and from the limits of the architectures, not measured.", "",
        f"- compiler: NVRTC {version}", f"{NOTE}{date}",
        "- blocks: of 128 threads, as many as registers and shared memory let a multiprocessor hold; 16 is the most",
        "- spills: bytes stored and loaded; shared memory: bytes of a block", "",
        "| kernel | precision | shared memory | " + " | ".join(
            f"{a}: registers | spills | blocks" for a in ARCHITECTURES) + " |",
        "| --- | --- | ---: |" + " ---: | ---: | ---: |" * len(ARCHITECTURES),
    ]
    for name in sorted(found["sm_80", "float32"]):
        for precision in PRECISIONS:
            own = {a: found[a, precision][name] for a in ARCHITECTURES}
            shared = " / ".join(dict.fromkeys(str(memory) for _, memory, _, _ in own.values()))
            cells = [f"{registers} | {spills} | {blocks(registers, memory, ARCHITECTURES[a])}"
                     for a, (registers, memory, _, spills) in own.items()]
            lines.append(f"| {name} | {precision} | {shared} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="compiles the kernels with NVRTC and notes what they use")
    parser.add_argument("--check", action="store_true", help="compare with the stored table instead of writing it")
    check = parser.parse_args().check
    nvrtc, text = ctypes.CDLL(library()), source()
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    found = {(a, p): usage(compile_kernels(nvrtc, text, options(a, double)))
             for a in ARCHITECTURES for p, double in PRECISIONS.items()}
    if wrong := list(complaints(found)):
        sys.exit("\n".join(wrong))
    stored = RESULT.read_text() if RESULT.exists() else ""
    known = re.search(f"^{NOTE}(.*)$", stored, re.MULTILINE)

    def of_date(date):
        return report(f"{major.value}.{minor.value}", found, date)

    same = bool(known) and of_date(known[1]) == stored
    if not same and check:
        new = of_date(known[1] if known else "")
        sys.stdout.writelines(difflib.unified_diff(stored.splitlines(True), new.splitlines(True), "stored", "found"))
        sys.exit(f"{RESULT.relative_to(ROOT)} is out of date: run make kernels and commit it.")
    if not same:
        RESULT.write_text(of_date(datetime.date.today().isoformat()))
    print(f"{len(found['sm_80', 'float32'])} kernels compile for {', '.join(ARCHITECTURES)} in both precisions; "
          f"{RESULT.relative_to(ROOT)} {'is up to date' if same else 'was written'}.")


if __name__ == "__main__":
    main()
