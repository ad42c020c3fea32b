"""FMUs by FMPy: valid, the model's answers, exact derivatives, the domain, coupled."""

import ctypes
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fmpy", reason="needs FMPy (extra fmu)")

from fmpy import simulate_fmu
from fmpy.fmi1 import FMICallException
from fmpy.validation import validate_fmu
from fmu_samples import (
    FMUS,
    MARGIN,
    NU,
    OUTSIDE,
    POINTS,
    SELFTEST,
    SHIFT,
    TIME,
    T,
    U,
    V,
    X,
    Y,
    built,
    fmu,
)
from kdp_samples import sample
from test_mapped import MODELS as MAPPED

EPS = 2.0**-52


@pytest.mark.parametrize("name", FMUS)
def test_fmpy_finds_no_fault(name):
    assert validate_fmu(str(fmu(name).path)) == []


@pytest.mark.parametrize("name", FMUS)
def test_reference_is_the_model(name):
    """The table beside the FMU, against the model in Python."""
    one = fmu(name)
    given, wanted = one.table("input"), one.table("reference")
    columns = [
        np.full(len(wanted), 0.5 * (v.lower + v.upper))
        if v.name in one.options.parameters
        else given["time" if v.name == one.options.time else v.name]
        for v in one.file.inputs
    ]
    x = np.column_stack(columns)
    dtype = np.float32 if one.options.precision == "f32" else np.float64
    u = one.model(x.astype(dtype))
    lower, upper = np.array(list(one.file.domain.values())).T
    assert np.all((x >= lower) & (x <= upper))
    for k, v in enumerate(one.file.outputs):
        assert np.array_equal(wanted[v.name], u[:, k])


@pytest.mark.parametrize("name", ["fmi2", "fmi2_time", "fmi2_bare", "fmi3"])
def test_model_exchange_reproduces_the_reference(name):
    one = fmu(name)
    given, wanted = one.table("input"), one.table("reference")
    time = wanted["time"]
    result = simulate_fmu(
        str(one.path), fmi_type="ModelExchange", input=given,
        start_time=time[0], stop_time=time[-1], output_interval=(time[-1] - time[0]) / 100,
    )  # fmt: skip
    assert len(result) == len(wanted)
    for v in one.file.outputs:
        assert np.array_equal(result[v.name], wanted[v.name])
    assert not result["out_of_domain"].any()


@pytest.mark.parametrize("name", ["fmi2", "fmi2_time", "fmi2_bare", "fmi3"])
def test_co_simulation_answers_what_was_put_in_before_the_step(name):
    """FMPy sets inputs, steps, reads: the inputs of one row, the clock of the next."""
    one = fmu(name)
    given = one.table("input")
    time = given["time"]
    result = simulate_fmu(
        str(one.path), fmi_type="CoSimulation", input=given,
        start_time=time[0], stop_time=time[-1], output_interval=(time[-1] - time[0]) / 100,
    )  # fmt: skip
    x = np.empty((len(time), len(one.file.inputs)))
    for k, v in enumerate(one.file.inputs):
        if v.name in one.options.parameters:
            x[:, k] = 0.5 * (v.lower + v.upper)
        elif v.name == one.options.time:
            x[:, k] = result["time"]
        else:
            x[:, k] = np.concatenate([given[v.name][:1], given[v.name][:-1]])
    dtype = np.float32 if one.options.precision == "f32" else np.float64
    wanted = one.model(x.astype(dtype))
    for k, v in enumerate(one.file.outputs):
        # The clock of the block adds steps, FMPy's multiplies them: a few roundings of the time.
        slope = abs(one.model.jet(x, ())[f"{v.name}_t"]).max() if one.options.time else 0.0
        limit = slope * 200 * EPS * abs(time).max()
        assert np.all(abs(result[v.name] - wanted[:, k]) <= limit)


