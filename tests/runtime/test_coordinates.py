"""Functions of the coordinates check themselves, go through a file, and have exact derivatives."""

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
import sympy
from kdp_samples import bare_model, same
from map_samples import Program, everything, mapped_model, mapped_sample, periodic, walls

from kdpinn_runtime._info import as_text, describe
from kdpinn_runtime._map_text import map_texts
from kdpinn_runtime.format import CoordinateMap, FormatError, Operation, pack, unpack

X, T = sympy.symbols("x t")
PAIRS = ((0, 0), (0, 1), (1, 1))
FUNCTIONS = {
    "reciprocal": lambda a: 1 / a,
    "sin": sympy.sin,
    "exp": sympy.exp,
    "tanh": sympy.tanh,
}


def expressions(program):
    """The results as sympy expressions of x and t, made from the operations alone."""
    made = []
    for o in program.operations:
        if o.kind == "coordinate":
            made.append((X, T)[o.a])
        elif o.kind == "constant":
            made.append(sympy.Float(o.value, 30))
        elif o.kind == "add":
            made.append(made[o.a] + made[o.b])
        elif o.kind == "multiply":
            made.append(made[o.a] * made[o.b])
        else:
            made.append(FUNCTIONS[o.kind](made[o.a]))
    return [made[k] for k in program.results]


@pytest.mark.parametrize("make", [periodic, walls, everything])
def test_derivatives_are_those_of_the_expressions(make):
    rng = np.random.default_rng(0)
    points = rng.uniform((-1.0, 0.0), (1.0, 1.0), (12, 2))
    value, first, second = make().jet(points, PAIRS)
    assert value.shape == (12, len(make().results))
    for column, expression in enumerate(expressions(make())):
        wanted = [expression, expression.diff(X), expression.diff(T)]
        wanted += [expression.diff(X, X), expression.diff(X, T), expression.diff(T, T)]
        got = [value[:, column], *first[:, column].T, *second[:, column].T]
        for ours, exact in zip(got, wanted, strict=True):
            evaluate = sympy.lambdify((X, T), exact, "mpmath")
            with mpmath.workdps(30):
                reference = [float(evaluate(*map(mpmath.mpf, point))) for point in points]
            # a program of 20 operations on numbers up to pi^2: a few dozen roundings of their sizes
            np.testing.assert_allclose(ours, reference, rtol=0, atol=64 * np.finfo(float).eps * 10)


def test_coordinates_can_be_more_than_a_map_reads():
    value, first, second = periodic().jet(np.zeros((1, 3)), ((2, 2),))
    assert (first.shape, second.shape) == ((1, 3, 3), (1, 3, 1))
    np.testing.assert_allclose(value, [[1, 0, 0]], atol=1e-16)
    np.testing.assert_allclose(first[0], [[0, 0, 0], [math.pi, 0, 0], [0, 1, 0]], atol=4e-16)


def test_too_few_coordinates():
    with pytest.raises(ValueError, match=r"reads 2 coordinates.*\(3, 1\)"):
        periodic()(np.zeros((3, 1)))


