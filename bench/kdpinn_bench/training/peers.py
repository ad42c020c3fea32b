"""DeepXDE and PINA on the same cases: full batches, reverse-mode derivatives, one network.

Neither is told more than its own manual says: each reads the derivatives that the equations name
and computes no other.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdpinn.problems.field_jet import Derivative
from kdpinn_bench.training.cases import Case, Given
from kdpinn_bench.training.contestant import (
    RATE,
    Prepared,
    Setting,
    defaults,
    gradient_of,
    load_parameters,
    quiet_environment,
)
from kdpinn_bench.training.ours import finished


def _absent(module: str, setting: Setting) -> str:
    if importlib.util.find_spec(module) is None:
        return "not installed: pip install 'kdpinn[peers]'"
    gone = setting.device == "cuda" and not torch.cuda.is_available()
    return "no CUDA device" if gone else ""


class DeepXDE:
    """DeepXDE with its torch backend; Lu et al., SIAM Rev. 63 (2021), doi:10.1137/19M1274067."""

    name = "DeepXDE"

    def missing(self, setting: Setting) -> str:
        """Whether it is installed; it takes its device when it is imported, so the CPU it is."""
        if setting.device != "cpu" and not torch.cuda.is_available():
            return "no CUDA device"
        return _absent("deepxde", setting)

    def prepare(self, case: Case, setting: Setting) -> Prepared:
        """A compiled model, after the first step that fixes its points."""
        quiet_environment()
        import deepxde as dde

        dde.config.set_default_float(str(setting.dtype).removeprefix("torch."))
        model, layers = self.model(dde, case)
        load_parameters(layers, case, setting)
        model.train_state.set_data_train(*model.data.train_next_batch())
        data = model.train_state
        batch = (data.X_train, data.y_train, data.train_aux_vars)

        def gradient() -> tuple[float, Tensor]:
            model.net.zero_grad()
            total = model.outputs_losses_train(*batch)[1].sum()
            total.backward()
            return float(total.detach()), gradient_of(layers)

        return Prepared(gradient, finished(lambda: model.train_step(*batch), setting))

    def model(self, dde: Any, case: Case) -> tuple[Any, list[torch.nn.Linear]]:
        """Model and the layers of its network."""
        problem = case.pde
        box = dde.geometry.Hypercube(problem.domain.lower, problem.domain.upper)
        sources = problem.data_at(case.interior)
        names = problem.fields

        def residuals(x: Tensor, y: Tensor) -> list[Tensor]:
            # All rows: conditions first, then the points of the equation, which alone count.
            known = {name: _padded(values, x) for name, values in sources.items()}
            fields = {name: (y[:, k], _by_deepxde(dde, x, y, k)) for k, name in enumerate(names)}
            return [r[:, None] for r in case.residuals(x, known, fields)]

        conditions = [self._condition(dde, given) for given in case.given]
        # DeepXDE means over the fields of a condition, we add them.
        weights = [1.0] * len(problem.equation_names)
        weights += [given.weight * len(given.fields) for given in case.given]
        data = dde.data.PDE(box, residuals, conditions, anchors=case.interior)
        network = dde.nn.FNN(list(case.field.network.sizes), "tanh", "Glorot normal")
        model = dde.Model(data, network)
        model.compile("adam", lr=RATE, loss_weights=weights, verbose=0)
        return model, list(network.linears)

    def _condition(self, dde: Any, given: Given) -> Any:
        single = len(given.fields) == 1
        component = given.fields[0] if single else list(given.fields)
        return dde.icbc.PointSetBC(given.points, given.targets, component=component)


def _padded(values: np.ndarray[Any, Any], x: Tensor) -> Tensor:
    """The sources at the last rows of x, zero at the others."""
    column = x.new_zeros(len(x))
    column[-len(values) :] = torch.as_tensor(values)
    return column


def _by_deepxde(dde: Any, x: Tensor, y: Tensor, field: int) -> Derivative:
    def derivative(indices: tuple[int, ...]) -> Tensor:
        if len(indices) == 1:
            column = dde.grad.jacobian(y, x, i=field, j=indices[0])
        else:
            i, j = indices
            component = field if y.shape[1] > 1 else 0
            column = dde.grad.hessian(y, x, component=component, i=i, j=j)
        return column[:, 0]  # type: ignore[no-any-return]

    return derivative


class Pina:
    """PINA: Coscia et al., J. Open Source Softw. 8 (2023) 5352, doi:10.21105/joss.05352.

    Its losses are evaluated condition by condition as in its own training step, without Lightning's
    loop and logging around it.
    """

    name = "PINA"

    def missing(self, setting: Setting) -> str:
        """Whether it is installed."""
        return _absent("pina", setting)

    def prepare(self, case: Case, setting: Setting) -> Prepared:
        """A solver with its conditions' tensors."""
        with defaults(setting):
            solver, layers = self.solver(case, setting)
        load_parameters(layers, case, setting)
        weights = {given.name: given.weight * len(given.fields) for given in case.given}
        weights["pde"] = float(len(case.pde.equation_names))
        adam = torch.optim.Adam(solver.model.parameters(), lr=RATE)
        conditions = {
            name: (condition, {"input": condition.input})
            for name, condition in solver.problem.conditions.items()
        }

        def backward() -> Tensor:
            adam.zero_grad()
            total = torch.stack(
                [
                    weights[name] * solver._compute_condition_loss(condition, data, 0)
                    for name, (condition, data) in conditions.items()
                ]
            ).sum()
            total.backward()  # type: ignore[no-untyped-call]
            return total

        def gradient() -> tuple[float, Tensor]:
            return float(backward().detach()), gradient_of(layers)

        def step() -> None:
            backward()
            adam.step()

        return Prepared(gradient, finished(step, setting))

    def solver(self, case: Case, setting: Setting) -> tuple[Any, list[torch.nn.Linear]]:
        """Solver and the layers of its network."""
        from pina import Condition, LabelTensor
        from pina.domain import CartesianDomain
        from pina.equation import Equation
        from pina.model import FeedForward
        from pina.problem import BaseProblem
        from pina.solver import PINN

        problem = case.pde
        bounds = {name: [0.0, 1.0] for name in problem.coordinates}

        def labelled(points: Any) -> Any:
            tensor = torch.as_tensor(points).to(setting.device, setting.dtype)
            return LabelTensor(tensor, list(problem.coordinates))

        equation = Equation(_pina_residuals(case, setting))
        conditions = {"pde": Condition(input=labelled(case.interior), equation=equation)}
        for given in case.given:
            equation = Equation(_pina_misfit(case, given, setting))
            conditions[given.name] = Condition(input=labelled(given.points), equation=equation)
        description = {
            "input_variables": list(problem.coordinates),
            "output_variables": list(problem.fields),
            "domains": {"box": CartesianDomain(bounds)},
            "conditions": conditions,
        }
        described = type("Described", (BaseProblem,), description)
        sizes = case.field.network.sizes
        model = FeedForward(sizes[0], sizes[-1], layers=list(sizes[1:-1]), func=torch.nn.Tanh)
        solver = PINN(described(), model.to(setting.device, setting.dtype))
        layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
        return solver, layers


