"""Builds the two fuzz targets with clang's ASan and UBSan and runs them one after the other.

python tests/fuzz/fuzz.py                     60 seconds in all
python tests/fuzz/fuzz.py --seconds 3600      longer; the corpus that it finds is kept below build/
python tests/fuzz/fuzz.py --target raw --runs 100000000
build/fuzz/fuzz_raw FILE                      repeats one input, for example a crash

The last line says how many executions there were and how many crashes; exit 1 if there was one.
Where clang or its fuzzing library is missing it says so and exits 0: nothing was tested.
"""
# ruff: noqa: T201

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "runtime"))
from core_build import compile_core, link  # noqa: E402

BUILD = ROOT / "build" / "fuzz"
FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
FLAGS += ["-DKD_NO_UNROLL", "-fsanitize=address,undefined,float-cast-overflow"]
# Without the tracing of comparisons, and not in the kernels, whose loops depend on sizes alone:
# both cost several times what they find behind a digest.
COVERAGE = ["-O2", "-fsanitize-coverage=inline-8bit-counters,pc-table"]
INTERRUPTED = 72  # libFuzzer's exit status after Ctrl-C
# Files of the core that a target does without: fuzz_structured brings its own digest.
TARGETS = {"raw": (), "structured": ("sha256",)}


def missing_tools(compiler):
    """Why the targets cannot be built here, or None."""
    if compiler is None:
        return "no clang on the path (Debian: apt install clang libclang-rt-14-dev)"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text(
            "#include <stddef.h>\n#include <stdint.h>\n"
            "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return !d && n; }\n"
        )
        flags = ["-fsanitize=fuzzer,address", str(source), "-o", f"{folder}/empty"]
        done = subprocess.run([compiler, *flags], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"{compiler} has no fuzzing library (Debian: apt install libclang-rt-14-dev)"


def build(name, compiler, core):
    """The program of a target, from the object files of the core."""
    objects = [path for path in core if path.stem not in TARGETS[name]]
    flags = [*FLAGS, "-O2", "-fsanitize=fuzzer", "-fno-sanitize-coverage=trace-cmp", f"-I{HERE}"]
    return link(BUILD / f"fuzz_{name}", compiler, flags, [HERE / f"fuzz_{name}.c"], objects)


def run(name, program, seconds, runs):
    """(executions, crashes) of a target; prints libFuzzer's own words where it crashed."""
    found, crashes = BUILD / f"corpus-{name}", BUILD / f"crashes-{name}"
    for folder in (found, crashes):
        folder.mkdir(exist_ok=True)
    before = set(crashes.iterdir())
    limit = [f"-max_total_time={seconds:.0f}"] if runs is None else [f"-runs={runs}"]
    command = [program, *limit, "-max_len=8192", "-timeout=10", "-rss_limit_mb=1024", "-entropic=0"]
    command += ["-print_final_stats=1", f"-artifact_prefix={crashes}/", found, HERE / "corpus"]
    options = "quarantine_size_mb=4:malloc_context_size=4"
    environment = os.environ | {"ASAN_OPTIONS": options}
    log = BUILD / f"{name}.log"
    with log.open("w") as stream:
        done = subprocess.run(
            list(map(str, command)), stderr=stream, stdout=stream, env=environment, check=False
        )
    text = log.read_text(errors="replace")
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", text, re.MULTILINE))
    new = sorted(set(crashes.iterdir()) - before)
    if done.returncode == INTERRUPTED:
        print(f"fuzz: {name}: interrupted")
    elif done.returncode != 0:
        print("\n".join(text.splitlines()[-60:]))
        print(f"fuzz: {name}: exit {done.returncode}; inputs: {', '.join(map(str, new)) or 'none'}")
    return int(stats.get("number_of_executed_units", 0)), max(
        len(new), done.returncode not in (0, INTERRUPTED)
    )


def main():
    """Exit status: 0 nothing found or nothing to run it with, 1 a crash, hang, leak or UB."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--runs", type=int, help="executions of each target, instead of a time")
    parser.add_argument("--target", choices=TARGETS, action="append")
    options = parser.parse_args()
    compiler = shutil.which(os.environ.get("CLANG", "clang"))
    reason = missing_tools(compiler)
    if reason:
        print(f"fuzz: SKIPPED, nothing was tested: {reason}")
        return 0
    targets = options.target or list(TARGETS)
    BUILD.mkdir(parents=True, exist_ok=True)
    core = compile_core(BUILD, compiler, FLAGS, COVERAGE)
    programs = {name: build(name, compiler, core) for name in targets}
    executions = crashes = 0
    for name, program in programs.items():
        start = time.monotonic()
        ran, crashed = run(name, program, options.seconds / len(targets), options.runs)
        passed = time.monotonic() - start
        print(f"fuzz: {name}: {ran:,} executions in {passed:.0f} s, {crashed} crashes")
        executions, crashes = executions + ran, crashes + crashed
    print(f"fuzz: {executions:,} executions, {crashes} crashes, hangs, leaks or undefined behavior")
    return int(crashes > 0)


if __name__ == "__main__":
    sys.exit(main())
