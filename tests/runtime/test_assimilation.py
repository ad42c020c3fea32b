"""Estimates of unknown inputs: against closed forms, by their coverage, and under bad readings."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from assimilation_samples import (
    LINEAR,
    OFFSET,
    closed_form_model,
    decay_model,
    linear_model,
    rate_model,
    wave_model,
)
from core_build import CORE
from kdp_samples import sample
from scipy.integrate import quad
from scipy.optimize import least_squares
from scipy.stats import binom, norm

from kdpinn_runtime import Assimilator, _core, load, pack

EPS = np.finfo(np.float64).eps
TIMES = np.linspace(0.02, 1, 20)[:, None]


def posterior(mean, covariance, x, y, noise):
    """Of the unknowns (a, b) of `linear_model`, in closed form (Kalman 1960)."""
    slope = np.tile(LINEAR[:, 1:], (len(x), 1))
    left = (y - np.outer(x, LINEAR[:, 0]) - OFFSET).ravel()
    precision = np.linalg.inv(covariance)
    after = np.linalg.inv(precision + slope.T @ slope / noise**2)
    return after @ (precision @ mean + slope.T @ left / noise**2), after


def linear_readings(seed, n):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    inputs = np.column_stack([x, np.full(n, 1.5), np.full(n, -2.5)])
    return x, inputs @ LINEAR.T + OFFSET + 0.3 * rng.standard_normal((n, 2))


def linear_tolerance(covariance):
    """Both solve with a matrix of this condition; a few hundred operations."""
    return 1e3 * EPS * np.linalg.cond(covariance)


@pytest.mark.parametrize("isa", _core.isas())
def test_a_batch_of_a_linear_model_is_the_closed_form(isa):
    x, y = linear_readings(0, 150)  # more than a tile, with a rest
    twin = Assimilator(linear_model(isa=isa), ["a", "b"], noise=0.3)
    mean, covariance = posterior(twin.coordinate, twin.covariance, x, y, 0.3)
    done = twin.update(x[:, None], y)
    limit = linear_tolerance(covariance)
    assert (done.used + done.outliers, done.converged) == (300, True)
    np.testing.assert_allclose(twin.coordinate, mean, rtol=limit)
    np.testing.assert_allclose(twin.covariance, covariance, rtol=limit)


def test_reading_by_reading_is_the_kalman_filter():
    x, y = linear_readings(1, 30)
    twin = Assimilator(linear_model(), ["a", "b"], noise=0.3, drift={"a": 0.2, "b": 0.1})
    mean, covariance = twin.coordinate, twin.covariance
    for k in range(30):
        twin.wait(0.5)
        covariance = covariance + 0.5 * np.diag([0.2**2, 0.1**2])
        twin.update(x[k : k + 1, None], y[k : k + 1])
        mean, covariance = posterior(mean, covariance, x[k : k + 1], y[k : k + 1], 0.3)
        np.testing.assert_allclose(twin.coordinate, mean, rtol=linear_tolerance(covariance))
        np.testing.assert_allclose(twin.covariance, covariance, rtol=linear_tolerance(covariance))


def test_one_by_one_equals_all_at_once_where_the_model_is_linear():
    x, y = linear_readings(2, 25)
    batch, filtered = (Assimilator(linear_model(), ["a", "b"], noise=0.3) for _ in range(2))
    batch.update(x[:, None], y)
    for k in np.random.default_rng(0).permutation(25):
        filtered.update(x[k : k + 1, None], y[k : k + 1])
    limit = 25 * linear_tolerance(batch.covariance)
    np.testing.assert_allclose(filtered.coordinate, batch.coordinate, rtol=limit)
    np.testing.assert_allclose(filtered.covariance, batch.covariance, rtol=limit)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_most_probable_values_are_those_of_scipy(dtype):
    """Rate and amplitude of a decay: the same posterior, minimized to its last digits."""
    twin = Assimilator(decay_model(), ["k", "a"], noise=0.02, dtype=dtype, logarithmic=["k"])
    before = twin.coordinate, np.sqrt(np.diagonal(twin.covariance))
    u = 1.3 * np.exp(-2.2 * TIMES[:, 0]) + 0.02 * np.random.default_rng(3).standard_normal(20)

    def residuals(z):
        misfit = (u - z[1] * np.exp(-np.exp(z[0]) * TIMES[:, 0])) / 0.02
        return np.concatenate([misfit, (z - before[0]) / before[1]])

    fit = least_squares(residuals, before[0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    done = twin.update(TIMES, u)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    off = (twin.coordinate - fit.x) / np.sqrt(np.diagonal(covariance))
    # The last step is smaller than 2e-4 deviations, and leaves less than a tenth of itself; in
    # float32 1.5e-2, as the comments on the tolerance in assimilate.c say.
    assert np.abs(off).max() <= (2e-5 if dtype is np.float64 else 1.5e-3)
    np.testing.assert_allclose(
        twin.covariance, covariance, rtol=1e-3 if dtype is np.float64 else 3e-2
    )
    assert done.converged
    assert done.used + done.outliers == 20


def trials(twin, truths, noise_of, seed=0):
    """Of each truth whether the 95 % interval holds it, and by how many deviations it is off."""
    rng = np.random.default_rng(seed)
    held, off = [], []
    for truth in truths:
        twin.reset()
        twin.update(TIMES, np.exp(-truth * TIMES[:, 0]) + noise_of(rng))
        low, high = twin.interval()["k"]
        held.append(low <= truth <= high)
        off.append((twin.coordinate[0] - np.log(truth)) / np.sqrt(twin.covariance[0, 0]))
    return np.array(held), np.array(off)


def plain(rng):
    return 0.01 * rng.standard_normal(20)


def one_in_ten_wild(rng):
    return plain(rng) + np.where(rng.random(20) < 0.1, rng.choice([-0.5, 0.5], 20), 0)


@pytest.mark.parametrize("loss", ["squares", "huber", "student"])
def test_intervals_hold_the_truth_as_often_as_they_say(loss):
    """500 rates, log-uniform, 1 % noise; limits that chance alone breaks once in a million."""
    twin = Assimilator(rate_model(), ["k"], noise=0.01, loss=loss)
    truths = np.exp(np.random.default_rng(1).uniform(np.log(0.1), np.log(10), 500))
    held, off = trials(twin, truths, plain)
    low, high = binom.ppf([0.5e-6, 1 - 0.5e-6], 500, 0.95)
    assert low <= held.sum() <= high
    # Deviations have the variance 1: that of a sample variance is 2 / n.
    assert abs(np.mean(off**2) - 1) <= 4.9 * np.sqrt(2 / 500)


def test_outliers_break_squares_and_not_the_robust_losses():
    truths = np.exp(np.random.default_rng(1).uniform(np.log(0.5), np.log(5), 300))
    shares = {
        loss: trials(
            Assimilator(rate_model(), ["k"], noise=0.01, loss=loss), truths, one_in_ten_wild
        )[0].mean()
        for loss in ("squares", "huber", "student")
    }
    assert shares["squares"] < 0.5
    # Huber's estimate is drawn by 1.345 deviations by each of them, Student's by next to nothing.
    assert shares["huber"] > 0.8
    assert 0.9 <= shares["student"] <= 0.99


@pytest.mark.parametrize("loss", ["huber", "student"])
def test_outliers_are_reported_where_they_are(loss):
    twin = Assimilator(rate_model(), ["k"], noise=0.01, loss=loss)
    u = np.exp(-2.0 * TIMES[:, 0])
    u[[3, 11]] += (0.4, -0.3)
    done = twin.update(TIMES, u)
    assert done.outliers == 2
    assert np.flatnonzero(done.reading[:, 0] == 3).tolist() == [3, 11]
    np.testing.assert_allclose(done.residual[[3, 11], 0], (40, -30), atol=1)
    assert done.chi_square < 18
    assert abs(twin.value["k"] / 2 - 1) < 0.02


def weights(loss):
    """rho', rho'' and rho' / r, from the definitions of the losses."""
    if loss == "huber":
        bend = 1.345
        return (
            lambda r: np.clip(r, -bend, bend),
            lambda r: float(abs(r) < bend),
            lambda r: min(1.0, bend / max(abs(r), 1e-300)),
        )
    return (
        lambda r: 5 * r / (4 + r * r),
        lambda r: 5 * (4 - r * r) / (4 + r * r) ** 2,
        lambda r: 5 / (4 + r * r),
    )


@pytest.mark.parametrize("loss", ["huber", "student"])
def test_what_a_robust_value_tells_has_the_efficiency_as_its_mean(loss):
    """Without a residual the covariance shows the factor e / weight of the core."""

    def mean(f):
        return quad(lambda r: f(r) * norm.pdf(r), -9, 9, points=(-1.345, 1.345), limit=200)[0]

    psi, slope, weight = weights(loss)
    efficiency = mean(slope) ** 2 / mean(lambda r: psi(r) ** 2)
    twin = Assimilator(linear_model(), ["a"], noise=0.3, loss=loss, prior={"a": (-9.0, 9.0)})
    before = twin.covariance[0, 0]
    inputs = np.array([[0.5, 0.0, 1.0]])  # a = 0 is the prior's mean: all residuals vanish
    twin.update(inputs[:, [0, 2]], inputs @ LINEAR.T + OFFSET)
    told = (1 / twin.covariance[0, 0] - 1 / before) * 0.3**2 / (LINEAR[:, 1] ** 2).sum()
    assert told / weight(0) == pytest.approx(efficiency / mean(weight), rel=1e-5)


def test_dropouts_and_readings_outside_are_left_out_and_told():
    x, y = linear_readings(4, 12)
    used = np.ones((12, 2), bool)
    wild = y.copy()
    wild[2, 0], wild[3], wild[9, 1] = np.nan, (np.inf, -np.inf), np.nan
    used[2, 0] = used[3] = used[9, 1] = False
    places = x[:, None].copy()
    places[5], places[6], places[7] = 1.5, -1.0001, np.nan
    wild[6, 1] = np.nan  # not read, wherever that was
    used[[5, 6, 7]] = False
    twin, alone = (Assimilator(linear_model(), ["a", "b"], noise=0.3) for _ in range(2))
    done = twin.update(places, wild)
    expected = np.where(used, "used", "missing")
    expected[5] = expected[6, 0] = "outside"
    names = np.array(["used", "missing", "outside", "used"])  # an outlier is used, too
    assert np.array_equal(names[done.reading], expected)
    assert (done.missing, done.outside, done.used + done.outliers) == (7, 3, 14)
    assert np.array_equal(np.isnan(done.residual), ~used)
    rest = used.any(axis=1)
    alone.update(x[rest, None], np.where(used, y, np.nan)[rest])
    assert np.array_equal(twin.coordinate, alone.coordinate)
    assert np.array_equal(twin.covariance, alone.covariance)


@pytest.mark.parametrize("n", [0, 3])
def test_without_a_single_value_the_estimate_stays(n):
    twin = Assimilator(rate_model(), ["k"], noise=0.01)
    before = twin.coordinate, twin.covariance
    done = twin.update(np.full((n, 1), 0.5), np.full(n, np.nan))
    assert (done.used, done.missing, done.chi_square) == (0, n, 0)
    np.testing.assert_allclose(twin.coordinate, before[0], rtol=4 * EPS)
    np.testing.assert_allclose(twin.covariance, before[1], rtol=4 * EPS)


def test_a_wide_estimate_finds_the_right_one_of_several_minima():
    """Least squares from the middle of the domain ends in a wrong valley for a quarter."""
    rng = np.random.default_rng(5)
    lost = 0
    for truth in np.linspace(2.2, 15.8, 40):
        twin = Assimilator(wave_model(), ["w"], noise=0.01)
        u = np.sin(truth * TIMES[:, 0]) + 0.01 * rng.standard_normal(20)
        twin.update(TIMES, u)
        assert abs(twin.value["w"] - truth) < 5 * twin.deviation["w"]
        local = least_squares(lambda w, u=u: np.sin(w * TIMES[:, 0]) - u, 9.0)
        lost += abs(local.x[0] - truth) > 0.1
    assert lost >= 10  # otherwise this test proves nothing


@pytest.mark.parametrize(("truth", "end"), [(0.05, 0.1), (40.0, 10.0)])
def test_a_truth_outside_the_domain_is_held_at_its_end_and_told(truth, end):
    twin = Assimilator(rate_model(), ["k"], noise=0.01)
    done = twin.update(TIMES, np.exp(-truth * TIMES[:, 0]))
    assert done.at_bound == ("k",)
    assert twin.value["k"] == pytest.approx(end, rel=4 * EPS)
    low, high = twin.interval()["k"]
    assert 0.1 <= low < high <= 10.0
    assert twin.update(TIMES, np.exp(-2.0 * TIMES[:, 0])).at_bound == ()


def test_one_bound_does_not_hold_the_other_unknown():
    """The amplitude beyond its end: the rate is then the best one for that end."""
    twin = Assimilator(decay_model(), ["k", "a"], noise=0.01)
    u = 2.2 * np.exp(-2.0 * TIMES[:, 0])
    assert twin.update(TIMES, u).at_bound == ("a",)
    fit = least_squares(lambda k: 2 * np.exp(-k * TIMES[:, 0]) - u, 2.0, xtol=1e-12)
    assert twin.value["a"] == 2.0
    assert twin.value["k"] == pytest.approx(fit.x[0], rel=1e-3)


def test_the_state_carries_estimate_and_model_error():
    model = decay_model()
    twin = Assimilator(model, ["k", "a"], noise=0.02, model_error=0.003)
    twin.update(TIMES, 1.3 * np.exp(-2.2 * TIMES[:, 0]))
    places = np.linspace(0, 1, 130)[:, None]  # over two tiles
    state = twin.state(places)
    k, a = twin.value["k"], twin.value["a"]
    t = places[:, 0]
    np.testing.assert_allclose(state.value[:, 0], a * np.exp(-k * t), rtol=1e-13)
    slope = np.column_stack([-a * t * k * np.exp(-k * t), np.exp(-k * t)])
    np.testing.assert_allclose(state.gradient[:, 0], slope, rtol=1e-12, atol=1e-14)
    spread = np.einsum("ni,ij,nj->n", slope, twin.covariance, slope)
    np.testing.assert_allclose(state.deviation[:, 0], np.sqrt(spread + 0.003**2), rtol=1e-10)
    assert twin.deviation["k"] == pytest.approx(k * np.sqrt(twin.covariance[0, 0]))


def test_the_models_own_error_widens_the_estimate():
    file = sample(sizes=(2, 6, 1))
    model = load(pack(file))
    off = file.baseline.expected - file.baseline.reference
    rms = float(np.sqrt(np.mean(off**2)))
    default, none = (
        Assimilator(model, ["t"], noise=0.5 * rms, model_error=error) for error in (None, 0.0)
    )
    given = Assimilator(model, ["t"], noise=float(np.hypot(0.5 * rms, rms)), model_error=0.0)
    x = np.linspace(-1, 1, 9)[:, None]
    y = model(np.column_stack([x, np.full(9, 0.6)]))
    for twin in (default, none, given):
        twin.update(x, y)
    np.testing.assert_allclose(default.covariance, given.covariance, rtol=1e-5)
    assert default.covariance[0, 0] > 2 * none.covariance[0, 0]


def test_names_do_for_arrays_and_noise_can_differ_by_value():
    x, y = linear_readings(6, 8)
    noise = np.random.default_rng(0).uniform(0.1, 1, (8, 2))
    by_array, by_name = (Assimilator(linear_model(), ["b", "a"], noise=1) for _ in range(2))
    by_array.update(np.column_stack([x]), y, noise)
    by_name.update({"x": x}, {"v": y[:, 1], "u": y[:, 0]}, {"u": noise[:, 0], "v": noise[:, 1]})
    assert np.array_equal(by_array.coordinate, by_name.coordinate)
    assert np.array_equal(by_array.covariance, by_name.covariance)
    weighted = np.linalg.inv(
        np.linalg.inv(Assimilator(linear_model(), ["a", "b"], noise=1).covariance)
        + np.einsum("mi,mj,nm->ij", LINEAR[:, 1:], LINEAR[:, 1:], noise**-2)
    )
    np.testing.assert_allclose(by_array.covariance, weighted, rtol=1e-11)
    assert by_array.unknown == ("a", "b")


def test_an_estimate_can_be_kept_and_restored():
    first, second = (Assimilator(rate_model(), ["k"], noise=0.01) for _ in range(2))
    u = np.exp(-3.0 * TIMES[:, 0])
    first.update(TIMES, u)
    second.restore(first.coordinate, first.covariance)
    assert second.interval(0.9) == first.interval(0.9)
    assert (second.value, first.logarithmic) == (first.value, ("k",))
    first.reset()
    assert first.value["k"] == pytest.approx(1.0)


REFUSALS = [
    ({"unknown": ["nu"]}, r"`unknown`.*'t', 'k', 'a'.*nu"),
    ({"unknown": "k"}, r"`unknown` takes a list"),
    ({"unknown": []}, r"1 to 8 names, got 0"),
    ({"noise": 0}, r"`noise`.*> 0.*got 0"),
    ({"noise": {"v": 1}}, r"`noise` is needed for each of \['u'\]"),
    ({"noise": [0.1, 0.2]}, r"one for each of \['u'\]"),
    ({"model_error": -1.0}, r"`model_error`.*>= 0"),
    ({"drift": {"k": np.nan}}, r"`drift`.*finite"),
    ({"drift": {"t": 1.0}}, r"`drift`.*'k'"),
    ({"loss": "cauchy"}, r"`loss`.*huber.*cauchy"),
    ({"outlier": 0}, r"`outlier`.*> 0"),
    ({"prior": {"k": (0.01, 1)}}, r"`prior` of 'k'.*\[0.1, 10\]"),
    ({"logarithmic": ["t"]}, r"`logarithmic`.*'k'.*t"),
    ({"dtype": np.int32}, r"`dtype`.*int32"),
]


@pytest.mark.parametrize(("setting", "message"), REFUSALS, ids=lambda v: str(v)[:30])
def test_settings_that_do_not_fit_are_refused(setting, message):
    given = {"unknown": ["k"], "noise": 0.01} | setting
    with pytest.raises(ValueError, match=message):
        Assimilator(decay_model(), **given)


def test_calls_that_do_not_fit_are_refused_and_change_nothing():
    twin = Assimilator(decay_model(), ["k"], noise=0.01)
    before = twin.coordinate
    with pytest.raises(ValueError, match=r"\(n, 2\), columns \(t, a\); got \(20, 1\)"):
        twin.update(TIMES, np.zeros(20))
    with pytest.raises(ValueError, match=r"`values` must have the shape \(3, 1\).*got \(4, 1\)"):
        twin.update(np.ones((3, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="'v'.*outputs.*'u'"):
        twin.update(np.ones((3, 2)), {"v": np.zeros(3)})
    with pytest.raises(ValueError, match="finite points"):
        twin.state([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="`duration`"):
        twin.wait(-1)
    with pytest.raises(ValueError, match="within the domain"):
        twin.restore([5.0], [[1.0]])
    with pytest.raises(ValueError, match="positive definite"):
        twin.restore([0.0], [[-1.0]])
    with pytest.raises(ValueError, match="`level`"):
        twin.interval(1.0)
    assert np.array_equal(twin.coordinate, before)
    positive = closed_form_model({"t": (0, 1), "k": (-1, 1)}, lambda p, i: p.times(*i))
    with pytest.raises(ValueError, match="'k' begins at -1"):
        Assimilator(positive, ["k"], noise=1, logarithmic=["k"])


# ---- the same from C ----

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-O0"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """The program of a device without vectors; what is tested here under sanitizers."""
    folder = tmp_path_factory.mktemp("device")
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the core's tests need gcc or clang"
    sources = [
        path
        for path in sorted(CORE.glob("*.c"))
        if not path.stem.startswith(("reverse", "assimilate", "kernels"))
        or path.stem.startswith("kernels_scalar")
    ]
    plain = [compiler, "-std=c99", *STRICT, f"-I{CORE}"]
    subprocess.run([*plain, "-c", *sources], check=True, cwd=folder)
    program = folder / "assimilate"
    tested = [CORE / "assimilate.c", Path(__file__).parent / "assimilate.c"]
    command = [*plain, *SANITIZED, *tested, *folder.glob("*.o"), "-o", program]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["squares", "huber", "student"])
def test_a_device_gets_the_same_bits(device, tmp_path, dtype, loss):
    model = decay_model(isa="scalar")
    rng = np.random.default_rng(7)
    batches, rows = 6, 70
    x = rng.uniform(-0.02, 1.02, (batches, rows, 1))  # some outside
    u = 0.9 * np.exp(-4.0 * x) + 0.02 * rng.standard_t(3, x.shape)
    u[rng.random(u.shape) < 0.1] = np.nan
    u[4] = np.nan
    x[5, :3, 0] = np.nan, np.inf, -1e300
    numbers = [np.array([0.02, batches, rows])]
    numbers += [part.ravel() for pair in zip(x, u, strict=True) for part in pair]
    (tmp_path / "model.kdp").write_bytes(pack(model.file))
    (tmp_path / "readings").write_bytes(np.concatenate(numbers).astype("<f8").tobytes())
    twin = Assimilator(model, ["k", "a"], noise=0.02, loss=loss, dtype=dtype)
    kind = ["squares", "huber", "student"].index(loss)
    bits = np.dtype(dtype).itemsize * 8
    command = [device, tmp_path / "model.kdp", tmp_path / "readings", str(bits), str(kind)]
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # it keeps its model to the end
    done = subprocess.run(
        [*command, "1", "2"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for k in range(batches):
        mine = twin.update(x[k], u[k])
        counts = [mine.used, mine.missing, mine.outside, mine.outliers, mine.iterations]
        assert list(map(int, next(lines).split()))[:6] == [*counts, mine.converged]
        numbers = np.array(next(lines).split(), np.float64)
        assert np.array_equal(numbers[:2], twin.coordinate)
        assert np.array_equal(numbers[2:6], twin.covariance.ravel())
