"""Models of DeepXDE and PINA as teachers, known by their shape: neither is imported here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def deepxde_network(value: Any) -> Any | None:
    """The network of a `deepxde.Model`, a torch module or of another backend; None for others."""
    marks = ("net", "data", "predict", "compile")
    return value.net if all(hasattr(value, mark) for mark in marks) else None


def is_pina_solver(value: Any) -> bool:
    """Whether it is a PINA solver: a torch module that knows its problem's variables."""
    problem = getattr(value, "problem", None)
    return (
        isinstance(value, torch.nn.Module)
        and hasattr(problem, "input_variables")
        and hasattr(problem, "output_variables")
    )


class PinaCall:
    """A PINA solver as a function of plain tensors.

    Its networks may look columns up by label, so they are given the library's own labeled tensor,
    taken from the module that the solver comes from.

    Args:
        inputs: our order of the coordinates, the columns of the points.
    Raises:
        ValueError: the names differ from those of the solver's problem.
    """

    def __init__(self, solver: torch.nn.Module, inputs: tuple[str, ...]) -> None:
        problem: Any = solver.problem
        self.labels = list(problem.input_variables)
        if sorted(self.labels) != sorted(inputs):
            raise ValueError(
                f"The PINA solver's problem has the variables {', '.join(self.labels)}, the "
                f"domain has {', '.join(inputs)}: name the same ones in --domain."
            )
        self.order = [inputs.index(label) for label in self.labels]
        self.solver = solver
        self.labeled: Any = sys.modules[type(solver).__module__.partition(".")[0]].LabelTensor

    def __call__(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, m), both plain."""
        result = self.solver(self.labeled(x[:, self.order], self.labels))
        plain: Tensor = result.as_subclass(torch.Tensor)
        return plain


def pina_outputs(solver: Any) -> Sequence[str]:
    """Names of the fields, as the solver's problem has them."""
    return tuple(solver.problem.output_variables)
