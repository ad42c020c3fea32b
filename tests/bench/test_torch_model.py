"""The torch form of a model file gives the file's values, derivatives included."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import kdpinn_runtime
from kdpinn.problems import load_problem
from kdpinn.shipping import model_file
from kdpinn.teacher import new_field
from kdpinn_bench.cases import random_model
from kdpinn_bench.torch_model import ACTIVATIONS, TorchModel, nested_call
from kdpinn_bench.truth import truth
from kdpinn_runtime import pack

PROBLEMS = ("laplace", "poisson", "allen_cahn", "heat", "black_scholes", "burgers_family")


def shipped(name):
    problem = load_problem(name)
    field = new_field(problem, (7, 5), "tanh", 0)
    return problem, model_file(problem, field, points=16)


@pytest.mark.parametrize("name", PROBLEMS)
def test_values_are_those_of_the_file(name):
    problem, file = shipped(name)
    x = problem.domain.from_unit(np.random.default_rng(0).random((50, problem.domain.dim)))
    x = x.astype(np.float32)
    want = kdpinn_runtime.load(pack(file))(x.astype(np.float64))
    got = TorchModel(file)(torch.from_numpy(x)).numpy()
    # A few dozen roundings of float32 terms, each at most of the size of the largest value.
    assert np.abs(got - want).max() <= 64 * 2.0**-24 * max(1.0, np.abs(want).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_files(activation):
    model = random_model((2, 9, 7, 1), activation)
    x = np.random.default_rng(2).uniform(-1, 1, (50, 2)).astype(np.float32)
    got = TorchModel(model)(torch.from_numpy(x)).numpy()
    assert truth(model, x, derivatives=False).error_of(got)[1] <= 1


def test_nested_derivatives_go_through_the_functions_of_the_coordinates():
    problem, file = shipped("poisson")
    file = replace(file, pairs=((0, 0),), equations=())
    x = problem.domain.from_unit(np.random.default_rng(1).random((20, 2))).astype(np.float32)
    jet = kdpinn_runtime.load(pack(file)).jet(x.astype(np.float64), second=(("x", "x"),))
    want = np.concatenate([jet.value, jet.first[:, 0], jet.second[:, 0]], axis=1)
    got = nested_call(file, x, 8).output()
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()
