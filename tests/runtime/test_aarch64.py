"""NEON and scalar code of AArch64, cross-compiled and run under an emulator.

On Debian: apt-get install gcc-aarch64-linux-gnu qemu-user
"""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jet_bound import jet_bound
from kdp_samples import bare_model, burgers_equation, sample, with_baseline
from numpy_model import NumpyModel
from replaying import SOURCE, replay
from test_core import UNIT, points_in
from test_mapped import MODELS as MAPPED
from test_tied import moved
from tied_samples import tied_model

from kdpinn_runtime import verify

HERE = Path(__file__).parent
RUNTIME = HERE.parents[1] / "runtime"
CORE = RUNTIME / "core"
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
STRICT = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pedantic"]

pytestmark = pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
    reason=f"needs {COMPILER} and {EMULATOR} (Debian: gcc-aarch64-linux-gnu, qemu-user)",
)


def build(folder, name, sources, *flags):
    """A static program, so that the emulator needs no libraries; with the emulator before it."""
    command = [COMPILER, *STRICT, *flags, "-static", *sources, "-o", folder / name]
    subprocess.run(command, check=True)
    return [EMULATOR, folder / name]


def core_files(*, reverse=False):
    files = [path for path in sorted(CORE.glob("*.c")) if "avx" not in path.stem]
    return [path for path in files if reverse or not path.stem.startswith("reverse")]


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aarch64")
    sources = [*core_files(), SOURCE]
    return build(folder, "replay", sources, "-DKD_WITH_NEON", f"-I{CORE}", "-ffreestanding")


@pytest.fixture(scope="module")
def single_file_device(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amalgamation")
    subprocess.run([sys.executable, RUNTIME / "tools" / "amalgamate.py", folder], check=True)
    return build(folder, "replay", [folder / "kdpinn.c", SOURCE], f"-I{folder}", "-ffreestanding")


def within_bound(file, said, x, dtype):
    """Every jet within the rounding bound of the same jets in numpy's float64."""
    pairs = tuple(file.pairs)
    exact = NumpyModel(file)._jet(x, pairs)
    want = np.concatenate(
        [exact.value[None], np.moveaxis(exact.first, 2, 0), np.moveaxis(exact.second, 2, 0)]
    )
    bound = jet_bound(file, x, pairs, UNIT[dtype]) + 64 * 2.0**-52 * np.abs(want).max(axis=1)
    return (np.abs(said.jets - want).max(axis=1) <= bound).all()


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu"])
def test_jets_lie_within_the_rounding_bound(device, tmp_path, isa, dtype, activation):
    for sizes in ((2, 9, 13, 1), (2, 1, 1), (2, 64, 7, 1)):
        file = sample(sizes=sizes, activation=activation)
        x = points_in(file, 35)  # not a multiple of any vector
        said = replay(device, tmp_path, file, x, isa=isa, dtype=dtype)
        assert said.isa == isa
        assert said.passed
        assert within_bound(file, said, x, dtype)


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["odd", "odd and even", "three", "four"])
def test_tied_layers_are_symmetric_to_the_last_bit(device, tmp_path, isa, dtype, name):
    file = with_baseline(tied_model(name, (9, 6)), n=3)
    file = replace(file, baseline=replace(file.baseline, data=None), pairs=((0, 0), (0, 1)))
    x = points_in(file, 35)
    at_x = replay(device, tmp_path, file, x, isa=isa, dtype=dtype)
    assert within_bound(file, at_x, x, dtype)
    assert at_x.passed or dtype is np.float32  # whose limit is made up, and not for 16 copies
    for generator in file.symmetry.generators:
        there = replay(device, tmp_path, file, moved(generator, x), isa=isa, dtype=dtype)
        assert (there.jets[0] - np.array(generator.outputs) * at_x.jets[0] == 0).all()


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAPPED)
def test_functions_of_the_coordinates(device, tmp_path, isa, dtype, name):
    """Jets within their bound, the baseline replayed, and one answer for a point anywhere."""
    file = with_baseline(MAPPED[name](), n=3)
    file = replace(file, baseline=replace(file.baseline, data=None), pairs=((0, 0), (0, 1), (1, 1)))
    x = points_in(file, 35)
    said = replay(device, tmp_path, file, x, isa=isa, dtype=dtype)
    assert said.passed
    assert within_bound(file, said, x, dtype)
    alone = replay(device, tmp_path, file, x[:1], isa=isa, dtype=dtype)
    assert np.array_equal(alone.jets, said.jets[:, :1])


