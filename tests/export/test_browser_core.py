"""The WebAssembly module in node: the scalar kernels' answers bit for bit, whatever the model."""

from dataclasses import replace

import numpy as np
import pytest
from browser_samples import in_node, needs_compiler, needs_node
from kdp_samples import bare_model, burgers_equation, sample, with_baseline
from test_core import points_in
from test_mapped import MODELS as MAPPED
from tied_samples import tied_model

from kdpinn_export.answers import known_answers
from kdpinn_export.browser import module, wasm_module
from kdpinn_export.browser.document import page
from kdpinn_export.browser.replay import quantities, replay
from kdpinn_export.exporting import export, request_of
from kdpinn_export.kept import keep, kept_place
from kdpinn_export.targets import known
from kdpinn_runtime import load, pack, write
from kdpinn_runtime.format import Factor

MODELS = {
    "tanh": lambda: sample(sizes=(2, 9, 13, 1)),
    "sin": lambda: sample(sizes=(2, 7, 7, 2), activation="sin"),
    "sigmoid": lambda: bare_model(sizes=(3, 16, 5, 3), activation="sigmoid"),
    "silu, float64": lambda: bare_model(sizes=(1, 8, 1), activation="silu", dtype=np.float64),
    "relu": lambda: bare_model(sizes=(2, 9, 6, 1), activation="relu"),
    "gelu": lambda: bare_model(sizes=(2, 9, 6, 1), activation="gelu"),
    "gelu, float64": lambda: bare_model(sizes=(1, 8, 1), activation="gelu", dtype=np.float64),
    "wide": lambda: sample(sizes=(2, 67, 1)),
    "tied": lambda: tied_model("odd and even", (9, 6)),
    "coordinates": MAPPED["both, three outputs"],
    "every operation": MAPPED["every operation"],
}


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_float32_fields_are_the_scalar_kernels_bit_for_bit(name):
    """Neither fuses a multiply with an add, and both sum in one order: nothing can differ."""
    file = replace(MODELS[name](), pairs=((0, 0),))
    x = points_in(file, 37, np.float32)  # not a multiple of any vector
    said = replay(page(pack(file), file=file), quantities(file, derivatives=True), x.astype(float))
    assert said.isa == "wasm"
    by = file.inputs[0].name
    want = load(pack(file), isa="scalar").jet(x, [(by, by)]).channels
    assert np.array_equal(said.answers, np.moveaxis(want, 0, 1).reshape(len(x), -1).astype(float))


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_float64_readings_are_the_scalar_kernels_bit_for_bit(name):
    file = MODELS[name]()
    x = points_in(file, 5)
    said = in_node("return given.points.map((point) => core.jet(point));", file, points=x.tolist())
    want = load(pack(file), isa="scalar").jet(x, "all").channels
    assert np.array_equal(np.moveaxis(np.array(said), 0, 1), want)


@needs_node
def test_residuals_are_the_runtimes():
    """Without the source, and without the weight that all terms of an equation share."""
    source = sample(sizes=(2, 9, 13, 1))
    terms = source.equations[0].terms[:3]
    free = replace(source.equations[0], terms=terms)
    weight = (Factor(kind="data", a=0),)
    weighted = replace(free, terms=tuple(replace(t, factors=t.factors + weight) for t in terms))
    x = points_in(source, 5)
    bare = replace(source, equations=(free,), baseline=replace(source.baseline, data=None))
    want = load(pack(bare), isa="scalar").residual(x)
    for file in (bare, replace(source, equations=(weighted,))):
        said = in_node(
            "return given.points.map((p) => core.residuals(p));", file, points=x.tolist()
        )
        assert np.array_equal(said, want)
        field = in_node(
            "return core.sample({kind: 3, which: 0, a: 0, b: 0}, Float32Array.from(given.x));",
            file,
            x=x.ravel().tolist(),
        )
        narrow = load(pack(bare), isa="scalar").residual(x.astype(np.float32))
        assert np.array_equal(field, narrow[:, 0].astype(np.float32))


