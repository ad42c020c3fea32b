"""Export: checked before it appears, the same bytes each time, and nothing left of what failed."""

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import pytest
from export_samples import model

from kdpinn_export.answers import known_answers
from kdpinn_export.exporting import export, request_of
from kdpinn_export.target import Refused, Unavailable
from kdpinn_export.targets import chosen, known
from kdpinn_runtime import Check, pack, write


@dataclass
class Fake:
    """A target whose check says what it is told to."""

    name: str = "fake"
    summary: str = ""
    precisions: tuple = ("f32",)
    derivatives: bool = False
    lacks: str = ""
    measured: float = 0.5
    seen: list = field(default_factory=list)

    def missing(self):
        return self.lacks

    def tools(self):
        return {"anvil": "2"}

    def build(self, request):
        return {"model.bin": request.data[:100], "answers.json": b"{}"}

    def check(self, request, folder):
        self.seen = sorted(path.name for path in folder.iterdir())
        return [Check(name="error", passed=self.measured <= 1, measured=self.measured, limit=1)]


@pytest.fixture
def request_(tmp_path):
    path = tmp_path / "model.kdp"
    write(path, model())
    return request_of(path)


def listed(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_and_manifest_appear_together(request_, tmp_path):
    out, target = tmp_path / "new" / "out", Fake()
    done = export(target, request_, out)
    assert target.seen == ["answers.json", "model.bin"]
    files = ["fake-f32", "fake-f32/answers.json", "fake-f32/model.bin", "manifest.json"]
    assert listed(out) == files
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["model"]["digest"] == request_.digest
    assert manifest["model"]["bytes"] == len(request_.data)
    entry = manifest["exports"]["fake-f32"]
    assert entry["tools"] == {"anvil": "2"}
    assert entry["bytes"] == done.size == 102
    for name, facts in entry["files"].items():
        data = (out / "fake-f32" / name).read_bytes()
        assert facts == {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    assert entry["checks"][0]["measured"] == 0.5


def test_what_is_outside_its_bound_leaves_nothing_and_harms_nothing(request_, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Refused, match=r"fake-f32 was refused.* error is 1\.5, permitted 1"):
        export(Fake(measured=1.5), request_, out)
    assert listed(out) == []
    export(Fake(), request_, out)
    before = {name: (out / name).read_bytes() for name in listed(out) if (out / name).is_file()}
    with pytest.raises(Refused):
        export(Fake(measured=float("nan")), request_, out)
    assert {name: (out / name).read_bytes() for name in before} == before
    assert listed(out) == ["fake-f32", *sorted(before)]


def test_a_crash_in_a_check_leaves_nothing(request_, tmp_path):
    target = Fake()
    target.check = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        export(target, request_, tmp_path / "out")
    assert listed(tmp_path / "out") == []


def test_wishes_that_cannot_be_met_are_refused_by_name(request_, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"fake has no precision i8; it has f32"):
        export(Fake(), replace(request_, precision="i8"), out)
    with pytest.raises(ValueError, match="fake has no derivatives"):
        export(Fake(), replace(request_, derivatives=True), out)
    with pytest.raises(Unavailable, match="fake-f32 cannot be made here: buy an anvil"):
        export(Fake(lacks="buy an anvil"), request_, out)
    assert not out.exists()


def test_a_folder_belongs_to_one_model(request_, tmp_path):
    out = tmp_path / "out"
    export(Fake(), request_, out)
    other = replace(request_, data=pack(model(seed=1)))
    with pytest.raises(ValueError, match="another model.*--out"):
        export(Fake(), other, out)
    (out / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="not a manifest"):
        export(Fake(), request_, out)


def test_targets_are_found_and_chosen():
    targets = known()
    assert "onnx" in targets
    assert [t.name for t in chosen("all")] == sorted(targets)
    assert [t.name for t in chosen(" onnx, onnx")] == ["onnx"]
    for names in ("abacus", "", "onnx,abacus"):
        with pytest.raises(ValueError, match="unknown target.*known are .*onnx"):
            chosen(names)
    for target in targets.values():
        assert "f32" in target.precisions
        assert target.summary


@pytest.mark.parametrize("derivatives", [False, True])
def test_onnx_gives_the_same_bytes_in_another_process(tmp_path, derivatives):
    path = tmp_path / "model.kdp"
    write(path, model())
    code = (
        "import sys; from pathlib import Path; from kdpinn_export.exporting import *\n"
        "from kdpinn_export.targets import known\n"
        f"export(known()['onnx'], request_of(Path(sys.argv[1]), 'f32', {derivatives}), "
        "Path(sys.argv[2]))"
    )
    outs = [tmp_path / "a", tmp_path / "b"]
    for seed, out in enumerate(outs):
        command = [sys.executable, "-c", code, path, out]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": str(seed), **_environment()})
    assert listed(outs[0]) == listed(outs[1])
    for name in listed(outs[0]):
        if (outs[0] / name).is_file():
            assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()


def _environment():
    return {"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"}


def test_known_answers_see_a_wrong_value_and_a_nan():
    file = model((2, 9, 2), physics=False)
    answers = known_answers(file, derivatives=True)
    assert answers.names[:3] == ("u", "v", "u_x")
    assert answers.expected.shape == (64, 10)
    assert answers.compared(answers.expected + answers.permitted * 0.99, "x").passed
    for wrong in (1.01, np.nan):
        got = answers.expected.copy()
        got[5, 3] += wrong * answers.permitted[5, 3]
        check = answers.compared(got, "x")
        assert not check.passed
        assert "v_x at point 5" in check.note
