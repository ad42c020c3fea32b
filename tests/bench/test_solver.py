"""The solver against the exact solution, and the comparison with a network."""

from dataclasses import replace

import numpy as np
import pytest

from kdpinn.problems.burgers import NU, cole_hopf
from kdpinn_bench import command
from kdpinn_bench.burgers_solver import Resolution, solve
from kdpinn_bench.cases import random_model
from kdpinn_bench.solver import compare_with_solver, refusal
from kdpinn_runtime.format import Parameter, Variable, write

TIMES = np.linspace(0, 1, 11)


def error(nu, resolution):
    u = solve(TIMES, nu, resolution)
    x, t = np.meshgrid(np.linspace(-1, 1, resolution.nodes + 1), TIMES, indexing="ij")
    return np.max(np.abs(u - cole_hopf(x, t, nu)))


def test_fourth_order_in_time():
    """nu = 0.05 is smooth: 128 nodes leave no error in space above 1e-12."""
    steps = np.array([2, 4, 8, 16])
    errors = [error(0.05, Resolution(nodes=128, steps=int(s))) for s in steps]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -4.2 < slope < -3.8, errors


def test_spectral_in_space():
    """Twice the nodes square the error: exp(-c n)."""
    coarse, fine = (error(0.05, Resolution(nodes=n, steps=64)) for n in (32, 64))
    assert fine < 3 * coarse**2


def test_the_layer_of_the_benchmark():
    assert error(NU, Resolution(nodes=1024, steps=40)) < 2e-5


@pytest.mark.parametrize("settings", [{"nodes": 7, "steps": 1}, {"nodes": 8, "steps": 0}])
def test_impossible_resolutions(settings):
    with pytest.raises(ValueError, match="even number of nodes"):
        Resolution(**settings)


def burgers_like():
    """A network with random weights that says it solves Burgers' equation."""
    model = random_model((2, 5, 1))
    inputs = (
        Variable(name="x", lower=-1.0, upper=1.0),
        Variable(name="t", lower=0.0, upper=1.0),
    )
    return replace(
        model,
        inputs=inputs,
        card={"problem": "burgers"},
        parameters=(Parameter("nu", "", NU),),
        baseline=None,
    )


def test_comparison_is_on_one_grid():
    ladder = (Resolution(nodes=256, steps=1), Resolution(nodes=512, steps=1))
    found = compare_with_solver(burgers_like(), "mine", budget_s=0.0, ladder=ladder)
    assert found.grid == (257, 101)
    network, coarse, fine = found.ways
    assert network.rel_l2 > 0.5  # random weights
    assert fine.rel_l2 < coarse.rel_l2 < 1e-2
    assert found.equal in {coarse.name, fine.name}
    assert found.gain.median > 0
    assert found.to_dict()["one_point"]["median_s"] > 0


def test_models_of_other_problems_are_refused(tmp_path):
    model = random_model((2, 5, 1))
    assert "'random'" in refusal(model)
    with pytest.raises(ValueError, match="burgers only"):
        compare_with_solver(model, "A")
    write(tmp_path / "mine.kdp", burgers_like())
    with pytest.raises(ValueError, match="A: there is a solver for burgers only"):
        command.make_order([], nets="A", solver=True)
    order = command.make_order([tmp_path / "mine.kdp"], nets="A", solver=True)
    assert "solver" in order.sections
