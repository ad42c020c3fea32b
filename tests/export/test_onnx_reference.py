"""onnx's evaluator in place of onnxruntime, for error functions in double precision."""

import math

import numpy as np
import pytest
from onnx import TensorProto, helper

from kdpinn_export.check import open_session
from kdpinn_export.onnx_reference import ReferenceSession, needs_reference

X = np.linspace(-9, 9, 301)[:, None]


def graph(operator, kind, **attributes):
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    infos = [helper.make_tensor_value_info(name, kind, ["n", 1]) for name in "xy"]
    made = helper.make_graph([node], "g", infos[:1], infos[1:])
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(made, opset_imports=opset, ir_version=9)


def gelu(v):
    return v * math.erfc(-v * math.sqrt(0.5)) / 2


@pytest.mark.parametrize(("operator", "function"), [("Erf", math.erf), ("Gelu", gelu)])
def test_values_have_double_precision(operator, function):
    (got,) = ReferenceSession(graph(operator, TensorProto.DOUBLE)).run(None, {"x": X})
    expected = np.array([[function(v)] for (v,) in X])
    assert got.dtype == np.float64
    # 1 + erf rounds to multiples of eps / 2 before the factor of at most 9.
    np.testing.assert_allclose(got, expected, rtol=4e-16, atol=9 * 4 * 2.0**-53)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_onnxruntimes(approximate):
    model = graph("Gelu", TensorProto.FLOAT, approximate=approximate)
    x = X.astype(np.float32)
    (got,) = ReferenceSession(model).run(["y"], {"x": x})
    (expected,) = open_session(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(got, expected, rtol=0, atol=9 * 16 * 2.0**-24)


def test_the_session_describes_the_graph():
    session = ReferenceSession(graph("Erf", TensorProto.DOUBLE))
    (source,), (result,) = session.get_inputs(), session.get_outputs()
    assert (source.name, source.type, source.shape) == ("x", "tensor(double)", ["n", 1])
    assert result.name == "y"


@pytest.mark.parametrize("operator", ["Erf", "Gelu"])
def test_only_what_onnxruntime_lacks_is_evaluated_here(operator):
    """The day it has them this fails, and the module can go."""
    double, single = (graph(operator, t) for t in (TensorProto.DOUBLE, TensorProto.FLOAT))
    assert needs_reference(double)
    assert not needs_reference(single)
    assert not needs_reference(graph("Tanh", TensorProto.DOUBLE))
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        open_session(double.SerializeToString())
