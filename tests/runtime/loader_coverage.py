"""Which branches of the C loader the refusal tests take: `make coverage` prints what is missing.

The loader, the files below in their order, runs on the malformed files of
test_format_refusals.py, on the cases of loader_cases.py and on the fuzzers' corpus; gcc's gcov
counts.
"""
# ruff: noqa: T201

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LOADER = ("model.c", "sha256.c", "records.c", "tensors.c", "symmetry.c", "network.c", "physics.c")


def files():
    """Every malformed file of the tests, and good ones."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "fuzz")]
    from loader_cases import CASES as EDGES
    from make_corpus import seeds
    from test_format_refusals import CASES

    refused = [data for _, data, _ in CASES.values()]
    return [*refused, *(data for _, data in EDGES.values()), *seeds().values()]


def measure(folder):
    """(branches, taken, {"model.c:123": "1 of 4 branches never taken"}) of the loader."""
    from core_build import CORE

    folder = Path(folder)
    build = ["gcc", "-std=c11", "-O0", f"-I{CORE}", f"-I{HERE}"]
    objects = []
    for path in sorted(CORE.glob("*.c")):
        if any(word in path.stem for word in ("avx", "neon", "reverse")):
            continue
        coverage = ["--coverage"] if path.name in LOADER else []
        objects.append(folder / f"{path.stem}.o")
        subprocess.run([*build, *coverage, "-c", path, "-o", objects[-1]], check=True)
    program = folder / "load_each"
    subprocess.run(
        [*build, "--coverage", HERE / "load_each.c", *objects, "-o", program], check=True
    )
    names = []
    for number, data in enumerate(files()):
        names.append(folder / f"{number}.kdp")
        names[-1].write_bytes(data)
    subprocess.run([program, *names], check=True, stdout=subprocess.DEVNULL)
    return count(folder)


def count(folder):
    """Reads gcov's report of the loader's object files."""
    objects = [str(folder / f"{Path(name).stem}.gcda") for name in LOADER]
    done = subprocess.run(
        ["gcov", "--branch-probabilities", "--json-format", "--stdout", *objects],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    total = taken = 0
    missing = {}
    for report in map(json.loads, done.stdout.splitlines()):
        for file in report["files"]:
            for line in file["lines"]:
                counts = [branch["count"] for branch in line["branches"]]
                if Path(file["file"]).name not in LOADER:
                    continue
                total, taken = total + len(counts), taken + sum(n > 0 for n in counts)
                if 0 in counts:
                    where = f"{Path(file['file']).name}:{line['line_number']}"
                    missing[where] = f"{counts.count(0)} of {len(counts)} branches never taken"
                elif line["count"] == 0:
                    missing[f"{Path(file['file']).name}:{line['line_number']}"] = "never reached"
    return total, taken, missing


if __name__ == "__main__":
    if not (shutil.which("gcc") and shutil.which("gcov")):
        sys.exit("coverage: SKIPPED, nothing was measured: it needs gcc and gcov")
    with tempfile.TemporaryDirectory() as temporary:
        total, taken, missing = measure(temporary)
    for where, what in missing.items():
        print(f"{where}: {what}")
    print(f"coverage: {taken} of {total} branches of the loader ({100 * taken / total:.1f} %)")
    sys.exit(bool(missing))