def test_neon_is_the_first_choice(device, tmp_path):
    file = sample()
    assert replay(device, tmp_path, file, points_in(file, 1)).isa == "neon"


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_point_has_one_answer_wherever_it_stands(device, tmp_path, isa, dtype):
    file = sample(sizes=(2, 10, 10, 1))
    x = points_in(file, 33)
    whole = replay(device, tmp_path, file, x, isa=isa, dtype=dtype).jets
    for n in (1, 2, 3, 4, 5, 8, 31):
        some = replay(device, tmp_path, file, x[:n], isa=isa, dtype=dtype).jets
        assert np.array_equal(some, whole[:, :n])


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_odd_points_are_counted_or_refused(device, tmp_path, isa, dtype):
    file = sample()  # x in [-1, 1], t in [0, 1]
    x = points_in(file, 21)
    x[[0, 13, 20], [0, 1, 1]] = (1.5, -0.25, 7.0)
    assert replay(device, tmp_path, file, x, isa=isa, dtype=dtype).outside == 3
    for row in (0, 5, 20):
        x[row, 1] = np.nan
        with pytest.raises(AssertionError, match="NOT_FINITE"):
            replay(device, tmp_path, file, x, isa=isa, dtype=dtype)
        x[row, 1] = 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_self_test_agrees_with_verify(device, tmp_path, dtype):
    bare = bare_model(dtype=dtype)
    file = replace(sample(dtype=dtype), baseline=with_baseline(bare, n=100).baseline)
    checks = {c.name: c for c in verify(NumpyModel(file, "0" * 64), latency=False).checks}
    said = replay(device, tmp_path, file, points_in(file, 1), dtype=dtype)
    assert (said.passed, said.points) == (True, 100)
    # numpy computes in float64 whatever the type; the outputs differ by rounding relative to 1.
    for role in ("reference", "teacher"):
        assert abs(said.figures[role] - checks[role].measured) <= 100 * UNIT[dtype]
    wrong = replace(file, equations=(burgers_equation(limit=1e-9),))
    assert not replay(device, tmp_path, wrong, points_in(file, 1), dtype=dtype).passed


def test_self_test_sees_one_unit_in_the_last_place(device, tmp_path):
    file = sample()
    middle = file.layers[1]
    weight = middle.weight.copy()
    weight[0, 0] = np.nextafter(weight[0, 0], np.float32(np.inf))
    layers = (file.layers[0], replace(middle, weight=weight), file.layers[2])
    x = points_in(file, 1)
    for isa in ("neon", "scalar"):
        assert replay(device, tmp_path, file, x, isa=isa, dtype=np.float64).passed
        changed = replace(file, layers=layers)
        assert not replay(device, tmp_path, changed, x, isa=isa, dtype=np.float64).passed


def test_the_single_file_gives_the_same_bits(device, single_file_device, tmp_path):
    file = sample(sizes=(2, 11, 6, 1))
    x = points_in(file, 19)
    for dtype in (np.float32, np.float64):
        one = replay(single_file_device, tmp_path, file, x, dtype=dtype)
        many = replay(device, tmp_path, file, x, dtype=dtype)
        assert one.isa == many.isa == "neon"
        assert np.array_equal(one.jets, many.jets)
        assert one.figures == many.figures


def test_the_reverse_pass_agrees_with_the_scalar_code(tmp_path):
    """Fused against separate multiply-adds: sums of at most a few hundred float64 terms."""
    sources = [*core_files(reverse=True), HERE / "reverse_replay.c"]
    program = build(tmp_path, "reverse", sources, "-DKD_WITH_NEON", f"-I{CORE}", "-O1")
    for isa in ("neon", "scalar"):
        done = subprocess.run([*program, isa], check=True, capture_output=True, text=True)
        worst = list(map(float, done.stdout.split()))
        assert max(worst) <= (1000 * UNIT[np.float64] if isa == "neon" else 0)
