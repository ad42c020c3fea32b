"""Everybody computes the same loss and gradient; the race's clock and thresholds."""

import importlib.util
import json
import sys
from dataclasses import replace

import pytest
import torch

from kdpinn.optimizers import SSBroyden
from kdpinn.problems import load_problem
from kdpinn.recipe import Training
from kdpinn_bench.timing import Schedule
from kdpinn_bench.training import race
from kdpinn_bench.training.__main__ import main, table
from kdpinn_bench.training.cases import CASES, Case
from kdpinn_bench.training.contestant import Prepared, Setting
from kdpinn_bench.training.ours import Native, TorchJets, captured
from kdpinn_bench.training.peers import DeepXDE, Pina
from kdpinn_bench.training.steps import ROUNDINGS, measure

SMALL = [
    Case(problem=name, hidden=(7, 5), points=60, condition_points=20)
    for name in ("burgers", "navier_stokes", "cylinder_flow", "poisson")
]
BURGERS = SMALL[0]
SHORT = Schedule(rounds=2, min_rounds=2, budget_s=0, min_batch_s=1e-6)
QUIET = pytest.mark.filterwarnings("ignore")  # the peers' own, while they are imported


def installed(module):
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module}: pip install 'kdpinn[peers]'"
    )


PEERS = [
    pytest.param(Native(SSBroyden()), id="native"),
    pytest.param(DeepXDE(), marks=[installed("deepxde"), QUIET], id="deepxde"),
    pytest.param(Pina(), marks=[installed("pina"), QUIET], id="pina"),
]


@pytest.fixture(autouse=True)
def single_precision_again():
    """DeepXDE keeps its type of numbers, and torch's with it, for the whole process."""
    yield
    if "deepxde" in sys.modules:
        sys.modules["deepxde"].config.set_default_float("float32")


@pytest.mark.parametrize("contestant", PEERS)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.problem)
def test_all_have_the_same_loss_and_gradient(contestant, case):
    setting = Setting()
    value, gradient = contestant.prepare(case, setting).gradient()
    wanted, slope = TorchJets().prepare(case, setting).gradient()
    assert abs(value - wanted) <= ROUNDINGS * 2**-52 * wanted
    assert (gradient - slope).norm() <= ROUNDINGS * 2**-52 * slope.norm()


@pytest.mark.parametrize("contestant", [Native(), TorchJets(), *PEERS[1:]])
def test_everybody_steps_on_a_copy_of_the_parameters(contestant):
    prepared = contestant.prepare(BURGERS, Setting())
    before = BURGERS.field.theta.clone()
    prepared.step()
    assert torch.equal(BURGERS.field.theta, before)


def test_what_is_wrong_is_not_timed():
    class Wrong(TorchJets):
        name = "wrong"

        def prepare(self, case, setting):
            right = super().prepare(case, setting)
            value, gradient = right.gradient()
            return Prepared(lambda: (value * (1 + 1e-9), gradient), right.step)

    measured = measure(BURGERS, Setting(), [Native(), TorchJets(), Wrong()], SHORT)
    native, torch_row, wrong = measured.rows
    assert "wrong: loss differs by 1.0e-09" in wrong.note
    assert wrong.samples is None
    assert native.slowdown.median == 1.0
    assert torch_row.samples is not None
    assert len(table(measured).columns) == 6
    assert json.dumps(measured.to_dict(), allow_nan=False)


def test_single_precision_stands_beside_our_double():
    setting = Setting(torch.float32)
    assert Native().missing(setting) == Native(among=torch.float32).missing(Setting())
    rows = measure(BURGERS, setting, [Native(among=torch.float32), TorchJets()], SHORT).rows
    assert [row.name for row in rows] == ["kdpinn, in float64", "kdpinn, torch"]
    assert 0 < rows[1].gradient <= ROUNDINGS * 2**-23


def test_without_a_gpu_nothing_is_captured():
    def call():
        pass

    assert captured(call, Setting()) is call


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_captured_step_trains(dtype):
    setting = Setting(dtype, "cuda")
    prepared = TorchJets().prepare(BURGERS, setting)
    value, gradient = prepared.gradient()
    wanted, slope = TorchJets().prepare(BURGERS, Setting()).gradient()
    assert abs(value - wanted) <= ROUNDINGS * torch.finfo(dtype).eps * wanted
    assert (gradient - slope).norm() <= ROUNDINGS * torch.finfo(dtype).eps * slope.norm()
    prepared.step()


def test_the_cases_are_named_by_network_and_points():
    assert CASES[1].name == "burgers/2-50x4-1/10000"
    assert CASES[2].name == "navier_stokes/3-50x4-3/10000"


def test_a_trace_is_reached_at_its_first_look_below():
    trace = race.Trace(
        "x", [(1.0, 0.5, 1e-1), (2.0, 1.5, 9e-3), (3.0, 2.5, 2e-2), (4.0, 3.5, 1e-3)]
    )
    assert trace.reached(1e-2) == (2.0, 1.5)
    assert trace.reached(1e-3) == (4.0, 3.5)
    assert trace.reached(1e-4) is None
    assert trace.to_dict()["reached"]["1e-04"] is None


def test_what_is_off_the_clock_does_not_count(monkeypatch):
    times = iter([(10.0, 1.0), (13.0, 2.0), (18.0, 6.0), (20.0, 7.0)])
    monkeypatch.setattr(race.Clock, "_now", staticmethod(lambda: next(times)))
    clock = race.Clock()
    assert clock.off(lambda: 0.25) == 0.25
    assert clock.read() == (20.0 - 10.0 - 5.0, 7.0 - 1.0 - 4.0)


def test_our_race_is_watched_to_its_end():
    problem = load_problem("burgers")
    short = Training(
        points=50, condition_points=10, iterations=60, last_iterations=0, check_every=20
    )
    recipe = replace(problem.recipes["quick"], teacher=(4,), training=short)
    trace = race.ours(problem, recipe, until=0.0)
    assert [row[2] for row in trace.rows][-1] < 1.5
    assert len(trace.rows) == 3
    assert race.ours(problem, recipe, until=10.0).rows[0][2] <= 10.0


def test_unknown_names_are_told(capsys):
    with pytest.raises(SystemExit, match="there are kdpinn"):
        main(["steps", "--only", "nobody"])
