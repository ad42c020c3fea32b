import re
from pathlib import Path

import numpy as np
import pytest

from kdpinn.jets import JetSpec
from kdpinn.problems import PointJet, available, load_problem
from kdpinn.sampling import interior, on_places

EXAMPLE = Path(__file__).parents[2] / "examples" / "wave.py"
GUIDE = Path(__file__).parents[2] / "docs" / "problems.md"

PROBLEM = """
from kdpinn.geometry import Box
from kdpinn.problems import Problem

def make(name="made"):
    return Problem(
        name=name, domain=Box(x=(0, 1)), fields=("u",), residual=lambda j: j.u.xx
    )
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_shipped_problems_are_found_by_name():
    for problem in available():
        assert load_problem(problem.name) is problem


def test_user_problem_is_an_object_or_a_function(tmp_path):
    path = written(tmp_path, PROBLEM + "Wave = make('wave')\n")
    assert load_problem(f"{path}:Wave").name == "wave"
    assert load_problem(f"{path}:make").name == "made"
    assert load_problem(str(path)).name == "wave"


def test_two_files_of_one_name_do_not_meet(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, PROBLEM + f"P = make('{name}')\n")
    assert load_problem(f"{tmp_path}/a/mine.py:P").name == "a"
    assert load_problem(f"{tmp_path}/b/mine.py:P").name == "b"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (PROBLEM + "Wave = make()\n", ":Wawe", "no 'Wawe'.*problems in it are: Wave"),
        (PROBLEM, ":Wave", "no 'Wave'.*problems in it are: none"),
        (PROBLEM, "", "say which problem.*problems in it are: none"),
        (PROBLEM + "A = make()\nB = make()\n", "", "say which problem.*are: A, B"),
        (PROBLEM + "Wave = 3\n", ":Wave", "must be a `kdpinn.Problem`.*got int"),
        (PROBLEM + "def bad():\n    return 1 / 0\n", ":bad", r"bad\(\)` fails: ZeroDiv.*line 10"),
        ("import json\nx = json.nothing\n", ":x", r"does not run: AttributeError.*\(line 2\)"),
        ("def (:\n", ":x", "does not run: SyntaxError"),
        (
            PROBLEM + "P = make('not a name')\n",
            ":P",
            r"ValueError: .*'not a name' must be a Python identifier.*\(line 6\)",
        ),
    ],
)
def test_errors_name_the_file_and_what_is_in_it(tmp_path, text, name, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        load_problem(f"{path}{name}")
    assert "mine.py" in str(error.value)


def test_the_line_is_told_for_a_relative_path_too(tmp_path, monkeypatch):
    written(tmp_path, "import json\nx = json.nothing\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^mine\.py does not run: .*\(line 2\)"):
        load_problem("mine.py:x")


def test_missing_file_is_named_with_the_place_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"No file mine.py (looked for {tmp_path}")):
        load_problem("mine.py:Wave")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'burger'\. Did you mean 'burgers'.*laplace, navier_stokes, poisson"
    ):
        load_problem("burger")
    with pytest.raises(ValueError, match=r"FILE\.py:NAME"):
        load_problem("zzz")


def wave_jet(x: np.ndarray, c: float) -> PointJet:
    """sin(pi x) cos(pi c t) with its derivatives."""
    a, b = np.pi * x[:, 0], np.pi * c * x[:, 1]
    u = np.sin(a) * np.cos(b)
    return PointJet.from_values(
        {
            "u": {
                "": u,
                "t": -np.pi * c * np.sin(a) * np.sin(b),
                "xx": -(np.pi**2) * u,
                "tt": -((np.pi * c) ** 2) * u,
            }
        },
        coordinates={"x": x[:, 0], "t": x[:, 1]},
        others={"c": c},
    )


@pytest.mark.parametrize("coefficient", [2.0, 2.0 * (1 + 1e-9)])
def test_example_is_a_wave(coefficient):
    wave = load_problem(f"{EXAMPLE}:Wave")
    assert wave.spec() == JetSpec(2, 2, ((0, 0), (1, 1)))
    assert wave.spec(wave.condition("rest")) == JetSpec(2, 1)
    x = interior(wave.domain, 256, seed=0).numpy()
    u = np.sin(np.pi * x[:, 0]) * np.cos(2 * np.pi * x[:, 1])
    eps = np.finfo(np.float64).eps
    # The reference and this line round each argument, up to 2 pi, twice.
    assert np.all(abs(wave.reference_at(x)[:, 0] - u) <= 4 * 2 * np.pi * eps)
    j = wave_jet(x, 2.0)
    j._items["c"] = coefficient
    terms = abs(j.u.tt) + abs(coefficient**2 * j.u.xx)
    vanishes = bool(np.all(abs(wave.residuals(j)["pde"]) <= 8 * eps * terms))
    assert vanishes == (coefficient == 2.0)


def test_conditions_of_the_example_hold_on_its_solution():
    wave = load_problem(f"{EXAMPLE}:Wave")
    for condition in wave.conditions:
        x = on_places(wave.domain, condition.on, 33, seed=0).numpy()
        j = wave_jet(x, 2.0)
        j._items.update(wave.data_at(x, condition))
        for residual in wave.residuals(j, condition).values():
            # sin(pi) and the like: arguments up to pi, rounded twice.
            assert np.all(abs(residual) <= 4 * np.pi * np.finfo(np.float64).eps)


def test_guide_shows_the_example_as_it_is():
    assert EXAMPLE.read_text() in GUIDE.read_text()