def test_interpolated_inputs_are_exact_at_the_end_of_a_step():
    """Inputs that move linearly: the answer belongs to where they are, and so does its slope."""
    one = fmu("fmi2_time")
    with one.instance("FMU2Slave", start=10.0) as block:
        block.setReal([X], [0.5])
        block.setRealInputDerivatives([X], [1], [3.0])
        block.doStep(currentCommunicationPoint=10.0, communicationStepSize=0.25)
        x = np.array([[0.5 + 0.25 * 3.0, 10.25, 0.0]])
        jet = one.model.jet(x, ())
        assert block.getReal([U, V, X]) == [*jet.value[0], x[0, 0]]
        rate = block.getRealOutputDerivatives([U, V], [1, 1])
        wanted = [jet[f"{n}_t"][0] + 3.0 * jet[f"{n}_x"][0] for n in "uv"]
        assert np.allclose(rate, wanted, rtol=4 * EPS, atol=4 * EPS)
        with pytest.raises(FMICallException):
            block.setRealInputDerivatives([X], [2], [1.0])


@pytest.mark.parametrize("name", ["fmi2", "fmi3"])
def test_directional_derivatives_by_differences(name):
    """Central differences approach them with the square of the step, and they are the jets."""
    one = fmu(name)
    get = "getReal" if name == "fmi2" else "getFloat64"
    put = "setReal" if name == "fmi2" else "setFloat64"
    at, way = np.array([0.7, 10.2]), np.array([1.0, -0.25])
    with one.instance("FMU2Slave" if name == "fmi2" else "FMU3Slave") as block:

        def value(s):
            getattr(block, put)([X, T], list(at + s * way))
            return getattr(block, get)([U])[0]

        steps = 2.0 ** -np.arange(1, 6)
        value(0)
        (slope,) = block.getDirectionalDerivative([U], [X, T], list(way))
        error = [abs((value(h) - value(-h)) / (2 * h) - slope) for h in steps]
        order = np.polyfit(np.log(steps), np.log(error), 1)[0]
        assert abs(order - 2) < 0.2
        value(0)
        each = [block.getDirectionalDerivative([U], [known], [1.0])[0] for known in (X, T)]
    jet = one.model.jet(at[None], ())
    assert each == [jet["u_x"][0], jet["u_t"][0]]
    assert abs(slope - way @ each) <= 4 * EPS * (abs(way) @ np.abs(each))


def test_time_is_a_known_like_any_other():
    one = fmu("fmi2_time")
    with one.instance("FMU2Model", start=10.1) as block:
        x = np.array([[1.0, 10.1, 0.0]])
        jet = one.model.jet(x, ())
        assert block.getReal([U, V]) == list(jet.value[0])
        for known in (TIME, SHIFT):
            got = block.getDirectionalDerivative([U, V], [known], [1.0])
            assert got == [jet["u_t"][0], jet["v_t"][0]]
        with pytest.raises(FMICallException):
            block.getReal([T])  # the clock has taken its place


def test_the_shift_moves_the_models_time():
    one = fmu("fmi2_time")
    with one.instance("FMU2Slave", started=False) as block:
        block.setupExperiment(startTime=0.0)
        block.enterInitializationMode()
        block.setReal([SHIFT, Y], [10.0, 0.05])
        block.exitInitializationMode()
        block.doStep(currentCommunicationPoint=0.0, communicationStepSize=0.5)
        assert block.getReal([U])[0] == one.model(np.array([[1.0, 10.5, 0.05]]))[0, 0]
        assert block.getBoolean([OUTSIDE]) == [0]
        with pytest.raises(FMICallException):
            block.setReal([SHIFT], [1.0])  # fixed


def rates(block, reference, count):
    """By fmi3GetOutputDerivatives, which FMPy has under its own name alone."""
    values = (ctypes.c_double * count)()
    references, orders = (ctypes.c_uint32 * 1)(reference), (ctypes.c_int32 * 1)(1)
    block.fmi3GetOutputDerivatives(block.component, references, 1, orders, values, count)
    return list(values)


def jacobian(block, unknowns, knowns, rows, columns):
    forward = [
        block.getDirectionalDerivative(unknowns, knowns, list(seed), rows)
        for seed in np.eye(columns)
    ]
    adjoint = [
        block.getAdjointDerivative(unknowns, knowns, list(seed), columns) for seed in np.eye(rows)
    ]
    return np.array(forward).T, np.array(adjoint)


def test_adjoint_derivatives_are_the_transpose():
    one = fmu("fmi3")
    with one.instance("FMU3Slave") as block:
        block.setFloat64([X, T], [0.3, 10.4])
        forward, adjoint = jacobian(block, [U, MARGIN], [T, X], 2, 2)
        assert np.array_equal(forward, adjoint)
        jet = one.model.jet(np.array([[0.3, 10.4]]), ())
        assert np.array_equal(forward[0], [jet["u_t"][0], jet["u_x"][0]])
        assert np.array_equal(forward[1], [-1 / 0.5, 0.0])  # t is nearest to its upper bound


