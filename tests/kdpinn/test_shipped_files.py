"""A model file can be made of every shipped problem: its map, its equations and its reference."""

import numpy as np
import pytest

import kdpinn_runtime
from kdpinn.evaluation import on_grid
from kdpinn.physics import equation_term
from kdpinn.problems import available
from kdpinn.shipping import model_file
from kdpinn.teacher import new_field
from kdpinn_runtime.format import pack

EPS = np.finfo(np.float64).eps
POINTS = 200


@pytest.mark.parametrize("problem", available(), ids=lambda problem: problem.name)
def test_file_of_an_untrained_network_is_the_network(problem):
    field = new_field(problem, (5, 4), "tanh", seed=0)
    solved = problem.with_found(field.found)
    file = model_file(solved, field, dtype="f64", points=32)
    assert tuple(e.name for e in file.equations) == problem.equation_names
    assert file.card.get("physics") is None
    model = kdpinn_runtime.load(pack(file))
    every = len(problem.evaluation_points()) // POINTS
    x = problem.evaluation_points()[::every]
    wanted = field.values(x)
    # Two summation orders over at most five terms in three layers, a tanh of 1 ulp each, and the
    # features: a hundred roundings of values up to the largest.
    scale = abs(wanted).max(axis=0)
    grid = on_grid(solved, model, x, None)
    assert np.all(abs(grid.values - wanted) <= 100 * EPS * scale)
    residual = _residual(problem, field, x)
    assert np.all(abs(grid.residual - residual) <= 1e-10 * residual.max())


def _residual(problem, field, x: np.ndarray) -> np.ndarray:
    import torch

    term = equation_term(problem, torch.from_numpy(x))
    unknown = field.split(field.theta)[1]
    values = term.residual(field.jets(term.points, term.spec), unknown).detach()
    return values.reshape(len(x), -1).norm(dim=1).numpy()
