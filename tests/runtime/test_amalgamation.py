"""The core as two files: the same bytes every time, no warning anywhere, the same answers."""

import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from kdp_samples import sample
from replaying import SOURCE, replay
from test_core import points_in

from kdpinn_runtime import _core, load, pack

TOOL = Path(__file__).parents[2] / "runtime" / "tools" / "amalgamate.py"
HEADER = TOOL.parents[1] / "core" / "kdpinn.h"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding", "-ffp-contract=off"]
LANGUAGES = {
    "gcc": ["-std=c99"],
    "clang": ["-std=c99"],
    "g++": ["-x", "c++", "-std=c++11"],
    "clang++": ["-x", "c++", "-std=c++17"],
}
VECTORS = {
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "neon": [],
    "scalar": ["-DKD_USE_SCALAR"],
}
HERE = _core.isas()


def installed(compiler, *more):
    """A test's parameters that begin with a compiler, skipped where it is missing."""
    mark = pytest.mark.skipif(not shutil.which(compiler), reason=f"{compiler} is not installed")
    return pytest.param(compiler, *more, marks=mark)


COMPILERS = [installed(name) for name in LANGUAGES]
COMPILERS_HERE = [name for name in LANGUAGES if shutil.which(name)]
# Every compiler with the best vectors, one of each language with the others.
BUILDS = [
    installed(name, isa)
    for isa in HERE
    for name in LANGUAGES
    if isa == HERE[0] or name in ("gcc", "clang++")
]
# What a compiler may call without being asked, also in a freestanding program.
EXPECTED_OF_ANY_SYSTEM = {"memcpy", "memmove", "memset", "memcmp"}


def write(folder, *options, seed="0"):
    environment = os.environ | {"PYTHONHASHSEED": seed}
    subprocess.run([sys.executable, TOOL, folder, *options], check=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    return write(tmp_path_factory.mktemp("amalgamation"))


def compiled(core, folder, compiler, *flags):
    target = folder / "kdpinn.o"
    command = [
        compiler,
        *LANGUAGES[compiler],
        *STRICT,
        *flags,
        "-c",
        core / "kdpinn.c",
        "-o",
        target,
    ]
    subprocess.run(command, check=True)
    return target


def linked(core, folder, kdpinn):
    """The replay program, always C: also what a C++ compiler made has C's interface."""
    program = folder / "replay"
    compiler = shutil.which("gcc") or shutil.which("clang")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([compiler, *strict, f"-I{core}", SOURCE, kdpinn, "-o", program], check=True)
    return program


def test_the_bytes_repeat(core, tmp_path):
    again = write(tmp_path, seed="7")
    for name in ("kdpinn.h", "kdpinn.c"):
        assert (core / name).read_bytes() == (again / name).read_bytes()
    assert sorted(p.name for p in core.iterdir()) == ["kdpinn.c", "kdpinn.h"]
    assert "reverse" not in (core / "kdpinn.c").read_text()


@pytest.mark.parametrize(("compiler", "isa"), BUILDS)
def test_answers_are_those_of_the_library(core, tmp_path, compiler, isa):
    """Bit for bit: only IEEE operations, in the same order, whatever compiler and language."""
    program = linked(core, tmp_path, compiled(core, tmp_path, compiler, "-O2", *VECTORS[isa]))
    for activation, dtype in product(("tanh", "gelu"), (np.float32, np.float64)):
        file = sample(sizes=(2, 9, 9, 1), activation=activation)
        model = load(pack(file), isa=isa)
        x = points_in(file, 70)
        said = replay([program], tmp_path, file, x, dtype=dtype)
        want = model.selftest(dtype)
        assert (said.isa, said.passed, said.points) == (isa, True, want["points"])
        assert np.array_equal(said.jets, model.jet(x.astype(dtype), [("x", "x")]).channels)
        assert said.figures == {role: want[role][0] for role in said.figures}


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm and size of binutils")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_it_needs_nothing_and_keeps_no_state(core, tmp_path, compiler):
    level = "-Os" if compiler in ("g++", "clang") else "-O3"
    # Position-dependent, because tables of addresses are otherwise filled in by the loader.
    library = compiled(core, tmp_path, compiler, level, "-fno-pic", "-fno-pie")
    symbols = subprocess.run(["nm", library], check=True, capture_output=True, text=True).stdout
    kinds = [line.split()[-2:] for line in symbols.splitlines()]
    assert {name for kind, name in kinds if kind == "U"} <= EXPECTED_OF_ANY_SYSTEM
    theirs = {name for kind, name in kinds if kind.isupper() and kind != "U"}
    assert theirs == set(
        re.findall(r"^KD_API [^;]*?\b(\w+)(?:\(|;)", HEADER.read_text(), re.MULTILINE)
    )
    sizes = subprocess.run(["size", library], check=True, capture_output=True, text=True).stdout
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    assert text > 10_000
    assert (data, bss) == (0, 0)


def test_assimilation_comes_where_it_is_asked_for(core, tmp_path):
    write(tmp_path, "--assimilate")
    library = compiled(tmp_path, tmp_path, COMPILERS_HERE[-1], "-O0", "-DKD_USE_SCALAR")
    symbols = subprocess.run(["nm", library], check=True, capture_output=True, text=True).stdout
    theirs = set(re.findall(r" T (kd_assimilate\w+)", symbols))
    header = (tmp_path / "kdpinn_assimilate.h").read_text()
    assert theirs == set(re.findall(r"^KD_API [^;]*?\b(kd_\w+)\(", header, re.MULTILINE))
    assert "kd_assimilate" not in (core / "kdpinn.c").read_text()
    assert (tmp_path / "kdpinn.h").read_bytes() == (core / "kdpinn.h").read_bytes()


@pytest.mark.parametrize("left_out", ["KD_NO_F32", "KD_NO_F64"])
def test_a_precision_can_be_left_out(core, tmp_path, left_out):
    compiler = "gcc" if shutil.which("gcc") else "clang"
    program = linked(core, tmp_path, compiled(core, tmp_path, compiler, "-O1", f"-D{left_out}"))
    file = sample()
    x = points_in(file, 3)
    for dtype, macro in ((np.float32, "KD_NO_F32"), (np.float64, "KD_NO_F64")):
        if macro == left_out:
            with pytest.raises(AssertionError, match="PRECISION"):
                replay([program], tmp_path, file, x, dtype=dtype)
        else:
            assert replay([program], tmp_path, file, x, dtype=dtype).passed


def test_an_unknown_instruction_set_is_refused(core, tmp_path):
    compiler = "gcc" if shutil.which("gcc") else "clang"
    program = linked(core, tmp_path, compiled(core, tmp_path, compiler, "-O0", "-DKD_USE_SCALAR"))
    file = sample()
    assert replay([program], tmp_path, file, points_in(file, 1), isa="scalar").isa == "scalar"
    with pytest.raises(AssertionError, match="ISA"):
        replay([program], tmp_path, file, points_in(file, 1), isa="avx2")
