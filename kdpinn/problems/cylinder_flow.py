r"""Steady laminar flow past a cylinder in a channel.

u_x + v_y = 0,
\rho (u u_x + v u_y) + p_x = \mu (u_xx + u_yy),
\rho (u v_x + v v_y) + p_y = \mu (v_xx + v_yy),  \rho = 1, \mu = 0.02,
in a channel of length 1.1 and half height 0.2 around a cylinder of radius 0.05 at (0.2, 0): a given
inlet profile, p = 0 at the outlet, no flow at the walls and at the cylinder.

The reference is a computed field at 20,486 points by Liu et al. (Psi-NN, 2025); see
kdpinn/problems/data/NOTICE. Its cylinder is a polygon, whose sides lie up to 2e-5 inside
the circle: the hole's radius is that of the polygon's innermost point, and the conditions hold at
the nodes of the mesh. Its values are those of cells averaged to the nodes; docs/problems.md says
what that leaves of the errors. `cylinder_flow_wall` is also given the pressure on the cylinder, as
these authors did.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.places import Disk, Points
from kdpinn.problems.condition import Condition, dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.problems.samples import Samples
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

PATH = Path(__file__).parent / "data" / "cylinder_flow.npz"
LENGTH, HALF_HEIGHT = 1.1, 0.2
CYLINDER = Disk(radius=0.04998, x=0.2, y=0.0)
# Velocity gradients are of the order of 1 / 0.2, and so are the terms of momentum.
MOMENTUM = 0.2
WEIGHT = 30.0


def residual(j: PointJet) -> dict[str, Value]:
    """Conservation of mass, and of momentum in x and y times 0.2."""
    p, u, v = j.p, j.u, j.v
    return {
        "mass": u.x + v.y,
        "momentum_x": MOMENTUM * (j.rho * (u * u.x + v * u.y) + p.x - j.mu * (u.xx + u.yy)),
        "momentum_y": MOMENTUM * (j.rho * (u * v.x + v * v.y) + p.y - j.mu * (v.xx + v.yy)),
    }


@cache
def table(name: str) -> FloatArray:
    """Columns x, y, p, u, v of fluid, inlet, outlet, wall or cylinder, (n, 5).

    y is counted from the axis of the channel; points beyond the channel by a rounding of float32
    are put on its border.
    """
    with np.load(PATH) as file:
        rows: FloatArray = np.ascontiguousarray(file[name].T)  # stored column by column
    rows[:, 0] = np.clip(rows[:, 0], 0.0, LENGTH)
    rows[:, 1] = np.clip(rows[:, 1] - HALF_HEIGHT, -HALF_HEIGHT, HALF_HEIGHT)
    rows.setflags(write=False)
    return rows


def cylinder_flow(name: str, *, wall_pressure: bool) -> Problem:
    """The flow; with `wall_pressure` the reference pressure is given on the cylinder."""
    fluid = table("fluid")
    conditions = [
        _velocities("inlet"),
        _velocities("wall"),
        _velocities("cylinder"),
        dirichlet("outlet", on=[{"x": LENGTH}], p=0.0, weight=WEIGHT),
    ]
    if wall_pressure:
        rows = table("cylinder")
        at = [Points(rows[:, :2])]
        conditions.append(dirichlet("wall_pressure", on=at, p=rows[:, 2], weight=WEIGHT))
    given = ", pressure on the cylinder given" if wall_pressure else ""
    return Problem(
        name=name,
        title=f"Flow past a cylinder{given}",
        domain=Box(x=(0, LENGTH), y=(-HALF_HEIGHT, HALF_HEIGHT), holes=[CYLINDER]),
        fields=("p", "u", "v"),
        parameters={"rho": 1.0, "mu": 0.02},
        residual=residual,
        conditions=tuple(conditions),
        reference=Samples(fluid[:, :2], fluid[:, 2:]),
        recipes=RECIPES,
        source="Reference field: Liu et al. (Psi-NN), Nat. Commun. 16 (2025) 9558, "
        "doi:10.1038/s41467-025-64624-3, data under the Apache License 2.0.",
    )


def _velocities(name: str) -> Condition:
    """u and v of a table at its points."""
    rows = table(name)
    at = [Points(rows[:, :2])]
    return dirichlet(name, on=at, u=rows[:, 3], v=rows[:, 4], weight=WEIGHT)


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20),
        students=((16, 16, 16),),
        training=Training(points=2500, iterations=1200, last_iterations=300, last_points=3500),
        distillation=Distillation(points=3000, iterations=2000, tune_iterations=100),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(24, 24, 24, 24),
        students=((16, 16, 16), (20, 20, 20)),
        training=Training(
            points=3500, adam=1500, iterations=5000, last_iterations=1500, last_points=6000
        ),
        distillation=Distillation(points=6000, iterations=8000, tune_iterations=300),
    ),
}

CYLINDER_FLOW = cylinder_flow("cylinder_flow", wall_pressure=False)
CYLINDER_FLOW_WALL = cylinder_flow("cylinder_flow_wall", wall_pressure=True)
