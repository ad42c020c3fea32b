"""Sources for microcontrollers: compiled, run here and on emulated boards, judged by bounds."""

import ctypes
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from export_samples import INPUTS, model
from map_samples import mapped_model
from narrow_samples import stored_as

import kdpinn_export
from kdpinn_export.answers import known_answers
from kdpinn_export.boards import BOARDS, STRICT, run_here, run_on
from kdpinn_export.fixed_point import OFFSET, ONE, fixed_network
from kdpinn_export.narrowing import narrowed, narrowing_bound, narrowing_checks
from kdpinn_export.target import Request
from kdpinn_export.targets.mcu import PROGRAM, TARGET
from kdpinn_runtime import pack, unpack
from kdpinn_runtime.format import Layer

FOLDER = Path(kdpinn_export.__file__).parent
pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
STUDENT = (2, 10, 10, 10, 1)


def exported(folder, file, precision="f32"):
    """The request, with the target's files in the folder."""
    request = Request(model=file, data=pack(file), name="model", precision=precision)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in TARGET.build(request).items():
        (folder / name).write_bytes(data)
    return request


SIZES = [(1, 3, 1), (2, 1, 1), (3, 17, 9, 2), (2, 33, 4, 3), STUDENT]


@pytest.mark.parametrize("precision", ["f32", "i12", "i8"])
@pytest.mark.parametrize("sizes", SIZES)
def test_answers_lie_within_the_bound(tmp_path, sizes, precision):
    exported(tmp_path, model(sizes, physics=False), precision)
    ran = run_here(tmp_path, PROGRAM)
    assert ran.passed
    assert 0 < ran.share <= 1


@pytest.mark.parametrize("activation", ["sin", "sigmoid", "silu", "relu", "gelu", "identity"])
def test_other_activations_in_float(tmp_path, activation):
    file = model((2, 7, 5, 1), activation, dtype="f64", physics=False)
    if activation == "identity":
        with pytest.raises(ValueError, match="identity"):
            exported(tmp_path, file)
        return
    exported(tmp_path, file)
    assert run_here(tmp_path, PROGRAM).passed
    with pytest.raises(ValueError, match=f"layer 0.*{activation}.*f32"):
        exported(tmp_path, file, "i8")


def test_an_output_without_any_rounding(tmp_path):
    """Zero where every relu is off: nothing is permitted there, and nothing is off."""
    file = model((2, 3, 1), "relu", physics=False)
    first, last = file.layers
    off = replace(first, bias=np.full(3, -100, first.bias.dtype))
    layers = (off, replace(last, bias=np.zeros(1, last.bias.dtype)))
    silent = replace(file, layers=layers, output_shift=np.zeros(1), baseline=None)
    exported(tmp_path, silent)
    ran = run_here(tmp_path, PROGRAM)
    assert ran.passed
    assert ran.error == 0


@pytest.mark.parametrize("precision", ["f32", "i8"])
@pytest.mark.parametrize(("features", "exact"), [(True, False), (False, True), (True, True)])
def test_functions_of_the_coordinates(tmp_path, features, exact, precision):
    exported(tmp_path, mapped_model(features, exact), precision)
    assert run_here(tmp_path, PROGRAM).passed


@pytest.mark.parametrize("precision", ["f32", "i8"])
def test_a_wrong_number_is_seen(tmp_path, precision):
    """One weight of a hidden layer, changed by a 64th of the largest."""
    file = model(STUDENT, physics=False)
    exported(tmp_path, file, precision)
    right = (tmp_path / "model_data.h").read_text()
    layer = file.layers[1]
    weight = layer.weight.copy()
    weight[3, 4] += np.abs(weight).max() / 4
    changed = replace(
        file, layers=(file.layers[0], replace(layer, weight=weight), *file.layers[2:])
    )
    exported(tmp_path / "other", changed, precision)
    wrong = (tmp_path / "other" / "model_data.h").read_text()
    assert wrong != right
    (tmp_path / "model_data.h").write_text(wrong)
    assert not run_here(tmp_path, PROGRAM).passed


COMPILERS = {"gcc": STRICT, "clang": STRICT, "g++": ("-std=c++11",), "clang++": ("-std=c++17",)}


