r"""The viscosity of Burgers' equation out of twenty samples of its solution.

u_t + u u_x = \nu u_{xx} on [-1, 1] x [0, 1] with \nu unknown; ten samples each at t = 0.25 and
t = 0.75, x drawn uniformly. `burgers_inverse` knows the initial and boundary values too;
`burgers_inverse_samples` knows nothing but the samples and the equation, which determine nu weakly:
the case of Liu et al. (2025), doi:10.1038/s41467-025-64624-3. `inverse_problem` makes others, with
other true values, sets of samples and noise.
"""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import Box
from kdpinn.places import Points
from kdpinn.problems.burgers import cole_hopf, residual, sine
from kdpinn.problems.condition import Condition, dirichlet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

TIMES = (0.25, 0.75)
SAMPLES_PER_TIME = 10
# Where the search starts: none of the true values, within a factor of four of each.
START = 0.03
# Unlike values that are known exactly, samples may be noisy: with more weight than the equation the
# network would rather follow the noise.
SAMPLE_WEIGHT = 1.0

RECIPES = {
    "quick": Recipe(
        teacher=(16, 16, 16),
        students=((8, 8, 8),),
        training=Training(points=1500, iterations=1200, last_iterations=300, last_points=2000),
        distillation=Distillation(points=2000, iterations=1500, tune_iterations=100),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(20, 20, 20),
        students=((8, 8, 8), (12, 12, 12)),
        training=Training(points=2500, iterations=4000, last_iterations=1000, last_points=4000),
        distillation=Distillation(points=3000, iterations=6000, tune_iterations=300),
    ),
}


def inverse_problem(
    truth: float = 0.01,
    *,
    sample_set: int = 0,
    noise: float = 0.0,
    conditions: bool = True,
    name: str = "burgers_inverse",
) -> Problem:
    """Find nu from twenty samples.

    Args:
        truth: true viscosity, >= 0.01 / pi.
        sample_set: seed of the positions and of the noise.
        noise: standard deviation of the normal noise, relative to the root mean square of the
            samples.
        conditions: whether the initial and the boundary values are known.
    """
    x, t, u = samples(truth, sample_set, noise)
    known = (
        dirichlet("initial", on=[{"t": 0}], u=sine),
        dirichlet("walls", on=[{"x": -1}, {"x": 1}], u=0.0),
    )
    at = [Points(np.stack([x, t], axis=1))]
    measured: Condition = dirichlet("samples", on=at, u=u, weight=SAMPLE_WEIGHT)
    what = "samples, initial and boundary values" if conditions else "samples alone"
    return Problem(
        name=name,
        title=f"Viscosity of Burgers' equation from {what}",
        domain=Box(x=(-1, 1), t=(0, 1)),
        fields=("u",),
        parameters={"nu": START},
        unknown=("nu",),
        truth={"nu": truth},
        residual=residual,
        conditions=(*known, measured) if conditions else (measured,),
        reference=cole_hopf,
        grid=(257, 101),
        recipes=RECIPES,
        source="Case of Liu et al. (Psi-NN, 2025), doi:10.1038/s41467-025-64624-3; solution of "
        "Basdevant et al., Comput. Fluids 14 (1986) 23-41, doi:10.1016/0045-7930(86)90036-8.",
    )


def samples(
    truth: float, sample_set: int = 0, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions x, t and values u of the twenty samples, each (20,)."""
    random = np.random.default_rng(sample_set)
    t = np.repeat(TIMES, SAMPLES_PER_TIME)
    x = random.uniform(-1.0, 1.0, t.size)
    u = cole_hopf(x, t, truth)
    scale = noise * np.sqrt(np.mean(u**2))
    return x, t, u + scale * random.standard_normal(t.size)


BURGERS_INVERSE = inverse_problem()
BURGERS_INVERSE_SAMPLES = inverse_problem(conditions=False, name="burgers_inverse_samples")
