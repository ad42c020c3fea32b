"""Fixed point: the device computes what the numpy model says, bit for bit, within the bound."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from export_samples import model
from kdp_samples import bare_model
from narrow_samples import narrow_sample, stored_as
from tied_samples import tied_model

from kdpinn_export.arithmetic import RunningError
from kdpinn_export.fixed_point import OFFSET, ONE, fixed_bound, fixed_network, fixed_tanh
from kdpinn_export.mcu_data import fixed_data
from kdpinn_export.narrowing import fed
from kdpinn_export.targets.mcu import SOURCES
from kdpinn_export.taylor import evaluate

MODELS = {
    "i8": lambda: stored_as(model((2, 20, 20, 1), physics=False), "i8"),
    "i4": lambda: stored_as(model((3, 7, 5, 2), physics=False), "i4"),
    "i12": lambda: stored_as(model((2, 10, 10, 1), physics=False), "i12"),
    "mixed": lambda: stored_as(model((2, 10, 10, 3), physics=False), "i8", "i12", "i6"),
    "one neuron": lambda: stored_as(model((1, 1, 1), physics=False), "i8"),
    "negative output scale": lambda: replace(
        stored_as(bare_model(sizes=(2, 9, 2)), "i8"), output_scale=np.array([-1.5, 3.0])
    ),
    "tied": lambda: stored_as(tied_model("odd", hidden=(5, 4)), "i8"),
}
EVALUATION = """
#include <stdio.h>
#include "kdpinn_mcu.h"
#include "model_data.h"
int main(void) {
    int32_t z[KDPINN_FED], sums[KDPINN_OUTPUTS];
    while (fread(z, sizeof z, 1, stdin) == 1) {
        kdpinn_eval_integers(z, sums);
        fwrite(sums, sizeof sums, 1, stdout);
    }
    return 0;
}
"""
TANH = """
#include <stdio.h>
#include "evaluate_fixed.c"
int main(void) {
    static int16_t out[1 << 16];
    int32_t z = -(1 << KDPINN_FRACTION);
    for (; z < 17 << KDPINN_FRACTION; z += 1 << 16) {
        int32_t k;
        for (k = 0; k < 1 << 16; ++k) out[k] = (int16_t)fixed_tanh(z + k);
        fwrite(out, sizeof out, 1, stdout);
    }
    out[0] = (int16_t)fixed_tanh(INT32_MAX), out[1] = (int16_t)fixed_tanh(INT32_MIN);
    fwrite(out, sizeof out[0], 2, stdout);
    return 0;
}
"""
STRICT = ("-std=gnu99", "-O2", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined")
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc: nothing was compared")


def network_of(file, count=400):
    """The fixed-point network, points over the whole domain with its corners, and their steps."""
    lower, upper = np.array([(v.lower, v.upper) for v in file.inputs]).T
    x = np.random.default_rng(0).uniform(lower, upper, (count, len(lower)))
    x = np.vstack([x, lower, upper])
    network = fixed_network(file, x)
    return network, x, network.steps(fed(file, x, RunningError(np.float64)).value)


def run(folder, file, network, source, *more, stdin=b""):
    (folder / "model_data.h").write_text(fixed_data(file, network))
    (folder / "main.c").write_text(source)
    flags = [*STRICT, "-fno-sanitize-recover=all", f"-I{folder}", f"-I{SOURCES}"]
    command = ["gcc", *flags, "-o", folder / "main", folder / "main.c", *more]
    subprocess.run(command, check=True)
    return subprocess.run([folder / "main"], input=stdin, capture_output=True, check=True).stdout


@needs_gcc
@pytest.mark.parametrize("name", MODELS)
def test_the_device_computes_the_same_integers(name, tmp_path):
    file = MODELS[name]()
    network, _, z = network_of(file)
    evaluator = SOURCES / "evaluate_fixed.c"
    out = run(tmp_path, file, network, EVALUATION, evaluator, stdin=z.astype(np.int32).tobytes())
    assert np.array_equal(np.frombuffer(out, np.int32).reshape(len(z), -1), network.sums(z))


@needs_gcc
def test_tanh_at_every_argument(tmp_path):
    file = MODELS["i8"]()
    network, *_ = network_of(file)
    out = np.frombuffer(run(tmp_path, file, network, TANH), np.int16)
    assert out[-2:].tolist() == [ONE, -ONE]
    z = np.arange(-(1 << network.fraction), 17 << network.fraction)
    assert np.array_equal(out[:-2], fixed_tanh(z, network.fraction))
    exact = ONE * np.tanh(z / 2.0**network.fraction - OFFSET)
    assert np.abs(out[:-2] - exact).max() <= ONE * 0.7699 / 16 / 64**2 + 1


@pytest.mark.parametrize("name", MODELS)
def test_the_error_stays_within_the_derived_bound(name):
    file = MODELS[name]()
    network, x, z = network_of(file, 2000)
    values = network.outputs(z) * file.output_scale + file.output_shift
    bound = fixed_bound(file, network, x)
    error = np.abs(values - evaluate(file, x).value)
    assert (error <= bound.error).all()
    assert (error / bound.error).max() > 0.05, "the bound says something"
    assert error.max() < 2e-3 * np.abs(bound.value).max()


def test_a_wrong_multiplier_leaves_the_bound():
    file = MODELS["i8"]()
    network, x, z = network_of(file)
    first = network.layers[0]
    wrong = replace(first, multiplier=first.multiplier + (first.multiplier >> 8))
    changed = replace(network, layers=(wrong, *network.layers[1:]))
    values = changed.outputs(z) * file.output_scale + file.output_shift
    error = np.abs(values - evaluate(file, x).value)
    assert (error > fixed_bound(file, network, x).error).any()


def test_what_fixed_point_cannot_do_is_said():
    box = np.array([[-1.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match=r"layer 0 is stored as f16.*--precision"):
        fixed_network(narrow_sample("f16"), box)
    with pytest.raises(ValueError, match=r"layer 1 is stored as f32"):
        fixed_network(narrow_sample("i8", "f32"), box)
    with pytest.raises(ValueError, match=r"layer 0 has the activation 'sin'.*f32"):
        fixed_network(narrow_sample("i8", activation="sin"), box)
    with pytest.raises(ValueError, match=r"layer 1: sums of 20 products of i16.*fewer bits"):
        fixed_network(stored_as(bare_model(sizes=(2, 20, 20, 1)), "i16"), box)
    with pytest.raises(ValueError, match="needs a hidden layer"):
        fixed_network(stored_as(bare_model(sizes=(2, 2)), "i8"), box)
