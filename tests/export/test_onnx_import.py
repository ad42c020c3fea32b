"""Networks read back from ONNX: what onnxruntime computes, to rounding, or a refusal by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from kdpinn_export import NotPlain, baseline_points, from_onnx, plain_network, to_kdp, to_onnx
from kdpinn_export.arithmetic import RunningError
from kdpinn_export.check import open_session
from kdpinn_export.kdp import BaselineTables
from kdpinn_export.onnx_reference import ReferenceSession, needs_reference
from kdpinn_export.taylor import evaluate, jets
from kdpinn_runtime.format import Variable

POINTS = baseline_points([-1, 0], [1, 2], 64)
W0, B0 = np.array([[0.5, -1.0], [0.25, 0.75], [-0.5, 0.125]]), np.array([0.1, -0.2, 0.3])
W1, B1 = np.array([[1.0, -0.5, 0.25]]), np.array([0.05])
# The graph's own rounding against that of the folded network, which our bound is about: at most
# twice the operations on every path, and one more rounding of each constant.
ROOM = 4.0


class Graph:
    """A graph in the making: `g("Gemm", x, W0.T, b)` adds a node; arrays become constants."""

    def __init__(self, kind=TensorProto.FLOAT, inputs=(("x", 2),)):
        self.kind, self.nodes, self.constants = kind, [], []
        self.inputs = [helper.make_tensor_value_info(n, kind, ["n", k]) for n, k in inputs]

    def __call__(self, operator, *operands, outputs=1, **attributes):
        names = [self.named(operand) for operand in operands]
        results = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def named(self, operand):
        if isinstance(operand, str):
            return operand
        dtype = helper.tensor_dtype_to_np_dtype(self.kind)
        name = f"c{len(self.constants)}"
        array = np.asarray(operand)
        array = array if array.dtype.kind in "iu" else array.astype(dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, *outputs, opset=18):
        infos = [helper.make_tensor_value_info(o, self.kind, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, infos, self.constants)
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def dense(g, x, weight, bias):
    return g("Gemm", x, weight, bias, transB=1)


def computed(model):
    foreign = needs_reference(model)
    session = ReferenceSession(model) if foreign else open_session(model.SerializeToString())
    dtype = np.float32 if "float)" in session.get_inputs()[0].type else np.float64
    widths = np.cumsum([source.shape[1] for source in session.get_inputs()])[:-1]
    parts = np.split(POINTS.astype(dtype), widths, axis=1)
    feed = {s.name: p for s, p in zip(session.get_inputs(), parts)}
    return np.hstack([r.astype(np.float64) for r in session.run(None, feed)]), dtype


def same(model):
    """The imported network, after its values were found to be the graph's."""
    network = from_onnx(model)
    got, dtype = computed(model)
    arithmetic = RunningError(dtype)
    value = jets(network, arithmetic.constant(POINTS), 2, (), arithmetic).value
    np.testing.assert_array_less(np.abs(got - value.value), ROOM * value.error)
    # The bound must be able to fail: a wrong sign of one bias is far outside.
    assert np.max(ROOM * value.error) < 1e-3 * np.max(np.abs(value.value))
    return network


def shapes(network):
    return [(layer.weight.shape, layer.activation) for layer in network.layers]


def rise(g, x):
    """1 + erf(x / sqrt 2)."""
    return g("Add", g("Erf", g("Div", x, math.sqrt(2))), 1.0)


def activated(g, x, name):
    if name == "silu":
        return g("Mul", x, g("Sigmoid", x))
    if name == "gelu":
        return g("Mul", g("Mul", x, rise(g, x)), 0.5)
    return g(name.capitalize(), x)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
