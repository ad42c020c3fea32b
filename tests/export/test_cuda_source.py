"""The fused CUDA kernel: its source compiled as C++ and run here; on a GPU where there is one."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from export_samples import model
from map_samples import mapped_sample
from tied_samples import tied_model

from kdpinn_export.answers import known_answers
from kdpinn_export.cuda_source import cuda_source
from kdpinn_export.engine_model import verify_on
from kdpinn_export.engines import engine_of
from kdpinn_runtime import load, pack

# What a CUDA compiler has and a C++ compiler lacks; points one after the other.
SHIM = """
#include <cmath>
using std::fma;
#define __global__
#define __device__
#define __constant__ static
static struct { int x; } blockIdx, blockDim = {1}, threadIdx;
"""
DRIVER = """
extern "C" void run(const real *x, real *out, int n) {
    for (blockIdx.x = 0; blockIdx.x < n + 3; ++blockIdx.x) evaluate(x, out, n);
}
"""
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")


def compiled(folder, file, *, derivatives, double):
    """Points (n, d) -> (channels, n, m) by the kernel's source."""
    source, library = folder / "kernel.cpp", folder / "kernel.so"
    source.write_text(SHIM + cuda_source(file, derivatives=derivatives, double=double) + DRIVER)
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    command = ["g++", *flags, "-Wno-unused-function", "-shared", "-fPIC", source, "-o", library]
    subprocess.run(command, check=True)
    run = ctypes.CDLL(str(library)).run
    dtype = np.float64 if double else np.float32
    count = 1 + (len(file.inputs) + len(file.pairs) if derivatives else 0)

    def channels(points):
        x = np.ascontiguousarray(points, dtype)
        out = np.full((count, len(x), len(file.outputs)), np.nan, dtype)
        run(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data), len(x))
        return out

    return channels


@needs_compiler
@pytest.mark.parametrize(
    "activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu", "identity"]
)
def test_jets_lie_within_their_bound_in_float32(tmp_path, activation):
    file = model((3, 9, 5, 2), activation, physics=False)
    answers = known_answers(file, derivatives=True)
    got = compiled(tmp_path, file, derivatives=True, double=False)(answers.points)
    check = answers.compared(np.moveaxis(got, 0, 1).reshape(len(answers.points), -1), "kernel")
    assert check.passed, check.note


@needs_compiler
@pytest.mark.parametrize("derivatives", [False, True])
@pytest.mark.parametrize(
    "file", [model((2, 20, 20, 1)), model((2, 9, 7, 1), "gelu"), tied_model("four", (4, 3))]
)
def test_doubles_are_those_of_the_core(tmp_path, file, derivatives):
    points = known_answers(file).points
    got = compiled(tmp_path, file, derivatives=derivatives, double=True)(points)
    loaded = load(pack(file), outside="count")
    names = [v.name for v in file.inputs]
    second = [(names[i], names[j]) for i, j in file.pairs]
    want = loaded.jet(points, second).channels if derivatives else loaded(points)[None]
    assert np.allclose(got, want, rtol=0, atol=1e-12 * np.abs(want).max())


@needs_compiler
def test_a_changed_weight_is_seen(tmp_path):
    file, other = (model((2, 9, 1), seed=seed, physics=False) for seed in (0, 1))
    answers = known_answers(file)
    got = compiled(tmp_path, other, derivatives=False, double=False)(answers.points)
    assert not answers.compared(got[0], "kernel").passed


def test_small_networks_lie_in_constant_memory_and_large_ones_do_not():
    assert "__constant__ const real weight_0" in cuda_source(model((2, 20, 1)), derivatives=True)
    large = model((2, 128, 128, 1), physics=False)
    assert "__device__ const real weight_0" in cuda_source(large, derivatives=False)
    assert "__constant__ const real" not in cuda_source(large, derivatives=False)


def test_functions_of_the_coordinates_are_refused():
    with pytest.raises(ValueError, match="no functions of the coordinates.*tensorrt"):
        cuda_source(mapped_sample(), derivatives=False)


def test_without_a_gpu_the_engine_says_so():
    engine = engine_of("cuda")
    if not engine.missing():
        pytest.skip("a GPU is here")
    with pytest.raises(ValueError, match="engine cuda is not here: torch sees no GPU"):
        verify_on(engine, model(), pack(model()), latency=False, seconds=0)


@pytest.mark.gpu
def test_on_a_gpu():
    engine = engine_of("cuda")
    if engine.missing():
        pytest.skip(f"NOT RUN: {engine.missing()}")
    file = model((2, 20, 20, 1))
    assert verify_on(engine, file, pack(file), latency=False, seconds=0).passed
