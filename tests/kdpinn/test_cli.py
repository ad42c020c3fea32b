"""The command: its exit codes, its JSON, and one clear message for every mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from kdpinn import __version__, pipeline
from kdpinn.cli import app
from kdpinn_export import BaselineTables, baseline_points, plain_network, to_kdp
from kdpinn_runtime import write
from kdpinn_runtime.format import Target, Variable

FILE = Path(__file__).with_name("tiny_problem.py")
SPEC = f"{FILE}:Decay"


def kdpinn(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result, *facts: str) -> None:
    """Exit code 2 and one message on stderr that holds the facts, without a traceback."""
    assert result.exit_code == 2, result.output
    for fact in facts:
        assert fact in result.stderr
    assert "Traceback" not in result.output


@pytest.fixture(autouse=True, scope="module")
def _hurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "LATENCY_SECONDS", {"quick": 0.02})
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert kdpinn("train", SPEC, "--out", out).exit_code == 0
    return out


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return written(tmp_path / "model.kdp", limit_ms=1e3)


def written(path: Path, limit_ms: float) -> Path:
    """A little random model with one latency target."""
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=(4, 2)), generator.normal(size=(1, 4))]
    file = to_kdp(
        plain_network(weights, [np.zeros(4), np.zeros(1)], "tanh"),
        inputs=[Variable(name=name, lower=-1.0, upper=1.0) for name in ("x", "t")],
        outputs=[("u", "")],
        tables=BaselineTables(points=baseline_points([-1, -1], [1, 1], 16)),
        targets=[Target(points=1, limit_ms=limit_ms, quantile=0.9)],
    )
    write(path, file)
    return path


def test_help_needs_no_torch() -> None:
    code = (
        "import sys, kdpinn.cli; "
        "print([m for m in ('torch', 'numpy', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_told() -> None:
    assert kdpinn("--version").output == f"kdpinn {__version__}\n"


def test_problems_as_text_and_json() -> None:
    assert "burgers" in kdpinn("problems").stdout
    listed = {p["name"]: p for p in json.loads(kdpinn("problems", "--json").stdout)}
    assert listed["burgers"]["equations"] == ["u_t + u u_x − ν u_xx = 0"]
    assert {"quick", "best"} <= set(listed["laplace"]["presets"])


def test_verify_passes_fails_and_refuses(model: Path, tmp_path: Path) -> None:
    good = kdpinn("verify", model, "--seconds", 0.02, "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["passed"] is True
    impossible = written(tmp_path / "impossible.kdp", limit_ms=1e-9)
    bad = kdpinn("verify", impossible, "--seconds", 0.02)
    assert bad.exit_code == 1
    assert "FAIL" in bad.stdout
    assert kdpinn("verify", impossible, "--no-latency").exit_code == 0
    (tmp_path / "short.kdp").write_bytes(model.read_bytes()[:1000])
    refused(kdpinn("verify", tmp_path / "short.kdp"), "short.kdp", "TRUNCATED")
    refused(kdpinn("verify", tmp_path / "none.kdp"), "none.kdp: no such file")
    refused(kdpinn("verify", tmp_path), str(tmp_path), "file")


def test_export_writes_and_checks(model: Path, tmp_path: Path) -> None:
    plain = kdpinn("export", model)
    assert plain.exit_code == 0, plain.output
    assert (tmp_path / "model-export" / "onnx-f32" / "model.onnx").exists()
    options = ["--derivatives", "--out", tmp_path / "new" / "d", "--json"]
    more = kdpinn("export", model, *options)
    (row,) = json.loads(more.stdout)
    assert row["passed"] is True
    assert Path(row["folder"], "model.onnx").exists()
    refused(kdpinn("export", model, "--to", "onnx,abacus"), "abacus", "known are")
    refused(kdpinn("export", model, "--precision", "i3"), "i3", "known are")
    assert "onnx" in kdpinn("export", model, "--to", "list").stdout


def test_bench_prints_and_writes(model: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "new" / "bench.json", tmp_path / "new" / "bench.svg"
    options = ["--points", "1,10", "--sections", "values", "--seconds", 0]
    result = kdpinn("bench", model, *options, "--json", out, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert "onnxruntime" in result.stdout
    assert "Goals" in result.stdout
    found = json.loads(out.read_text("utf-8"))
    assert [table["cells"][0]["points"] for table in found["values"]] == [1, 10]
    assert picture.read_text("utf-8").startswith("<?xml")


def test_bench_refuses_before_it_measures(model: Path, tmp_path: Path) -> None:
    refused(kdpinn("bench", "--nets", "A,E"), "no network E", "A, B, C, D")
    refused(kdpinn("bench", "--engines", "caffe"), "no engine 'caffe'", "onnxruntime")
    refused(kdpinn("bench", "--sections", "colors"), "no section 'colors'", "values")
    refused(kdpinn("bench", "--points", "1,many"), "'many'")
    refused(kdpinn("bench", "--points", "0"), "1 .. 16777216")
    refused(kdpinn("bench", "--nets", "A", "--solver"), "solver for burgers only")
    refused(kdpinn("bench", "--nets", "A", "--picture", tmp_path / "a.bmp"), "a.bmp", ".svg")
    refused(kdpinn("bench", tmp_path / "none.kdp"), "none.kdp")


def test_unknown_problem_and_preset(tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(kdpinn("run", "burgrs", "--out", out), "burgrs", "Did you mean 'burgers'")
    refused(kdpinn("run", "nowhere.py:Wave", "--out", out), "No file nowhere.py")
    refused(kdpinn("run", f"{FILE}:Wave", "--out", out), "has no 'Wave'", "Decay")
    refused(kdpinn("run", SPEC, "--preset", "bst", "--out", out), "no preset 'bst'", "quick")
    refused(kdpinn("run", "all", "--preset", "bst", "--out", out), "no preset 'bst'", "quick")
    refused(kdpinn("run", SPEC, "--out", out, "--resume", "--overwrite"), "choose")
    assert not out.exists()


def test_names_are_printed_as_they_are(tmp_path: Path) -> None:
    names = ("x.py:a", "[red]:b:")
    result = kdpinn("verify", tmp_path / ":".join(names))
    refused(result, f"{names[0]}:{names[1]}: no such file")


def test_missing_option_is_wrong_use() -> None:
    assert kdpinn("run", "burgers").exit_code == 2
    assert kdpinn("nonsense").exit_code == 2


def test_output_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    refused(kdpinn("run", SPEC, "--out", tmp_path / "out"), "cannot be written to")


def test_report_of_no_run(tmp_path: Path) -> None:
    refused(kdpinn("report", tmp_path), "holds no finished run")


def test_teacher_that_does_not_exist(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = kdpinn("distill", SPEC, "--out", out, "--teacher", tmp_path / "t.kdp")
    refused(result, "t.kdp does not exist")


def test_a_second_run_asks_for_a_choice(trained: Path) -> None:
    refused(kdpinn("train", SPEC, "--out", trained), "--resume", "--overwrite", "--out DIR")
    assert kdpinn("train", SPEC, "--out", trained, "--resume").exit_code == 0


def test_full_disk_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "teacher.kdp"))

    monkeypatch.setattr(pipeline.steps, "write", full)
    result = kdpinn("train", SPEC, "--out", tmp_path)
    refused(result, "No space left to write", "teacher.kdp", "--resume")
    assert not (tmp_path / "teacher.kdp").exists()
    monkeypatch.undo()
    assert kdpinn("train", SPEC, "--out", tmp_path, "--resume").exit_code == 0


def started(out: Path) -> subprocess.Popen[str]:
    """A run in a process of its own, once its first checkpoint or log line is there."""
    slow = out.parent / "slow.py"
    slow.write_text(
        FILE.read_text()
        + "\nfrom dataclasses import replace\n"
        + "Slow = Decay.replace(recipes={'quick': replace(TINY, checkpoint_seconds=0.2,"
        + " training=replace(TINY.training, iterations=100000, resample_every=0))})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "kdpinn", "run", f"{slow}:Slow", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    end = time.monotonic() + 120
    while not list(out.glob("run/*.checkpoint")) and process.poll() is None:
        assert time.monotonic() < end, "no checkpoint within two minutes"
        time.sleep(0.05)
    return process


def test_ctrl_c_leaves_a_resumable_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(out)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert f"--out {out} --resume" in err
    refused(kdpinn("run", f"{tmp_path / 'slow.py'}:Slow", "--out", out), "unfinished run")


def test_a_killed_run_leaves_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(out)
    process.kill()
    process.communicate(timeout=60)
    assert {p.name for p in out.iterdir() if not p.name.startswith(".")} == {"run"}
    refused(kdpinn("run", f"{tmp_path / 'slow.py'}:Slow", "--out", out), "unfinished run")
    spec = f"{tmp_path / 'slow.py'}:Slow"
    refused(kdpinn("run", spec, "--out", out, "--seed", 1, "--resume"), "differ in", "seed")
