"""The target of `kdpinn export`: what FMPy finds decides whether the FMU appears."""

from dataclasses import replace

import pytest
from fmu_samples import FILES

from kdpinn_export.exporting import export, request_of
from kdpinn_export.fmu import FmuOptions
from kdpinn_export.target import Refused
from kdpinn_export.targets.fmu import TARGET
from kdpinn_runtime.format import pack

pytestmark = pytest.mark.skipif(bool(TARGET.missing()), reason=TARGET.missing() or "all is here")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "wave.kdp"
    path.write_bytes(pack(FILES["three"]()))
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"time": "t", "parameters": ("y",)},
        {"version": 3},
        {"version": 3, "time": "t", "points": 4, "precision": "f32"},
    ],
)
def test_fmus_are_checked_before_they_appear(model, tmp_path, options):
    request = request_of(model, fmu=FmuOptions(**options))
    done = export(TARGET, request, tmp_path / "out")
    assert [check.name for check in done.checks] == ["FMPy: faults", "FMPy: error / bound"]
    assert all(check.passed for check in done.checks)
    assert done.label == ("fmu3-f32" if request.fmu.version == 3 else "fmu-f32")
    assert (tmp_path / "out" / done.label / "wave.fmu").stat().st_size == done.size


def test_another_models_answers_are_refused(model, tmp_path, monkeypatch):
    request, file = request_of(model), FILES["three"](seed=1)
    wrong = TARGET.build(replace(request, model=file, data=pack(file)))
    monkeypatch.setattr(type(TARGET), "build", lambda self, request: wrong)
    with pytest.raises(Refused, match="FMPy: error / bound"):
        export(TARGET, request, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*/*.fmu"))