@needs_node
def test_a_picture_is_the_field_at_the_middle_of_its_pixels():
    file = sample(sizes=(3, 9, 1))
    size = {"across": 2, "up": 0, "columns": 31, "rows": 23}
    given = {**size, "fixed": [0.0, 0.25, 0.0], "box": [2.0, 5.0, -1.0, 1.0]}
    body = 'return core.picture("map", {kind: 0, which: 0, a: 0, b: 0}, given.view);'
    said = in_node(body, file, view=given)
    across = 2 + 3 * (np.arange(31) + 0.5) / 31
    up = 1 - 2 * (np.arange(23) + 0.5) / 23  # the top row first
    x = np.array([(b, 0.25, a) for b in up for a in across]).astype(np.float32)
    assert np.array_equal(said, load(pack(file), isa="scalar")(x)[:, 0])


@needs_node
def test_parameters_over_decades_lie_evenly_on_their_slider():
    body = """
      const nu = { lower: 0.001, upper: 0.1 }, x = { lower: -1, upper: 3 };
      return [byLogarithm(nu), byLogarithm(x), byLogarithm({ lower: 0.02, upper: 0.1 }),
        valueAt(nu, 0.5), shareOf(nu, 0.01), valueAt(x, 0.25), shareOf(x, 2)];
    """
    *kinds, middle, share, quarter, back = in_node(body, sample())
    assert kinds == [True, False, False]
    assert (middle, share) == pytest.approx((0.01, 0.5), rel=1e-12)
    assert (quarter, back) == (0, 0.75)


def test_columns_of_readings_keep_to_a_thousandth_of_their_range():
    cases = [
        (-0.4521, -1, 1, "−0.452"),
        (4e-4, -1, 1, "0.000"),
        (-4e-4, -1, 1, "0.000"),
        (0.0123456, 0, 0.1, "0.0123"),
        (1234.5, 0, 2000, "1235"),
        (1e6, -1, 1, "1.00 × 10⁶"),
        (1e-7, 0, 1e-6, "1.00 × 10⁻⁷"),
        (2.5, 1, 1, "2.50"),
    ]
    body = "return given.cases.map(([v, lower, upper]) => within(v, { lower, upper }));"
    assert in_node(body, sample(), cases=cases) == [case[-1] for case in cases]


def test_colors_follow_the_scale():
    values = [-2.0, -1.0, -0.5, 0.0, 0.25, 0.999, 1.0, 3.0]
    body = """
      const out = core.room("map", 4 * given.values.length);
      core.floats(out, given.values.length).set(given.values);
      core.floats(out, given.values.length)[0] = given.first ?? NaN;
      const table = Uint32Array.from({length: 256}, (_, k) => 0xff000000 + k);
      return core.colorize("map", given.values.length, given.scale, table);"""
    file = bare_model()
    linear = {"low": -1.0, "high": 1.0, "log": False}
    said = np.array(in_node(body, file, values=values, scale=linear)).reshape(-1, 4)
    assert said[0].tolist() == [0, 0, 0, 0]  # NaN is transparent
    assert said[1:, 0].tolist() == [0, 64, 128, 160, 255, 255, 255]
    sizes = np.geomspace(2e-7, 3.0, 400) * np.where(np.arange(400) % 2, 1, -1)
    scale = {"low": 1e-6, "high": 1.0, "log": True}
    said = in_node(body, file, values=sizes.tolist(), scale=scale, first=float(sizes[0]))
    place = 256 * np.log(np.abs(sizes) / 1e-6) / np.log(1e6)
    got = np.array(said).reshape(-1, 4)[:, 0]
    # log2 errs by 2e-5, float32 by 2e-6 more, of 19.9 in all: 3e-4 of a color.
    near = np.abs(place - np.round(place)) < 1e-3
    assert np.array_equal(got[~near], np.clip(np.floor(place), 0, 255)[~near])
    assert near.sum() < 20