@pytest.mark.parametrize("name", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu"])
def test_every_activation_is_exact_to_rounding(name, kind):
    g = Graph(kind)
    model = g.model(dense(g, activated(g, dense(g, "x", W0, B0), name), W1, B1))
    network = same(model)
    assert shapes(network) == [((3, 2), name), ((1, 3), "identity")]
    dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
    np.testing.assert_array_equal(network.layers[0].weight, W0.astype(dtype))
    np.testing.assert_array_equal(network.layers[1].bias, B1.astype(dtype))


def test_swish_is_silu():
    g = Graph()
    model = g.model(g("Swish", dense(g, "x", W0, B0)), opset=24)
    assert from_onnx(model).layers[0].activation == "silu"


GELUS = {
    "half at the end": lambda g, z: g("Mul", 0.5, g("Mul", rise(g, z), z)),
    "half of the gate": lambda g, z: g("Mul", z, g("Mul", 0.5, rise(g, z))),
    "half of the argument": lambda g, z: g("Mul", g("Mul", z, 0.5), rise(g, z)),
    "halved by division": lambda g, z: g("Mul", rise(g, z), g("Div", z, 2.0)),
    "multiplied by sqrt 0.5": lambda g, z: g(
        "Mul", z, g("Add", 0.5, g("Mul", g("Erf", g("Mul", math.sqrt(0.5), z)), [0.5]))
    ),
}


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
@pytest.mark.parametrize("spelling", GELUS)
def test_spellings_of_gelu(spelling, kind):
    g = Graph(kind)
    network = same(g.model(dense(g, GELUS[spelling](g, dense(g, "x", W0, B0)), W1, B1)))
    assert shapes(network) == [((3, 2), "gelu"), ((1, 3), "identity")]
    dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
    np.testing.assert_array_equal(network.layers[0].weight, W0.astype(dtype))
    np.testing.assert_array_equal(network.layers[1].weight, W1.astype(dtype))
    assert network.output_scale == 1


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_gelu_as_one_node(kind):
    g = Graph(kind)
    model = g.model(dense(g, g("Gelu", dense(g, "x", W0, B0)), W1, B1), opset=20)
    assert shapes(same(model)) == [((3, 2), "gelu"), ((1, 3), "identity")]


def test_other_slopes_of_a_gate_go_into_the_weights():
    g = Graph(TensorProto.DOUBLE)
    z = dense(g, "x", W0, B0)
    quick = g("Mul", g("Sigmoid", g("Mul", z, 1.702)), z)
    y = dense(g, quick, np.eye(3), np.zeros(3))
    network = same(g.model(dense(g, g("Mul", y, g("Add", g("Erf", y), 1.0)), W1, B1)))
    assert [layer.activation for layer in network.layers] == ["silu", "gelu", "identity"]
    np.testing.assert_array_equal(network.layers[0].weight, 1.702 * W0)


@pytest.mark.parametrize("activation", ["tanh", "silu", "relu", "gelu"])
def test_our_own_graphs_come_back(activation):
    weights, biases = [W0, np.array([[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]])], [B0, np.zeros(2)]
    affine = {"input_shift": [0.5, 1.0], "input_scale": [2.0, 0.5], "output_scale": [4.0, 1.0]}
    source = plain_network(weights, biases, activation, output_shift=[0.0, 3.0], **affine)
    file = to_kdp(
        source,
        inputs=[Variable(name="x", lower=-1, upper=1), Variable(name="t", lower=0, upper=2)],
        outputs=[("u", ""), ("v", "")],
        tables=BaselineTables(points=POINTS),
    )
    network = from_onnx(to_onnx(file))
    for mine, theirs in zip(network.layers, source.layers):
        assert mine.activation == theirs.activation
        np.testing.assert_array_equal(mine.weight, theirs.weight)
        np.testing.assert_array_equal(mine.bias, theirs.bias)
    for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
        np.testing.assert_array_equal(getattr(network, name), getattr(source, name))


def test_normalization_around_the_network_is_kept_apart():
    g = Graph()
    z = g("Div", g("Sub", "x", [0.25, 1.0]), [0.5, 2.0])
    y = dense(g, g("Tanh", dense(g, z, W0, B0)), W1, B1)
    network = same(g.model(g("Add", g("Mul", y, [3.0]), 7.0)))
    np.testing.assert_array_equal(network.input_shift, [0.25, 1.0])
    np.testing.assert_array_equal(network.input_scale, [2.0, 0.5])
    assert (network.output_scale, network.output_shift) == (3.0, 7.0)


def test_affine_maps_inside_are_folded_into_the_layers():
    g = Graph(TensorProto.DOUBLE)
    slope = g("Mul", dense(g, "x", W0, B0), [1.5, -2.0, 0.5])  # an adaptive activation
    bent = g("Sub", 1.0, g("Neg", g("Tanh", g("Add", slope, [0.1, 0.2, 0.3]))))
    normalized = g(
        "BatchNormalization", bent, [1.0, 2.0, 3.0], [0.1, 0.2, 0.3], [0.5, 0.0, -0.5], [1.0, 4, 9]
    )
    network = same(g.model(dense(g, normalized, W1, B1)))
    assert shapes(network) == [((3, 2), "tanh"), ((1, 3), "identity")]


def test_other_spellings_of_a_dense_layer():
    g = Graph(TensorProto.DOUBLE)
    first = g("Add", g("MatMul", "x", W0.T), B0)
    second = g("Gemm", g("Sin", first), W1.T, B1, alpha=0.5, beta=2.0)
    network = same(g.model(second))
    np.testing.assert_array_equal(network.layers[0].bias, B0)
    np.testing.assert_array_equal(network.layers[1].weight, W1 / 2)
    np.testing.assert_array_equal(network.layers[1].bias, 2 * B1)
    g = Graph(TensorProto.DOUBLE)
    weight = g("Transpose", g("Identity", W0), perm=[1, 0])
    bias = g("Constant", value=numpy_helper.from_array(B0))
    same(g.model(g("Add", bias, g("MatMul", "x", weight))))


def test_nodes_that_do_nothing_are_passed():
    g = Graph()
    y = g("Flatten", g("Identity", g("Cast", "x", to=TensorProto.FLOAT)))
    y = g("Dropout", dense(g, y, W0, B0))
    assert shapes(same(g.model(g("Tanh", y)))) == [((3, 2), "tanh"), ((3, 3), "identity")]


def test_activations_at_the_ends_get_layers_of_their_own():
    g = Graph(TensorProto.DOUBLE)
    network = same(g.model(g("Sigmoid", dense(g, g("Sin", g("Mul", "x", 3.0)), W0[:, :], B0))))
    assert shapes(network) == [((2, 2), "sin"), ((3, 2), "sigmoid"), ((3, 3), "identity")]
    np.testing.assert_array_equal(network.input_scale, [3.0, 3.0])


def test_layers_without_an_activation_stay_two():
    g = Graph(TensorProto.DOUBLE)
    assert len(same(g.model(dense(g, dense(g, "x", W0, B0), W1, B1))).layers) == 2


def test_inputs_one_by_one_and_outputs_split():
    g = Graph(TensorProto.DOUBLE, inputs=(("x", 1), ("t", 1)))
    y = dense(g, g("Concat", "x", "t", axis=1), W0, B0)
    network = same(g.model(*g("Split", y, outputs=3, axis=1, num_outputs=3)))
    assert shapes(network) == [((3, 2), "identity")]


@pytest.mark.parametrize("operator", ["LeakyRelu", "Erf", "Softplus", "Cos", "Abs"])
def test_other_functions_are_refused_by_name(operator):
    g = Graph()
    model = g.model(dense(g, g(operator, dense(g, "x", W0, B0)), W1, B1))
    with pytest.raises(NotPlain, match=rf"{operator.lower()}_1' \({operator}\).*Distil it instead"):
        from_onnx(model)


def test_the_approximate_gelu_is_another_function():
    g = Graph()
    model = g.model(g("Gelu", dense(g, "x", W0, B0), approximate="tanh"), opset=20)
    says = r"'gelu_1' \(Gelu\).*approximate = 'tanh'.*off the exact.*Distil it instead"
    with pytest.raises(NotPlain, match=says):
        from_onnx(model)


def skip(g):
    x = g("Tanh", dense(g, "x", np.eye(2), np.zeros(2)))
    return [g("Add", x, dense(g, x, np.eye(2), np.zeros(2)))]


def product(g):
    return [g("Mul", "x", "x")]


def gated(g):
    return [g("Mul", g("Tanh", "x"), g("Sigmoid", "x"))]


def falling(g):
    return [g("Mul", "x", g("Sub", 1.0, g("Erf", "x")))]


def lopsided(g):
    return [g("Mul", "x", g("Add", g("Erf", "x"), [1.0, 2.0]))]


def swollen(g):
    return [g("Mul", g("Add", "x", 1.0), g("Sigmoid", "x"))]


def inverse(g):
    return [g("Div", 1.0, "x")]


def half(g):
    return [g("Cast", "x", to=TensorProto.FLOAT16)]


def whole(g):
    return [g("Flatten", "x", axis=0)]


def two(g):
    y = dense(g, "x", W0, B0)
    return [y, g("Tanh", y)]


def unjoined(g):
    g.inputs.append(helper.make_tensor_value_info("t", g.kind, ["n", 1]))
    return [g("Add", "x", "t")]


def turned(g):
    return [g("Gemm", "x", W0, B0, transA=1, transB=1)]


def left(g):
    return [g("MatMul", np.eye(2), "x")]


def table(g):
    return [g("Add", "x", np.ones((64, 2)))]


def mismatched(g):
    return [dense(g, dense(g, "x", W0, B0), np.eye(2), np.zeros(2))]


def blind(g):
    return [dense(g, g("Mul", "x", [1.0, 0.0]), W0, B0)]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (skip, "goes to .*one chain"),
        (product, "'mul_0'.*no constant"),
        (gated, "goes to .*one chain"),
        (falling, "goes to .*one chain"),
        (lopsided, "goes to .*one chain"),
        (swollen, "goes to .*one chain"),
        (inverse, "'div_0'.*divides by"),
        (half, "'cast_0'.*another type"),
        (whole, "'flatten_0'.*points too"),
        (two, "other nodes or outputs"),
        (unjoined, "inputs x, t.*Concat"),
        (turned, "'gemm_0'.*first operand"),
        (left, "'matmul_0'.*first operand"),
        (table, r"'add_0'.*\(64, 2\)"),
        (mismatched, "2 inputs follows 3 values"),
        (blind, "Input 1 is multiplied by zero"),
    ],
)
def test_graphs_that_are_no_plain_network(make, says):
    g = Graph()
    with pytest.raises(NotPlain, match=says):
        from_onnx(g.model(*make(g)))


def test_inputs_of_another_shape():
    g = Graph(inputs=(("x", "d"),))
    with pytest.raises(NotPlain, match=r"'x' must have the shape .*\['n', 'd'\]"):
        from_onnx(g.model(g("Tanh", "x")))


def test_values_of_a_known_network():
    """Beside onnxruntime, which could misread with us: the formula itself."""
    g = Graph(TensorProto.DOUBLE)
    network = from_onnx(g.model(dense(g, g("Tanh", dense(g, "x", W0, B0)), W1, B1)))
    expected = np.tanh(POINTS @ W0.T + B0) @ W1.T + B1
    np.testing.assert_allclose(evaluate(network, POINTS).value, expected, rtol=1e-14)
