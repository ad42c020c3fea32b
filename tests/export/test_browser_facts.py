"""What the page says of a model, its colors, and that nothing in a file can act on the page."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from browser_samples import needs_compiler
from export_samples import model as with_source
from kdp_samples import bare_model, sample

from kdpinn_export.browser import page
from kdpinn_export.browser.colors import color_maps, diverging, oklab_of_srgb, srgb_of_oklab
from kdpinn_export.browser.facts import formula, page_facts, shown, spoken
from kdpinn_runtime import pack
from kdpinn_runtime.format import Factor, Term


@pytest.mark.parametrize("dark", [False, True])
def test_diverging_maps_step_evenly_in_oklab(dark):
    """Equal steps but for the rounding to bytes; the ends equally far from the middle."""
    lab = oklab_of_srgb(diverging(dark=dark))
    share = srgb_of_oklab(lab)
    assert np.abs(np.round(share * 255) - diverging(dark=dark)).max() == 0  # they invert each other
    below, above = lab[:128][::-1], lab[128:]
    for half in (below, above):
        away = np.linalg.norm(half - half[0], axis=1)
        line = np.linspace(0, away[-1], 128)
        # Half a byte in each of three channels, 1/510 of sRGB each: 0.006 in OKLab at the most.
        assert np.abs(away - line).max() < 0.006
        assert away[-1] > 0.5
    ends = np.linalg.norm(lab[[0, -1]] - lab[127], axis=1)
    assert abs(ends[0] - ends[1]) < 0.012
    assert (lab[0, 0] - lab[127, 0]) * (1 if dark else -1) > 0.4


def test_oklab_of_known_colors():
    """White, and sRGB red as Ottosson's page has it."""
    lab = oklab_of_srgb(np.array([[255, 255, 255], [255, 0, 0]], np.uint8))
    assert np.allclose(lab[0], [1, 0, 0], atol=1e-6)
    assert np.allclose(lab[1], [0.627955, 0.224863, 0.125846], atol=1e-5)


def test_maps_have_256_colors():
    assert {len(text) for text in color_maps().values()} == {1024}  # 768 bytes in base64


def test_equations_are_written_as_read():
    file = sample()
    (equation,) = file.equations
    assert shown(equation) == "tabulated"
    text = formula(file, equation)
    assert text == ("− data<sub>0</sub> + u<sub>t</sub> + u u<sub>x</sub> − ν u<sub>xx</sub>")
    assert spoken("Burgers, nu = 0.01/pi, unusual") == "Burgers, ν = 0.01/π, unusual"


def test_a_shared_weight_is_left_out_and_a_shared_number_taken_out():
    file = sample()
    (equation,) = file.equations
    weight = Factor(kind="data", a=0)
    terms = [
        Term(coefficient=0.5 * t.coefficient, factors=(*t.factors, weight))
        for t in equation.terms[:3]
    ]
    weighted = replace(equation, terms=tuple(terms))
    assert shown(weighted) == "multiplied"
    assert formula(file, weighted, without_data=True) == (
        "0.5 (u<sub>t</sub> + u u<sub>x</sub> − ν u<sub>xx</sub>)"
    )
    assert shown(replace(equation, terms=equation.terms[:3])) == "everywhere"
    twice = Term(coefficient=1.0, factors=(weight, weight))
    assert shown(replace(equation, terms=(*terms, twice))) == "tabulated"


def test_holes_of_other_coordinates_are_not_shown():
    hole = {"radius": 0.1, "center": {"x": 0.0, "t": 0.5}}
    foreign = {"radius": 0.1, "center": {"x": 0.0, "z": 0.5}}
    file = replace(bare_model(), card={"holes": [hole, foreign]})
    assert page_facts(file, "0" * 64, 1)["holes"] == [hole]
    assert page_facts(replace(file, card={"holes": "many"}), "0" * 64, 1)["holes"] == []


@needs_compiler
def test_the_page_is_one_file_and_the_same_each_time():
    data = pack(with_source())
    text = page(data)
    assert text == page(data)
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    outside = re.findall(r"https?://[^\s\"']*", text)
    assert set(outside) <= {"http://www.w3.org/2000/svg"}  # a name, which nothing loads
    assert "connect-src 'none'" in text
    assert "connect-src ws://127.0.0.1:9/live" in page(data, live="ws://127.0.0.1:9/live")
    assert "{{" not in text.split('id="content"')[0]


@needs_compiler
def test_text_of_a_file_stays_text():
    """A card and a title that try to end the script, be markup, and name the page's places."""
    nasty = "</script><script>alert(1)</script>{{script}}<!--"
    file = replace(bare_model(), card={"title": nasty, "note": nasty})
    text = page(pack(file))
    assert "alert(1)</script>" not in text
    content = re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(content)["facts"]["title"] == nasty
    assert text.count("<script") == 2
