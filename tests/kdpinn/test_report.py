"""The report: self-contained, complete, and honest about what is missing."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kdpinn import report
from kdpinn.metrics import (
    ROLES,
    Axis,
    EngineLatency,
    FrontierPoint,
    History,
    ModelMetrics,
    ProblemFacts,
    RunResult,
    accuracy,
    rise_pct,
)
from kdpinn.report import _fields, _maps, _svg, _text

AXES = {
    1: ("x",),
    2: ("x", "t"),
    3: ("x", "y", "t"),
    4: ("x", "y", "z", "t"),
}
VOID = {"meta", "link", "img", "br", "line", "rect", "circle", "path", "image"}


def make(dim: int = 2, *, fields: int = 1, reference: bool = True) -> RunResult:
    """A run with known fields: the student is off by 1e-3, the scratch student by 1e-2."""
    sizes = {1: (65,), 2: (33, 17), 3: (9, 8, 5), 4: (5, 4, 3, 3)}[dim]
    axes = tuple(
        Axis(name=name, unit="s" if name == "t" else "", positions=np.linspace(-1, 1, n))
        for name, n in zip(AXES[dim], sizes, strict=True)
    )
    grid = np.meshgrid(*(a.positions for a in axes), indexing="ij")
    exact = np.stack([np.sin(3 * grid[0]).ravel() * (k + 1) for k in range(fields)], axis=1)
    wave = np.cos(7 * grid[0]).ravel()[:, None]
    values = {
        "reference": exact,
        "teacher": exact + 1e-4 * wave,
        "student": exact + 1e-3 * wave,
        "pruned": exact + 2e-3 * wave,
        "scratch": exact + 1e-2 * wave,
    }
    if not reference:
        del values["reference"]
    models = {}
    for role, parameters in zip(ROLES, (1341, 261, 249, 261), strict=True):
        found = accuracy(values[role], exact) if reference else None
        models[role] = ModelMetrics(
            parameters=parameters,
            rel_l2=found.rel_l2 if found else None,
            rmse=found.rmse if found else None,
            max_abs=found.max_abs if found else None,
            file=None if role == "scratch" else f"{role}.kdp",
            file_bytes=None if role == "scratch" else 30_000,
        )
    steps = np.arange(0.0, 1000.0, 10.0)
    history = History(
        iteration=steps,
        seconds=steps / 100,
        loss=np.exp(-steps / 100),
        held_out=np.exp(-steps / 100),
        rel_l2=np.exp(-steps / 100) if reference else np.full(steps.size, np.nan),
        marks=((0, "Adam"), (40, "SSBroyden")),
    )
    return RunResult(
        problem=ProblemFacts(
            name="wave",
            title="Wave <test> & more",
            equations=("u_t + u u_xx = 0",),
            conditions=("walls: u = 0",),
            fields=tuple(("uvp"[k], "m/s") for k in range(fields)),
            parameters={"nu": 0.01},
            source="closed form",
            has_reference=reference,
        ),
        preset="quick",
        seed=3,
        seconds=12.0,
        models=models,
        axes=axes,
        values=values,
        residuals={role: np.abs(wave[:, 0]) for role in ROLES},
        histories=dict.fromkeys(ROLES, history),
        frontier=tuple(
            FrontierPoint(kind=r, parameters=m.parameters, rmse=m.rmse, label=r)
            for r, m in models.items()
            if m.rmse is not None
        ),
        latency=(
            EngineLatency(engine="kdpinn-runtime", median_ms={1: 0.001, 10_000: 0.1}),
            EngineLatency(engine="onnxruntime", median_ms={1: 0.004, 10_000: 0.4}),
        ),
        verify={
            "passed": True,
            "checks": [{"name": "accuracy", "passed": True, "measured": 1e-4, "limit": 2e-4}],
        },
    )


class Balance(HTMLParser):
    """Collects the open tags; every tag must be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("reference", [True, False])
