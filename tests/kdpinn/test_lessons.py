"""What --teacher, --domain and --fields say, as a problem and who teaches it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import kdpinn_runtime
from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.problems import Samples, load_problem
from kdpinn.sampling import interior
from kdpinn.teachers.boxes import parse_domain
from kdpinn.teachers.ensemble import Ensemble, SmoothEnsemble
from kdpinn.teachers.functions import Function
from kdpinn.teachers.lesson import lesson_of
from kdpinn.teachers.model_files import RuntimeModel
from kdpinn.teachers.patches import Patches
from kdpinn.teachers.request import Request
from kdpinn.teachers.slices import Slices
from kdpinn.teachers.source import Source
from kdpinn.teachers.table import Table
from kdpinn.teachers.taught import rebuilt, recorded
from kdpinn_export import BaselineTables, NetworkArrays, baseline_points, to_kdp
from kdpinn_runtime import write
from kdpinn_runtime.format import Layer, Variable

HERE = Path(__file__).parent
MODULE = HERE / "teacher_module.py"
DECAY = f"{HERE / 'tiny_problem.py'}:Decay"
DOMAIN = "x=-1:1,t=0:2"
BOX = Box(x=(-1, 1), t=(0, 2))


def lesson(*teachers, problem=None, domain=DOMAIN, fields="", trust=False):
    texts = tuple(f"{MODULE}:{t}" if "/" not in str(t) else str(t) for t in teachers)
    return lesson_of(Request(texts, domain, fields, trust), problem)


def refused(says, *teachers, **more):
    with pytest.raises(ValueError, match=says):
        lesson(*teachers, **more)


def field(path: Path) -> Field:
    made = Field.create(
        inputs=("x", "t"),
        outputs=("u",),
        lower=BOX.lower,
        upper=BOX.upper,
        hidden=(3,),
        generator=torch.Generator().manual_seed(0),
    )
    made.save(path)
    return made


def onnx_file(path: Path, activation: str, opset: int = 18) -> Path:
    """W1 activation(W0 x + b0), in double."""
    kind = TensorProto.DOUBLE
    constants = {"w0": np.eye(2), "b0": np.ones(2), "w1": np.ones((1, 2))}
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["a"], name="first", transB=1),
        helper.make_node(activation, ["a"], ["b"], name="bend"),
        helper.make_node("Gemm", ["b", "w1"], ["y"], name="last", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, ["n", 2])],
        [helper.make_tensor_value_info("y", kind, ["n", 1])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


def csv(path: Path, n=100, extra="") -> Path:
    x = interior(BOX, n, seed=0).numpy()
    rows = [f"{a},{b},{np.sin(a) * b}" for a, b in x]
    path.write_text("\n".join(["x,t,u" + extra, *rows]))
    return path


# -- words ---------------------------------------------------------------------------------------


def test_a_source_with_options(tmp_path):
    source = Source.parse(f"{MODULE}:bump@weight=2@nu=0.01@x=-1:0")
    assert (source.path, source.attribute, source.name) == (
        MODULE,
        "bump",
        "teacher_module.py:bump",
    )
    assert (source.weight, source.at, source.region) == (2.0, {"nu": 0.01}, {"x": (-1.0, 0.0)})
    odd = tmp_path / "a@b.csv"
    odd.write_text("")
    assert Source.parse(str(odd)).path == odd


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{MODULE}", "say what in the file teaches"),
        ("model.h5", r"expected model\.onnx, model\.kdp"),
        (f"{MODULE}:bump@weight=0", "a weight is > 0, got 0"),
        (f"{MODULE}:bump@nu=high", "'nu=high' needs a number, got 'high'"),
        (f"{MODULE}:bump@x=1:-1", "'x=1:-1' needs lower < upper"),
        (f"{MODULE}:bump@weight=inf", "needs a number"),
    ],
)
def test_sources_that_say_nothing(text, says):
    with pytest.raises(ValueError, match=says):
        Source.parse(text)


def test_a_source_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="none.onnx"):
        Source.parse("none.onnx")


def test_domains():
    assert parse_domain(" x = -1:1 , t=0:2") == BOX
    for text in ("", "x", "x=1", "x=0:1,x=0:2", "x=0:1,"):
        with pytest.raises(ValueError, match="--domain names each coordinate once"):
            parse_domain(text)


# -- one teacher ---------------------------------------------------------------------------------


def test_a_function_alone_is_a_problem_without_an_equation():
    found = lesson("bump")
    problem = found.problem
    assert (problem.coordinates, problem.fields, problem.residual) == (("x", "t"), ("u",), None)
    assert problem.domain == BOX
    assert not found.given
    x = problem.evaluation_points()
    np.testing.assert_array_equal(problem.reference_at(x), found.teacher.values(x))
    assert "teacher_module.py:bump" in problem.source


@pytest.mark.parametrize("name", ["factory", "ready", "Net"])
def test_a_module_by_factory_by_class_or_as_it_is(name):
    teacher = lesson(name).teacher
    assert teacher.outputs == ("u",)
    np.testing.assert_array_equal(
        teacher.values(BOX.grid((3, 3))), lesson("ready").teacher.values(BOX.grid((3, 3)))
    )


def test_what_a_module_file_may_hold():
    refused("has no 'bumb'.*In it are: .*bump", "bumb")
    refused(r"`broken\(\)` fails: RuntimeError: no licence server \(line", "broken")
    refused("must be a torch.nn.Module.*got int", "number")
    refused("2 values per point", "pair")
    assert lesson("pair", fields="u,v").teacher.outputs == ("u", "v")


def test_what_a_module_file_sets_for_all_of_torch_is_taken_back(tmp_path):
    path = tmp_path / "loud.py"
    path.write_text(
        "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_default_device('meta')\n"
        "def flat(x):\n    return x[:, 0]\n"
    )
    assert lesson(f"{path}:flat").teacher.outputs == ("u",)
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_default_device().type == "cpu"


def test_a_plain_onnx_graph_teaches_with_derivatives(tmp_path):
    plain = lesson(onnx_file(tmp_path / "a.onnx", "Sin")).teacher
    assert isinstance(plain, Field)
    other = lesson(onnx_file(tmp_path / "b.onnx", "Softplus")).teacher
    assert isinstance(other, Function)
    x = BOX.grid((5, 5))
    np.testing.assert_allclose(plain.values(x), np.sin(x + 1).sum(1, keepdims=True), rtol=1e-13)
    softplus = np.log1p(np.exp(x + 1)).sum(1, keepdims=True)
    np.testing.assert_allclose(other.values(x), softplus, rtol=1e-13)
    refused("a.onnx takes 2 coordinates", tmp_path / "a.onnx", domain="x=0:1")
    # The slopes of a relu jump: it teaches by its values.
    assert isinstance(lesson(onnx_file(tmp_path / "c.onnx", "Relu")).teacher, Function)


def test_files_that_are_no_onnx(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"not a graph")
    refused("a.onnx is no valid ONNX file", tmp_path / "a.onnx")


def test_a_field_of_ours_brings_its_names_and_domain(tmp_path):
    made = field(tmp_path / "f.safetensors")
    found = lesson(tmp_path / "f.safetensors", domain="")
    x = BOX.grid((4, 4))
    np.testing.assert_array_equal(found.teacher.values(x), made.values(x))
    np.testing.assert_allclose(found.problem.domain.upper, BOX.upper, rtol=1e-15)
    refused("asked for is a, b to u", tmp_path / "f.safetensors", domain="a=0:1,b=0:1")


def kdp_file(path: Path, *activations: str) -> Path:
    generator = np.random.default_rng(0)
    layers = [
        Layer(weight=generator.normal(size=(k, j)), bias=np.ones(k), activation=a)
        for j, k, a in zip((2, 3, 3), (3, 3, 1), (*activations, "identity"))
    ]
    network = NetworkArrays(
        layers=tuple(layers),
        input_shift=np.array([0.0, 1.0]),
        input_scale=np.ones(2),
        output_shift=np.zeros(1),
        output_scale=np.ones(1),
    )
    file = to_kdp(
        network,
        inputs=[Variable(name=n, lower=BOX.bounds(n)[0], upper=BOX.bounds(n)[1]) for n in "xt"],
        outputs=[("u", "")],
        tables=BaselineTables(points=baseline_points(BOX.lower, BOX.upper, 16)),
    )
    write(path, file)
    return path


@pytest.mark.parametrize("activations", [("tanh", "tanh"), ("tanh", "sin")])
def test_a_model_file_brings_all_it_needs(tmp_path, activations):
    """With one kind of activation as a field, with several as the runtime evaluates it."""
    path = kdp_file(tmp_path / "m.kdp", *activations)
    found = lesson(path, domain="")
    teacher = found.teacher
    assert isinstance(teacher, Field if len(set(activations)) == 1 else RuntimeModel)
    assert found.problem.domain == BOX
    x = interior(BOX, 20, seed=0)
    spec = JetSpec(2, 2, ((0, 1),))
    jets = teacher.jets(x, spec)
    model = kdpinn_runtime.load(path)
    own = model.jet(x.numpy(), second=(("x", "t"),))
    # The same network by two programs in float64: sums of a dozen numbers of size 10 at most.
    np.testing.assert_allclose(jets.numpy(), own.channels, atol=12 * 10 * 2.0**-50)
    np.testing.assert_allclose(teacher.values(x.numpy()), model(x.numpy()), atol=1e-13)
    assert teacher.jets(x, JetSpec(2, 0)).shape == (1, 20, 1)


def test_a_pickle_is_loaded_only_if_trusted(tmp_path):
    import teacher_module

    path = tmp_path / "net.pt"
    torch.save(teacher_module.Net().layers, path)
    refused("net.pt is a pickle.*--trust-pickle.*weights_only=True", path)
    assert lesson(path, trust=True).teacher.outputs == ("u",)
    torch.save(teacher_module.Net().state_dict(), path)
    refused("holds a OrderedDict, no torch.nn.Module", path, trust=True)
    path.write_bytes(b"zip?")
    refused("cannot be loaded by torch", path, trust=True)


def test_a_coordinate_free_teacher_needs_a_domain():
    refused("does not know its coordinates: say --domain", "bump", domain="")


# -- several -------------------------------------------------------------------------------------


def test_several_are_an_ensemble():
    both = lesson("bump@weight=3", "shifted").teacher
    assert isinstance(both, Ensemble)
    x = BOX.grid((3, 3))
    assert both.shares.tolist() == [0.75, 0.25]
    np.testing.assert_allclose(
        both.spread(x)[:, 0], np.sqrt(0.75 * 0.25) * 0.01 * np.abs(x[:, 0]), atol=1e-15
    )
    assert isinstance(lesson("factory", "ready").teacher, SmoothEnsemble)


def test_parts_and_parameters():
    parts = lesson("bump@x=-1:0", "shifted@x=0:1").teacher
    assert isinstance(parts, Patches)
    refused(r"x=-2:0 is not inside the domain, \[-1, 1\]", "bump@x=-2:0", "shifted")
    refused("No coordinate 'y'", "bump@y=0:1", "shifted")
    found = lesson("bump@nu=0.1", "shifted@nu=0.2", "bump@nu=0.3@weight=1", "shifted@nu=0.3")
    teacher, problem = found.teacher, found.problem
    assert isinstance(teacher, Slices)
    assert isinstance(teacher.teachers[(0.3,)], Ensemble)
    assert problem.coordinates == ("x", "t", "nu")
    assert problem.domain.bounds("nu") == (0.1, 0.3)
    assert problem.grid[2] == 3
    assert np.isfinite(problem.reference_at(problem.evaluation_points())).all()
    uneven = lesson("bump@nu=0.1", "shifted@nu=0.2", "bump@nu=1").problem
    assert uneven.grid[2] == 2
    assert np.isfinite(uneven.reference_at(uneven.evaluation_points())).all()


def test_teachers_that_do_not_go_together(tmp_path):
    refused("All teachers have nu = 0.1", "bump@nu=0.1", "shifted@nu=0.1")
    refused("a value of a parameter.*bump: nu; .*shifted: none", "bump@nu=0.1", "shifted")
    refused("'x' is a coordinate in --domain", "bump@x=0.1")
    refused("Tables of samples teach by themselves", "bump", csv(tmp_path / "a.csv"))


# -- samples -------------------------------------------------------------------------------------


def test_samples_judge_by_what_they_hold_out(tmp_path):
    found = lesson(csv(tmp_path / "a.csv"), domain="", fields="u")
    assert isinstance(found.teacher, Table)
    assert isinstance(found.problem.reference, Samples)
    np.testing.assert_array_equal(found.problem.evaluation_points(), found.teacher.part(True)[0])
    np.testing.assert_array_equal(found.problem.domain.upper, BOX.upper)
    assert "80 samples teach, 20 judge" in found.notes[0]


def test_coordinates_or_fields_name_the_others(tmp_path):
    path = csv(tmp_path / "a.csv")
    assert lesson(path).teacher.outputs == ("u",)
    turned = lesson(path, domain="t=0:2,x=-1:1", fields="u")
    assert turned.problem.coordinates == ("t", "x")
    assert turned.teacher.part(True)[0][:, 0].min() >= 0
    refused("has the columns x, t, u: say which are the fields", path, domain="")
    refused("no column 'y' for the coordinates", path, domain="x=0:1,y=0:1")
    refused("no column 'w' for the fields", path, fields="w")
    refused("samples lie outside the domain", path, domain="x=-1:0,t=0:2")
    refused("without a part", f"{path}@x=0:1")


def test_tables_at_values_of_a_parameter(tmp_path):
    path = csv(tmp_path / "a.csv")
    found = lesson(f"{path}@nu=0.1", f"{path}@nu=0.2@weight=2", domain="", fields="u")
    assert found.problem.coordinates == ("x", "t", "nu")
    assert set(found.teacher.points[:, 2]) == {0.1, 0.2}
    assert set(found.teacher.weights) == {1.0, 2.0}


# -- with a problem ------------------------------------------------------------------------------


def test_a_stated_problem_brings_domain_and_fields():
    decay = load_problem(DECAY)
    found = lesson("bump", problem=decay, domain="")
    assert found.given
    assert found.problem is decay
    assert found.teacher.outputs == decay.fields
    refused("brings its own domain and fields", "bump", problem=decay)
    refused("has no coordinate 'rate'", "bump@rate=1", problem=decay, domain="")


def test_a_taught_problem_is_told_of_again_without_its_teacher(tmp_path):
    made = lesson("bump").problem
    again = rebuilt(json.loads(json.dumps(recorded(made))), None)
    assert (again.name, again.title, again.domain, again.fields, again.grid, again.source) == (
        made.name,
        made.title,
        made.domain,
        made.fields,
        made.grid,
        made.source,
    )
    samples = lesson(csv(tmp_path / "a.csv")).problem
    arrays = {"points": samples.reference.points, "values": samples.reference.values}
    back = rebuilt(json.loads(json.dumps(recorded(samples))), arrays)
    np.testing.assert_array_equal(back.evaluation_points(), samples.evaluation_points())
