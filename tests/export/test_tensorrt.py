"""TensorRT: all up to the builder's calls with a module that records them; the rest on a GPU."""

import hashlib
import json
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from export_samples import model
from map_samples import mapped_sample

from kdpinn_export.answers import known_answers
from kdpinn_export.engine_model import verify_on
from kdpinn_export.engines import engine_of
from kdpinn_export.exporting import export, request_of
from kdpinn_export.target import Request, Unavailable
from kdpinn_export.targets import known, tensorrt, torch_tensorrt
from kdpinn_runtime import pack, write


class Recorder:
    """Stands for tensorrt: every call is noted, in order."""

    def __init__(self, *, reads=True, builds=True, flags=("TF32", "FP16")):
        calls = self.calls = []

        def note(name, result=None):
            return lambda *a, **k: (calls.append((name, *a)), result)[1]

        profile = SimpleNamespace(set_shape=note("set_shape"))
        cache = SimpleNamespace(serialize=lambda: b"cache")
        config = SimpleNamespace(
            clear_flag=note("clear"),
            set_flag=note("set"),
            add_optimization_profile=note("profile"),
            create_timing_cache=note("cache", cache),
            set_timing_cache=note("use cache"),
            get_timing_cache=lambda: cache,
        )
        network = SimpleNamespace(get_input=lambda k: SimpleNamespace(shape=(-1, 2)))
        builder = SimpleNamespace(
            create_network=note("network", network),
            create_builder_config=lambda: config,
            create_optimization_profile=lambda: profile,
            build_serialized_network=note("build", b"engine" if builds else None),
        )
        parser = SimpleNamespace(
            parse=note("parse", reads), num_errors=1, get_error=lambda k: "no such operator"
        )
        self.Logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None})
        self.Builder = lambda logger: builder
        self.OnnxParser = lambda network, logger: parser
        self.BuilderFlag = SimpleNamespace(**{name: name for name in flags})
        self.__version__ = "10.9.0"

    def named(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture
def fake(monkeypatch):
    def install(**options):
        recorder = Recorder(**options)
        monkeypatch.setitem(sys.modules, "tensorrt", recorder)
        return recorder

    return install


def graph_of(file, precision="f32"):
    return tensorrt._graph(Request(model=file, data=pack(file), name="m", precision=precision))


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_the_builder_is_told_what_the_model_needs(fake, precision):
    trt, file = fake(), model((2, 9, 1))
    graph = graph_of(file, precision)
    assert tensorrt.build_engine(graph, precision, b"old") == (b"engine", b"cache")
    assert trt.named("parse") == [(graph,)]
    assert trt.named("clear") == [("TF32",)]
    assert trt.named("set") == ([("FP16",)] if precision == "f16" else [])
    assert trt.named("set_shape") == [("points", (1, 2), (4096, 2), (1_048_576, 2))]
    assert trt.named("cache") == [(b"old",)]
    order = [call[0] for call in trt.calls]
    assert order.index("profile") < order.index("build")
    assert order.index("use cache") < order.index("build")
    kinds = {t.data_type for t in onnx.load_from_string(graph).graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_tf32_only_if_asked_for(fake):
    trt = fake()
    tensorrt.build_engine(graph_of(model((2, 9, 1))), "f32", tf32=True)
    assert trt.named("clear") == []


@pytest.mark.parametrize(
    ("options", "precision", "message"),
    [
        ({"reads": False}, "f32", r"10\.9\.0 cannot read the graph: no such operator"),
        ({"builds": False}, "f32", "built no engine"),
        ({"flags": ("TF32",)}, "f16", r"no flag for f16.*--precision f32"),
    ],
)
def test_failures_say_why(fake, options, precision, message):
    fake(**options)
    with pytest.raises(ValueError, match=message):
        tensorrt.build_engine(b"graph", precision)


def test_an_engine_of_elsewhere_is_refused(tmp_path, monkeypatch):
    here = {"gpu": "A", "compute_capability": "9.0", "tensorrt": "10.9.0", "cuda": "13.0"}
    monkeypatch.setattr(tensorrt, "stamp", lambda: here)
    loaded = []
    monkeypatch.setattr(tensorrt, "Session", loaded.append)
    path = tmp_path / "m.engine"
    path.write_bytes(b"engine")
    right = {"model": "ab", "engine": hashlib.sha256(b"engine").hexdigest(), **here}
    sidecar = tmp_path / "m.engine.json"
    for key in right:
        sidecar.write_text(json.dumps(right | {key: "other"}))
        with pytest.raises(ValueError, match=f"{key} is other, here .*export it again"):
            tensorrt.load_engine(path, "ab")
    assert loaded == []
    sidecar.write_text(json.dumps(right))
    tensorrt.load_engine(path, "ab")
    assert loaded == [b"engine"]


@pytest.mark.parametrize("name", ["tensorrt", "torch-tensorrt"])
def test_without_library_or_gpu_it_says_how_to_get_them(tmp_path, name):
    target = known()[name]
    if not target.missing():
        pytest.skip("TensorRT and a GPU are here")
    path = tmp_path / "model.kdp"
    write(path, model())
    with pytest.raises(Unavailable, match=r"(not installed|no GPU).*kdpinn\[tensorrt\].*GPU"):
        export(target, request_of(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_engine_says_so_too():
    engine = engine_of("tensorrt")
    if not engine.missing():
        pytest.skip("TensorRT and a GPU are here")
    with pytest.raises(ValueError, match=r"engine tensorrt is not here.*kdpinn\[tensorrt\]"):
        verify_on(engine, model(), pack(model()), latency=False, seconds=0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "silu", "relu", "gelu", "identity"])
def test_the_torch_network_is_the_model(activation):
    import torch

    file = model((3, 9, 5, 2), activation, physics=False)
    answers = known_answers(file)
    network = torch_tensorrt.torch_network(file)
    with torch.no_grad():
        got = network(torch.tensor(answers.points, dtype=torch.float32)).numpy()
    assert answers.compared(got, "torch").passed


def test_what_torch_has_no_module_of_is_refused():
    with pytest.raises(ValueError, match="functions of the coordinates.*tensorrt"):
        torch_tensorrt.torch_network(mapped_sample())
    with pytest.raises(ValueError, match="layer 0.*sin"):
        torch_tensorrt.torch_network(model((2, 4, 1), "sin"))


def test_half_precision_has_a_wider_bound():
    file = model((2, 9, 1))
    half, single = (known_answers(file, dtype=t).permitted for t in (np.float16, np.float32))
    assert np.all(half > 1000 * single)


@pytest.mark.tensorrt
@pytest.mark.skipif(not find_spec("tensorrt"), reason="NOT RUN: tensorrt is not installed here")
@pytest.mark.parametrize("name", ["tensorrt", "torch-tensorrt"])
def test_on_a_gpu(tmp_path, name):
    target = known()[name]
    if target.missing():
        pytest.skip(f"NOT RUN: {target.missing()}")
    path = tmp_path / "model.kdp"
    write(path, model((2, 20, 20, 1)))
    for precision in target.precisions:
        for derivatives in {False, target.derivatives}:
            request = request_of(path, precision, derivatives, budget=1.0)
            assert all(c.passed for c in export(target, request, tmp_path / "out").checks)