def test_page_is_whole_and_self_contained(dim: int, reference: bool) -> None:
    page = report.render(make(dim, fields=2, reference=reference))
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert parser.wrong == []
    links = re.findall(r'(?:href|src)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert "<script" not in page
    assert "nan" not in re.findall(r'[ML][^"]*"', page)
    assert "Wave &lt;test&gt; &amp; more" in page


def test_headline_names_the_numbers() -> None:
    result = make()
    page = report.render(result)
    student = result.models["student"]
    assert "<b>Pass</b>" in page
    assert f"RMSE of {_text.number(student.rmse)}" in page
    assert "10 times lower than the same network trained from scratch" in page
    assert "4.0 times faster than onnxruntime" in page
    assert "u<sub>t</sub> + u u<sub>xx</sub> = 0" in page


def test_failed_check_is_the_headline() -> None:
    checks = [{"name": "latency", "passed": False, "measured": 11.0, "limit": 10.0, "unit": "ms"}]
    page = report.render(replace(make(), verify={"passed": False, "checks": checks}))
    assert "<b>Fail</b>" in page
    assert "Failed checks: latency" in page
    assert "✗ fail" in page


def test_no_reference_shows_residuals() -> None:
    page = report.render(make(reference=False))
    assert "Fields and residuals" in page
    assert "residual of student" in page
    assert "error of student" not in page
    assert "no reference solution" in page


def test_errors_beside_holes_are_told() -> None:
    """Of what is known: the hole takes a column of the grid and half of the rest."""
    result = make()
    shape = tuple(axis.positions.size for axis in result.axes)
    unknown = np.zeros(shape, bool)
    unknown[: shape[0] // 2], unknown[:, 0] = True, True
    values = {
        role: np.where(unknown.reshape(-1, 1), np.nan, v) for role, v in result.values.items()
    }
    error = np.abs(values["student"] - values["reference"])
    facts = replace(result.problem, scattered=20486)
    page = report.render(replace(result, values=values, problem=facts))
    assert "NaN" not in page
    assert _text.scientific(float(np.nanmedian(error))) in page
    assert "20\u202f486, scattered" in page
    rms = _fields._rms(values["student"].reshape(shape) - values["reference"].reshape(shape))
    assert np.isnan(rms[0])
    np.testing.assert_allclose(rms[-1], 1e-3 * abs(np.cos(7)), rtol=1e-9)


def test_a_run_without_fields_or_curves_still_renders() -> None:
    bare = replace(
        make(), values={}, residuals={}, histories={}, frontier=(), latency=(), verify={}
    )
    page = report.render(bare)
    assert "Not verified" in page
    assert "Training" not in page


def test_write_is_atomic(tmp_path: Path) -> None:
    report.write(tmp_path / "report.html", make())
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_metrics_json_has_what_it_promises() -> None:
    values = make().to_dict()
    assert values["problem"] == "wave"
    assert values["student"]["rmse_rise_pct"] == pytest.approx(900.0)
    assert values["student"]["file_bytes"] == 30_000
    assert values["latency_ms"]["kdpinn-runtime"]["10000"] == 0.1
    assert {"parameters", "rel_l2", "rmse", "max_abs"} <= set(values["scratch"])


def test_accuracy_of_known_fields() -> None:
    exact = np.array([[3.0], [4.0]])
    found = accuracy(exact + np.array([[0.0], [1.0]]), exact)
    assert found.rel_l2 == pytest.approx(0.2, rel=1e-15)
    assert found.rmse == pytest.approx(np.sqrt(0.5), rel=1e-15)
    assert found.max_abs == 1.0
    assert rise_pct(1.5, 1.0) == pytest.approx(50.0)
    with pytest.raises(ValueError, match=r"\(2, 1\) and \(1, 2\)"):
        accuracy(exact, exact.T)
    with pytest.raises(ValueError, match="1 values that are not finite"):
        accuracy(exact, np.array([[1.0], [np.nan]]))


def test_png_holds_the_pixels() -> None:
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    data = _maps.png(rgb)
    at = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[at - 4 : at])
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8).reshape(2, 10)
    np.testing.assert_array_equal(rows[:, 1:].reshape(2, 3, 3), rgb)
    np.testing.assert_array_equal(rows[:, 0], 0)


def test_error_colors_cover_the_largest_error() -> None:
    coloring = _maps.error_coloring(np.geomspace(3e-7, 2e-3, 1000))
    assert coloring.high == pytest.approx(2e-3)
    assert 3e-7 < coloring.low < 1e-6
    assert _maps.error_coloring(np.zeros(3)).log


def test_logarithmic_ticks_inside_one_decade() -> None:
    ticks = _svg.Scale(1.5, 8.0, 0, 100, log=True).ticks()
    assert [value for value, _ in ticks] == pytest.approx([2.0, 5.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.0, "1.00"),
        (-0.25, "−0.250"),
        (9.999, "10.0"),
        (1234.5, "1\u202f234"),
        (1.15e-4, "1.15 × 10⁻⁴"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_read_well(value: float | None, text: str) -> None:
    assert _text.number(value) == text


def test_forms_of_the_solution_are_told():
    from kdpinn.facts import form_texts
    from kdpinn.problems import load_problem

    assert form_texts(load_problem("poisson")) == ("exactly: u = 16 network x y (1 − x) (1 − y)",)
    assert form_texts(load_problem("allen_cahn")) == ("network of: cos(x π), sin(x π), t",)
    assert form_texts(load_problem("laplace")) == ()