def _pina_residuals(case: Case, setting: Setting) -> Any:
    """All equations side by side, (N, equations)."""
    from pina.operator import fast_grad

    names, fields = case.pde.coordinates, case.pde.fields
    sources = {
        name: torch.as_tensor(v).to(setting.device, setting.dtype)
        for name, v in case.pde.data_at(case.interior).items()
    }

    def residuals(input_: Any, output_: Any) -> Tensor:
        first: dict[str, Any] = {}

        def gradient(field: str) -> Any:
            if field not in first:
                first[field] = fast_grad(output_, input_, [field], list(names))
            return first[field]

        def reader(field: str) -> Derivative:
            def derivative(indices: tuple[int, ...]) -> Tensor:
                label = f"d{field}d{names[indices[0]]}"
                if len(indices) == 1:
                    return gradient(field).tensor[:, indices[0]]  # type: ignore[no-any-return]
                again = fast_grad(gradient(field).extract(label), input_, [label], list(names))
                return again.tensor[:, indices[1]]  # type: ignore[no-any-return]

            return derivative

        outputs = output_.tensor
        read = {field: (outputs[:, k], reader(field)) for k, field in enumerate(fields)}
        return torch.stack(case.residuals(input_.tensor, sources, read), 1)

    return residuals


def _pina_misfit(case: Case, given: Given, setting: Setting) -> Any:
    targets = torch.as_tensor(given.targets).to(setting.device, setting.dtype)

    def misfit(input_: Any, output_: Any) -> Tensor:
        return output_.tensor[:, list(given.fields)] - targets  # type: ignore[no-any-return]

    return misfit
