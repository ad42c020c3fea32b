"""ONNX graphs against an independent float64 evaluator, inside onnxruntime."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import scipy.special
from export_samples import model
from numpy_model import NumpyModel

from kdpinn_export import bounded_outputs, check_onnx, to_bytes, to_onnx
from kdpinn_export.arithmetic import KERNEL_ERROR
from kdpinn_export.check import open_session
from kdpinn_export.onnx import IR_VERSION, OPSET
from kdpinn_export.onnx_reference import ReferenceSession, needs_reference

ACTIVATIONS = ["identity", "tanh", "sin", "sigmoid", "silu", "relu", "gelu"]
SIZES = [(1, 3, 1), (2, 1), (2, 20, 20, 1), (3, 17, 9, 2)]
DTYPES = {"f32": np.float32, "f64": np.float64}


def points(file, count):
    rng = np.random.default_rng(count)
    lower, upper = np.array(list(file.domain.values())).T
    return rng.uniform(lower, upper, (count, len(lower))).astype(np.float32).astype(np.float64)


def independent(file, x):
    """Name -> (n, 1) from the test suite's own evaluator."""
    jet = NumpyModel(file)._jet(x, file.pairs)
    d, pairs = range(len(file.inputs)), file.pairs
    names = [v.name for v in file.inputs]
    out = {}
    for k, field in enumerate(v.name for v in file.outputs):
        out[field] = jet.value[:, k, None]
        out |= {f"{field}_{names[i]}": jet.first[:, k, i, None] for i in d}
        second = enumerate(pairs)
        out |= {f"{field}_{names[i]}{names[j]}": jet.second[:, k, p, None] for p, (i, j) in second}
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stored", ["f32", "f64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_every_output_lies_within_its_bound(sizes, activation, stored, dtype):
    narrow = DTYPES[dtype]
    file = model(sizes, activation, dtype=stored, physics=False)
    for derivatives in (False, True):
        proto = to_onnx(file, derivatives=derivatives, dtype=dtype)
        names = [o.name for o in proto.graph.output]
        foreign = needs_reference(proto)
        assert foreign == ((activation, dtype) == ("gelu", "f64") and len(sizes) > 2)
        session = ReferenceSession(proto) if foreign else open_session(to_bytes(proto))
        for count in (1, 2, 17, 1000):
            x = points(file, count)
            bounds, expected = bounded_outputs(file, x, narrow), independent(file, x)
            assert set(names) == (set(expected) if derivatives else {v.name for v in file.outputs})
            got = session.run(names, {"points": x.astype(narrow)})
            for name, array in zip(names, got, strict=True):
                assert array.shape == (count, 1)
                assert array.dtype == narrow
                error = abs(array - expected[name])
                assert np.all(error <= bounds[name].error), (name, count)


def test_check_passes_and_a_changed_weight_fails():
    file = model((2, 20, 20, 1), "tanh")
    good = check_onnx(to_onnx(file, derivatives=True), file)
    assert [d.output for d in good] == ["u", "u_x", "u_t", "u_xx", "u_xt"]
    assert all(d.passed for d in good)
    first = file.layers[0]
    weight = first.weight.copy()
    weight[0, 0] *= 1.05
    changed = replace(file, layers=(replace(first, weight=weight), *file.layers[1:]))
    bad = check_onnx(to_onnx(changed, derivatives=True), file)
    assert not any(d.passed for d in bad)


def test_check_fails_on_nan():
    file = model((2, 5, 1), "tanh")
    proto = to_onnx(file)
    for tensor in proto.graph.initializer:
        if tensor.dims == [5]:
            tensor.raw_data = np.full(5, np.nan, np.float32).tobytes()
    (deviation,) = check_onnx(proto, file)
    assert not deviation.passed


def test_check_refuses_a_foreign_graph():
    file, other = model((2, 5, 2), "tanh"), model((2, 5, 1), "tanh")
    with pytest.raises(ValueError, match=r"outputs v, the model knows u"):
        check_onnx(to_onnx(file), other)