def test_arrays_evaluate_many_points_at_once():
    one = fmu("fmi3_arrays")
    x = np.linspace(-1, 3, 7, dtype=np.float32)
    with one.instance("FMU3Slave", started=False) as block:
        block.enterConfigurationMode()
        block.setUInt64([POINTS], [7])
        block.exitConfigurationMode()
        block.enterInitializationMode(startTime=10.0)
        block.setFloat32([Y], [0.05] * 7)
        block.exitInitializationMode()
        block.setFloat32([X], x)
        block.doStep(currentCommunicationPoint=10.0, communicationStepSize=0.25)
        points = np.column_stack([x, np.full(7, 10.25), np.full(7, 0.05)]).astype(np.float32)
        jet = one.model.jet(points, ())
        got = np.array(block.getFloat32([U, V], 14), np.float32).reshape(2, 7).T
        assert np.array_equal(got, jet.value)
        assert block.getUInt64([POINTS]) == [7]
        forward, adjoint = jacobian(block, [V], [X, TIME], 7, 8)
        assert np.array_equal(forward, adjoint)
        assert np.array_equal(forward[:, :7], np.diag(jet["v_x"].astype(float)))
        assert np.array_equal(forward[:, 7], jet["v_t"])
        assert np.array_equal(rates(block, V, 7), jet["v_t"])
        block.setFloat32([X], [*x[:6], 4.0])
        assert block.getBoolean([OUTSIDE], 7) == [False] * 6 + [True]
        with pytest.raises(FMICallException):
            block.getFloat64([U], 7)  # it is a Float32
        with pytest.raises(FMICallException):
            block.getFloat32([U], 6)
        with pytest.raises(FMICallException):
            block.setUInt64([POINTS], [3])  # no longer


def dependencies(block, reference):
    """By the functions themselves: FMPy 0.3.32 passes them a type in place of a number."""
    count = ctypes.c_size_t()
    block.fmi3GetNumberOfVariableDependencies(block.component, reference, ctypes.byref(count))
    of, by = (ctypes.c_size_t * count.value)(), (ctypes.c_size_t * count.value)()
    known, kinds = (ctypes.c_uint32 * count.value)(), (ctypes.c_int * count.value)()
    block.fmi3GetVariableDependencies(block.component, reference, of, known, by, kinds, count.value)
    assert set(kinds) == {5}  # fmi3Dependent
    return of, known, by


def test_each_element_depends_on_its_own_point():
    one = fmu("fmi3_arrays")
    with one.instance("FMU3Slave") as block:
        of, known, by = dependencies(block, U)
    assert len(of) == 5 * 4
    assert list(of[:4]) == [1, 1, 1, 1]
    assert list(known[:4]) == [TIME, SHIFT, X, Y]
    assert list(by[:4]) == [0, 0, 1, 1]
    assert list(of)[-1] == 5


def test_fmpy_simulates_arrays():
    one = fmu("fmi3_arrays")
    start = {"x": "0 0.5 1 1.5 2"}
    result = simulate_fmu(
        str(one.path), start_values=start, output=["u", "out_of_domain"],
        start_time=10.0, stop_time=10.5, output_interval=0.125,
    )  # fmt: skip
    x = np.array([[a, t, 0] for t in result["time"] for a in (0, 0.5, 1, 1.5, 2)], np.float32)
    assert np.array_equal(result["u"].ravel(), one.model(x)[:, 0])


@pytest.mark.parametrize("name", ["fmi2", "fmi3"])
def test_leaving_the_domain_is_an_event(name):
    """x runs from 2.5 to 3.5 in 1 s; the solver finds where it leaves [-1, 3], at 0.5 s."""
    one = fmu(name)
    given = np.array([(0.0, 2.5, 10.1), (1.0, 3.5, 10.1)], [(n, float) for n in ("time", "x", "t")])
    result = simulate_fmu(
        str(one.path), fmi_type="ModelExchange", input=given, stop_time=1.0, output_interval=0.25,
        output=["u", "out_of_domain", "domain_margin"], record_events=True,
    )  # fmt: skip
    time, flag = result["time"], result["out_of_domain"].astype(bool)
    assert np.array_equal(
        flag[(time < 0.499) | (time > 0.501)], time[(time < 0.499) | (time > 0.501)] > 0.5
    )
    crossing = time[np.flatnonzero(np.diff(flag.astype(int)) == 1) + 1]
    assert abs(crossing - 0.5) < 1e-6
    margin = np.minimum((given["x"][0] + time + 1) / 4, (3 - given["x"][0] - time) / 4)
    assert np.allclose(result["domain_margin"], np.minimum(margin, 0.1 / 0.5), atol=2e-9)


