"""The model as C: what is exported compiles in every language, checks itself, and sees damage."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from export_samples import model
from map_samples import mapped_model
from tied_samples import tied_model

from kdpinn_export.boards import HOSTS, STRICT, run_hosted
from kdpinn_export.exporting import export, request_of
from kdpinn_export.restating import restated
from kdpinn_export.target import PRECISIONS, Refused, Request
from kdpinn_export.targets.c import FLAGS, TARGET
from kdpinn_runtime import load, pack, unpack, verify, write

pytestmark = pytest.mark.skipif(bool(TARGET.missing()), reason=TARGET.missing() or "all is here")
LANGUAGES = {
    "gcc": ["-std=c99"],
    "clang": ["-std=c99"],
    "g++": ["-x", "c++", "-std=c++11"],
    "clang++": ["-x", "c++", "-std=c++17"],
}


def built(folder, file, precision="f32", derivatives=False):
    request = Request(
        model=file, data=pack(file), name="model", precision=precision, derivatives=derivatives
    )
    for name, data in TARGET.build(request).items():
        (folder / name).write_bytes(data)
    return request


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """The core of the target, compiled once."""
    folder = tmp_path_factory.mktemp("core")
    built(folder, model())
    subprocess.run(["gcc", "-c", *FLAGS, "kdpinn.c"], cwd=folder, check=True)
    return folder / "kdpinn.o"


def run(folder, core, *arguments, compiler="gcc"):
    program = [compiler, *LANGUAGES[compiler], *STRICT[1:], "main.c"]
    subprocess.run([*program, "-c", "-o", "main.o"], cwd=folder, check=True)
    subprocess.run(["gcc", "main.o", core, "-o", "model"], cwd=folder, check=True)
    command = [folder / "model", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("compiler", LANGUAGES)
@pytest.mark.parametrize("derivatives", [False, True])
def test_every_language_says_what_python_says(tmp_path, core, compiler, derivatives):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    file = model((2, 9, 5, 2), physics=derivatives)
    built(tmp_path, file, derivatives=derivatives)
    done = run(tmp_path, core, 0.5, 10.25, compiler=compiler)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("passed\n")
    printed = {k: float(v) for k, v in re.findall(r"^(\w+) = (\S+)$", done.stdout, re.M)}
    jet = load(pack(file), isa="scalar").jet(np.array([[0.5, 10.25]], np.float32))
    assert list(printed)[:2] == ["u", "v"]
    assert ("v_xx" in printed) == derivatives
    for name, value in printed.items():
        assert np.float32(value) == jet[name][0]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_narrow_weights_travel_as_such_and_pass_their_own_baseline(tmp_path, core, precision):
    file = model((2, 20, 20, 1))
    built(tmp_path, file, precision)
    done = run(tmp_path, core)
    assert done.stdout.endswith("passed\n"), done.stdout
    text = (tmp_path / "model_data.h").read_text()
    data = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", text))
    assert set(unpack(data).precisions) == {precision}
    assert verify(data, latency=False).passed
    assert (data == pack(file)) == (precision == "f32")


@pytest.mark.parametrize("file", [mapped_model(), tied_model("four", (9, 6))], ids=["maps", "tied"])
def test_maps_and_ties(tmp_path, core, file):
    built(tmp_path, file, derivatives=True)
    assert run(tmp_path, core).returncode == 0


@pytest.mark.parametrize("host", HOSTS[1:], ids=lambda host: host.name)
def test_other_processors(tmp_path, host):
    if host.missing():
        pytest.skip(host.missing())
    built(tmp_path, model((2, 9, 5, 1)), derivatives=True)
    ran = run_hosted(host, tmp_path, ["main.c", "kdpinn.c"], FLAGS)
    assert ran.passed
    assert 0 < ran.share <= 1


def test_damage_is_seen(tmp_path, core):
    built(tmp_path, model())
    header = tmp_path / "model_data.h"
    text = header.read_text()
    header.write_text(text.replace("0x00", "0x01", 1))
    done = run(tmp_path, core)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    header.write_text(text)
    other = tmp_path / "other"
    other.mkdir()
    built(other, model(seed=3))
    (tmp_path / "answers.h").write_bytes((other / "answers.h").read_bytes())
    done = run(tmp_path, core)
    assert done.returncode == 1
    assert done.stdout.endswith("FAILED\n")


def test_weights_beyond_the_budget_are_refused_before_anything_is_built(tmp_path):
    path = tmp_path / "model.kdp"
    write(path, model())
    out = tmp_path / "out"
    with pytest.raises(Refused, match=r"i4 weights: relative L2 is .*permitted 1e-06"):
        export(TARGET, request_of(path, "i4", budget=1e-6), out)
    assert not out.exists()
    with pytest.raises(ValueError, match=r"budget.*-1.*> 0"):
        request_of(path, "i4", budget=-1)


def test_restating_a_model_changes_nothing_but_roundings_of_its_limits():
    file = model((2, 20, 20, 1))
    again = restated(file)
    assert pack(again) == pack(file)
