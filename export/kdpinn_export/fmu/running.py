"""An FMU at work in FMPy: one point after the other, as the check of an export needs it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import ModelFile

from .options import FmuOptions
from .variables import INPUT, OUTPUT, TIME


def in_fmpy(
    path: Path, model: ModelFile, options: FmuOptions, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values and first derivatives of an FMU at `points` (n, d).

    (n, m (1 + d)): all outputs, then all their derivatives by the first input, and so on. Where
    variables are arrays, all points of the array are the same. Raises what FMPy raises.
    """
    import fmpy

    with tempfile.TemporaryDirectory(prefix="kdpinn-fmu-") as folder:
        fmpy.extract(str(path), unzipdir=folder)
        unit = _instance(path, Path(folder), options)
        try:
            return np.array([_at(unit, model, options, point) for point in points])
        finally:
            unit.terminate()
            unit.freeInstance()


def _instance(path: Path, folder: Path, options: FmuOptions) -> Any:
    """For model exchange, in its first event mode: there all inputs, and the time, can be set."""
    import fmpy
    from fmpy.fmi2 import FMU2Model
    from fmpy.fmi3 import FMU3Model

    about = fmpy.read_model_description(str(path))
    unit = (FMU2Model if options.version == 2 else FMU3Model)(
        guid=about.guid if options.version == 2 else about.instantiationToken,
        modelIdentifier=about.modelExchange.modelIdentifier,
        unzipDirectory=str(folder),
        instanceName="check",
    )
    unit.instantiate()
    if options.version == 2:
        unit.setupExperiment()
    unit.enterInitializationMode()
    unit.exitInitializationMode()
    return unit


def _at(
    unit: Any, model: ModelFile, options: FmuOptions, point: NDArray[np.float64]
) -> NDArray[np.float64]:
    bound, copies = options.time_input(model), options.points or 1
    number = "Real" if options.version == 2 else ("Float32", "Float64")[options.precision == "f64"]
    get, put = getattr(unit, f"get{number}"), getattr(unit, f"set{number}")
    outputs = [OUTPUT + j for j in range(len(model.outputs))]
    knowns = [TIME if i == bound else INPUT + i for i in range(len(point))]
    for i, (known, value) in enumerate(zip(knowns, point, strict=True)):
        if i == bound:
            unit.setTime(float(value))
        else:
            put([known], [float(value)] * copies)
    return np.array(
        [_first(get, [output], copies) for output in outputs]
        + [
            _first(unit.getDirectionalDerivative, [output], copies, [known], seeds)
            for known, seeds in ((k, [1.0] * (1 if k == TIME else copies)) for k in knowns)
            for output in outputs
        ]
    )


def _first(call: Any, unknowns: list[int], copies: int, *more: Any) -> float:
    """The number at the first point; FMI 3's functions want to be told how many there are."""
    return float(call(unknowns, *more, *([copies] if copies > 1 else []))[0])
