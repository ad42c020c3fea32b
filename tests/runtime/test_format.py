"""Parts of a model check themselves; a file gives back the model that went in, bit for bit."""

import errno
import os
import struct
from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model, network, same, sample, tiny, with_baseline
from kdp_surgery import sealed, sections, start_of
from numpy_model import NumpyModel

from kdpinn_runtime import atomic
from kdpinn_runtime.format import (
    Baseline,
    Equation,
    Factor,
    FormatError,
    Layer,
    ModelFile,
    Target,
    Term,
    Variable,
    pack,
    read,
    unpack,
    write,
)

MODELS = {
    "complete": sample,
    "smallest": tiny,
    "no baseline, no physics": bare_model,
    "float64": lambda: sample(dtype=np.float64),
    "one input, three outputs": lambda: with_baseline(bare_model(sizes=(1, 3, 3))),
    "four inputs, one layer": lambda: bare_model(sizes=(4, 2)),
    "no teacher": lambda: with_baseline(bare_model(), teacher=False),
    "odd widths": lambda: bare_model(sizes=(2, 17, 31, 1), activation="sin"),
    "units": lambda: replace(
        bare_model(sizes=(1, 1)), inputs=(Variable(name="theta_1", unit="µm·°", lower=-1, upper=0),)
    ),
    "card with text": lambda: replace(bare_model(), card={"title": "Größe ∂u/∂t", "n": [1, None]}),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_round_trip(make):
    model = make()
    data = pack(model)
    assert same(unpack(data), model)
    assert pack(unpack(data)) == data
    assert pack(make()) == data, "the same model gives the same bytes"


def test_layout_is_that_of_the_page():
    data = pack(sample())
    assert data[:8] == b"\x89KDP\r\n\x1a\n"
    version, preamble, size, program, card, tensors, baseline, reserved = struct.unpack_from(
        "<II6Q", data, 8
    )
    assert (version, preamble, size, reserved) == (1, 128, len(data), 0)
    assert sealed(data) == data
    assert program % 64 == 0
    assert len(data) == 128 + sum(-(-s // 64) * 64 for s in (program, card, tensors, baseline))
    first = struct.unpack_from("<II24s16sdd", data, 128)
    assert first == (1, 0, b"x" + bytes(23), b"m" + bytes(15), -1.0, 1.0)
    assert sections(data)["card"] == b'{"accuracy":{"rel_l2":0.001},"problem":"sample"}'


def test_tensors_lie_aligned_and_row_major():
    model, data = sample(), pack(sample())
    weight = model.layers[0].weight
    start = start_of(data, "tensors")
    assert start % 64 == 0
    assert data[start : start + weight.nbytes] == weight.tobytes()
    points = model.baseline.points
    start = start_of(data, "baseline")
    assert data[start : start + points.nbytes] == points.tobytes()


def test_arrays_are_copies_and_cannot_be_written():
    weight, bias = np.ones((1, 2), np.float32), np.zeros(1, np.float32)
    layer = Layer(weight=weight, bias=bias, activation="identity")
    weight[0, 0] = np.nan
    assert layer.weight[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2
    with pytest.raises(ValueError, match="read-only"):
        unpack(pack(sample())).baseline.points[0, 0] = 2


def test_cards_become_what_a_file_can_hold():
    model = replace(bare_model(), card={"sizes": (2, 3), "x": np.float64(0.1)})
    assert model.card == {"sizes": [2, 3], "x": 0.1}


ONE = np.ones((1, 1))
FACTOR = Factor(kind="value", a=0)
WRONG_PARTS = {
    "name": (lambda: Variable(name="2u", lower=0, upper=1), "NAME", "'2u'"),
    "long name": (lambda: Variable(name="x" * 24, lower=0, upper=1), "NAME", "24 char.*23"),
    "name type": (lambda: Variable(name=3, lower=0, upper=1), "NAME", "3"),
    "newline": (lambda: Variable(name="x\n", lower=0, upper=1), "NAME", "n'"),
    "long unit": (lambda: Variable(name="x", unit="µ" * 8, lower=0, upper=1), "NAME", "16 bytes"),
    "zero in unit": (lambda: Variable(name="x", unit="a\0b", lower=0, upper=1), "NAME", "zeros"),
    "range": (lambda: Variable(name="x", lower=1, upper=0), "VALUE", r"\[1, 0\]"),
    "nan range": (lambda: Variable(name="x", lower=0, upper=np.nan), "VALUE", "nan"),
    "layer type": (
        lambda: Layer(weight=ONE.astype(int), bias=ONE[0], activation="tanh"),
        "DTYPE",
        "weight.*int64.*float32",
    ),
    "layer mix": (
        lambda: Layer(weight=ONE.astype("f4"), bias=ONE[0], activation="tanh"),
        "LAYER",
        "float32 weight.*float64 bias",
    ),
    "layer shape": (
        lambda: Layer(weight=np.ones((2, 3)), bias=np.ones(3), activation="tanh"),
        "LAYER",
        r"\(2, 3\).*\(3,\)",
    ),
    "layer wide": (
        lambda: Layer(weight=np.ones((4097, 1)), bias=np.ones(4097), activation="tanh"),
        "TOO_LARGE",
        "4097.*4096",
    ),
    "layer nan": (
        lambda: Layer(weight=np.array([[1, np.nan]]), bias=np.ones(1), activation="tanh"),
        "VALUE",
        r"weight\[0, 1\]",
    ),
    "activation": (
        lambda: Layer(weight=ONE, bias=ONE[0], activation="softplus"),
        "LAYER",
        "'softplus', known: identity, tanh, sin",
    ),
    "factor kind": (lambda: Factor(kind="third", a=0), "RESIDUAL", "'third', known: coordinate"),
    "factor index": (lambda: Factor(kind="value", a=-1), "RESIDUAL", "-1"),
    "factor b": (lambda: Factor(kind="value", a=0, b=1), "RESIDUAL", "index b.*1"),
    "coefficient": (lambda: Term(coefficient=np.inf), "VALUE", "inf"),
    "factors": (lambda: Term(coefficient=1.0, factors=(FACTOR,) * 11), "RESIDUAL", "11 factors"),
    "no terms": (lambda: Equation(name="e", terms=(), limit=1.0), "RESIDUAL", "'e' has no terms"),
    "no limit": (
        lambda: Equation(name="e", terms=(Term(coefficient=1.0),), limit=0.0),
        "VALUE",
        "'e' is 0.0",
    ),
    "points": (lambda: Target(points=0, limit_ms=1, quantile=0.9), "VALUE", "0 points"),
    "limit_ms": (lambda: Target(points=1, limit_ms=0, quantile=0.9), "VALUE", "0 ms"),
    "quantile": (lambda: Target(points=1, limit_ms=1, quantile=99.9), "VALUE", "99.9"),
    "inexact": (
        lambda: Baseline(points=ONE * 0.1, expected=ONE, limits={"expected": 0}),
        "BASELINE",
        "round the points to float32",
    ),
    "rows": (
        lambda: Baseline(points=np.ones((2, 1)), expected=ONE, limits={"expected": 0}),
        "BASELINE",
        "'points': 2, 'expected': 1",
    ),
    "no limits": (lambda: Baseline(points=ONE, expected=ONE), "BASELINE", "expected for"),
    "limit of nothing": (
        lambda: Baseline(points=ONE, expected=ONE, limits={"expected": 0, "teacher": 1}),
        "BASELINE",
        "teacher",
    ),
    "nan table": (
        lambda: Baseline(points=ONE, expected=ONE * np.nan, limits={"expected": 0}),
        "VALUE",
        r"expected\[0, 0\]",
    ),
}


@pytest.mark.parametrize("name", WRONG_PARTS)
def test_parts_check_themselves(name):
    make, code, message = WRONG_PARTS[name]
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert caught.value.code == code


WRONG_MODELS = {
    "columns": ({"baseline": with_baseline(bare_model(sizes=(1, 1))).baseline}, "points has 1 col"),
    "layers do not chain": ({"layers": network((2, 3)) + network((4, 1))}, "layer 1 takes 4.*3"),
    "layers of two types": (
        {"layers": network((2, 3)) + network((3, 1), dtype=np.float64)},
        "layer 1 is float64, layer 0 is float32",
    ),
    "shift": ({"input_shift": np.zeros(3)}, r"input_shift has shape \(3,\)"),
    "pairs": ({"pairs": ((0, 1), (0, 1))}, "listed twice"),
    "names": ({"parameters": (("x", "", 1.0),)}, "'x' is used 2 times"),
    "card": ({"card": {"when": object()}}, "object"),
    "card type": ({"card": [1]}, "list, expected a JSON object"),
    "large card": ({"card": {"a": "x" * 2**20}}, "cap is 1048576"),
    "no layers": ({"layers": ()}, "no layers"),
    "many targets": ({"targets": (Target(points=1, limit_ms=1, quantile=0.5),) * 17}, "17 targets"),
}


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_models_check_themselves(name):
    changes, message = WRONG_MODELS[name]
    with pytest.raises(FormatError, match=message):
        replace(bare_model(), **changes)


def test_all_problems_are_reported_at_once():
    with pytest.raises(FormatError) as caught:
        replace(bare_model(), pairs=((1, 0),), parameters=(("x", "", np.nan),), card={"a": np.nan})
    assert {code for code, _ in caught.value.problems} == {"NAME", "VALUE", "RESIDUAL", "CARD"}
    assert caught.value.code == "NAME", "the one that is checked first"
    assert str(caught.value).count("\n  - ") == len(caught.value.problems)


def test_a_file_beyond_the_cap_is_not_written(tmp_path):
    points = np.zeros((2**20, 4))
    expected = np.zeros((2**20, 5))
    limits = {"expected": 0.0}
    model = replace(
        bare_model(sizes=(4, 4)),
        baseline=Baseline(points=points, expected=expected[:, :4], limits=limits),
    )
    with pytest.raises(FormatError, match=r"cap is 67108864.*fewer baseline points"):
        write(tmp_path / "large.kdp", model)
    assert list(tmp_path.iterdir()) == []


# Files


def test_write_and_read(tmp_path):
    path = tmp_path / "model.kdp"
    write(path, sample())
    assert same(read(path), sample())
    assert os.listdir(tmp_path) == ["model.kdp"]
    write(str(path), tiny())
    assert same(read(str(path)), tiny())


class FullDisk:
    """A stream on a disk that takes 100 bytes."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stream.close()

    def fileno(self):
        return self.stream.fileno()

    def write(self, data):
        self.stream.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")


def full_disk(path, mode):
    return FullDisk(open(path, mode))


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.kdp"
    write(path, sample())
    monkeypatch.setattr(atomic, "open", full_disk, raising=False)
    with pytest.raises(OSError, match=r"model.kdp: cannot be written .No space left"):
        write(path, tiny())
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["model.kdp"]
    assert same(read(path), sample())


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.kdp"
    write(path, sample())

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(path, tiny())
    assert os.listdir(tmp_path) == ["model.kdp"]
    assert same(read(path), sample())


def test_a_dead_writers_sibling_goes_a_living_ones_stays(tmp_path):
    path = tmp_path / "model.kdp"
    dead = tmp_path / ".model.kdp.1-00000000.partial"  # not locked: nobody has it open
    other = tmp_path / ".other.kdp.1-00000000.partial"
    dead.write_bytes(b"half")
    other.write_bytes(b"half")
    with atomic.replacing(path) as stream:
        stream.write(b"longer")
        living = {p.name for p in tmp_path.iterdir()} - {other.name}
        assert len(living) == 1
        assert dead.name not in living
        write(path, tiny())  # meets the living one
        assert {p.name for p in tmp_path.iterdir()} == living | {path.name, other.name}
    assert path.read_bytes() == b"longer"
    assert sorted(os.listdir(tmp_path)) == [other.name, path.name]


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "about to be removed"])
def test_a_sibling_that_another_writer_took_for_dead_is_made_anew(tmp_path, monkeypatch, removed):
    path, lock, taken = tmp_path / "model.kdp", atomic._lock, []

    def late(stream):
        if not taken:  # between opening it and locking it
            taken.append(open(stream.name, "rb"))  # noqa: SIM115, closed below
            if removed:
                os.unlink(stream.name)
            else:
                assert lock(taken[0])
        return lock(stream)

    monkeypatch.setattr(atomic, "_lock", late)
    with atomic.replacing(path) as stream:
        if not removed:
            os.unlink(taken[0].name)  # the other one goes on
        taken[0].close()
        stream.write(b"whole")
    assert os.listdir(tmp_path) == ["model.kdp"]
    assert path.read_bytes() == b"whole"


def test_writing_where_files_have_no_locks(tmp_path, monkeypatch):
    import fcntl

    def refuse(stream, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    left = tmp_path / ".model.kdp.1-00000000.partial"
    left.write_bytes(b"half")
    monkeypatch.setattr(fcntl, "flock", refuse)
    write(tmp_path / "model.kdp", tiny())
    assert same(read(tmp_path / "model.kdp"), tiny())
    assert left.exists()  # nobody knows whether its writer lives


def test_write_into_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/model.kdp: cannot be written"):
        write(tmp_path / "none" / "model.kdp", sample())


def test_write_onto_a_folder(tmp_path):
    (tmp_path / "model.kdp").mkdir()
    with pytest.raises(OSError, match=r"model.kdp: cannot be written"):
        write(tmp_path / "model.kdp", sample())
    assert os.listdir(tmp_path) == ["model.kdp"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_write_into_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"model.kdp: cannot be written"):
        write(tmp_path / "model.kdp", sample())


def test_read_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.kdp: no such file"):
        read(tmp_path / "none.kdp")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read(tmp_path)
    (tmp_path / "empty.kdp").touch()
    with pytest.raises(FormatError, match=r"empty.kdp: the file is empty") as caught:
        read(tmp_path / "empty.kdp")
    assert caught.value.code == "TRUNCATED"
    (tmp_path / "cut.kdp").write_bytes(pack(sample())[:200])
    with pytest.raises(FormatError, match=r"cut.kdp: 200 bytes.*copy it again"):
        read(tmp_path / "cut.kdp")


def test_a_large_file_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "large.kdp"
    with open(path, "wb") as stream:
        stream.truncate(2**36)  # sparse
    with pytest.raises(FormatError, match=r"large.kdp.*67108864") as caught:
        read(path)
    assert caught.value.code == "TOO_LARGE"


# The reference evaluator, which the tests of the core rest on


@pytest.mark.parametrize(
    "activation", ["identity", "tanh", "sin", "sigmoid", "silu", "relu", "gelu"]
)
def test_jets_of_the_reference_against_differences(activation):
    """Central differences in float64: error h^2/6 |f'''| + eps |f| / h, and h^2/12, 4 eps / h^2.

    The points are farther from the kinks of relu than the steps.
    """
    model = NumpyModel(bare_model(sizes=(3, 8, 8, 2), activation=activation, dtype=np.float64))
    x = np.random.default_rng(5).uniform(model.domain[:, 0], model.domain[:, 1], (5, 3))
    jet, eps = model.jet(x), np.finfo(float).eps
    bound = 100.0  # on third and fourth derivatives of these networks
    h1, h2 = eps ** (1 / 3), eps ** (1 / 4)
    steps = np.eye(3)
    for i in range(3):
        difference = (model(x + h1 * steps[i]) - model(x - h1 * steps[i])) / (2 * h1)
        assert np.abs(jet.first[:, :, i] - difference).max() <= h1**2 * bound + 10 * eps / h1
    for k, (i, j) in enumerate(jet.pairs):
        a, b = h2 * steps[i], h2 * steps[j]
        mixed = model(x + a + b) - model(x + a - b) - model(x - a + b) + model(x - a - b)
        error = np.abs(jet.second[:, :, k] - mixed / (4 * h2**2)).max()
        assert error <= h2**2 * bound + 10 * eps / h2**2


def test_residual_of_the_reference_is_the_equation():
    model = NumpyModel(sample(dtype=np.float64))
    x = np.random.default_rng(5).uniform(model.domain[:, 0], model.domain[:, 1], (9, 2))
    data = np.linspace(0, 1, 9)[:, None]
    jet = model.jet(x)
    expected = jet["u_t"] + jet["u"] * jet["u_x"] - 0.01 * jet["u_xx"] - data[:, 0]
    scale = abs(jet["u_t"]) + abs(jet["u"] * jet["u_x"]) + abs(0.01 * jet["u_xx"]) + data[:, 0]
    residual = model.residual(x, data)[:, 0]
    assert (abs(residual - expected) <= 8 * np.finfo(float).eps * scale).all()


def test_model_file_needs_keywords():
    with pytest.raises(TypeError):
        ModelFile(())
