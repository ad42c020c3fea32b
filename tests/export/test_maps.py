"""Features and exact conditions through the exporters: files, float64 evaluation, ONNX."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from export_samples import arrays
from map_samples import everything, periodic, walls
from numpy_model import NumpyModel
from test_onnx import DTYPES, independent, points
from test_taylor import bounds, stacked

from kdpinn_export import (
    BaselineTables,
    Physics,
    baseline_points,
    bounded_outputs,
    check_onnx,
    plain_network,
    to_bytes,
    to_kdp,
    to_onnx,
)
from kdpinn_export.check import open_session
from kdpinn_export.taylor import evaluate
from kdpinn_runtime import load, pack, verify
from kdpinn_runtime.format import CoordinateMap, Operation, Variable

INPUTS = (Variable(name="x", lower=-1.0, upper=1.0), Variable(name="t", lower=0.0, upper=1.0))
MAPS = {
    "features": (periodic(), None),
    "exact": (None, walls(2)),
    "both": (periodic(), walls(2)),
    "every operation": (everything(), None),
}


def model(name, activation="tanh", dtype="f64", pairs=((0, 0), (0, 1), (1, 1)), seed=0):
    features, exact = MAPS[name]
    inputs = 2 if features is None else len(features.results)
    network = plain_network(
        *arrays((inputs, 12, 9, 2), seed),
        activation,
        input_shift=0.125,
        input_scale=1.5,
        output_shift=0.3,
        output_scale=1.7,
        dtype=dtype,
        features=features,
        exact=exact,
    )
    lower, upper = (-1.0, 0.0), (1.0, 1.0)
    return to_kdp(
        network,
        inputs=INPUTS,
        outputs=[("u", ""), ("v", "")],
        tables=BaselineTables(points=baseline_points(lower, upper, 64)),
        physics=Physics(pairs=pairs),
    )


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_files_pass_their_own_verification(name, dtype):
    file = model(name, dtype=dtype)
    expected = NumpyModel(file)(file.baseline.points)
    assert (
        np.abs(file.baseline.expected - expected).max() <= 256 * 2.0**-53 * np.abs(expected).max()
    )
    verdict = verify(load(pack(file)), latency=False)
    assert verdict.passed, str(verdict)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("activation", ["identity", "tanh", "silu", "relu", "gelu"])
def test_evaluators_agree(name, activation):
    file = model(name, activation)
    x = points(file, 65)
    got = stacked(evaluate(file, x, file.pairs))
    assert np.all(abs(got - independent_of(file, x)) <= bounds(file, x, np.float64))
    narrow = stacked(evaluate(file, x, file.pairs, np.float32))
    assert narrow.dtype == np.float32
    assert np.all(abs(narrow - independent_of(file, x)) <= bounds(file, x, np.float32))


def independent_of(file, x):
    jet = NumpyModel(file)._jet(x, file.pairs)
    first, second = np.moveaxis(jet.first, 2, 0), np.moveaxis(jet.second, 2, 0)
    return np.concatenate([jet.value[None], first, second])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pairs", [(), ((0, 0), (0, 1), (1, 1))])
@pytest.mark.parametrize("activation", ["identity", "tanh", "sin"])
@pytest.mark.parametrize("name", MAPS)
def test_graphs_lie_within_their_bounds(name, activation, pairs, dtype):
    file, narrow = model(name, activation, pairs=pairs), DTYPES[dtype]
    for derivatives in (False, True):
        proto = to_onnx(file, derivatives=derivatives, dtype=dtype)
        onnx.checker.check_model(proto, full_check=True)
        session = open_session(to_bytes(proto))
        names = [o.name for o in session.get_outputs()]
        for count in (1, 17):
            x = points(file, count)
            limits, expected = bounded_outputs(file, x, narrow), independent(file, x)
            assert set(names) == (set(expected) if derivatives else {"u", "v"})
            got = session.run(names, {"points": x.astype(narrow)})
            for key, array in zip(names, got, strict=True):
                assert array.shape == (count, 1)
                assert np.all(abs(array - expected[key]) <= limits[key].error), (key, count)


@pytest.mark.parametrize("name", MAPS)
def test_check_passes_and_a_changed_constant_fails(name):
    file = model(name)
    assert all(d.passed for d in check_onnx(to_onnx(file, derivatives=True), file))
    which = "exact" if file.exact is not None else "features"
    program = getattr(file, which)
    at = next(k for k, o in enumerate(program.operations) if o.kind == "constant")
    operations = list(program.operations)
    operations[at] = Operation("constant", value=operations[at].value * 1.05)
    changed = replace(file, **{which: CoordinateMap(tuple(operations), program.results)})
    bad = check_onnx(to_onnx(changed, derivatives=True), file)
    assert not all(d.passed for d in bad)


def test_graphs_agree_with_the_runtime():
    """In float64 both stay within the graph's own bound of the same reference."""
    file = model("both")
    x = points(file, 33)
    jet = load(pack(file)).jet(x)
    limits = bounded_outputs(file, x, np.float64)
    session = open_session(to_bytes(to_onnx(file, derivatives=True, dtype="f64")))
    names = [o.name for o in session.get_outputs()]
    for key, array in zip(names, session.run(names, {"points": x}), strict=True):
        assert np.all(abs(array[:, 0] - jet[key]) <= 2 * limits[key].error[:, 0])


@pytest.mark.parametrize(("operator", "function"), [("Exp", np.exp), ("Reciprocal", np.reciprocal)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_engine_functions_err_relatively_by_what_is_stated(operator, function, dtype):
    narrow = DTYPES[dtype]
    v = np.concatenate([np.linspace(-30, -0.1, 100_001), np.linspace(0.1, 30, 100_001)])
    v = v.astype(narrow)
    kind = onnx.helper.np_dtype_to_tensor_dtype(v.dtype)
    info = [onnx.helper.make_tensor_value_info(each, kind, ["n"]) for each in "vf"]
    node = onnx.helper.make_node(operator, ["v"], ["f"])
    graph = onnx.helper.make_graph([node], "one", info[:1], info[1:])
    opset = [onnx.helper.make_opsetid("", 18)]
    proto = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    (got,) = open_session(to_bytes(proto)).run(None, {"v": v})
    exact = function(v.astype(np.longdouble))
    allowed = 16.0 if operator == "Exp" else 1.01  # KERNEL_ERROR, and one rounding
    assert abs(got / exact - 1).max() <= allowed * np.finfo(narrow).eps / 2


@pytest.mark.parametrize("name", MAPS)
def test_graphs_hold_no_constant_that_nothing_reads(name):
    for derivatives in (False, True):
        graph = to_onnx(model(name), derivatives=derivatives).graph
        read = {name for node in graph.node for name in node.input}
        assert {tensor.name for tensor in graph.initializer} <= read
