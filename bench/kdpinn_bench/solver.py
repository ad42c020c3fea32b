"""Is the network worth it? A numerical solver of the same problem, timed beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import kdpinn_runtime
from kdpinn.problems.burgers import BURGERS, NU, cole_hopf
from kdpinn_bench.burgers_solver import FloatArray, Resolution, solve
from kdpinn_bench.timing import Call, Ratio, Samples, Schedule, interleaved, one_core, ratio
from kdpinn_runtime.format import ModelFile, pack

LADDER = (
    Resolution(nodes=256, steps=1),
    Resolution(nodes=512, steps=1),
    Resolution(nodes=1024, steps=1),
    Resolution(nodes=1024, steps=2),
    Resolution(nodes=1024, steps=4),
    Resolution(nodes=1536, steps=3),
    Resolution(nodes=1536, steps=5),
    Resolution(nodes=2048, steps=8),
)
"""From coarse to fine; the nodes are multiples of the grid's cells, so that nothing is
interpolated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Way:
    """One way to the whole field; rel_l2 and max_abs: error against the exact solution."""

    name: str
    rel_l2: float
    max_abs: float
    samples: Samples

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "way": self.name,
            "rel_l2": self.rel_l2,
            "max_abs": self.max_abs,
            **self.samples.summary().to_dict(),
            "samples_s": self.samples.seconds.tolist(),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """ways: the network, then the solver from coarse to fine, on one grid.

    equal: the cheapest resolution whose error is not larger than the network's, None if there is
    none; gain: its time relative to the network's. one_point: a single value of the network; the
    solver has to march there.
    """

    net: str
    grid: tuple[int, ...]
    ways: tuple[Way, ...]
    one_point: Samples
    equal: str | None
    gain: Ratio | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "net": self.net,
            "grid": list(self.grid),
            "ways": [way.to_dict() for way in self.ways],
            "one_point": self.one_point.summary().to_dict(),
            "equal": self.equal,
            "gain": None if self.gain is None else vars(self.gain),
        }


def refusal(model: ModelFile) -> str:
    """Why there is no solver for this model; empty if there is one."""
    problem = model.card.get("problem")
    if problem == BURGERS.name and tuple(v.name for v in model.inputs) == ("x", "t"):
        return ""
    return f"there is a solver for {BURGERS.name} only, the model is of {problem!r}"


def compare_with_solver(
    model: ModelFile, net: str, budget_s: float = 6.0, ladder: tuple[Resolution, ...] = LADDER
) -> Comparison:
    """The field on the problem's grid by the network (float32) and by the solver (float64).

    One thread, pinned; the solver's set-up counts, loading the model does not: one is needed for
    every new parameter, the other once. Raises ValueError for a model of another problem.
    """
    why = refusal(model)
    if why:
        raise ValueError(why)
    parameters = {p.name: p.value for p in model.parameters}
    nu = float(parameters.get("nu", NU))
    columns, rows = BURGERS.grid
    x, t = np.linspace(-1, 1, columns), np.linspace(0, 1, rows)
    grid = np.stack(np.meshgrid(x, t, indexing="ij"), -1).reshape(-1, 2)
    exact = cole_hopf(grid[:, 0], grid[:, 1], nu).reshape(columns, rows)

    points = grid.astype(np.float32)
    out = np.empty((len(points), 1), np.float32)
    loaded = kdpinn_runtime.load(pack(model), outside="count")
    network = loaded.bind(points, out)
    single = loaded.bind(points[-2:-1].copy(), np.empty((1, 1), np.float32))
    network()
    errors = {"network": _error(out.reshape(columns, rows).astype(np.float64), exact)}
    calls: dict[str, Call] = {"network": network}
    for resolution in ladder:
        call = partial(solve, t, nu, resolution)
        name = f"solver, {resolution.nodes} nodes, {resolution.steps * (rows - 1)} steps"
        errors[name] = _error(call()[:: resolution.nodes // (columns - 1)], exact)
        calls[name] = call
    with one_core():
        samples = interleaved(calls | {"one point": single}, Schedule(budget_s=budget_s))
    return _comparison(net, (columns, rows), errors, samples)


def _error(field: FloatArray, exact: FloatArray) -> tuple[float, float]:
    difference = field - exact
    relative = np.linalg.norm(difference) / np.linalg.norm(exact)
    return float(relative), float(np.max(np.abs(difference)))


def _comparison(
    net: str,
    grid: tuple[int, ...],
    errors: dict[str, tuple[float, float]],
    samples: dict[str, Samples],
) -> Comparison:
    ways = tuple(
        Way(name=name, rel_l2=rel, max_abs=largest, samples=samples[name])
        for name, (rel, largest) in errors.items()
    )
    network, *solvers = ways
    good = [way for way in solvers if way.rel_l2 <= network.rel_l2]
    equal = min(good, key=lambda way: way.samples.summary().median, default=None)
    return Comparison(
        net=net,
        grid=grid,
        ways=ways,
        one_point=samples["one point"],
        equal=None if equal is None else equal.name,
        gain=None if equal is None else ratio(equal.samples, network.samples),
    )