def test_the_bound_is_inside_and_nan_is_discarded():
    one = fmu("fmi2")
    with one.instance("FMU2Slave") as block:
        for x, outside in ((-1.0, 0), (3.0, 0), (np.nextafter(3, 4), 0), (3.001, 1), (-1.001, 1)):
            block.setReal([X], [x])
            assert block.getBoolean([OUTSIDE]) == [outside]
        block.setReal([X], [np.nan])
        assert block.getBoolean([OUTSIDE]) == [1]
        with pytest.raises(FMICallException) as refused:
            block.getReal([U])
        assert refused.value.status == 2  # fmi2Discard
        block.setReal([X], [0.0])
        assert np.isfinite(block.getReal([U])[0])


def test_warnings_come_with_debug_logging_alone():
    one, said = fmu("fmi2"), []
    with one.instance("FMU2Slave", said=said) as block:
        for verbose in (False, True):
            block.setDebugLogging(verbose, ["logStatusWarning"])
            block.setReal([X], [0.0])
            block.getBoolean([OUTSIDE])
            block.setReal([X], [9.0])
            block.getBoolean([OUTSIDE])
            assert len(said) == verbose
    assert "outside the domain" in said[0]


def test_two_units_in_one_simulation():
    """The output of one is an input of the other, and both share the clock."""
    first, second = fmu("fmi2"), fmu("fmi2_time")
    a, b = first.instance("FMU2Slave"), second.instance("FMU2Slave", start=10.0)
    with a as left, b as right:
        for k in range(40):
            now, x = 10 + k / 80, 1 + np.sin(0.1 * k)
            left.setReal([X, T], [x, now])
            left.doStep(currentCommunicationPoint=now, communicationStepSize=1 / 80)
            (u,) = left.getReal([U])
            right.setReal([X], [u])
            right.doStep(currentCommunicationPoint=now, communicationStepSize=1 / 80)
            wanted = first.model(np.array([[x, now]]))
            assert u == wanted[0, 0]
            both = second.model(np.array([[u, now + 1 / 80, 0.0]]))
            assert right.getReal([U, V]) == list(both[0])
            # The chain rule through both, by their directional derivatives.
            du = left.getDirectionalDerivative([U], [X], [1.0])
            chain = right.getDirectionalDerivative([V], [X], du)[0]
            j1, j2 = (
                first.model.jet(np.array([[x, now]]), ()),
                second.model.jet(np.array([[u, now + 1 / 80, 0.0]]), ()),
            )
            assert abs(chain - j1["u_x"][0] * j2["v_x"][0]) <= 2 * EPS * abs(chain)


def test_constants_and_the_selftest():
    one = fmu("fmi2")
    with one.instance("FMU2Slave") as block:
        assert block.getReal([NU]) == [0.01]
        assert block.getBoolean([SELFTEST]) == [1]
    with fmu("fmi2_bare").instance("FMU2Slave") as block, pytest.raises(FMICallException):
        block.getBoolean([SELFTEST])  # it has no baseline


def test_the_selftest_sees_other_weights():
    """Weights that are not those which gave the known answers."""
    wrong = built("wrong", replace(sample(seed=1), baseline=sample(seed=2).baseline))
    with wrong.instance("FMU2Slave") as block:
        assert block.getBoolean([SELFTEST]) == [0]


def test_functions_of_the_coordinates_travel():
    one = built("mapped", next(iter(MAPPED.values()))())
    given, wanted = one.table("input"), one.table("reference")
    result = simulate_fmu(
        str(one.path), fmi_type="ModelExchange", input=given, stop_time=1.0, output_interval=0.01
    )
    name = one.file.outputs[0].name
    assert np.array_equal(result[name], wanted[name])