@needs_node
@pytest.mark.parametrize("bits", [32, 64])
def test_the_baseline_is_replayed_as_the_runtime_does(bits):
    file = replace(sample(), baseline=with_baseline(bare_model(), n=100).baseline)
    said = in_node("return core.selftest(given.bits);", file, bits=bits)
    want = load(pack(file), isa="scalar").selftest(np.float32 if bits == 32 else np.float64)
    assert (said["points"], said["passed"]) == (100, want["passed"])
    figures = [(check["measured"], check["limit"], check["passed"]) for check in said["checks"]]
    assert figures == [tuple(want[r]) for r in ("expected", "reference", "teacher", "residual")]
    wrong = replace(file, equations=(burgers_equation(limit=1e-9),))
    assert not in_node("return core.selftest(given.bits);", wrong, bits=bits)["passed"]


@needs_node
def test_one_changed_bit_is_refused():
    file = sample()
    data = bytearray(pack(file))
    data[-70] ^= 1
    with pytest.raises(AssertionError, match="SHA-256 digest does not match"):
        in_node("return 0;", file, data=bytes(data))


@needs_node
def test_the_target_checks_what_it_writes(tmp_path):
    path = tmp_path / "wave.kdp"
    write(path, sample())
    done = export(known()["wasm"], request_of(path), tmp_path / "out")
    assert sorted(done.files) == ["answers.json", "wave.html"]
    assert [check.passed for check in done.checks] == [True] * 3
    assert 0 < done.checks[0].measured <= 1
    with pytest.raises(ValueError, match="target wasm has no precision i8"):
        export(known()["wasm"], request_of(path, "i8"), tmp_path / "out")


@needs_node
def test_the_check_sees_another_model(tmp_path):
    """One weight a thousandth off: far beyond rounding."""
    file = sample()
    weight = file.layers[1].weight.copy()
    weight[0, 0] *= 1.001
    changed = (file.layers[0], replace(file.layers[1], weight=weight), *file.layers[2:])
    other = replace(file, layers=changed)
    answers = known_answers(file, derivatives=True)
    said = replay(page(pack(other), file=other), quantities(file, derivatives=True), answers.points)
    assert not answers.compared(said.answers, "node").passed


@needs_compiler
def test_the_module_needs_nothing_of_its_surroundings():
    """No import section: it can call nothing, and WebAssembly.instantiate takes it without any."""
    data, at, sections = wasm_module(), 8, []
    while at < len(data):
        sections.append(data[at])
        size, shift, at = 0, 0, at + 1
        while True:
            size, shift, at = size | (data[at] & 127) << shift, shift + 7, at + 1
            if data[at - 1] < 128:
                break
        at += size
    assert at == len(data)
    assert 10 in sections  # code
    assert 2 not in sections  # imports


@needs_compiler
@pytest.mark.slow  # 10 s: it compiles twice
def test_the_module_is_the_same_each_time(tmp_path, monkeypatch):
    def made_in(name):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        module.built.cache_clear()
        return wasm_module()

    assert made_in("one") == made_in("two")
    module.built.cache_clear()


@needs_compiler
def test_the_module_is_kept_for_the_next_process(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module.built.cache_clear()
    monkeypatch.setattr(module, "kept_place", lambda *made_of: kept_place(*made_of[:2]))
    kept_place(".wasm", module.FLAGS).write_bytes(b"as it was kept")
    assert wasm_module() == b"as it was kept"
    monkeypatch.undo()
    module.built.cache_clear()


def test_what_is_kept_lies_under_all_that_it_was_made_of(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    places = {kept_place(".o", *of) for of in [(1,), (2,), (1, 2), ("1",), (b"1",)]}
    assert len(places) == 5
    keep(min(places), b"content")
    assert min(places).read_bytes() == b"content"
    keep(tmp_path / "none" / "x.o", b"content")  # no such folder: nothing is lost but time
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kept_place(".o", 1) is None
    keep(None, b"content")


def test_a_missing_compiler_is_said(monkeypatch):
    monkeypatch.setattr(module, "COMPILER", "no-such-clang")
    with pytest.raises(ValueError, match=r"no-such-clang not found: install LLVM's .*apt-get"):
        wasm_module()
    assert "no-such-clang" in known()["wasm"].missing()
