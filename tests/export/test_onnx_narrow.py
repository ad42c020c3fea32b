"""ONNX graphs whose weights are stored in f16 and i8: the same function, fewer bytes."""

from importlib.util import find_spec

import numpy as np
import onnxruntime
import pytest
from export_samples import model
from map_samples import mapped_model
from onnx import TensorProto, numpy_helper
from tied_samples import tied_model

from kdpinn_export import to_bytes, to_onnx
from kdpinn_export.answers import known_answers
from kdpinn_export.narrowing import narrowed, widened
from kdpinn_export.onnx import OPERATORS
from kdpinn_export.targets.onnx import in_onnxruntime, in_openvino

STORED = {"f16": TensorProto.FLOAT16, "i8": TensorProto.INT8, "i4": TensorProto.INT8}


@pytest.mark.parametrize("derivatives", [False, True])
@pytest.mark.parametrize("precision", STORED)
@pytest.mark.parametrize("kind", ["plain", "maps", "tied"])
def test_both_engines_give_the_narrow_model_within_float32(kind, precision, derivatives):
    whole = {"plain": model((2, 20, 20, 2), physics=False), "maps": mapped_model()}
    file = narrowed(whole.get(kind) or tied_model("four", (9, 6)), precision)
    graph = to_bytes(to_onnx(file, derivatives=derivatives))
    answers = known_answers(file, derivatives=derivatives, copies=1)
    assert answers.compared(in_onnxruntime(graph, answers), "onnxruntime").passed
    if find_spec("openvino"):
        assert answers.compared(in_openvino(graph, answers), "openvino").passed


@pytest.mark.parametrize("derivatives", [False, True])
@pytest.mark.parametrize("width", [63, 64, 160])
def test_no_engine_rounds_activations(width, derivatives):
    """Where onnxruntime and OpenVINO find a way to, 1e-2 is lost; wide layers tempt them most."""
    file = narrowed(model((2, width, width, 3), physics=False), "i8")
    graph = to_bytes(to_onnx(file, derivatives=derivatives))
    answers = known_answers(file, derivatives=derivatives, copies=1)
    for level in ("DISABLE_ALL", "ENABLE_BASIC", "ENABLE_EXTENDED", "ENABLE_LAYOUT", "ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(
            onnxruntime.GraphOptimizationLevel, f"ORT_{level}"
        )
        session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
        got = session.run(list(answers.names), {"points": answers.points.astype(np.float32)})
        assert answers.compared(np.hstack(got), level).passed
    if find_spec("openvino"):
        assert answers.compared(in_openvino(graph, answers), "openvino").passed


@pytest.mark.parametrize("precision", STORED)
def test_weights_are_stored_as_such_and_nothing_lies_outside(precision):
    file = narrowed(model((2, 20, 20, 1)), precision)
    proto = to_onnx(file)
    stored = [t for t in proto.graph.initializer if t.name.endswith("stored")]
    assert [(t.data_type, *t.dims) for t in stored] == [
        (STORED[precision], *layer.weight.shape) for layer in file.layers
    ]
    assert not any(t.external_data for t in proto.graph.initializer)
    assert len(to_bytes(proto)) < len(to_bytes(to_onnx(widened(file))))
    assert {node.op_type for node in proto.graph.node} <= OPERATORS
    assert proto.opset_import[0].version == 18


@pytest.mark.parametrize("derivatives", [False, True])
def test_integers_are_dequantized_as_the_standard_says(derivatives):
    """Codes and a scale for each output; no activation is quantized."""
    file = narrowed(model((3, 4, 4, 1), physics=False), "i8")
    proto = to_onnx(file, derivatives=derivatives)
    arrays = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    found = [node for node in proto.graph.node if "quantize" in node.op_type.lower()]
    assert [node.op_type for node in found] == ["DequantizeLinear"] * 3
    for node, layer in zip(found, file.layers):
        codes, scale = (arrays[name] for name in node.input)
        assert [a.i for a in node.attribute if a.name == "axis"] == [0]
        assert np.array_equal(codes, layer.codes)
        assert np.array_equal(scale, layer.scale)


def test_double_graphs_hold_the_numbers_themselves():
    file = narrowed(model((2, 5, 1)), "i8")
    assert to_bytes(to_onnx(file, dtype="f64")) == to_bytes(to_onnx(widened(file), dtype="f64"))
    assert np.array_equal(widened(file).layers[0].weight, file.layers[0].weight)
