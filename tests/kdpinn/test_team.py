"""One training on several processes: shares add up, torchrun gives what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_problem import TINY, Decay

from kdpinn.losses import LeastSquares, Term
from kdpinn.physics import condition_terms, equation_term
from kdpinn.sampling import interior
from kdpinn.teacher import new_field
from kdpinn.team import Team

EPS = torch.finfo(torch.float64).eps
PROBLEM = """
from dataclasses import replace
from tiny_problem import TINY, Decay

training = replace(
    TINY.training, adam=5, iterations=15, last_iterations=5, levenberg_marquardt=5, check_every=5
)
Small = Decay.replace(name="small", recipes={"quick": replace(TINY, training=training)})
"""


def whole_and_shares(size: int) -> tuple[LeastSquares, list[LeastSquares], torch.Tensor]:
    field = new_field(Decay, (6, 5), "tanh", 0)
    importance = torch.linspace(0.5, 1.5, 41, dtype=torch.float64)
    equation = equation_term(Decay, interior(Decay.domain, 41, seed=0), 0.7, importance)
    # The condition at the start has a point less than there are processes, for size 3.
    terms = (equation, *condition_terms(Decay, 2, 0))
    shares = [Team(rank, size).share(field, terms) for rank in range(size)]
    return LeastSquares(field, terms), shares, field.theta


@pytest.mark.parametrize("size", [1, 2, 3])
def test_shares_add_up_to_the_whole(size):
    whole, shares, theta = whole_and_shares(size)
    tolerance = {"rtol": 100 * EPS, "atol": 100 * EPS}  # sums of 45 terms in another order
    value, gradient = whole.value_and_gradient(theta)
    parts = [share.value_and_gradient(theta) for share in shares]
    assert sum(v for v, _ in parts) == pytest.approx(value, rel=100 * EPS)
    scale = gradient.abs().max()
    torch.testing.assert_close(sum(g for _, g in parts) / scale, gradient / scale, **tolerance)
    products = whole.products(theta)
    assert products.value == pytest.approx(value, rel=100 * EPS)
    torch.testing.assert_close(2 * products.slope / scale, gradient / scale, **tolerance)
    normal = sum(share.products(theta).normal for share in shares)
    scale = products.normal.abs().max()
    torch.testing.assert_close(normal / scale, products.normal / scale, **tolerance)
    terms = [share.term_values(theta) for share in shares]
    for name, expected in whole.term_values(theta).items():
        assert sum(t[name] for t in terms) == pytest.approx(expected, rel=100 * EPS)


def test_a_term_without_parts_is_refused_by_name():
    _, shares, _ = whole_and_shares(1)
    points = interior(Decay.domain, 4, seed=0)
    term = Term(name="own", points=points, spec=Decay.spec(), residual=lambda c, _: c[0, :, 0])
    with pytest.raises(ValueError, match="'own' cannot be split"):
        Team(0, 2).share(shares[0].field, (term,))


def test_torchrun_trains_as_one_process_does(tmp_path):
    file = tmp_path / "small.py"
    file.write_text(PROBLEM)
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    rows = {}
    for name, launcher in (
        ("one", []),
        ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]),
    ):
        out = tmp_path / name
        command = [sys.executable, *launcher, "-m", "kdpinn", "train", f"{file}:Small"]
        done = subprocess.run(
            [*command, "--out", str(out)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("teacher.kdp") == 1
        lines = (out / "run" / "teacher.jsonl").read_text().splitlines()
        rows[name] = [json.loads(line) for line in lines]
    assert [row["iteration"] for row in rows["two"]] == [5, 10, 15, 20, 25, 30]
    assert {row["stage"] for row in rows["two"]} >= {"adam", "broyden", "levenberg-marquardt"}
    for one, two in zip(rows["one"], rows["two"], strict=True):
        # Roundings of 1e-16 that a quasi-Newton method multiplies; one of the 200 points left out
        # or counted twice would show as 5e-3.
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-8)
        assert two["terms"] == pytest.approx(one["terms"], rel=1e-7)
        assert two["held_out"] == pytest.approx(one["held_out"], rel=1e-8)
    assert TINY.training.points == 200
