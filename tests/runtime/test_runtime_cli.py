"""The command `kdpinn-runtime`: what it prints, and its exit codes 0, 1 and 2."""

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from kdp_samples import burgers_equation, sample
from numpy_model import NumpyModel, load_numpy

from kdpinn_runtime import cli
from kdpinn_runtime.format import pack, write


@pytest.fixture(params=["numpy", "core"])
def command(request, capsys, monkeypatch):
    """run(*arguments) -> (exit code, stdout, stderr), with numpy or the core behind it."""
    if request.param == "core":
        pytest.importorskip("kdpinn_runtime._core", reason="the C core is not built")
    else:
        monkeypatch.setattr(cli, "_load", load_numpy)

    def run(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "model.kdp", sample())
    return tmp_path / "model.kdp"


def only_line(err):
    """The one line on stderr."""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return err


def test_info(command, path):
    code, out, err = command("info", path)
    assert (code, err) == (0, "")
    for fact in (
        "x in [-1, 1] m",
        "t in [0, 1] s",
        "2-5-5-1, tanh",
        "51 in f32: 204 bytes with scales and biases",
        "nu = 0.01 m2/s",
        "momentum: u_t + u*u_x - nu*u_xx - data[0] = 0, RMS at most 10",
        "accuracy.rel_l2: 0.001",
        "1 points: p90 at most 1000 ms",
        path.read_bytes()[64:96].hex(),
    ):
        assert fact in out


def test_info_json(command, path):
    code, out, _ = command("info", path, "--json")
    said = json.loads(out)
    assert code == 0
    assert said["inputs"][0] == {"name": "x", "unit": "m", "lower": -1.0, "upper": 1.0}
    assert said["bytes"] == path.stat().st_size
    assert said["baseline"]["tables"] == ["points", "reference", "teacher", "expected", "data"]
    assert said["card"]["problem"] == "sample"


def test_info_does_not_let_a_card_steer_the_terminal(command, tmp_path):
    write(tmp_path / "m.kdp", replace(sample(), card={"title": "\x1b[2Jgone"}))
    _, out, _ = command("info", tmp_path / "m.kdp")
    assert "\x1b" not in out
    assert r"\x1b[2Jgone" in out


def test_eval_at_a_point(command, path):
    expected = NumpyModel(sample())(np.array([[0.3, 0.5]]))[0, 0]
    code, out, err = command("eval", path, "t=0.5", "x=0.3")
    assert (code, err) == (0, "")
    name, equals, value, unit = out.split()
    assert (name, equals, unit) == ("u", "=", "m/s")
    assert float(value) == pytest.approx(expected, rel=1e-13)


def test_eval_with_derivatives(command, path):
    jet = NumpyModel(sample()).jet(np.array([[0.3, 0.5]]))
    code, out, _ = command("eval", path, "x=0.3", "t=0.5", "--derivatives", "--json")
    said = json.loads(out)
    assert code == 0
    assert list(said) == ["u", "u_x", "u_t", "u_xx", "u_xt", "u_tt"]
    for name, value in said.items():
        assert value == pytest.approx(jet[name][0], rel=1e-11, abs=1e-11)


def test_eval_in_float32(command, path):
    _, out, _ = command("eval", path, "x=0.3", "t=0.5", "--json", "--dtype", "float32")
    value = json.loads(out)["u"]
    assert value == np.float32(value)


def test_eval_outside_the_domain(command, path):
    code, out, err = command("eval", path, "x=1.5", "t=0.5")
    assert code == 0
    assert out.startswith("u = ")
    assert "1 points lie outside the domain" in only_line(err)
    code, out, err = command("eval", path, "x=1.5", "t=0.5", "--outside", "refuse")
    assert (code, out) == (2, "")
    assert "outside the domain" in only_line(err)


def test_eval_csv(command, path, tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform((-1, 0), (1, 1), (10_001, 2))
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with open(source, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", " t", "x"])
        writer.writerows(["a,b", t, x] for x, t in points.tolist())
    code, out, err = command("eval", path, "--csv", source, "--out", target)
    assert (code, out, err) == (0, "", "")
    with open(target, newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["x", "t", "u"]
    rows = np.array(rows, dtype=float)
    assert (rows[:, :2] == points).all(), "points come through exactly"
    np.testing.assert_allclose(rows[:, 2:], NumpyModel(sample())(points), rtol=1e-12)
    assert sorted(os.listdir(tmp_path)) == ["in.csv", "model.kdp", "out.csv"]


def test_eval_csv_to_the_terminal(command, path, tmp_path):
    (tmp_path / "in.csv").write_text("\ufeffx,t\n0.1,0.2\n\n")
    code, out, _ = command("eval", path, "--csv", tmp_path / "in.csv", "--derivatives")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 2)
    assert lines[0] == "x,t,u,u_x,u_t,u_xx,u_xt,u_tt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1 names the columns \(none\), expected each of x, t once"),
        ("x,y\n1,2\n", "line 1 names the columns x, y"),
        ("x,t,x\n1,2,3\n", "expected each of x, t once"),
        ("x,t\n0,0\n0,abc\n", "line 3, column 't' is 'abc'"),
        ("x,t\n0,nan\n", "line 2, column 't' is 'nan', expected a finite"),
        ("x,t\n0\n", "line 2 has 1 columns"),
    ],
)
def test_bad_csv_leaves_no_output(command, path, tmp_path, text, message):
    (tmp_path / "in.csv").write_text(text)
    code, out, err = command("eval", path, "--csv", tmp_path / "in.csv", "--out", tmp_path / "o")
    assert (code, out) == (2, "")
    assert re.search(message, only_line(err))
    assert not (tmp_path / "o").exists()


