"""Saved states, and calls that do not belong to the mode of the instance."""

import numpy as np
import pytest

pytest.importorskip("fmpy", reason="needs FMPy (extra fmu)")

from fmpy.fmi1 import FMICallException
from fmu_samples import OUTSIDE, POINTS, SHIFT, T, U, X, Y, fmu


def test_a_state_brings_everything_back():
    one = fmu("fmi2_time")
    with one.instance("FMU2Slave", start=10.0) as block:
        block.setReal([X], [2.5])
        block.setRealInputDerivatives([X], [1], [1.0])
        block.doStep(currentCommunicationPoint=10.0, communicationStepSize=0.25)
        state, before = block.getFMUstate(), block.getReal([U, X])

        def go_on():
            block.doStep(currentCommunicationPoint=10.25, communicationStepSize=0.25)
            return block.getReal([U, X]), block.getBoolean([OUTSIDE])

        first = go_on()
        assert first[0] != before
        block.setReal([X, Y], [9.0, 9.0])
        block.setFMUstate(state)
        assert block.getReal([U, X]) == before
        assert go_on() == first
        block.freeFMUstate(state)


@pytest.mark.parametrize("name", ["fmi2", "fmi3_arrays"])
def test_a_state_travels_as_bytes_to_another_instance(name):
    one, arrays = fmu(name), name == "fmi3_arrays"
    kind = "FMU3Slave" if arrays else "FMU2Slave"
    save, load = (
        ("serializeFMUState", "deserializeFMUState")
        if arrays
        else (
            "serializeFMUstate",
            "deSerializeFMUstate",
        )
    )
    get = "getFMUState" if arrays else "getFMUstate"
    put, free = ("setFMUState", "freeFMUState") if arrays else ("setFMUstate", "freeFMUstate")
    with one.instance(kind, started=not arrays) as a:
        if arrays:
            a.enterConfigurationMode()
            a.setUInt64([POINTS], [3])
            a.exitConfigurationMode()
            a.enterInitializationMode(startTime=10.0)
            a.exitInitializationMode()
            a.setFloat32([X], [0.0, 1.0, 2.0])
            wanted = a.getFloat32([U], 3)
        else:
            a.setReal([X, T], [0.25, 10.3])
            wanted = a.getReal([U])
        state = getattr(a, get)()
        content = getattr(a, save)(state)
        getattr(a, free)(state)
    with one.instance(kind) as b:  # which has another number of points
        state = getattr(b, load)(content)
        getattr(b, put)(state)
        getattr(b, free)(state)
        got = b.getFloat32([U], 3) if arrays else b.getReal([U])
    assert got == wanted


def test_foreign_bytes_are_refused():
    one, said = fmu("fmi2"), []
    with fmu("fmi2_time").instance("FMU2Slave") as other:
        foreign = other.serializeFMUstate(other.getFMUstate())
    with one.instance("FMU2Slave", said=said) as block:
        content = block.serializeFMUstate(block.getFMUstate())
        rng = np.random.default_rng(0)
        bad = [b"", content[:-1], content + b"\0", foreign, bytes(len(content))]
        for place in range(68):  # what says whose state it is, how large, of which kind and stage
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(rng.integers(8))
            bad.append(bytes(flipped))
        for each in bad:
            with pytest.raises(FMICallException):
                block.deSerializeFMUstate(each)
        assert np.isfinite(block.getReal([U])[0])
    assert set(said) == {"fmi2DeSerializeFMUstate: the bytes are not a state of this FMU"}


def status(block):
    """Of reading the output."""
    try:
        block.getReal([U])
    except FMICallException as error:
        return error.status
    return 0


def test_bytes_that_were_changed_elsewhere_do_no_harm():
    """Values may be any: the instance computes with them or discards, and goes on."""
    one, statuses = fmu("fmi2"), set()
    rng = np.random.default_rng(1)
    with one.instance("FMU2Slave") as block:
        content = block.serializeFMUstate(block.getFMUstate())
        for _ in range(200):
            changed = np.frombuffer(content, np.uint8).copy()
            changed[80:-1] = rng.integers(0, 256, len(changed) - 81)
            state = block.deSerializeFMUstate(changed.tobytes())
            block.setFMUstate(state)
            block.freeFMUstate(state)
            statuses.add(status(block))
        assert statuses <= {0, 2}  # fmi2OK, fmi2Discard
        block.setReal([X, T], [0.0, 10.0])
        assert block.getReal([U])[0] == one.model(np.array([[0.0, 10.0]]))[0, 0]


def test_calls_out_of_turn_are_refused():
    one, said = fmu("fmi2"), []
    with one.instance("FMU2Slave", started=False, said=said) as block:
        for call in (
            lambda: block.doStep(currentCommunicationPoint=0.0, communicationStepSize=0.1),
            lambda: block.exitInitializationMode(),
            lambda: block.terminate(),
            lambda: block.setReal([U], [0.0]),
            lambda: block.setReal([99], [0.0]),
            lambda: block.getReal([OUTSIDE]),
            lambda: block.getReal([SHIFT]),  # this model's time is an input
            lambda: block.getInteger([0]),
            lambda: block.setString([0], ["no"]),
        ):
            with pytest.raises(FMICallException) as refused:
                call()
            assert refused.value.status == 3  # fmi2Error
        block.setupExperiment(startTime=0.0)
        block.enterInitializationMode()
        block.exitInitializationMode()
        with pytest.raises(FMICallException):
            block.doStep(currentCommunicationPoint=0.0, communicationStepSize=-0.1)
        block.terminate()
        with pytest.raises(FMICallException):
            block.setReal([X], [0.0])
        block.reset()
        block.setReal([X], [0.0])
        assert block.getReal([X, T]) == [0.0, 10.25]
    assert "fmi2DoStep: not allowed in this mode of the instance" in said


def test_co_simulation_with_events_holds_the_flag():
    one = fmu("fmi3")
    with one.instance("FMU3Slave", eventModeUsed=True) as block:
        block.updateDiscreteStates()
        block.enterStepMode()
        block.setFloat64([X], [5.0])
        event, *_ = block.doStep(currentCommunicationPoint=0.0, communicationStepSize=0.5)
        assert event
        assert block.getBoolean([OUTSIDE]) == [False]
        block.enterEventMode()
        block.updateDiscreteStates()
        assert block.getBoolean([OUTSIDE]) == [True]
        block.enterStepMode()
        event, *_ = block.doStep(currentCommunicationPoint=0.5, communicationStepSize=0.5)
        assert not event
