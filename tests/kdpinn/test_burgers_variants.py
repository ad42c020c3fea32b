"""Burgers with nu as an input, and with nu unknown."""

import numpy as np
import pytest

from kdpinn.jets import JetSpec
from kdpinn.problems import load_problem
from kdpinn.problems.burgers import NU, cole_hopf, sine
from kdpinn.problems.burgers_family import GREATEST, LEAST, MIDDLE, viscosities
from kdpinn.problems.burgers_inverse import START, inverse_problem, samples
from kdpinn.sampling import interior
from kdpinn.teacher import new_field

EPS = np.finfo(np.float64).eps
FAMILY = load_problem("burgers_family")


def test_family_is_judged_at_nine_viscosities_evenly_in_the_logarithm():
    nine = np.array(viscosities())
    assert (nine[0], nine[-1]) == FAMILY.domain.bounds("nu") == (NU, GREATEST)
    assert np.allclose(np.diff(np.log(nine)), np.log(GREATEST / LEAST) / 8, rtol=1e-12)
    x = FAMILY.evaluation_points()
    assert x.shape == (257 * 101 * 9, 3)
    assert np.array_equal(np.unique(x[:, 2]), nine)


def test_family_has_the_solution_of_each_viscosity():
    x = np.array([[0.1, 0.5, 0.01], [-0.3, 1.0, 0.1], [0.1, 0.5, 0.02], [0.7, 0.2, 0.01]])
    wanted = [cole_hopf(a, t, nu) for a, t, nu in x]
    assert np.array_equal(FAMILY.reference_at(x)[:, 0], np.ravel(wanted))


def test_family_draws_viscosities_evenly_in_the_logarithm():
    nu = interior(FAMILY.domain, 4096, seed=0)[:, 2].numpy()
    shares, _ = np.histogram(np.log(nu), bins=np.log(viscosities()))
    # 4096 Sobol points put 512 into each eighth, but for the stretch that reaches both ends.
    assert np.all(abs(shares - 512) <= 2)


def test_family_leaves_the_plain_equation_to_the_network():
    rng = np.random.default_rng(0)
    channels, x = rng.standard_normal((5, 40, 1)), FAMILY.domain.from_unit(rng.random((40, 3)))
    spec = FAMILY.spec()
    assert spec == JetSpec(3, 2, ((0, 0),))
    got = FAMILY.residuals(FAMILY.jet(x, channels, spec))["pde"]
    u, u_x, u_t, _, u_xx = channels[:, :, 0]
    parts = np.array([u_t, u * u_x, -x[:, 2] * u_xx])
    assert np.all(abs(got - parts.sum(0)) <= 8 * EPS * abs(parts).sum(0))


def test_family_sees_the_layer_and_half_the_logarithm_through_a_tanh():
    features, _ = FAMILY.maps()
    assert features is not None
    x = FAMILY.evaluation_points()[::97]
    s = np.tanh(x[:, 0] / (2 * x[:, 2]))
    wanted = [x[:, 0] * s, s**2, x[:, 1], np.tanh(np.log(x[:, 2] / MIDDLE) / 2)]
    assert np.allclose(features(x), np.stack(wanted, 1), rtol=0, atol=8 * EPS)


def test_any_network_keeps_the_familys_conditions_and_its_oddness():
    field = new_field(FAMILY, (8, 8), "tanh", seed=0)
    x = FAMILY.evaluation_points()[::97]
    initial, wall, mirrored = x.copy(), x.copy(), x.copy()
    initial[:, 1] = 0
    wall[:, 0] = 1
    mirrored[:, 0] *= -1
    assert np.array_equal(field.values(initial)[:, 0], sine(initial[:, 0]))
    assert np.all(abs(field.values(wall)) <= EPS)
    assert np.array_equal(field.values(mirrored), -field.values(x))


def test_samples_are_twenty_of_the_solution_and_repeat():
    x, t, u = samples(0.04, sample_set=3)
    assert x.shape == t.shape == u.shape == (20,)
    assert [int(np.sum(t == time)) for time in (0.25, 0.75)] == [10, 10]
    assert np.array_equal(u, cole_hopf(x, t, 0.04))
    assert np.array_equal(samples(0.04, sample_set=3)[0], x)
    assert not np.array_equal(samples(0.04, sample_set=4)[0], x)


def test_noise_is_relative_to_the_samples():
    clean = samples(0.04, sample_set=1)
    noisy = samples(0.04, sample_set=1, noise=0.01)
    assert np.array_equal(clean[0], noisy[0])
    size = np.sqrt(np.mean((noisy[2] - clean[2]) ** 2) / np.mean(clean[2] ** 2))
    # The mean of twenty squares of normal numbers scatters by 0.32, its root by 0.16.
    assert 0.005 < size < 0.015


@pytest.mark.parametrize(("conditions", "names"), [
    (True, ["initial", "walls", "samples"]), (False, ["samples"]),
])  # fmt: skip
def test_inverse_problem_hides_its_truth(conditions, names):
    problem = inverse_problem(0.08, conditions=conditions)
    assert problem.unknown == ("nu",)
    assert problem.parameters == {"nu": START}
    assert [c.name for c in problem.conditions] == names
    x = np.array([[0.2, 0.7]])
    assert problem.reference_at(x).item() == cole_hopf(0.2, 0.7, 0.08)
