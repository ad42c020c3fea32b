"""The viscosity of Burgers' equation from twenty noisy readings: error, honesty, speed.

    python -m kdpinn_bench.assimilation --model MODEL.kdp [--store]

MODEL is any student of the problem `burgers_family`: u by (x, t, nu). The readings are of the exact
solution (Cole-Hopf) with normal noise of 0.01, 1 % of the largest |u|; so the model's error takes
part. Two sets of places: at random, and where the model says that twenty readings tell most. Beside
it scipy.optimize.least_squares minimizes the same with finite differences, calling the same model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import least_squares

from kdpinn.problems.burgers import cole_hopf
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Schedule, interleaved
from kdpinn_runtime import Assimilator, Model, load

Array = NDArray[np.float64]
NAME = "assimilation"
NOISE, READINGS, TRIALS = 0.01, 20, 500


def random_places(rng: np.random.Generator) -> Array:
    """(20, 2): x and t uniform over the domain."""
    return rng.uniform((-1, 0), (1, 1), (READINGS, 2))


def informative_places(model: Model) -> Array:
    """(20, 2), chosen one by one so that the viscosity told worst so far is told best."""
    x, t = np.meshgrid(np.geomspace(0.004, 0.8, 40), np.linspace(0.2, 1, 17), indexing="ij")
    candidates = np.column_stack([x.ravel(), t.ravel()])
    twin = Assimilator(model, ["nu"], noise=NOISE)
    told = []
    for nu in np.geomspace(model.inputs[2].lower, model.inputs[2].upper, 25):
        twin.restore([np.log(nu)], [[1.0]])
        told.append(twin.state(candidates).gradient[:, 0, 0] ** 2)
    information = np.array(told)
    total, chosen = np.full(len(information), 1e-12), list[int]()
    for _ in range(READINGS):
        gain = np.sum(np.log1p(information / total[:, None]), axis=0)
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        total = total + information[:, chosen[-1]]
    return candidates[chosen]


def trials(model: Model, places: Callable[[np.random.Generator], Array], loss: Any) -> Any:
    """500 viscosities, log-uniform: relative errors in %, and how often 95 % held the truth."""
    rng = np.random.default_rng(0)
    lower, upper = model.inputs[2].lower, model.inputs[2].upper
    twin = Assimilator(model, ["nu"], noise=NOISE, loss=loss)
    off, held, claimed = [], 0, []
    for _ in range(TRIALS):
        truth = float(np.exp(rng.uniform(np.log(lower), np.log(upper))))
        at = places(rng)
        u = cole_hopf(at[:, 0], at[:, 1], truth) + NOISE * rng.standard_normal(READINGS)
        twin.reset()
        twin.update(at, u)
        low, high = twin.interval()["nu"]
        held += low <= truth <= high
        off.append(100 * abs(twin.value["nu"] / truth - 1))
        claimed.append(100 * float(np.sqrt(twin.covariance[0, 0])))
    quantiles = np.quantile(off, [0.5, 0.9, 0.95]).tolist()
    return {
        "loss": loss,
        "off_pct_median_90_95": quantiles,
        "within_2_pct": float(np.mean(np.array(off) <= 2)),
        "deviation_pct_median": float(np.median(claimed)),
        "covered_95": held / TRIALS,
    }


def speed(model: Model, at: Array) -> dict[str, Any]:
    """us of an update from the prior and of a later one, and of scipy on the same posterior."""
    truth = 0.02
    noise = NOISE * np.random.default_rng(1).standard_normal(READINGS)
    u = cole_hopf(at[:, 0], at[:, 1], truth) + noise
    twin = Assimilator(model, ["nu"], noise=NOISE, model_error=0.0, dtype=np.float64)
    quick = Assimilator(model, ["nu"], noise=NOISE, model_error=0.0, dtype=np.float32)
    prior = twin.coordinate, twin.covariance
    points = np.column_stack([at, np.zeros(READINGS)])

    def residuals(z: Array) -> Array:
        points[:, 2] = np.exp(z[0])
        misfit = (model(points)[:, 0] - u) / NOISE
        return np.append(misfit, (z[0] - prior[0][0]) / np.sqrt(prior[1][0, 0]))

    found: dict[str, float] = {}

    def first(which: Assimilator, name: str) -> Callable[[], None]:
        def call() -> None:
            which.reset()
            which.update(at, u)
            found[name] = which.value["nu"]

        return call

    def scipys() -> None:
        found["scipy"] = float(np.exp(least_squares(residuals, prior[0], method="lm").x[0]))

    later = Assimilator(model, ["nu"], noise=NOISE, model_error=0.0, dtype=np.float32)
    later.update(at, u)
    samples = interleaved(
        {
            "update from the prior, float32": first(quick, "float32"),
            "update from the prior, float64": first(twin, "float64"),
            "later update, float32": lambda: later.update(at, u),
            "scipy least_squares, finite differences": scipys,
        },
        Schedule(min_batch_s=2e-4, rounds=300, budget_s=20),
        control="update from the prior, float32",
    )
    off = {name: found[name] / found["scipy"] - 1 for name in ("float32", "float64")}
    return {
        "us": {
            name: {
                k: 1e6 * float(v)
                for k, v in (("median", s.summary().median), ("least", s.seconds.min()))
            }
            for name, s in samples.items()
        },
        "answer_off_scipys": off,
        "deviation_of_log_nu": float(np.sqrt(twin.covariance[0, 0])),
    }


def read_model(path: Path) -> Model:
    """The model at `path`. Raises ValueError if it is not one of u by (x, t, nu)."""
    model = load(path)
    names = [[v.name for v in variables] for variables in (model.inputs, model.outputs)]
    if names != [["x", "t", "nu"], ["u"]]:
        raise ValueError(
            f"{path} gives {', '.join(names[1])} by {', '.join(names[0])}; this measures models "
            "of u by x, t, nu: students of the problem burgers_family."
        )
    return model


def main() -> int:
    """Measure, print, and with --store replace the baseline."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.assimilation")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--made", default="", help="how the model was made, for the record")
    options = parser.parse_args()
    try:
        model = read_model(options.model)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    best = informative_places(model)
    figures = {
        "model": {
            "digest": model.digest,
            "parameters": model.parameters,
            "accuracy": model.card.get("accuracy", {}),
            "made": options.made,
        },
        "informative_places": [trials(model, lambda rng: best, n) for n in ("squares", "huber")],
        "random_places": [trials(model, random_places, "squares")],
        "places": best.tolist(),
        "speed": speed(model, best),
        "machine": fingerprint(),
    }
    shown = {key: value for key, value in figures.items() if key not in ("machine", "places")}
    Console().print(shown)
    if options.store:
        baselines.write(NAME, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
