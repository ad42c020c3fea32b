"""Sizes and budgets of one run: frozen, validated, the same for teacher, students and scratch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields


def _check_counts(owner: object, names: tuple[str, ...], least: int) -> None:
    for name in names:
        value = getattr(owner, name)
        if not isinstance(value, int) or value < least:
            raise ValueError(
                f"`{type(owner).__name__}.{name}` is an integer >= {least}, got {value!r}."
            )


def _check_positive(owner: object, names: tuple[str, ...], zero: bool) -> None:
    for name in names:
        value = getattr(owner, name)
        if math.isnan(value) or value < 0 or (value == 0 and not zero):
            least = ">= 0" if zero else "> 0"
            raise ValueError(f"`{type(owner).__name__}.{name}` is {least}, got {value!r}.")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained on the PDE.

    Attributes:
        points: collocation points N, half uniform, half residual-adaptive.
        condition_points: points on each condition, on each of its faces; fixed for the stage.
        adam: Adam iterations of the warm start; 0 for none.
        adam_points: collocation points during the warm start.
        adam_rate: Adam's first learning rate.
        iterations: self-scaled Broyden iterations with resampling.
        resample_every: iterations between two resamplings; 0 for one fixed set.
        last_iterations: iterations of the last stretch, on a larger set that stays fixed.
        last_points: collocation points of the last stretch.
        levenberg_marquardt: iterations of Levenberg-Marquardt after all that, on the same set.
        residual_weight: weight of the mean squared PDE residual. The conditions carry their own.
        held_out_points: Sobol points of the residual that chooses the best state (robustly:
            `kdpinn.held_out.MedianOfMeans`).
        check_every: iterations between two looks at the held-out residual and the error.
        seconds: cap on the wall time of the training, in s.
        adaptive: half of the collocation points where the residual is large; else all uniform.
        balance: conditions' weights by the traces of their curvature, in place of their own.
        causal: how strictly early times come first, epsilon of `kdpinn.methods.causality`; 0: not.
        windows: stretches of the `iterations` in which the horizon in time grows; 1 for all time.
        curriculum: parameters to train for before the problem's own, the easiest first.
        curriculum_iterations: self-scaled Broyden iterations for each of them.
        multipliers: conditions as constraints, a multiplier for each of their points.
    """

    points: int = 2500
    condition_points: int = 300
    adam: int = 0
    adam_points: int = 1500
    adam_rate: float = 5e-3
    iterations: int = 2000
    resample_every: int = 500
    last_iterations: int = 500
    last_points: int = 4000
    levenberg_marquardt: int = 0
    residual_weight: float = 1.0
    held_out_points: int = 2048
    check_every: int = 50
    seconds: float = math.inf
    adaptive: bool = True
    balance: bool = False
    causal: float = 0.0
    windows: int = 1
    curriculum: tuple[Mapping[str, float], ...] = ()
    curriculum_iterations: int = 300
    multipliers: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.curriculum, Mapping):
            raise ValueError(
                f"`Training.curriculum` is a list of parameters, write [{self.curriculum!r}]."
            )
        object.__setattr__(self, "curriculum", tuple(dict(step) for step in self.curriculum))
        _check_counts(self, ("windows", "curriculum_iterations"), 1)
        _check_positive(self, ("causal",), zero=True)
        counts = ("points", "condition_points", "adam_points", "last_points", "held_out_points")
        _check_counts(self, (*counts, "check_every"), 1)
        zero = ("adam", "iterations", "resample_every", "last_iterations", "levenberg_marquardt")
        _check_counts(self, zero, 0)
        _check_positive(self, ("adam_rate", "residual_weight", "seconds"), zero=False)


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How a student learns from its teacher (KD-PINN): match, then fine-tune on the physics.

    Attributes:
        points: Sobol points at which the student matches its teacher, fixed.
        iterations: self-scaled Broyden iterations of the matching.
        starts: matchings from as many initializations, of which the best counts; the student from
            scratch gets as many. On Burgers, 261 parameters, 12,000 iterations, the RMSE of
            single starts lies between 4.0e-5 and 6.5e-5, and early values do not tell which.
        pruned_start: the first start is the teacher itself, its neurons removed in rounds
            (`Pruning`), where the student has its depth and is nowhere wider.
        symmetric: the teacher's mean over the symmetries of its problem teaches, where the physics
            shows any (`kdpinn.structure.projection`).
        sigma: standard deviation of both Gaussians in the Kullback-Leibler term, in units of each
            output's root mean square over the points.
        first_weight: weight of the matched first derivatives, relative to the values. On Burgers,
            261 parameters, 2500 iterations, 0.01 for 0: RMSE 1.14e-4 for 1.39e-4, largest error
            1.4e-3 for 2.0e-3 (one seed), at about twice the time. After 12,000 iterations the two
            together with `residual_weight` cost the least students some RMSE, which they have too
            few parameters for, and help the large ones: 177 parameters 2.6e-4 for 2.2e-4, 921
            parameters 5.8e-7 for 1.1e-6 (best of two starts for one).
        second_weight: weight of the matched second derivatives, likewise.
        residual_weight: weight of the matched PDE residual, likewise. In the same case, with
            first derivatives matched, 1e-4 for 0: held-out residual 2.8e-4 for 3.3e-4, relative
            L2 error 1.88e-4 for 1.93e-4, at 1.4 times the time.
        tune_iterations: iterations on the physics after the matching; 0 for no fine-tuning.
        tune_teacher_weight: weight of the teacher's term during the fine-tuning, relative to the
            physics, when both are scaled to 1 at its start.
        tune_points: collocation points of the fine-tuning.
        check_every: iterations between two looks at the error.
        seconds: cap on the wall time of the matching and of the fine-tuning, each, in s.
    """

    points: int = 3500
    iterations: int = 4000
    starts: int = 1
    pruned_start: bool = False
    symmetric: bool = True
    sigma: float = 1.0
    first_weight: float = 0.01
    second_weight: float = 0.0
    residual_weight: float = 1e-4
    tune_iterations: int = 300
    tune_teacher_weight: float = 10.0
    tune_points: int = 2500
    check_every: int = 100
    seconds: float = math.inf

    def __post_init__(self) -> None:
        _check_counts(self, ("points", "starts", "tune_points", "check_every"), 1)
        _check_counts(self, ("iterations", "tune_iterations"), 0)
        _check_positive(self, ("sigma", "seconds"), zero=False)
        weights = ("first_weight", "second_weight", "residual_weight", "tune_teacher_weight")
        _check_positive(self, weights, zero=True)


@dataclass(frozen=True, kw_only=True)
class Fourier:
    """Random waves that the networks of a run see beside their inputs.

    Attributes:
        count: frequencies, each a sine and a cosine.
        scale: standard deviation of the frequencies, in radians over half of an input's range.
        seed: of the frequencies.
    """

    count: int = 8
    scale: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check_counts(self, ("count",), 1)
        _check_counts(self, ("seed",), 0)
        _check_positive(self, ("scale",), zero=False)


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a student is made by removing the teacher's neurons.

    Attributes:
        share: of the parameters that is removed in a round.
        between: share of the distillation's iterations that the refits between the rounds get
            together; the rest follows the last round.
    """

    share: float = 0.15
    between: float = 0.5

    def __post_init__(self) -> None:
        for name in ("share", "between"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"`Pruning.{name}` lies between 0 and 1, got {getattr(self, name)!r}."
                )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a run needs to know beside the problem.

    Attributes:
        teacher: widths of the teacher's hidden layers.
        students: widths of the hidden layers of each student.
        activation: of all hidden layers, a key of `kdpinn.networks.ACTIVATIONS`; relu only where
            no second derivative is asked for.
        training: budget of the teacher, and of the student trained from scratch.
        distillation: budget of the students.
        fourier: random waves as further inputs of teacher and students; None for none.
        pruning: if given, the run also makes a pruned student of at most the last student's size.
        seed: first seed; trial k of a repeated run takes seed + k.
        checkpoint_seconds: wall time between two checkpoints, in s.
    """

    teacher: tuple[int, ...] = (20, 20, 20, 20)
    students: tuple[tuple[int, ...], ...] = ((10, 10, 10),)
    activation: str = "tanh"
    training: Training = field(default_factory=Training)
    distillation: Distillation = field(default_factory=Distillation)
    fourier: Fourier | None = None
    pruning: Pruning | None = None
    seed: int = 0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        for widths in (self.teacher, *self.students):
            if not widths or any(not isinstance(w, int) or w < 1 for w in widths):
                raise ValueError(
                    f"`Recipe` takes hidden widths as a tuple of integers >= 1, got {widths!r}."
                )
        if not self.students:
            raise ValueError("`Recipe.students` is empty: name the hidden widths of one student.")
        _check_positive(self, ("checkpoint_seconds",), zero=False)


def recipe_from_mapping(values: dict[str, object]) -> Recipe:
    """Recipe from plain nested mappings, as a YAML or JSON file holds them.

    Raises:
        ValueError: an unknown key, with the keys that exist.
    """
    parts: dict[str, type] = {
        "training": Training,
        "distillation": Distillation,
        "fourier": Fourier,
        "pruning": Pruning,
    }
    known = {f.name for f in fields(Recipe)}
    arguments: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"`Recipe` has no key {key!r}. It has {sorted(known)}.")
        if key in parts and not (key in ("fourier", "pruning") and value is None):
            value = _part(parts[key], value)
        elif key == "teacher":
            value = _sequence(value)
        elif key == "students":
            value = tuple(_sequence(widths) for widths in _sequence(value))
        arguments[key] = value
    return Recipe(**arguments)  # type: ignore[arg-type]


def _sequence(value: object) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"`Recipe` takes hidden widths as a list, got {value!r}.")
    return tuple(value)


def _part(kind: type, value: object) -> object:
    known = {f.name for f in fields(kind)}
    if not isinstance(value, dict):
        raise ValueError(f"`{kind.__name__}` is filled from a mapping, got {value!r}.")
    for key in value:
        if key not in known:
            raise ValueError(f"`{kind.__name__}` has no key {key!r}. It has {sorted(known)}.")
    return kind(**value)
