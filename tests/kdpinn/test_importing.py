"""ONNX files that become model files without training."""

from __future__ import annotations

import json
import warnings

import numpy as np
import onnx
import pytest
import torch
from test_lessons import onnx_file
from typer.testing import CliRunner

import kdpinn_runtime
from kdpinn.cli import app

DOMAIN = ["--domain", "x=-1:1,t=0:2"]


def kdpinn(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_plain_graph_is_a_model_file(tmp_path):
    source = onnx_file(tmp_path / "net.onnx", "Tanh")
    result = kdpinn("import", source, *DOMAIN, "--fields", "w")
    assert result.exit_code == 0, result.output
    assert "net.kdp agrees with the graph" in result.stdout
    model = kdpinn_runtime.load(tmp_path / "net.kdp")
    assert [v.name for v in (*model.inputs, *model.outputs)] == ["x", "t", "w"]
    x = np.random.default_rng(0).uniform([-1, 0], [1, 2], (100, 2))
    expected = np.tanh(x + 1).sum(1, keepdims=True)
    # Two tanh of the core, each to 16 units of rounding, and two sums.
    np.testing.assert_allclose(model(x), expected, atol=40 * np.finfo(float).eps)
    assert kdpinn("verify", tmp_path / "net.kdp", "--no-latency").exit_code == 0
    assert model.card["title"] == "Imported from net.onnx"


GELU = torch.nn.GELU()
EXPORTS = {
    "SiLU": (torch.nn.SiLU(), {"dynamo": True}),
    "ReLU": (torch.nn.ReLU(), {"dynamo": True}),
    "GELU": (GELU, {"dynamo": True, "opset_version": 18}),
    "GELU, one node": (GELU, {"dynamo": True, "opset_version": 20}),
    "GELU, older exporter": (GELU, {"dynamo": False, "opset_version": 17}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_torch_exports_are_read(tmp_path, name):
    """As torch writes them, weights in a file beside the graph; the exporter takes a while."""
    torch.manual_seed(0)
    sizes = [(2, 7), (7, 7), (7, 2)]
    activation, options = EXPORTS[name]
    layers = [torch.nn.Linear(*sizes[0])]
    for size in sizes[1:]:
        layers += [activation, torch.nn.Linear(*size)]
    net = torch.nn.Sequential(*layers).eval()
    path, target = tmp_path / "net.onnx", tmp_path / "a.kdp"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if options["dynamo"]:
            options = options | {"dynamic_shapes": {"input": {0: torch.export.Dim("n")}}}
        else:
            options = options | {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
        torch.onnx.export(net, (torch.zeros(3, 2),), str(path), **options)
    result = kdpinn("import", path, *DOMAIN, "--fields", "u,v", "--json", "--out", target)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["passed"]
    assert found["parameters"] == 3 * 7 + 8 * 7 + 8 * 2
    layer = kdpinn_runtime.read(target).layers[1]
    assert layer.activation == name[:4].lower()
    np.testing.assert_array_equal(layer.weight, net[2].weight.detach().numpy())


def test_a_relu_graph_is_a_model_file(tmp_path):
    source = onnx_file(tmp_path / "net.onnx", "Relu")
    result = kdpinn("import", source, "--domain", "x=-3:1,t=-3:2")
    assert result.exit_code == 0, result.output
    x = np.random.default_rng(0).uniform([-3, -3], [1, 2], (100, 2))
    model = kdpinn_runtime.load(tmp_path / "net.kdp")
    expected = np.maximum(x + 1, 0).sum(1, keepdims=True)
    np.testing.assert_allclose(model(x), expected, rtol=1e-15)
    assert kdpinn("verify", tmp_path / "net.kdp", "--no-latency").exit_code == 0


def test_gelu_in_double_precision_is_compared_too(tmp_path):
    """By onnx's own evaluator: onnxruntime has none."""
    source = onnx_file(tmp_path / "net.onnx", "Gelu", opset=20)
    result = kdpinn("import", source, *DOMAIN, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["passed"]
    assert found["limit"] < 1e-12
    assert kdpinn("verify", tmp_path / "net.kdp", "--no-latency").exit_code == 0


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (["--domain", "x=0:1"], ["net.onnx takes 2 coordinates"]),
        ([*DOMAIN, "--fields", "u,v"], ["gives 1 value per point", "2 (u, v)"]),
        ([*DOMAIN, "--fields", "x"], ["'x' is both a coordinate and a field"]),
    ],
)
def test_names_that_do_not_fit(tmp_path, change, facts):
    source = onnx_file(tmp_path / "net.onnx", "Tanh")
    result = kdpinn("import", source, *change)
    assert result.exit_code == 2
    for fact in facts:
        assert fact in result.stderr
    assert not (tmp_path / "net.kdp").exists()


def test_a_graph_that_is_no_plain_network(tmp_path):
    source = onnx_file(tmp_path / "net.onnx", "Softplus")
    result = kdpinn("import", source, *DOMAIN)
    assert result.exit_code == 2
    assert "Node 'bend' (Softplus) cannot be taken" in result.stderr
    assert "kdpinn distill --teacher" in result.stderr


def test_weights_outside_the_folder_are_not_read(tmp_path):
    """An ONNX file may name a file for its weights: none elsewhere is opened."""
    source = onnx_file(tmp_path / "net.onnx", "Tanh")
    model = onnx.load(source)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret.bin"
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(32))
    (tmp_path / "in" / "net.onnx").write_bytes(model.SerializeToString())
    result = kdpinn("import", tmp_path / "in" / "net.onnx", *DOMAIN)
    assert result.exit_code == 2
    assert "no valid ONNX file" in result.stderr