ONE, X0 = Operation("constant", value=1.0), Operation("coordinate")
WRONG = {
    "kind": (lambda: Operation("cos"), "MAP", "'cos', known: coordinate"),
    "negative": (lambda: Operation("sin", -1), "MAP", "a of a sin .* -1"),
    "far": (lambda: Operation("add", 0, 256), "MAP", "b of a add .* 256, expected 0 .. 255"),
    "type": (lambda: Operation("sin", 1.0), "MAP", "a of a sin .* 1.0"),
    "unused b": (lambda: Operation("sin", 0, 1), "MAP", "b of a sin .* not used"),
    "unused a": (lambda: Operation("constant", 1), "MAP", "a of a constant .* not used"),
    "unused value": (lambda: Operation("sin", value=-0.0), "MAP", "value of a sin .* not used"),
    "nan": (lambda: Operation("constant", value=math.nan), "VALUE", "nan, expected a finite"),
    "empty": (lambda: CoordinateMap((), ()), "MAP", "0 operations.*1 .. 256"),
    "long": (lambda: CoordinateMap((ONE,) * 257, (0,)), "MAP", "257 operations"),
    "later": (
        lambda: CoordinateMap((ONE, Operation("add", 0, 1)), (1,)),
        "MAP",
        "operation 1, add, takes b from operation 1",
    ),
    "no result": (lambda: CoordinateMap((ONE,), ()), "MAP", "no results"),
    "result": (lambda: CoordinateMap((ONE,), (1,)), "MAP", "result 0 is operation 1, .* has 1"),
    "coordinate": (
        lambda: replace(bare_model(), exact=CoordinateMap((Operation("coordinate", 2),), (0, 0))),
        "MAP",
        "exact reads coordinate 2, the model has 2",
    ),
    "exact": (
        lambda: replace(bare_model(), exact=CoordinateMap((ONE,), (0,))),
        "MAP",
        "exact has 1 results, expected 2",
    ),
    "features": (
        lambda: replace(bare_model(), features=CoordinateMap((X0,), (0,) * 129)),
        "RECORD",
        "129 features, the cap is 128",
    ),
    "width": (
        lambda: replace(mapped_model(), features=CoordinateMap((X0,), (0,))),
        "RECORD",
        r"input_shift has shape \(3,\), expected \(1,\): one number per feature",
    ),
    "layer": (
        lambda: replace(
            mapped_model(),
            features=CoordinateMap((X0,), (0,)),
            input_shift=np.zeros(1),
            input_scale=np.ones(1),
        ),
        "LAYER",
        "takes 3 values, the features give 1",
    ),
    "scale": (
        lambda: replace(mapped_model(), input_scale=np.array([1.0, 0.0, 1.0])),
        "VALUE",
        "input_scale of 'feature 1' is 0",
    ),
}


@pytest.mark.parametrize(("make", "code", "message"), WRONG.values(), ids=WRONG)
def test_wrong_maps_are_refused(make, code, message):
    with pytest.raises(FormatError, match=message) as refused:
        make()
    assert code in {each for each, _ in refused.value.problems}


def test_info_writes_the_functions_out():
    said = describe(mapped_sample(), "", 0)
    angle = "3.1415926535897931*x"
    assert said["widths"] == [3, 5, 5, 1]
    assert said["features"] == [f"sin({angle} + 1.5707963267948966)", f"sin({angle})", "t"]
    (exact,) = said["exact"]
    assert exact["factor"] == "(1 + -1*x)*(1 + x)*tanh(t)"
    text = as_text(said)
    assert f"u = -1*sin({angle})*exp(-1*t) + ((1 + -1*x)*(1 + x)*tanh(t))*network" in text
    deep = Program()
    deep.x(0)
    for k in range(255):
        deep.times(k, k)
    assert len(map_texts(deep.map(255), ("x",))[0]) == 200
    assert map_texts(everything(), ("x", "t"))[0].endswith("1/(2.5 + x*t*t)")


MODELS = {
    "features": lambda: mapped_sample(exact=False),
    "exact": lambda: mapped_sample(features=False),
    "both": mapped_sample,
    "three outputs, float64": lambda: mapped_model(outputs=3, dtype=np.float64),
    "constants": lambda: replace(
        bare_model(), exact=CoordinateMap((ONE, Operation("constant", value=-0.0)), (1, 0))
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_round_trip(make):
    data = pack(make())
    assert same(unpack(data), make())
    assert pack(unpack(data)) == data


def test_programs_up_to_the_cap():
    p = Program()
    p.x(0)
    for k in range(255):
        p.add("add", k, 0)
    program = p.map(255, 0)
    assert program(np.ones((1, 1))).tolist() == [[256.0, 1.0]]
    file = replace(bare_model(), exact=program)
    assert same(unpack(pack(file)), file)