def test_graph_is_plain_and_dynamic():
    file = model((3, 17, 9, 2), "silu", physics=False)
    proto = to_onnx(file, derivatives=True)
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", OPSET)]
    assert proto.ir_version == IR_VERSION
    (source,) = proto.graph.input
    assert source.name == "points"
    shape = source.type.tensor_type.shape.dim
    assert (shape[0].dim_param, shape[1].dim_value) == ("n", 3)
    allowed = {"Add", "Mul", "Sub", "Gemm", "MatMul", "Concat", "Split", "Sigmoid"}
    assert {node.op_type for node in proto.graph.node} <= allowed


def test_values_take_three_operators_a_layer_at_most():
    proto = to_onnx(model((2, 20, 20, 1), "tanh"))
    operators = [node.op_type for node in proto.graph.node]
    assert operators == ["Add", "Mul", "Gemm", "Tanh", "Gemm", "Tanh", "Gemm", "Mul", "Add"]


def test_metadata_describes_inputs_and_outputs():
    file = model((2, 5, 1), "tanh")
    properties = {p.key: p.value for p in to_onnx(file, digest="ab" * 32).metadata_props}
    assert properties["kdpinn.digest"] == "ab" * 32
    inputs = json.loads(properties["kdpinn.inputs"])
    assert inputs[0] == {"name": "x", "unit": "m", "lower": -1.0, "upper": 3.0}
    assert json.loads(properties["kdpinn.outputs"])[0]["unit"] == "m/s"
    assert json.loads(properties["kdpinn.parameters"]) == [
        {"name": "nu", "unit": "m2/s", "value": 0.01}
    ]
    assert "kdpinn.digest" not in {p.key for p in to_onnx(file).metadata_props}


def test_bytes_depend_on_the_model_alone():
    one, two = (to_bytes(to_onnx(model(), derivatives=True)) for _ in range(2))
    assert one == two
    assert one != to_bytes(to_onnx(model(seed=1), derivatives=True))


@pytest.mark.parametrize("taken", ["u_x", "points"])
def test_a_taken_name_is_refused(taken):
    file = model((2, 5, 2), "tanh", physics=False)
    file = replace(file, outputs=(file.outputs[0], replace(file.outputs[1], name=taken)))
    with pytest.raises(ValueError, match=f"{taken} would be taken twice"):
        to_onnx(file, derivatives=True)


def test_letters_are_joined_only_when_single():
    file = model((2, 5, 1), "tanh")
    file = replace(file, inputs=(replace(file.inputs[0], name="theta"), file.inputs[1]))
    names = [o.name for o in to_onnx(file, derivatives=True).graph.output]
    assert names == ["u", "u_theta", "u_t", "u_theta_theta", "u_theta_t"]


def logistic(v):
    return 1 / (1 + np.exp(-v))


def erf(v):
    return scipy.special.erf(v.astype(np.float64))  # next to an engine's float32 it is exact


FUNCTIONS = {"Tanh": np.tanh, "Sin": np.sin, "Cos": np.cos, "Sigmoid": logistic}


@pytest.mark.parametrize(
    ("operator", "function", "dtype"),
    [
        *((o, f, d) for o, f in FUNCTIONS.items() for d in DTYPES),
        ("Erf", erf, "f32"),
    ],
)
def test_engine_functions_are_as_good_as_stated(operator, function, dtype):
    narrow = DTYPES[dtype]
    v = np.concatenate([np.linspace(-30, 30, 200_001), np.logspace(-30, 0, 1001)]).astype(narrow)
    kind = onnx.helper.np_dtype_to_tensor_dtype(v.dtype)
    info = [onnx.helper.make_tensor_value_info(name, kind, ["n"]) for name in "vf"]
    node = onnx.helper.make_node(operator, ["v"], ["f"])
    graph = onnx.helper.make_graph([node], "one", info[:1], info[1:])
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    (got,) = open_session(to_bytes(proto)).run(None, {"v": v})
    exact = function(v.astype(np.longdouble))
    assert abs(got - exact).max() <= KERNEL_ERROR * np.finfo(narrow).eps / 2
