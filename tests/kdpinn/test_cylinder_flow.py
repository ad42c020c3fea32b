"""The stored field of `cylinder_flow`: its tables, and that it solves the equations stated."""

import numpy as np

from kdpinn.problems import load_problem
from kdpinn.problems.cylinder_flow import CYLINDER, HALF_HEIGHT, LENGTH, PATH, table
from kdpinn.sampling import interior

FLOW, WALL = load_problem("cylinder_flow"), load_problem("cylinder_flow_wall")


def test_tables_carry_their_origin():
    with np.load(PATH) as file:
        about = str(file["about"])
    assert "Apache License 2.0" in about
    assert "doi:10.1038/s41467-025-64624-3" in about
    assert (PATH.parent / "NOTICE").read_text("utf-8").startswith("cylinder_flow.npz")


def test_tables_are_those_of_the_source():
    sizes = {"fluid": 20486, "inlet": 50, "outlet": 50, "wall": 264, "cylinder": 202}
    assert {name: table(name).shape for name in sizes} == {n: (k, 5) for n, k in sizes.items()}
    # The first lines of the published files, y counted from the axis.
    first = [0.1533138305, 0.1801478714 - HALF_HEIGHT, 3.477235556, 0.01221768837, -0.02696540579]
    assert np.array_equal(table("fluid")[0], first)
    assert np.array_equal(table("inlet")[0], [0, -HALF_HEIGHT, 2.615304947, 0.02019991726, 0])
    assert FLOW.evaluation_points().shape == (20486, 2)


def test_geometry_is_that_of_the_tables():
    for name in ("fluid", "inlet", "outlet", "wall", "cylinder"):
        x = table(name)
        assert FLOW.domain.contains(x[:, :2]).all()
    assert np.all(table("inlet")[:, 0] == 0)
    assert np.all(table("outlet")[:, 0] == LENGTH)
    assert np.all(abs(table("wall")[:, 1]) == HALF_HEIGHT)
    rim = np.hypot(*(table("cylinder")[:, i] - CYLINDER.center[i] for i in (0, 1)))
    assert np.all((rim >= CYLINDER.radius) & (rim < 0.0500001))
    inside = interior(FLOW.domain, 500, seed=0).numpy()
    assert np.hypot(inside[:, 0] - 0.2, inside[:, 1]).min() >= CYLINDER.radius * (1 - 1e-12)


def test_only_one_of_the_two_knows_a_pressure_inside():
    assert [c.name for c in FLOW.conditions] == ["inlet", "wall", "cylinder", "outlet"]
    assert [c.name for c in WALL.conditions[4:]] == ["wall_pressure"]
    condition = WALL.condition("wall_pressure")
    x = condition.on[0].x
    assert np.array_equal(WALL.data_at(x, condition)["p_target"], table("cylinder")[:, 2])


def test_field_conserves_mass_through_every_section():
    """The flux through x = const is the inlet's, by the trapezoidal rule on each side."""

    def flux(rows):
        order = np.argsort(rows[:, 1])
        return np.trapezoid(rows[order, 3], rows[order, 1])

    inlet, outlet = flux(table("inlet")), flux(table("outlet"))
    # A parabola on 49 intervals: the rule is off by 1 / 49^2 of the flux; the field by its own.
    assert abs(outlet / inlet - 1) < 2e-3
    assert abs(inlet - 2 / 3 * 2 * HALF_HEIGHT) < 2e-3


def test_inlet_is_a_parabola_averaged_from_faces_to_nodes():
    """So is the whole field: what the nodes hold is not the flow at these points."""
    inlet = table("inlet")
    inlet = inlet[np.argsort(inlet[:, 1])]
    h = 2 * HALF_HEIGHT / (len(inlet) - 1)
    faces = 1 - ((inlet[:-1, 1] + h / 2) / HALF_HEIGHT) ** 2
    # Of the two neighbors of each node; at the corners one of them is the wall, at rest.
    beside = np.concatenate([[0.0], faces, [0.0]])
    np.testing.assert_allclose(inlet[:, 3], (beside[:-1] + beside[1:]) / 2, atol=2e-6)
    # The parabola itself is off by h^2 / 8 times its curvature, 4.2e-4.
    exact = 1 - (inlet[1:-1, 1] / HALF_HEIGHT) ** 2
    np.testing.assert_allclose(exact - inlet[1:-1, 3], h**2 / 4 / HALF_HEIGHT**2, atol=2e-6)
