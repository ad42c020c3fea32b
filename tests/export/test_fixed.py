"""Fixed point: the C code bit for bit as the numpy one, and both within the derived bound."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kdp_samples import bare_model
from narrow_samples import narrow_sample, stored_as, widened
from numpy_model import NumpyModel
from tied_samples import tied_model

from kdpinn_export.fixed import FRACTION, ONE, c_tables, fixed, fixed_tanh

ROOT = Path(__file__).parents[2]
CORE = ROOT / "runtime" / "core"
MODELS = {
    "i8": lambda: stored_as(bare_model(sizes=(2, 20, 20, 1)), "i8"),
    "i4": lambda: stored_as(bare_model(sizes=(3, 7, 5, 2)), "i4"),
    "i12": lambda: stored_as(bare_model(sizes=(2, 10, 10, 1)), "i12"),
    "mixed": lambda: stored_as(bare_model(sizes=(2, 10, 10, 3)), "i8", "i12", "i6"),
    "no hidden layer": lambda: stored_as(bare_model(sizes=(2, 2)), "i8"),
    "negative output scale": lambda: replace(
        stored_as(bare_model(sizes=(2, 9, 2)), "i8"), output_scale=np.array([-1.5, 3.0])
    ),
    "tied": lambda: stored_as(tied_model("odd", hidden=(5, 4)), "i8"),
}
HARNESS = """
#include <stdio.h>
#include "kdpinn_fixed.h"
{tables}
int main(void) {{
    int16_t x[{d}], scratch[2 * 512];
    int32_t y[{m}];
    while (fread(x, sizeof x, 1, stdin) == 1) {{
        kd_fixed_eval(&net, x, y, scratch);
        fwrite(y, sizeof y, 1, stdout);
    }}
    return 0;
}}
"""
TANH = """
#include <stdio.h>
#include "kdpinn_fixed.h"
int main(void) {
    static int16_t out[1 << 16];
    int32_t z = -(9 << 20);
    for (; z < 9 << 20; z += 1 << 16) {
        int32_t k;
        for (k = 0; k < 1 << 16; ++k) out[k] = kd_fixed_tanh(z + k);
        fwrite(out, sizeof out, 1, stdout);
    }
    out[0] = kd_fixed_tanh(INT32_MAX), out[1] = kd_fixed_tanh(INT32_MIN);
    fwrite(out, sizeof out[0], 2, stdout);
    return 0;
}
"""
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc: nothing was compared")


def run(folder, source, stdin=b""):
    (folder / "main.c").write_text(source)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsanitize=undefined"]
    stop = ["-fno-sanitize-recover=all", f"-I{CORE}", "-o", folder / "main"]
    subprocess.run(["gcc", *flags, *stop, folder / "main.c", CORE / "fixed.c"], check=True)
    return subprocess.run([folder / "main"], input=stdin, capture_output=True, check=True).stdout


def random_inputs(network, count=400, seed=0):
    """Inputs over the whole domain, its corners among them."""
    lower, upper = np.array([(v.lower, v.upper) for v in network.model.inputs]).T
    x = np.random.default_rng(seed).uniform(lower, upper, (count, len(lower)))
    return network.inputs(np.vstack([x, lower, upper]))


@needs_gcc
def test_tanh_errs_by_one_unit_at_most_at_every_argument(tmp_path):
    out = np.frombuffer(run(tmp_path, TANH), np.int16)
    assert out[-2:].tolist() == [ONE, -ONE]
    z = np.arange(-(9 << FRACTION), 9 << FRACTION)
    assert np.array_equal(out[:-2], fixed_tanh(z))
    error = np.abs(out[:-2] - ONE * np.tanh(z / 2**FRACTION))
    assert 0.9 < error.max() <= 1.0


@needs_gcc
@pytest.mark.parametrize("name", MODELS)
def test_the_device_computes_the_same_integers(name, tmp_path):
    network = fixed(MODELS[name]())
    q = random_inputs(network)
    d, m = q.shape[1], len(network.model.outputs)
    source = HARNESS.format(tables=c_tables(network, "net"), d=d, m=m)
    got = np.frombuffer(run(tmp_path, source, q.astype(np.int16).tobytes()), np.int32)
    assert np.array_equal(got.reshape(-1, m), network.evaluate(q))


@pytest.mark.parametrize("name", MODELS)
def test_the_error_stays_within_the_derived_bound(name):
    network = fixed(MODELS[name]())
    q = random_inputs(network, 2000)
    exact = NumpyModel(widened(network.model))(network.points(q))
    error, bound = np.abs(network.values(q) - exact), network.bound(q)
    assert (error <= bound).all()
    assert (error / bound).max() > 0.05, "the bound says something"
    assert error.max() < 2e-3 * np.abs(exact).max()


def test_a_wrong_multiplier_leaves_the_bound():
    network = fixed(MODELS["i8"]())
    q = random_inputs(network)
    exact = network.model
    first = network.layers[0]
    wrong = replace(first, multiplier=first.multiplier + (first.multiplier >> 8))
    changed = replace(network, layers=(wrong, *network.layers[1:]))
    error = np.abs(changed.values(q) - NumpyModel(widened(exact))(network.points(q)))
    assert (error > network.bound(q)).any()


def test_what_fixed_point_cannot_do_is_said():
    with pytest.raises(ValueError, match=r"layer 0 is stored as f16.*kdpinn quantize"):
        fixed(narrow_sample("f16"))
    with pytest.raises(ValueError, match=r"layer 1 is stored as f32"):
        fixed(narrow_sample("i8", "f32"))
    with pytest.raises(ValueError, match=r"layer 0 has the activation sin, expected tanh"):
        fixed(narrow_sample("i8", activation="sin"))
    with pytest.raises(ValueError, match=r"neuron \d+ of layer 0 can reach.*fewer bits than i16"):
        fixed(stored_as(bare_model(sizes=(2, 20, 20, 1)), "i16"))
    network = fixed(narrow_sample("i8"))
    with pytest.raises(ValueError, match="outside the model's domain"):
        network.inputs(np.array([[1.1, 0.5]]))
