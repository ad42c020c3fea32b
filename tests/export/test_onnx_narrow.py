"""ONNX graphs whose weights are stored in f16 and i8: the same function, fewer bytes."""

from importlib.util import find_spec

import numpy as np
import pytest
from export_samples import model
from map_samples import mapped_model
from onnx import TensorProto
from tied_samples import tied_model

from kdpinn_export import to_bytes, to_onnx
from kdpinn_export.answers import known_answers
from kdpinn_export.narrowing import narrowed, widened
from kdpinn_export.onnx import OPERATORS
from kdpinn_export.targets.onnx import in_onnxruntime, in_openvino

STORED = {"f16": TensorProto.FLOAT16, "i8": TensorProto.INT8}


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


@pytest.mark.parametrize("precision", STORED)
def test_weights_are_stored_as_such_and_nothing_lies_outside(precision):
    file = narrowed(model((2, 20, 20, 1)), precision)
    proto = to_onnx(file)
    stored = [t for t in proto.graph.initializer if t.name.endswith("stored")]
    assert [(t.data_type, *t.dims) for t in stored] == [
        (STORED[precision], *layer.weight.shape[::-1]) for layer in file.layers
    ]
    assert not any(t.external_data for t in proto.graph.initializer)
    assert len(to_bytes(proto)) < len(to_bytes(to_onnx(widened(file))))
    assert {node.op_type for node in proto.graph.node} <= OPERATORS
    assert proto.opset_import[0].version == 18


def test_nothing_invites_an_engine_to_round_activations():
    """No quantization operators: onnxruntime rounds activations to 8 bits where it sees them."""
    for derivatives in (False, True):
        proto = to_onnx(narrowed(model((3, 4, 4, 1), physics=False), "i8"), derivatives=derivatives)
        assert not any("Quantize" in node.op_type for node in proto.graph.node)
        assert sum(node.op_type == "Cast" for node in proto.graph.node) == 3


def test_double_graphs_hold_the_numbers_themselves():
    file = narrowed(model((2, 5, 1)), "i8")
    assert to_bytes(to_onnx(file, dtype="f64")) == to_bytes(to_onnx(widened(file), dtype="f64"))
    assert np.array_equal(widened(file).layers[0].weight, file.layers[0].weight)
