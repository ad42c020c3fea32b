"""From a trained field to the model file: the problem's names, physics and baseline go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.geometry import FloatArray
from kdpinn.matching import on_slices
from kdpinn.metrics import accuracy
from kdpinn.networks import MLP
from kdpinn.problems import Problem, Samples, trace
from kdpinn.structure.stored_symmetry import group_of, stored_symmetry
from kdpinn.teachers.protocol import Teacher
from kdpinn.teachers.taught import TeacherReference
from kdpinn_export import BaselineTables, Physics, baseline_points, plain_network, to_kdp
from kdpinn_runtime.format import DEFAULT_TARGETS, ModelFile, Parameter, Target, Variable

Dtype = Literal["f32", "f64"]
BASELINE_POINTS = 256
ROUNDING_SHARE = 0.01
"""Largest share by which storing float32 weights may raise the RMSE."""


def model_file(
    problem: Problem,
    field: Field,
    *,
    teacher: Teacher | None = None,
    dtype: Dtype = "f32",
    card: Mapping[str, Any] | None = None,
    targets: tuple[Target, ...] = DEFAULT_TARGETS,
    points: int = BASELINE_POINTS,
) -> ModelFile:
    """The contents of a model file; of a tied network its free part and the relation.

    The card says under "physics" why the file carries no equation, if it carries none, and under
    "holes" which disks the domain leaves out, under "untied" why a tied network stands there in
    full.
    """
    physics, reason = physics_of(problem)
    weights, biases = zip(*field.network.unpack(field.weights), strict=True)
    network = plain_network(
        [w.detach().numpy() for w in weights],
        [b.detach().numpy() for b in biases],
        field.network.activation,
        input_shift=field.input_shift.numpy(),
        input_scale=field.input_scale.numpy(),
        output_shift=field.output_shift.numpy(),
        output_scale=field.output_scale.numpy(),
        dtype=dtype,
        features=field.features,
        exact=field.exact,
    )
    holes = [{"radius": h.radius, "center": h.named_center} for h in problem.domain.holes]
    symmetry, untied = stored_symmetry(
        field.network, field.input_shift.numpy(), field.input_scale.numpy()
    )
    about = {
        **(card or {}),
        **({"physics": reason} if reason else {}),
        **({"holes": holes} if holes else {}),
        **({"untied": untied} if untied else {}),
    }
    return to_kdp(
        network,
        inputs=_inputs(problem),
        outputs=[(name, problem.unit(name)) for name in problem.fields],
        tables=_tables(problem, teacher, points),
        physics=physics,
        targets=targets,
        card=about,
        symmetry=symmetry,
    )


def physics_of(problem: Problem) -> tuple[Physics, str]:
    """The problem's equations as a file carries them, and the reason if it carries none."""
    traced, reason = trace(problem)
    if traced is None:
        return Physics(), reason
    parameters = tuple(
        Parameter(name, problem.unit(name), problem.parameters[name]) for name in traced.parameters
    )
    equations = {e.name: e.terms for e in traced.equations}
    return Physics(equations=equations, pairs=traced.pairs, parameters=parameters), ""


def stored_dtype(field: Field, points: FloatArray, reference: FloatArray | None) -> Dtype:
    """float32 where its rounding is lost in the error against the reference, else float64.

    Without a reference: float32.
    """
    if reference is None:
        return "f32"
    weights = field.weights.float().double()
    rounded = field.with_theta(torch.cat([weights, field.theta[len(weights) :]]))
    wide = accuracy(field.values(points), reference).rmse
    narrow = accuracy(rounded.values(points), reference).rmse
    return "f32" if narrow <= (1 + ROUNDING_SHARE) * wide else "f64"


def field_of(file: ModelFile, problem: str = "") -> Field:
    """The trainable form of a model file.

    Raises:
        ValueError: the hidden layers do not share one activation.
    """
    activations = {layer.activation for layer in file.layers[:-1]} or {"identity"}
    if len(activations) > 1:
        raise ValueError(
            f"A trainable network has one hidden activation, the file has {sorted(activations)}."
        )
    parts = [part.ravel() for layer in file.layers for part in (layer.weight, layer.bias)]
    sizes = (len(file.input_shift), *(len(layer.bias) for layer in file.layers))
    network = MLP(sizes, activations.pop(), group_of(file.symmetry))
    theta = torch.from_numpy(np.concatenate(parts).astype(np.float64))
    affine = (file.input_shift, file.input_scale, file.output_shift, file.output_scale)
    shift, scale, out_shift, out_scale = (torch.tensor(a) for a in affine)
    return Field(
        network=network,
        theta=theta if network.tie is None else network.tie.restrict(theta),
        inputs=tuple(v.name for v in file.inputs),
        outputs=tuple(v.name for v in file.outputs),
        input_shift=shift,
        input_scale=scale,
        output_shift=out_shift,
        output_scale=out_scale,
        problem=problem,
        features=file.features,
        exact=file.exact,
    )


def _inputs(problem: Problem) -> list[Variable]:
    bounds = [problem.domain.bounds(name) for name in problem.coordinates]
    return [
        Variable(name=name, unit=problem.unit(name), lower=lower, upper=upper)
        for name, (lower, upper) in zip(problem.coordinates, bounds, strict=True)
    ]


def _tables(problem: Problem, teacher: Teacher | None, count: int) -> BaselineTables:
    points = _baseline_points(problem, count)
    reference = problem.reference_at(points) if problem.reference is not None else None
    points = points.astype(np.float32).astype(np.float64)  # a table's need not be exact
    columns = list(problem.data_at(points).values())
    return BaselineTables(
        points=points,
        reference=reference,
        teacher=teacher.values(points) if teacher is not None else None,
        data=np.stack(columns, axis=1) if columns else None,
    )


def _baseline_points(problem: Problem, count: int) -> FloatArray:
    """Points for the file's baseline: in no hole, and samples where the reference is a table."""
    if isinstance(problem.reference, Samples):
        return problem.reference.some(count)
    domain, drawn = problem.domain, count
    while True:
        points = baseline_points(domain.lower, domain.upper, drawn)
        points = points[domain.contains(points)]
        if len(points) >= count:
            return _known(problem, points[:count])
        drawn *= 2


def _known(problem: Problem, points: FloatArray) -> FloatArray:
    """The points, moved to parameter values that a teacher in the reference's place knows."""
    if not isinstance(problem.reference, TeacherReference):
        return points
    moved = on_slices(problem.domain, torch.tensor(points), problem.reference.slices)
    return np.asarray(moved.numpy(), dtype=np.float64)
