"""A plain network in ONNX becomes a model file as it is, without training."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from kdpinn.assembly import versions
from kdpinn.geometry import Box
from kdpinn.problems.names import check_names
from kdpinn.teachers.objects import named
from kdpinn.teachers.onnx_files import Session, read_onnx
from kdpinn_export import BaselineTables, baseline_points, bounded_outputs, from_onnx, to_kdp
from kdpinn_runtime import write
from kdpinn_runtime.format import ModelFile, Variable

POINTS = 256
ROOM = 8.0
"""How many times the rounding of our own evaluation the graph's may be: it multiplies and adds in
another order, its affine maps apart from its layers."""


def import_onnx(source: Path, target: Path, box: Box, fields: tuple[str, ...]) -> dict[str, Any]:
    """Write the network of an ONNX file as a model file, and compare both.

    The outputs of the graph, as onnxruntime computes them, go with the file as its teacher's.

    Args:
        box: names and bounds of the inputs, in the order of the graph's columns.
        fields: names of the outputs; () for those of a graph of this package, or "u".
    Returns:
        The comparison, for JSON: "passed", "measured", "limit" and the numbers of the network.
    Raises:
        ValueError: the graph is no plain network, naming the node; or names that do not fit.
        OSError: a file cannot be read or written.
    """
    model = read_onnx(source)
    network, run = from_onnx(model), Session(source, model)
    width, count = network.layers[0].weight.shape[1], len(network.output_scale)
    if width != box.dim:
        raise ValueError(
            f"{source.name} takes {width} coordinates, --domain has {box.dim}: name each, in the "
            "order of its inputs."
        )
    outputs = named(source.name, fields, run.names, count)
    check_names("import", {"coordinate": box.names, "field": outputs})
    points = baseline_points(box.lower, box.upper, POINTS)
    values = run(points)
    parameters = sum(layer.weight.size + layer.bias.size for layer in network.layers)
    file = to_kdp(
        network,
        inputs=[
            Variable(name=n, unit=box.unit(n), lower=box.bounds(n)[0], upper=box.bounds(n)[1])
            for n in box.names
        ],
        outputs=[(name, "") for name in outputs],
        tables=BaselineTables(points=points, teacher=values),
        card={
            "title": f"Imported from {source.name}",
            "role": "imported",
            "source": f"{source.name}, SHA-256 {hashlib.sha256(source.read_bytes()).hexdigest()}",
            "parameters": parameters,
            "versions": versions(),
        },
    )
    found = _compared(file, points, values, outputs)
    write(target, file)
    return {"file": str(target), "parameters": parameters, **found}


def _compared(
    file: ModelFile, points: np.ndarray, values: np.ndarray, outputs: tuple[str, ...]
) -> dict[str, Any]:
    """Largest difference of the graph from the file, in units of the permitted one."""
    dtype = np.float32 if file.layers[0].weight.dtype == np.float32 else np.float64
    own = bounded_outputs(file, points, dtype)
    value = np.hstack([own[name].value for name in outputs])
    limit = ROOM * np.hstack([own[name].error for name in outputs])
    limit = np.maximum(limit, np.finfo(np.float64).tiny)  # 0 where every relu is off
    difference = np.abs(values - value)
    worst = np.unravel_index(np.argmax(difference / limit), difference.shape)
    return {
        "passed": bool(difference[worst] <= limit[worst]),
        "measured": float(difference[worst]),
        "limit": float(limit[worst]),
    }
