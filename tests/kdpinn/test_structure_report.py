"""The page of a search: pictures hold what was planted, and what was not found is not shown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from planted_networks import random_involution, symmetric_network
from structure_groups import signs
from test_report import Balance

from kdpinn.discovery_facts import facts_of_groups
from kdpinn.discovery_page import page_of_groups
from kdpinn.geometry import Box
from kdpinn.plan import Order
from kdpinn.problems import Problem
from kdpinn.report.discovery import (
    Cost,
    _colors,
    _cost,
    _orbits,
    _symmetry,
    _weights,
    render,
    sheets,
    write,
)
from kdpinn.structure.alignment import SignedPermutation, align
from kdpinn.structure.asymmetry import asymmetry
from kdpinn.structure.discovery import DiscoverySettings, discover
from kdpinn.structure.evidence import TiedStudent
from kdpinn.structure.portrait import ZERO, Portrait, of_student, untied
from kdpinn.structure.students import Student, StudentSettings
from kdpinn.structure.subject import Subject
from kdpinn.structure.ties import tie

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def planted() -> Portrait:
    """A student with a mirror in it, whose ties are known."""
    rng = np.random.default_rng(3)
    g = signs(-1, 1, u=(-1,))
    layers = symmetric_network(g, [random_involution(6, rng), random_involution(5, rng)], rng)
    alignment = align(layers, g)
    student = Student(layers, 1.0, 0.0, layers, 0)
    relation = tie((2, 6, 5, 1), [(g, alignment)])
    return of_student("planted", TiedStudent(1.0, (g,), (alignment,), relation, student))


def test_squares_have_the_color_of_their_class_the_sign_and_the_size(planted):
    drawings = _weights.layers(planted, ("x", "y"), ("u",))
    for drawing, pair, classes in zip(drawings, planted.layers, planted.classes, strict=True):
        values = np.column_stack(pair)
        root = ET.fromstring(drawing)
        squares = [e for e in root.iter(SVG + "rect") if "data-class" in e.attrib]
        wanted = [(v, c) for v, c in zip(values.ravel(), classes.ravel()) if c != ZERO]
        assert len(squares) == len(wanted)
        assert len(list(root.iter(SVG + "path"))) == (classes == ZERO).sum()
        colors = {}
        for square, (value, number) in zip(squares, wanted, strict=True):
            assert int(square.get("data-class")) == number
            assert square.get("class") == ("below" if value < 0 else "above")
            colors.setdefault(number, set()).add(square.get("color"))
            side = float(square.get("width")) + float(square.get("stroke-width", 0))
            full = 0.88 * 19 * np.sqrt(abs(value) / np.abs(values).max())
            assert side == pytest.approx(max(full, 1.4), abs=0.06)  # written to tenths
        assert all(len(found) == 1 for found in colors.values())
        assert len({found.pop() for found in colors.values()}) == len(
            np.unique(classes[classes >= 0])
        )


def test_an_untied_network_has_no_colors_and_a_large_one_no_titles():
    rng = np.random.default_rng(0)
    sizes = (2, 40, 40, 1)
    layers = [(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in zip(sizes, sizes[1:])]
    drawings = _weights.layers(untied("plain", layers), ("x", "y"), ("u",))
    assert not any("color=" in drawing for drawing in drawings)
    assert not any("<title>" in drawing for drawing in drawings)
    few = _weights.layers(untied("plain", layers[:1]), ("x", "y"), ("u",))
    assert few[0].count("<title>") == 40 * 3


def test_colors_are_colors_and_differ():
    found = [_colors.color(k) for k in range(64)]
    assert all(re.fullmatch("#[0-9a-f]{6}", name) for name in found)
    assert len(set(found)) == 64
    assert _colors.oklch(1.0, 0.0, 0.0) == "#ffffff"
    assert _colors.oklch(0.0, 0.0, 0.0) == "#000000"
    # Ottosson's own example: OKLab (0.628, 0.225, 0.126) is the red of sRGB.
    red = _colors.oklch(0.6279553606, float(np.hypot(0.2248630, 0.1258463)), 29.2338851923)
    assert red == "#ff0000"


def test_arcs_are_the_planted_images():
    source, sign = np.array([1, 0, 2, 3]), np.array([-1.0, -1.0, 1.0, -1.0])
    layers = [(np.ones((4, 2)), np.ones(4)), (np.ones((1, 4)), np.ones(1))]
    portrait = replace(untied("p", layers), actions=((SignedPermutation(source, sign),),))
    (drawing,) = _orbits.arcs(portrait)
    root = ET.fromstring(drawing)
    dots = [e.get("data-orbit") for e in root.iter(SVG + "circle") if "data-orbit" in e.attrib]
    assert dots == ["0", "0", "1", "2"]
    arcs = [e.get("class") for e in root.iter(SVG + "path")]
    assert len(arcs) == 1
    assert "minus" in arcs[0]  # 0 and 1 change places and signs
    rings = [e.get("class") for e in root.iter(SVG + "circle") if "image" in e.get("class", "")]
    assert ["minus" in ring for ring in rings] == [False, True]
    assert "3 orbits" in drawing


def test_a_cycle_is_drawn_arc_by_arc():
    layers = [(np.ones((3, 2)), np.ones(3)), (np.ones((1, 3)), np.ones(1))]
    action = (SignedPermutation(np.array([1, 2, 0]), np.ones(3)),)
    (drawing,) = _orbits.arcs(replace(untied("p", layers), actions=(action,)))
    assert len(list(ET.fromstring(drawing).iter(SVG + "path"))) == 3


def test_lines_of_the_first_layer_are_where_neurons_vanish():
    weight, bias = np.array([[1.0, 2.0], [0.5, 0.0], [1.0, 0.0]]), np.array([0.3, -0.25, -90.0])
    portrait = untied("p", [(weight, bias), (np.ones((1, 3)), np.ones(1))])
    bounds = np.array([[0.0, 4.0], [-1.0, 1.0]])
    root = ET.fromstring(_orbits.hyperplanes(portrait, ("x", "t"), bounds))
    lines = [e for e in root.iter(SVG + "line") if e.get("class") == "hyperplane"]
    assert len(lines) == 2  # the third is far away
    zoom = _orbits._zoom(weight, bias)
    for line, w, b in zip(lines, weight, bias):
        for end in ("1", "2"):
            px, py = float(line.get("x" + end)), float(line.get("y" + end))
            z = zoom * np.array([(px - 40) / 134 - 1, 1 - (py - 26) / 134])
            assert abs(w @ z + b) <= np.abs(w).sum() * zoom * 0.05 / 134 * 1.01  # tenths of a pixel
    assert not _orbits.hyperplanes(untied("p", [(np.ones((2, 3)), np.ones(2))]), "xyz", bounds)


def test_features_are_not_called_coordinates(planted):
    featured = replace(planted, on_coordinates=False)
    assert ">y</text>" in _weights.layers(planted, ("x", "y"), ("u",))[0]
    assert ">y</text>" not in _weights.layers(featured, ("x", "y"), ("u",))[0]
    assert not _orbits.hyperplanes(featured, ("x", "y"), np.array([[-1.0, 1.0], [-1.0, 1.0]]))


def test_the_picture_of_costs_has_every_network_of_known_error():
    costs = [Cost("teacher", "teacher", 257, 1e-4), Cost("rebuilt", "rebuilt", 44, 1e-5)]
    picture = _cost.picture([*costs, Cost("plain", "plain", 177, None)])
    assert picture.count("<title>") == 2
    assert "44 free parameters" in picture
    assert not _cost.picture(costs[:1])


def test_names_in_the_picture_of_costs_do_not_cover_each_other():
    near = [Cost("clusters", f"clusters, {k}", 100 + k, 1e-3 * (1 + k / 50)) for k in range(4)]
    root = ET.fromstring(_cost.picture([*near, Cost("plain", "plain", 900, 1e-6)]))
    names = [e for e in root.iter(SVG + "text") if e.text in {c.name for c in near}]
    boxes = [(float(e.get("x")), float(e.get("y")), 3.3 * len(e.text)) for e in names]
    assert len(boxes) == 4
    for k, (x, y, half) in enumerate(boxes):
        for other_x, other_y, other_half in boxes[:k]:
            assert abs(x - other_x) >= half + other_half or abs(y - other_y) >= 13


def page_of(values):
    """A small search over [-1, 1] x [0, 1], and its page."""
    domain = Box(x=(-1, 1), y=(0, 1))
    subject = Subject(domain=domain, fields=("u",), values=values, error=np.zeros(1))
    kind = StudentSettings(hidden=(6, 6), adam=300, polish=300)
    settings = DiscoverySettings(students=1, ladder=(kind,), rotations=False)
    found = discover(subject, settings)
    problem = Problem(
        name="planted",
        title="A planted <field>",
        domain=domain,
        fields=("u",),
        reference=lambda x, y: values(np.column_stack([x, y]))[:, 0],
        grid=(21, 21),
    )
    facts = facts_of_groups(Order(spec="planted", preset="quick", seed=0), found, None)
    return page_of_groups(problem, subject, found, None, facts)


@pytest.fixture(scope="module")
def mirrored():
    return page_of(lambda x: np.sin(2 * x[:, :1]) * np.exp(x[:, 1:]))


@pytest.fixture(scope="module")
def crooked():
    return page_of(lambda x: np.exp(x[:, :1]) * np.sin(3 * x[:, 1:] + x[:, :1]))


def test_a_page_tells_what_was_found(mirrored):
    html = render(mirrored)
    parser = Balance()
    parser.feed(html)
    assert not parser.open
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "A planted &lt;field&gt;" in html
    assert "x → −x, u → −u" in html
    ids = re.findall(r'<section id="(\w+)"', html)
    assert ids == ["evidence", "weights", "orbits", "symmetry", "cost", "clusters", "provenance"]
    assert mirrored.student.free < untied("", mirrored.student.layers).free
    assert mirrored.misalignment < 0.02
    assert "nothing has tied them" in html
    assert "does not show it by itself" in render(replace(mirrored, misalignment=0.9))
    assert "symmetry error<small>after that" in html
    alone = replace(mirrored, clusters=replace(mirrored.clusters, symmetry=[None] * 3))
    assert "symmetry error<small>after that" not in render(alone)
    for rule in ("fixed at 0.1", "widest gap", "silhouette"):
        assert rule in html


def test_a_page_tells_what_was_measured_where_nothing_was_found(crooked):
    html = render(crooked)
    ids = re.findall(r'<section id="(\w+)"', html)
    assert "orbits" not in ids
    assert {"evidence", "weights", "symmetry", "clusters"} <= set(ids)
    assert "No structure" in html
    assert "this one comes nearest" in html
    assert "✓ symmetry" not in html
    assert "plain" not in crooked.symmetry[0].values
    assert len(crooked.symmetry) == 1
    assert crooked.symmetry[0].values["teacher"].max() > 0.1


def test_rivals_of_the_rebuilt_network_stand_in_its_table(mirrored):
    def row(parameters, error):
        return {
            "sizes": [2, 4, 1],
            "parameters": parameters,
            "rel_l2": error,
            "held_out": 1e-9,
            "symmetry_error": 0.0,
        }

    rivals = {"plain": row(177, 3e-4), "equal": row(51, 5e-3)}
    html = render(replace(mirrored, facts={**mirrored.facts, **row(44, 2e-5), **rivals}))
    for name, size in (("rebuilt, tied", 44), ("plain, same widths", 177), ("as many free", 51)):
        assert re.search(f"{name}.*?<td>{size}</td>", html)


def test_a_constant_leaves_a_statement_alone():
    page = page_of(lambda x: np.full((len(x), 1), 3.0))
    html = render(page)
    assert "constant over the domain" in html
    assert re.findall(r'<section id="(\w+)"', html) == ["provenance"]
    assert sheets(page) == {}


def test_files_stand_alone(mirrored, tmp_path):
    files = write(tmp_path, mirrored)
    names = sorted(str(path.relative_to(tmp_path)) for path in files)
    figures = ("clusters", "cost", "orbits", "symmetry", "weights")
    assert names == [*(f"figures/{name}.svg" for name in figures), "report.html"]
    for path in files[1:]:
        root = ET.parse(path).getroot()
        style = root.find(SVG + "style")
        assert "prefers-color-scheme: dark" in style.text
        _, _, width, height = map(float, root.get("viewBox").split())
        for group in root.iter(SVG + "g"):
            x, y = map(float, re.findall(r"[\d.]+", group.get("transform")))
            assert 0 <= x < width
            assert 0 <= y < height


def test_maps_share_one_scale_down_to_rounding():
    mirror = signs(-1, 1, u=(-1,))
    subject = Subject(domain=Box(x=(-1, 1), y=(-1, 1)), fields=("u",), values=lambda x: x[:, :1])
    functions = {"teacher": lambda x: x[:, :1] + 0.01, "rebuilt": lambda x: x[:, :1]}
    row = asymmetry(subject, mirror, functions, np.ones(1))
    scale = _symmetry.coloring([row])
    assert (scale.low, scale.high) == (_symmetry.ROUNDING, pytest.approx(0.02))
    drawings = _symmetry.panels(row, scale)
    assert "teacher: 0.020" in drawings[0]
    assert "rebuilt: 0" in drawings[1]
    assert scale.rgb(row.values["rebuilt"]).max() == scale.rgb(np.array([scale.low])).max()
