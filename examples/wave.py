"""A string plucked into its first mode: u_tt = c^2 u_xx, fixed at both ends, released at rest."""

import numpy as np

from kdpinn import Box, Condition, Problem, dirichlet

Wave = Problem(
    name="wave",
    domain=Box(x=(0, 1), t=(0, 1), units={"x": "m", "t": "s"}),
    fields=("u",),
    parameters={"c": 2.0},
    residual=lambda j: j.u.tt - j.c**2 * j.u.xx,
    conditions=(
        dirichlet("ends", on=[{"x": 0}, {"x": 1}], u=0.0),
        dirichlet("initial", on=[{"t": 0}], u=lambda x: np.sin(np.pi * x)),
        Condition("rest", on=[{"t": 0}], residual=lambda j: j.u.t),
    ),
    reference=lambda x, t, c: np.sin(np.pi * x) * np.cos(np.pi * c * t),
)