def test_verify_passes(command, path):
    code, out, _ = command("verify", path, "--seconds", "0.1")
    assert code == 0
    assert out.endswith("\npassed\n")
    assert "latency 1 point p90" in out


def test_verify_fails_with_1(command, tmp_path):
    write(tmp_path / "m.kdp", replace(sample(), equations=(burgers_equation(limit=1e-9),)))
    code, out, _ = command("verify", tmp_path / "m.kdp", "--no-latency")
    assert code == 1
    assert "FAILED: 1 of 7 checks" in out
    code, out, _ = command("verify", tmp_path / "m.kdp", "--no-latency", "--json")
    assert code == 1
    assert json.loads(out)["passed"] is False


def test_bench(command, path):
    code, out, _ = command("bench", path, "--points", "1", "17", "--seconds", "0.05")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["points", "1", "17"]
    code, out, _ = command("bench", path, "--points", "3", "--seconds", "0.05", "--json")
    timing = json.loads(out)["timings"][0]
    assert code == 0
    assert timing["points"] == 3
    assert timing["count"] >= 1
    assert 0 < timing["p50_ms"] <= timing["p99_ms"] <= timing["p999_ms"] <= timing["max_ms"]
    assert (timing["limit_ms"], timing["misses"]) == (None, None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin threads")
@pytest.mark.parametrize("company", ["neighbor", "shared core"])
def test_bench_in_company_with_cold_caches(command, path, company):
    if company == "neighbor" and os.cpu_count() == 1:
        pytest.skip("one core has no neighbor")
    options = ["--points", "1", "--seconds", "0.05", "--cold", "--company", company, "--json"]
    code, out, _ = command("bench", path, *options)
    found = json.loads(out)
    assert code == 0
    assert (found["caches"], found["company"]) == ("cold", company)
    timing = found["timings"][0]
    assert timing["limit_ms"] > 0
    assert 0 <= timing["misses"] <= timing["count"]


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"kdpinn-runtime {version('kdpinn-runtime')}\n"


WRONG = {
    "no command": ([], "COMMAND"),
    "unknown command": (["fly"], "fly"),
    "no file": (["info"], "MODEL"),
    "missing file": (["info", "none.kdp"], "none.kdp: no such file"),
    "missing file for verify": (["verify", "none.kdp"], "none.kdp: no such file"),
    "a folder": (["verify", "."], "is a directory"),
    "truncated": (["verify", "cut.kdp"], "cut.kdp: 700 bytes, its preamble says"),
    "damaged": (["verify", "bad.kdp"], "bad.kdp: SHA-256"),
    "damaged info": (["info", "bad.kdp"], "bad.kdp: SHA-256"),
    "empty": (["eval", "empty.kdp", "x=1"], "runtime: empty.kdp: the file is empty"),
    "no point": (["eval", "model.kdp"], "x=0.3 t=0.5"),
    "point and csv": (["eval", "model.kdp", "x=1", "--csv", "f"], "either"),
    "out without csv": (["eval", "model.kdp", "x=1", "--out", "f"], "--out goes with --csv"),
    "no such csv": (["eval", "model.kdp", "--csv", "none.csv"], "runtime: none.csv: no such file"),
    "unknown input": (["eval", "model.kdp", "x=1", "y=1"], "no input 'y', its inputs: x, t"),
    "missing input": (["eval", "model.kdp", "x=1"], "no value for t"),
    "twice": (["eval", "model.kdp", "x=1", "x=1"], "'x' is given twice"),
    "no equals": (["eval", "model.kdp", "x"], "'x' is not of the form"),
    "no number": (["eval", "model.kdp", "x=a", "t=1"], "'x' is 'a'"),
    "nan": (["eval", "model.kdp", "x=nan", "t=1"], "'x' is 'nan'"),
    "points": (["bench", "model.kdp", "--points", "0"], "from 1 to 16777216"),
    "points no number": (
        ["bench", "model.kdp", "--points", "x"],
        "whole number from 1 to 16777216, got 'x'",
    ),
    "seconds no number": (["bench", "model.kdp", "--seconds", "x"], "finite number > 0, got 'x'"),
    "seconds": (["verify", "model.kdp", "--seconds", "-1"], "> 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_one_line_and_2(command, path, monkeypatch, name):
    arguments, message = WRONG[name]
    monkeypatch.chdir(path.parent)
    good = pack(sample())
    (path.parent / "cut.kdp").write_bytes(good[:700])
    (path.parent / "bad.kdp").write_bytes(good[:700] + bytes([good[700] ^ 1]) + good[701:])
    (path.parent / "empty.kdp").touch()
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert message in only_line(err)


def test_as_a_process(path):
    """Exit code and streams of the real command; its output piped into a reader that goes away."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from kdpinn_runtime.cli import main; "
    call = [sys.executable, "-I", "-c", code + "sys.exit(main())"]
    good = subprocess.run([*call, "info", path], capture_output=True, text=True)
    assert (good.returncode, good.stderr) == (0, "")
    bad = subprocess.run([*call, "info", "none.kdp"], capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (2, "")
    with subprocess.Popen([*call, "info", path], stdout=subprocess.PIPE, stderr=-1) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == 0
