"""`import kdpinn_runtime` is light: numpy and the standard library, little more time than numpy."""

import json
import subprocess
import sys

CODE = """
import json, sys, time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import kdpinn_runtime, kdpinn_runtime.cli
stop = time.perf_counter()
tops = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"numpy": middle - start, "own": stop - middle, "tops": tops}))
"""


def fresh():
    run = subprocess.run([sys.executable, "-I", "-c", path_first() + CODE], capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return json.loads(run.stdout)


def path_first():
    return f"import sys; sys.path[:0] = {sys.path!r}\n"


def test_nothing_heavy_is_loaded():
    tops = set(fresh()["tops"])
    assert not tops & {"torch", "onnx", "onnxruntime", "scipy", "kdpinn", "kdpinn_export", "rich"}


def test_import_is_fast():
    """A third of the time that numpy takes when measured (0.15 s of 0.45 s on a busy machine).

    The best of three, because the machine may be busy.
    """
    runs = [fresh() for _ in range(3)]
    assert min(run["own"] for run in runs) <= 0.5


def test_import_prints_nothing():
    code = path_first() + "import kdpinn_runtime"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True)
    assert (run.stdout, run.stderr) == (b"", b"")
