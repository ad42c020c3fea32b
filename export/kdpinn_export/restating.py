"""A model with other weights: expected outputs and limits of the weights that it has now."""

from __future__ import annotations

from kdpinn_runtime.format import ModelFile

from .kdp import BaselineTables, NetworkArrays, Physics, to_kdp


def restated(model: ModelFile) -> ModelFile:
    """`model` with its baseline computed anew from its layers, everything else as it is."""
    if model.baseline is None:
        return model
    network = NetworkArrays(
        layers=model.layers,
        input_shift=model.input_shift,
        input_scale=model.input_scale,
        output_shift=model.output_shift,
        output_scale=model.output_scale,
        features=model.features,
        exact=model.exact,
    )
    tables = BaselineTables(
        points=model.baseline.points,
        reference=model.baseline.reference,
        teacher=model.baseline.teacher,
        data=model.baseline.data,
    )
    physics = Physics(
        equations={equation.name: equation.terms for equation in model.equations},
        pairs=model.pairs,
        parameters=model.parameters,
    )
    return to_kdp(
        network,
        inputs=model.inputs,
        outputs=[(v.name, v.unit) for v in model.outputs],
        tables=tables,
        physics=physics,
        targets=model.targets,
        card=model.card,
        symmetry=model.symmetry,
    )