@pytest.mark.parametrize("precision", ["f32", "i12", "i8"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns(tmp_path, compiler, precision):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    exported(tmp_path, model((2, 9, 5, 3), physics=False), precision)
    flags = ["-x", "c++", *STRICT[1:]] if "++" in compiler else []
    command = [compiler, *flags, *COMPILERS[compiler], "-O2", "main.c", "kdpinn_mcu.c"]
    subprocess.run([*command, "-o", "test"], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "test"], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("passed\n")


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_makefile_replays_the_answers(tmp_path):
    exported(tmp_path, model((2, 4, 1), physics=False))
    done = subprocess.run(["make", "check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_boards_pass_within_the_budgets_of_the_small_student(tmp_path, board):
    """12 kB of flash and 2 kB of memory in all; with an FPU 6 instructions a parameter."""
    if board.missing():
        pytest.skip(board.missing())
    file = model(STUDENT, physics=False)
    counts = {}
    for precision in ("f32", "i8"):
        exported(tmp_path / precision, file, precision)
        ran = run_on(board, tmp_path / precision)
        assert ran.passed, precision
        assert 1000 < ran.flash <= 12_288
        assert 64 < ran.ram <= 2048
        counts[precision] = ran.instructions
    assert counts["i8"] <= counts["f32"]
    if board.name == "cortex-m4f":
        assert file.weight_count < counts["f32"] <= 6 * file.weight_count


def test_the_same_request_gives_the_same_bytes(tmp_path):
    file = model(STUDENT, physics=False)
    for precision in TARGET.precisions:
        request = Request(model=file, data=pack(file), name="model", precision=precision)
        assert TARGET.build(request) == TARGET.build(request)


def test_the_table_of_tanh_is_what_its_tool_writes():
    pytest.importorskip("mpmath")
    tool = FOLDER.parent / "tools" / "fit_tables.py"
    if not tool.exists():
        pytest.skip("the tool is part of the repository only")
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
    table = FOLDER / "device" / "mcu" / "tanh_table.h"
    assert done.stdout == table.read_text()


def test_tables_are_as_accurate_as_stated():
    text = (FOLDER / "device" / "mcu" / "tanh_table.h").read_text()
    points = re.search(r"tanh_points\[\][^{]*\{(.*?)\}", text, re.DOTALL)[1]
    values = np.array([int(word) for word in points.replace("\n", "").split(",") if word.strip()])
    x = np.linspace(-8, 8, 400_001)
    off = np.abs(np.interp(x, np.linspace(-8, 8, 1025), values / ONE) - np.tanh(x)).max()
    assert off <= 0.7699 / 16 / 64**2 + 0.5 / ONE
    rows = re.findall(r"\{(\S+), (\S+), (\S+), (\S+)\},", text)
    cubics = np.array([[np.float32(word.rstrip("f,")) for word in row] for row in rows])
    at = np.clip(np.floor((x + 8) * 8).astype(int), 0, 127)
    f = x - (at / 8 - 8)
    c = cubics.astype(np.float64)[at].T
    assert np.abs(((c[3] * f + c[2]) * f + c[1]) * f + c[0] - np.tanh(x)).max() <= 3.5e-7


CDF = """#include "model_data.h"
#include "coordinates.h"
void cdf(const float *x, float *y, int n) { for (; n > 0; --n) *y++ = normal_cdf(*x++); }
"""


def test_the_normal_distribution_is_as_accurate_as_stated(tmp_path):
    exported(tmp_path, model((1, 3, 1), "gelu", physics=False))
    (tmp_path / "cdf.c").write_text(CDF)
    command = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", "-w", "cdf.c", "-o", "cdf.so"]
    subprocess.run(command, check=True, cwd=tmp_path)
    x = np.linspace(-40, 40, 400_001, dtype=np.float32)
    y = np.empty_like(x)
    address = [ctypes.c_void_p(a.ctypes.data) for a in (x, y)]
    ctypes.CDLL(str(tmp_path / "cdf.so")).cdf(*address, len(x))
    exact = scipy.special.ndtr(x.astype(np.float64))
    assert np.abs(y - exact).max() <= 3.5e-7


def test_sums_stay_within_32_bits():
    """Random inputs at the limit, in exact integers."""
    file = model((3, 40, 40, 1), physics=False)
    lower = np.array([v.lower for v in INPUTS])
    upper = np.array([v.upper for v in INPUTS])
    network = fixed_network(narrowed(file, "i8"), np.stack([lower, upper]))
    rng = np.random.default_rng(0)
    for index, layer in enumerate(network.layers):
        most = network.input_limit * 2**network.input_bits if index == 0 else ONE
        signs = np.sign(layer.codes[rng.integers(len(layer.codes))])
        sums = layer.codes @ (signs * int(most))
        assert np.abs(sums).max() < 2**31
        assert np.abs(layer.multiplier).max() < 2**31
        if index + 1 < len(network.layers):
            argument = np.abs(sums * layer.multiplier // 2**32) + np.abs(layer.bias)
            assert argument.max() < 2**31
            real = layer.bias / 2**network.fraction - OFFSET
            assert np.abs(real - file.layers[index].bias).max() <= 2.0**-network.fraction


def test_too_many_bits_and_too_large_weights_are_refused():
    wide = model((2, 300, 300, 1), physics=False)
    box = np.array([[-1.0, 10.0], [3.0, 10.5]])
    with pytest.raises(ValueError, match=r"layer 1: sums of 300 products of i12.*fewer bits"):
        fixed_network(narrowed(wide, "i12"), box)
    layers = (wide.layers[0], replace(wide.layers[1], weight=1e7 * wide.layers[1].weight))
    layers += wide.layers[2:]
    with pytest.raises(ValueError, match="too large for fixed point"):
        fixed_network(narrowed(replace(wide, layers=layers), "i8"), box)


@pytest.mark.parametrize("activation", ["sin", "sigmoid", "silu", "relu", "gelu"])
def test_the_bound_of_narrowing_holds_for_every_activation(activation):
    file = model((2, 9, 6, 2), activation, physics=False)
    narrow = narrowed(file, "i8")
    answers = known_answers(narrow)
    bound = narrowing_bound(file, narrow, answers.points)
    assert np.all(np.abs(answers.expected - bound.value) <= bound.error)
    assert np.max(bound.error) < np.max(np.abs(bound.value))


@pytest.mark.parametrize("precision", ["f16", "i16", "i12", "i8", "i6", "i4"])
def test_narrowing_is_the_nearest_and_stays_within_its_bound(precision):
    file = model((2, 9, 6, 2), physics=False)
    narrow = narrowed(file, precision)
    for layer, other in zip(file.layers, narrow.layers):
        if precision == "f16":
            assert np.abs(other.weight - layer.weight).max() <= 2**-11 * np.abs(layer.weight).max()
            continue
        codes, scale = other.codes, other.scale
        most = 2 ** (int(precision[1:]) - 1) - 1
        assert np.abs(codes).max() == most
        half = scale[:, None] * (0.5 + 1e-6)
        near = np.abs(other.weight - layer.weight) <= half
        assert np.all(near | (np.abs(codes) == most))  # a large weight may be clipped
        assert other.precision == precision
    answers = known_answers(narrow)
    bound = narrowing_bound(file, narrow, answers.points)
    moved = np.abs(answers.expected - bound.value)
    assert np.all(moved <= bound.error)
    assert moved.max() > 0
    assert narrowed(narrow, precision) is narrow
    assert unpack(pack(narrow)).precisions == (precision,) * 3


def test_layers_that_are_narrow_already_stay():
    file = stored_as(model((2, 9, 6, 2), physics=False), "i12", "i6", "f16")
    assert narrowed(file, "i12").precisions == ("i12", "i6", "i12")
    assert narrowed(file, "i12").layers[:2] == file.layers[:2]
    assert narrowed(file, "i8").precisions == ("i8", "i6", "i8")
    assert narrowed(file, "f16") is narrowed(file, "f32") is file


def test_mixed_integers_reach_the_board_as_they_are(tmp_path):
    file = stored_as(model(STUDENT, physics=False), "i12", "i8", "i6", "i12")
    request = exported(tmp_path, file, "i12")
    assert narrowing_checks(request) == []
    assert run_here(tmp_path, PROGRAM).passed


def test_a_weight_beyond_f16_is_refused():
    layer = Layer(weight=np.full((1, 1), 7e4), bias=np.zeros(1), activation="identity")
    file = model((1, 1), physics=False)
    with pytest.raises(ValueError, match=r"7e\+04 is beyond f16"):
        narrowed(replace(file, layers=(layer,)), "f16")
