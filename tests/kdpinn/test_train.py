import io
import json
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from kdpinn.field import Field
from kdpinn.interrupts import Interrupted
from kdpinn.jets import JetSpec
from kdpinn.losses import LeastSquares, Term, TrainingDiverged
from kdpinn.optimizers import Adam, SSBroyden
from kdpinn.stages import Stage
from kdpinn.train import Judge, Settings, Trained, train

SPEC = JetSpec(1, 1)
STAGES = (
    Stage(name="adam", optimizer=Adam(rate=1e-2), iterations=20, points=16, resample_every=7),
    Stage(name="broyden", optimizer=SSBroyden(), iterations=40, points=16, resample_every=15),
    Stage(name="fixed", optimizer=SSBroyden(), iterations=20, points=24),
)


def make_field() -> Field:
    return Field.create(
        inputs=("x",),
        outputs=("u",),
        lower=np.array([0.0]),
        upper=np.array([1.0]),
        hidden=(6,),
        generator=torch.Generator().manual_seed(0),
    )


def objective(field: Field, n: int, seed: int) -> LeastSquares:
    """u' = -u, u(0) = 1: the solution is exp(-x)."""
    x = torch.rand(n, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    decay = Term(name="decay", points=x, spec=SPEC, residual=lambda c, _: c[1, :, 0] + c[0, :, 0])
    start = Term(
        name="start", points=zero, spec=JetSpec(1, 0), residual=lambda c, _: c[0, :, 0] - 1
    )
    return LeastSquares(field, [decay, start])


class Sample:
    """Counts the draws; `hook(draw)` may change the objective."""

    def __init__(self, hook=None) -> None:
        self.draws: list[tuple[str, int]] = []
        self.hook = hook

    def __call__(self, field: Field, stage: Stage, draw: int) -> LeastSquares:
        self.draws.append((stage.name, draw))
        # Adaptive points depend on the field: so does the seed here.
        seed = 1000 * draw + int(1e6 * abs(field.theta[0].item()))
        made = objective(field, stage.points, seed)
        return made if self.hook is None else self.hook(made, draw)


def error(field: Field) -> float:
    x = np.linspace(0, 1, 50)[:, None]
    return float(np.linalg.norm(field.values(x) - np.exp(-x)) / np.linalg.norm(np.exp(-x)))


def run(settings: Settings, sample=None, stages=STAGES) -> Trained:
    judge = Judge(held_out=objective(make_field(), 64, 9), error=error)
    return train(make_field(), stages, sample or Sample(), judge, settings)


def files(tmp_path, **changes) -> Settings:
    return Settings(
        **{
            "check_every": 5,
            "checkpoint": tmp_path / "run.checkpoint",
            "checkpoint_seconds": 0.0,
            "log": tmp_path / "run.jsonl",
            **changes,
        }
    )


class StopAfter:
    """Interrupts the n-th evaluation as Ctrl-C does."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, made: LeastSquares, draw: int) -> LeastSquares:
        inner = made.value_and_gradient

        def value_and_gradient(theta):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
            return inner(theta)

        made.value_and_gradient = value_and_gradient
        return made


def test_training_solves_the_equation_and_tells_its_history():
    trained = run(Settings(check_every=5))
    assert trained.stopped == "done"
    assert trained.iterations == 80
    assert error(trained.field) < 1e-3
    history = trained.history
    assert [name for _, name in history.marks] == ["adam", "broyden", "fixed"]
    assert history.iteration.tolist() == list(range(5, 85, 5))
    assert trained.held_out == history.held_out.min()
    assert (np.diff(history.seconds) >= 0).all()
    assert history.rel_l2[np.argmin(history.held_out)] == error(trained.field)


def test_points_are_drawn_as_the_stages_say():
    sample = Sample()
    run(Settings(check_every=50), sample)
    names = [name for name, _ in sample.draws]
    assert names == ["adam"] * 3 + ["broyden"] * 3 + ["fixed"]
    assert [draw for _, draw in sample.draws] == list(range(1, 8))


def test_curvature_passes_on_between_stages_of_one_optimizer():
    one = Stage(name="one", optimizer=SSBroyden(), iterations=40, points=16)
    two = (replace(one, iterations=20), replace(one, name="two", iterations=20))
    same = Sample(lambda made, draw: objective(make_field(), 16, 5))
    split = run(Settings(check_every=40), same, two)
    whole = run(Settings(check_every=40), same, (one,))
    # The second start costs one more evaluation; the curvature makes its steps the same but for
    # the first length tried.
    assert split.held_out == pytest.approx(whole.held_out, rel=0.5, abs=1e-7)


@pytest.mark.parametrize("stop", [3, 24, 41, 60, 85])
def test_interrupted_run_resumes_bit_by_bit(tmp_path, stop):
    whole = run(files(tmp_path / "a", log=None, checkpoint=None))
    with pytest.raises(Interrupted, match=r"run\.checkpoint.*--resume"):
        run(files(tmp_path), Sample(StopAfter(stop)))
    resumed = run(files(tmp_path, resume=True))
    assert torch.equal(resumed.field.theta, whole.field.theta)
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
    np.testing.assert_array_equal(resumed.history.held_out, whole.history.held_out)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == whole.history.iteration.tolist()


def test_killed_run_loses_what_came_after_the_last_checkpoint(tmp_path):
    class Killed(BaseException):
        pass

    def kill(made: LeastSquares, draw: int) -> LeastSquares:
        if draw == 5:
            raise Killed
        return made

    whole = run(files(tmp_path / "a", log=None, checkpoint=None))
    with pytest.raises(Killed):
        run(files(tmp_path), Sample(kill))
    with (tmp_path / "run.jsonl").open("a") as log:
        log.write('{"iteration": 50, "torn')  # the line being written when the power went
    resumed = run(files(tmp_path, resume=True))
    assert torch.equal(resumed.field.theta, whole.field.theta)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == whole.history.iteration.tolist()


def test_finished_run_resumes_to_its_result(tmp_path):
    first = run(files(tmp_path))
    sample = Sample()
    again = run(files(tmp_path, resume=True), sample)
    assert torch.equal(again.field.theta, first.field.theta)
    assert sample.draws == []


def test_other_settings_do_not_resume(tmp_path):
    run(files(tmp_path))
    with pytest.raises(ValueError, match=r"other settings.*seed 0.*seed 1"):
        run(files(tmp_path, resume=True, seed=1))
    assert run(files(tmp_path, seed=1)).stopped == "done"


def diverge_at(draw_wanted: int):
    def hook(made: LeastSquares, draw: int) -> LeastSquares:
        if draw != draw_wanted:
            return made
        x = torch.zeros(1, 1, dtype=torch.float64)
        bad = Term(
            name="pole", points=x, spec=JetSpec(1, 0), residual=lambda c, _: c[0, :, 0] / 0.0
        )
        return LeastSquares(made.field, [*made.terms, bad])

    return hook


@pytest.mark.parametrize(("draw", "iteration"), [(3, 15), (5, 36)])
def test_divergence_ends_the_trial_with_the_last_good_state(draw, iteration):
    trained = run(Settings(check_every=5), Sample(diverge_at(draw)))
    assert f"iteration {iteration}: term pole" in trained.stopped
    assert math.isfinite(trained.held_out)
    assert torch.isfinite(trained.field.theta).all()
    assert error(trained.field) < 1


def test_divergence_before_any_good_state_is_raised():
    with pytest.raises(TrainingDiverged, match="iteration 1: term pole"):
        run(Settings(), Sample(diverge_at(1)))


def test_time_is_capped():
    stages = tuple(replace(stage, until=0.0) for stage in STAGES[:2])
    trained = run(Settings(check_every=1), stages=(*stages, STAGES[2]))
    assert trained.stopped == "time"
    assert trained.iterations == 20
    assert {name for _, name in trained.history.marks} == {"fixed"}


def test_stage_ends_when_no_point_set_allows_a_step():
    def flat(made: LeastSquares, draw: int) -> LeastSquares:
        x = torch.zeros(1, 1, dtype=torch.float64)
        one = Term(
            name="one", points=x, spec=JetSpec(1, 0), residual=lambda c, _: 0 * c[0, :, 0] + 1
        )
        return LeastSquares(made.field, [one])

    trained = run(Settings(), Sample(flat), STAGES[1:])
    assert trained.iterations == 3 + 1
    assert trained.stopped == "done"


def test_bar_and_log_show_loss_held_out_and_error(tmp_path):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    run(files(tmp_path, title="teacher", console=console))
    for text in ("teacher", "fixed", "loss", "held-out", "error", "80/80"):
        assert text in screen.getvalue()
    row = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[-1])
    assert set(row) == {"iteration", "stage", "seconds", "loss", "terms", "held_out", "rel_l2"}
    assert sum(row["terms"].values()) == pytest.approx(row["loss"])
    assert (row["iteration"], row["stage"]) == (80, "fixed")


def test_no_stage_is_refused():
    with pytest.raises(ValueError, match="at least one stage"):
        run(Settings(), stages=())
