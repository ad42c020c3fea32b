"""Big fields: every value, every format, bounded memory, resumed and shared work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from kdpinn.cli import app
from kdpinn.fields import parse_grid, write_field
from kdpinn.fields.grid import CHUNK
from kdpinn_runtime import load, pack
from kdpinn_runtime.format import Layer, ModelFile, Variable

pytest.importorskip("zarr")
xarray = pytest.importorskip("xarray")
typer_testing = pytest.importorskip("typer.testing")


def model_bytes(seed=0):
    """(x, y, s) -> (u, v): 3-12-2 with random weights; x in m, u in K."""
    rng = np.random.default_rng(seed)
    layers = (
        Layer(weight=rng.normal(size=(12, 3)), bias=rng.normal(size=12), activation="tanh"),
        Layer(weight=rng.normal(size=(2, 12)), bias=np.zeros(2), activation="identity"),
    )
    inputs = [("x", "m", -1.0, 1.0), ("y", "", 0.0, 1.0), ("s", "s", 0.5, 2.0)]
    outputs = [("u", "K"), ("v", "")]
    file = ModelFile(
        inputs=tuple(Variable(name=n, unit=u, lower=a, upper=b) for n, u, a, b in inputs),
        outputs=tuple(Variable(name=n, unit=u, lower=-9.0, upper=9.0) for n, u in outputs),
        input_shift=np.zeros(3),
        input_scale=np.ones(3),
        output_shift=np.zeros(2),
        output_scale=np.ones(2),
        layers=layers,
        card={"title": "a test"},
    )
    return pack(file)


CONTENT = model_bytes()
INPUTS = load(CONTENT).inputs
GRID = "x=-1:1:41,y=0:1:23,s=1.5"


def expected(grid, dtype=np.float64):
    """(outputs, *shape), from all points at once."""
    axes = [np.linspace(a.lower, a.upper, a.count) for a in grid.axes]
    points = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)
    return load(CONTENT)(points.astype(dtype)).T.reshape(-1, *grid.shape)


@pytest.mark.parametrize("text", [GRID, "x=-1:1:9,y=0:1:8,s=0.5:2:7", "x=0,y=0:1:50,s=1"])
@pytest.mark.parametrize("chunk", [130, CHUNK])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_value_of_a_zarr_is_the_models(tmp_path, text, chunk, dtype):
    grid = parse_grid(text, INPUTS, chunk)
    assert np.prod(grid.chunk) <= chunk
    assert write_field(CONTENT, grid, tmp_path / "f.zarr", dtype=dtype) == np.prod(grid.chunks)
    with xarray.open_zarr(tmp_path / "f.zarr", consolidated=False) as field:
        for k, name in enumerate("uv"):
            assert field[name].dtype == dtype
            assert np.array_equal(field[name].values, expected(grid, dtype)[k])
        for axis in grid.dimensions:
            assert np.array_equal(field[axis.variable.name].values, axis.values)


def test_attributes_follow_cf_and_name_the_model(tmp_path):
    write_field(CONTENT, parse_grid(GRID, INPUTS), tmp_path / "f.zarr")
    write_field(CONTENT, parse_grid(GRID, INPUTS), tmp_path / "f.nc")
    for field in (
        xarray.open_zarr(tmp_path / "f.zarr", consolidated=False),
        xarray.open_dataset(tmp_path / "f.nc"),
        load(CONTENT).to_xarray(x=[0.0, 1.0], y=[0.5], s=1.0),
    ):
        assert field.attrs["Conventions"] == "CF-1.11"
        assert field.attrs["model_digest"] == load(CONTENT).digest
        assert (field["x"].units, field["y"].units, field["u"].units) == ("m", "1", "K")
        assert field["u"].dims == ("x", "y")
        field.close()


@pytest.mark.parametrize("suffix", [".nc", ".vti", ".vtu"])
def test_other_formats_hold_the_same_values(tmp_path, suffix):
    grid = parse_grid(GRID, INPUTS, 100)
    target = tmp_path / f"f{suffix}"
    write_field(CONTENT, grid, target)
    values = expected(grid)
    if suffix == ".nc":
        with xarray.open_dataset(target) as field:
            found = np.stack([field["u"].values, field["v"].values])
    elif suffix == ".vtu":
        meshio = pytest.importorskip("meshio")
        mesh = meshio.read(target)
        found = np.stack([mesh.point_data[n].reshape(grid.shape) for n in "uv"])
        assert mesh.cells_dict["quad"].shape == (40 * 22, 4)
        corners = mesh.points[mesh.cells_dict["quad"]][..., :2]
        turned = np.roll(corners, -1, axis=1)
        areas = (corners[..., 0] * turned[..., 1] - corners[..., 1] * turned[..., 0]).sum(1) / 2
        np.testing.assert_allclose(areas, 2 / 40 / 22)  # positive: counter-clockwise
    else:
        content = target.read_bytes()
        data = content[content.index(b"\n_") + 2 :]
        size = 8 * int(np.prod(grid.shape))
        parts = [data[k * (8 + size) + 8 : (k + 1) * (8 + size)] for k in range(2)]
        assert [int.from_bytes(data[k * (8 + size) :][:8], "little") for k in range(2)] == [
            size
        ] * 2
        found = np.stack([np.frombuffer(p).reshape(grid.shape[::-1]).T for p in parts])
        assert b'WholeExtent="0 40 0 22 0 0" Origin="-1.0 0.0 0" Spacing="0.05 ' in content
        assert content.endswith(b"\n</AppendedData>\n</VTKFile>\n")
    assert np.array_equal(found, values)
    assert list(tmp_path.iterdir()) == [target]


def test_to_xarray_takes_numbers_and_arrays():
    model = load(CONTENT)
    field = model.to_xarray(x=np.linspace(-1, 1, 5), y=0.25, s=[1.0, 2.0])
    assert field["u"].dims == ("x", "s")
    assert float(field["u"].sel(x=0.5, s=2.0)) == model([[0.5, 0.25, 2.0]])[0, 0]
    assert float(field["y"]) == 0.25
    with pytest.raises(ValueError, match=r"\['x', 'y', 's'\], got \['x'\]"):
        model.to_xarray(x=0.5)


# Not ru_maxrss: what the process was before it ran its own program, this one, counts there too.
PRINT_PEAK = (
    "status = open('/proc/self/status').read(); "
    "print(int(status.split('VmHWM:')[1].split()[0]) // 1024)"
)


def start(target, grid, *more):
    """`kdpinn eval` in a process of its own, in small chunks."""
    program = (
        "import sys, kdpinn.fields.grid as g; from pathlib import Path\n"
        "from kdpinn.fields import parse_grid, write_field; from kdpinn_runtime import load\n"
        "content, text, to, chunk, workers = sys.argv[1:]\n"
        "content = Path(content).read_bytes()\n"
        "grid = parse_grid(text, load(content).inputs, int(chunk))\n"
        "print(write_field(content, grid, Path(to), workers=int(workers)), flush=True)\n"
    ) + PRINT_PEAK
    path = target.parent / "model.kdp"
    path.write_bytes(CONTENT)
    command = [sys.executable, "-c", program, path, grid, target, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def done_chunks(target):
    return len([p for p in (target / "u" / "c").rglob("*") if p.is_file()])


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    target, text = tmp_path / "f.zarr", "x=-1:1:160,y=0:1:160,s=1"
    process = start(target, text, "256", "1")
    for _ in range(3000):
        if done_chunks(target) >= 20:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    grid = parse_grid(text, INPUTS, 256)
    before = done_chunks(target)
    assert 20 <= before < np.prod(grid.chunks)
    kept = {p: p.stat().st_mtime_ns for p in (target / "u" / "c" / "0").iterdir()}
    attributes = json.loads((target / "zarr.json").read_text())["attributes"]
    assert attributes["complete"] is False
    computed = write_field(CONTENT, grid, target)
    assert 0 < computed <= np.prod(grid.chunks) - before + 1  # u there, v not yet
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items() if p.suffix != ".partial")
    assert write_field(CONTENT, grid, target) == 0
    with xarray.open_zarr(target, consolidated=False) as field:
        assert np.array_equal(np.stack([field["u"], field["v"]]), expected(grid))
        assert field.attrs["complete"]


def test_another_field_at_the_same_place_is_refused(tmp_path):
    target = tmp_path / "f.zarr"
    write_field(CONTENT, parse_grid(GRID, INPUTS), target)
    with pytest.raises(ValueError, match="another field: its model_digest"):
        write_field(model_bytes(seed=1), parse_grid(GRID, INPUTS), target)
    with pytest.raises(ValueError, match="another field: its grid"):
        write_field(CONTENT, parse_grid(GRID.replace("41", "42"), INPUTS), target)
    with pytest.raises(ValueError, match="number_type"):
        write_field(CONTENT, parse_grid(GRID, INPUTS), target, dtype="float32")
    (tmp_path / "g.zarr").mkdir()
    with pytest.raises(ValueError, match="is no field"):
        write_field(CONTENT, parse_grid(GRID, INPUTS), tmp_path / "g.zarr")


def peak(tmp_path, n):
    """Peak resident memory of writing n x n values of two fields, in MB."""
    target = tmp_path / f"{n}.zarr"
    process = start(target, f"x=-1:1:{n},y=0:1:{n},s=1", "65536", "2")
    chunks, memory = process.communicate()[0].split()
    assert int(chunks) == (-(-n // 256)) ** 2
    shutil.rmtree(target)
    return int(memory)


def test_memory_does_not_grow_with_the_field(tmp_path):
    """16 times as many values, 63 MB more in all; the chunks of both fields are 1 MB."""
    small, large = peak(tmp_path, 512), peak(tmp_path, 2048)
    assert large - small < 24  # MB
    assert large < 600


@pytest.mark.slow
def test_a_field_of_three_gigabytes_takes_less_than_600_megabytes(tmp_path):
    path = tmp_path / "model.kdp"
    path.write_bytes(CONTENT)
    program = (
        "import sys; from kdpinn.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
    )
    command = [
        sys.executable,
        "-c",
        program + PRINT_PEAK,
        "eval",
        path,
        "--to",
        tmp_path / "f.zarr",
    ]
    grid = "x=-1:1:20001,y=0:1:10001,s=1"  # of two outputs
    command += ["--grid", grid, "--workers", "2"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 600


def test_a_cluster_makes_the_same_field_though_a_worker_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    text, alone, shared = "x=-1:1:160,y=0:1:160,s=1", tmp_path / "a.zarr", tmp_path / "b.zarr"
    grid = parse_grid(text, INPUTS, 400)
    write_field(CONTENT, grid, alone)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:
        worker = next(iter(cluster.workers.values()))

        def kill():
            while done_chunks(shared) < 4:
                time.sleep(0.005)
            os.kill(worker.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        write_field(CONTENT, grid, shared, dask=cluster.scheduler_address)
        killer.join(10)
        assert not killer.is_alive()
    files = {p.relative_to(alone): p for p in alone.rglob("*") if p.is_file()}
    for name, path in files.items():
        assert (shared / name).read_bytes() == path.read_bytes(), name


def command(*arguments):
    result = typer_testing.CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, " ".join(result.output.split())


REFUSALS = [
    ("x=-1:1:9,y=0:1:9", "f.zarr", "does not say s: add s=VALUE"),
    ("x=-1:1:9,z=0:1:9", "f.zarr", "names each of the inputs x, y, s once.*z=0:1:9"),
    ("x=-1:1:9,x=0,y=0,s=1", "f.zarr", "once.*x=0"),
    ("x=-1:2:9,y=0,s=1", "f.zarr", r"x from -1 to 2.*\[-1, 1\]"),
    ("x=-1:1,y=0,s=1", "f.zarr", "LOWER:UPPER:COUNT.*x, got '-1:1'"),
    ("x=-1:1:1,y=0,s=1", "f.zarr", "takes 1 values of x"),
    ("x=-1:1:9,y=7,s=1", "f.zarr", r"takes y from 7 to 7, the model knows it on \[0, 1\]"),
    ("x=-1:1:99999999999999,y=0,s=1", "f.zarr", "takes 99999999999999 values of x, more than"),
    ("x=0,y=0,s=1", "f.zarr", "single point"),
    ("x=-1:1:9,y=0,s=1", "f.csv", r"\.zarr, \.nc, \.vti, \.vtu"),
    ("x=-1:1:9,y=0,s=1", "none/f.zarr", "folder .*none does not exist"),
]


@pytest.mark.parametrize(("grid", "to", "message"), REFUSALS, ids=lambda v: str(v)[:20])
def test_wrong_use_is_one_line_and_leaves_nothing(tmp_path, grid, to, message):
    (tmp_path / "m.kdp").write_bytes(CONTENT)
    code, text = command("eval", tmp_path / "m.kdp", "--grid", grid, "--to", tmp_path / to)
    assert code == 2
    assert re.search(message, text), text
    assert "Traceback" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["m.kdp"]


def test_the_command_writes_and_says_how_much(tmp_path):
    path = tmp_path / "m.kdp"
    path.write_bytes(CONTENT)
    arguments = ("eval", path, "--grid", GRID, "--to", tmp_path / "f.zarr", "--workers", 2)
    code, text = command(*arguments)
    assert code == 0
    assert text.endswith(f"{tmp_path / 'f.zarr'}: 1 chunks computed")
    assert command(*arguments)[1].endswith(": 0 chunks computed")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "tcp://127.0.0.1:port"])
def test_a_cluster_that_does_not_answer_is_told_before_anything_is_made(
    tmp_path, monkeypatch, address
):
    pytest.importorskip("distributed")
    monkeypatch.setattr("kdpinn.fields.workers.CONNECT_S", 0.2)
    (tmp_path / "m.kdp").write_bytes(CONTENT)
    code, text = command(
        *(
            "eval",
            tmp_path / "m.kdp",
            "--grid",
            GRID,
            "--to",
            tmp_path / "f.zarr",
            "--dask",
            address,
        )
    )
    assert code == 2
    assert f"No Dask scheduler answers at {address}: " in text
    assert [p.name for p in tmp_path.iterdir()] == ["m.kdp"]


def test_chunks_fill_the_grid_without_overlap():
    grid = parse_grid("x=-1:1:37,y=0:1:11,s=0.5:2:5", INPUTS, 60)
    seen = np.zeros(grid.shape, int)
    for index in grid.indices():
        seen[grid.part(index)] += 1
    assert np.all(seen == 1)
    assert replace(grid, chunk=grid.shape).chunks == (1, 1, 1)
