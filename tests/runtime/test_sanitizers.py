"""Damaged files against the C core built with AddressSanitizer and UndefinedBehaviorSanitizer."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from kdp_samples import tiny

from kdpinn_runtime import pack

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "runtime" / "core"
FLAGS = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ISA_FLAGS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
    "neon": [],
}
ON_X86 = platform.machine() in ("x86_64", "AMD64")


def sources():
    """(file, flags) of the device part of the core."""
    for path in sorted(CORE.glob("*.c")):
        isa = next((name for name in ISA_FLAGS if name in path.stem), None)
        if path.stem.startswith("reverse") or (isa and (isa == "neon") == ON_X86):
            continue
        yield path, ISA_FLAGS.get(isa, [])


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harness")
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the core's tests need gcc or clang"
    define = ["-DKD_WITH_X86"] if ON_X86 else []
    objects = []
    for path, flags in [*sources(), (HERE / "harness.c", [])]:
        objects.append(folder / f"{path.stem}.o")
        command = [compiler, *FLAGS, *flags, *define, f"-I{CORE}", "-c", path, "-o", objects[-1]]
        subprocess.run(command, check=True)
    subprocess.run([compiler, *FLAGS, *objects, "-o", folder / "harness"], check=True)
    return folder / "harness"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.kdp"
    path.write_bytes(pack(tiny()))
    return path


def run(harness, mode, model):
    done = subprocess.run([harness, mode, model], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, accepted = map(int, done.stdout.split())
    return refused, accepted


def test_every_flipped_bit_is_refused(harness, model):
    assert run(harness, "flips", model) == (8 * model.stat().st_size, 0)


def test_every_truncation_is_refused(harness, model):
    assert run(harness, "cuts", model) == (model.stat().st_size, 0)


def test_forged_files_never_reach_foreign_memory(harness, model):
    refused, accepted = run(harness, "forged", model)
    assert refused + accepted == 8 * model.stat().st_size
    assert accepted > 0  # a changed weight is a valid file: so the evaluator was exercised
