"""Optimizers, one per file, behind the interface of `optimizer.py`."""

from kdpinn.optimizers.adam import Adam
from kdpinn.optimizers.lbfgs import LBFGS
from kdpinn.optimizers.levenberg_marquardt import LevenbergMarquardt
from kdpinn.optimizers.optimizer import Objective, Optimizer, State, SumOfSquares
from kdpinn.optimizers.ssbroyden import SSBroyden

__all__ = [
    "LBFGS",
    "Adam",
    "LevenbergMarquardt",
    "Objective",
    "Optimizer",
    "SSBroyden",
    "State",
    "SumOfSquares",
]
