"""What an FMU is made of, without building one: units, names, options, descriptions."""

import math
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from export_samples import model

from kdpinn_export.fmu import FmuOptions, build_fmu, missing, platforms
from kdpinn_export.fmu.identity import identifier_of
from kdpinn_export.fmu.units import BaseUnit, base_unit
from kdpinn_export.fmu.variables import variables_of
from kdpinn_runtime.format import pack


@pytest.mark.parametrize(
    ("text", "factor", "exponents"),
    [
        ("m", 1.0, {"m": 1}),
        ("m/s", 1.0, {"m": 1, "s": -1}),
        ("m2/s", 1.0, {"m": 2, "s": -1}),
        ("m^2*s^-1", 1.0, {"m": 2, "s": -1}),
        ("m**2 s-1", 1.0, {"m": 2, "s": -1}),
        ("W/(m2.K)", 1.0, {"kg": 1, "s": -3, "K": -1}),
        ("J/kg/K", 1.0, {"m": 2, "s": -2, "K": -1}),
        ("kPa", 1e3, {"kg": 1, "m": -1, "s": -2}),
        ("mbar", 100.0, {"kg": 1, "m": -1, "s": -2}),
        ("km/h", 1 / 3.6, {"m": 1, "s": -1}),
        ("mm2", 1e-6, {"m": 2}),
        ("g/cm3", 1e3, {"kg": 1, "m": -3}),
        ("1/s", 1.0, {"s": -1}),
        ("deg", math.pi / 180, {"rad": 1}),
        ("%", 0.01, {}),
        ("mol/l", 1e3, {"mol": 1, "m": -3}),
    ],
)
def test_units_are_taken_apart(text, factor, exponents):
    found = base_unit(text)
    assert found.exponents == exponents
    assert found.factor == pytest.approx(factor, rel=4e-16 * 8)
    assert found.offset == 0


def test_celsius_has_an_offset():
    assert base_unit("degC") == BaseUnit(1.0, 273.15, {"K": 1})


@pytest.mark.parametrize("text", ["parsec", "m/", "(m/s)2", "kmin", "m++2", "mkg", "USD"])
def test_unknown_units_stay_names(text):
    known = base_unit(text)
    assert known is None or (text == "m/" and known.exponents == {"m": 1})


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("wave", "wave"), ("my wave-2", "my_wave_2"), ("2d", "model_2d"), ("int", "model_int")],
)
def test_identifiers_are_names_in_c(name, identifier):
    assert identifier_of(name) == identifier


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": 4}, "FMI 4.*--fmi 2 or --fmi 3"),
        ({"precision": "f16"}, "f64 or f32, not in 'f16'"),
        ({"points": 5}, "5 points need --fmi 3"),
        ({"points": 2**21, "version": 3}, "2097152 points: expected 0"),
        ({"platforms": ("vax",)}, "unknown platform vax; known are aarch64-linux"),
    ],
)
def test_options_say_what_is_wrong(options, words):
    with pytest.raises(ValueError, match=words):
        FmuOptions(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "tau"}, "no input 'tau'; it has x, t"),
        ({"parameters": ("z",)}, "no input 'z'"),
        ({"time": "t", "parameters": ("t",)}, "'t' is the simulation's time"),
    ],
)
def test_options_have_to_fit_the_model(options, words):
    file = model((2, 3, 1))
    with pytest.raises(ValueError, match=words):
        build_fmu(file, pack(file), "wave", FmuOptions(**options))


def test_names_of_our_own_give_way_to_the_models():
    file = model((2, 3, 2))
    first, second = file.outputs
    file = replace(
        file,
        inputs=(replace(file.inputs[0], name="time"), replace(file.inputs[1], name="t_shift")),
        outputs=(replace(first, name="out_of_domain"), replace(second, name="domain_margin")),
    )
    names = [v.name for v in variables_of(file, FmuOptions(time="time"))]
    assert len(set(names)) == len(names)
    assert {"time_", "out_of_domain_", "domain_margin_", "time_shift"} < set(names)


def test_a_missing_compiler_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(platforms.shutil, "which", lambda name: None)
    assert "gcc-mingw-w64-x86-64" in missing(["x86_64-windows"])
    file = model((2, 3, 1))
    with pytest.raises(ValueError, match="apt-get install gcc-aarch64-linux-gnu"):
        build_fmu(file, pack(file), "wave", FmuOptions(platforms=("aarch64-linux",)))


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_units_and_ranges_stand_in_the_description():
    pytest.importorskip("fmpy", reason="needs FMPy (extra fmu)")
    from fmu_samples import fmu

    one = fmu("fmi2")
    root = ElementTree.parse(one.folder / "modelDescription.xml").getroot()
    units = {unit.get("name"): unit.find("BaseUnit").attrib for unit in root.iter("Unit")}
    assert units == {
        "s": {"s": "1"},
        "m": {"m": "1"},
        "m/s": {"m": "1", "s": "-1"},
        "m2/s": {"m": "2", "s": "-1"},
    }
    reals = {v.get("name"): v.find("Real") for v in root.iter("ScalarVariable")}
    x = reals["x"].attrib
    assert x == {"unit": "m", "min": "-1.0", "max": "3.0", "nominal": "3.0", "start": "1.0"}
    assert float(reals["u"].get("nominal")) == max(
        abs(one.file.outputs[0].lower), abs(one.file.outputs[0].upper)
    )
