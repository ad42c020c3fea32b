"""Our own training steps: the native kernels, and torch alone, captured as a graph on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kdpinn.jets import JetSpec, network_jets
from kdpinn.losses import LeastSquares
from kdpinn.optimizers import Adam, SSBroyden
from kdpinn.problems.field_jet import Derivative
from kdpinn_bench.training.cases import Case
from kdpinn_bench.training.contestant import ELSEWHERE, RATE, Prepared, Setting


class Native:
    """What `kdpinn train` does on a CPU: kernels in float64.

    Args:
        optimizer: whose step it takes.
        among: the others' numbers where it takes part, told by its name if they are narrower.
    """

    def __init__(
        self, optimizer: Adam | SSBroyden | None = None, among: torch.dtype = torch.float64
    ) -> None:
        self.optimizer: Adam | SSBroyden = optimizer or Adam(rate=RATE)
        self.among = among
        own = type(self.optimizer).__name__
        self.name = "kdpinn" + ("" if own == "Adam" else f", {own}")
        self.name += "" if among == torch.float64 else ", in float64"

    def missing(self, setting: Setting) -> str:
        """Where else it is not: its kernels for training are float64."""
        if setting.device != "cpu":
            return "the kernels run on a CPU"
        return "" if setting.dtype == self.among else ELSEWHERE

    def prepare(self, case: Case, setting: Setting) -> Prepared:
        """All terms in one pass of the kernels."""
        objective = LeastSquares(case.field, case.terms)
        optimizer: Any = self.optimizer
        state = optimizer.start(case.field.theta)

        def step() -> None:
            nonlocal state
            state = optimizer.step(objective, state)

        return Prepared(lambda: objective.value_and_gradient(case.field.theta, "native"), step)


class TorchJets:
    """Forward jets in torch: the path for GPUs and for layers that the kernels do not know."""

    name = "kdpinn, torch"

    def missing(self, setting: Setting) -> str:
        """A GPU must be there."""
        absent = setting.device == "cuda" and not torch.cuda.is_available()
        return "no CUDA device" if absent else ""

    def prepare(self, case: Case, setting: Setting) -> Prepared:
        """Loss by `torch_loss`; on a GPU gradient and step are one captured graph each."""
        loss = torch_loss(case, setting)
        # A copy: the optimizer changes it in place.
        theta = case.field.theta.to(setting.device, setting.dtype, copy=True).requires_grad_()
        # Captured, the optimizer's counters have to live on the device as well.
        adam = torch.optim.Adam([theta], lr=RATE, capturable=setting.device == "cuda")
        value = torch.zeros((), device=setting.device, dtype=setting.dtype)
        theta.grad = torch.zeros_like(theta)

        def evaluate() -> None:
            total = loss(theta)
            (gradient,) = torch.autograd.grad(total, theta)
            assert theta.grad is not None
            theta.grad.copy_(gradient)
            value.copy_(total.detach())

        def advance() -> None:
            evaluate()
            adam.step()

        evaluated = captured(evaluate, setting)

        def gradient() -> tuple[float, Tensor]:
            evaluated()
            assert theta.grad is not None
            return float(value), theta.grad.double().cpu()

        first = gradient()
        return Prepared(lambda: first, finished(captured(advance, setting), setting))


def torch_loss(case: Case, setting: Setting) -> Callable[[Tensor], Tensor]:
    """The case's loss as a function of theta (P,), in torch alone."""

    def here(array: object) -> Tensor:
        return torch.as_tensor(array).to(setting.device, setting.dtype)

    problem, network = case.pde, case.field.network
    spec, values = problem.spec(), JetSpec(len(problem.coordinates), 0)
    scale = here(case.field.input_scale)
    points = here(case.interior)
    sources = {name: here(v) for name, v in problem.data_at(case.interior).items()}
    given = [(here(g.points), list(g.fields), here(g.targets), g.weight) for g in case.given]

    def reader(columns: tuple[Tensor, ...], output: int) -> tuple[Tensor, Derivative]:
        outputs = len(problem.fields)

        def derivative(indices: tuple[int, ...]) -> Tensor:
            known = len(indices) == 2
            channel = 1 + spec.d + spec.pair_index(*indices) if known else 1 + indices[0]
            return columns[channel * outputs + output]

        return columns[output], derivative

    def loss(theta: Tensor) -> Tensor:
        jets = network_jets(network, theta, points, spec, scale, "torch")
        columns = jets.transpose(1, 2).flatten(0, 1).unbind(0)
        fields = {name: reader(columns, k) for k, name in enumerate(problem.fields)}
        residuals = case.residuals(points, sources, fields)
        total = torch.stack([r.square().mean() for r in residuals]).sum()
        for x, outputs, targets, weight in given:
            got = network_jets(network, theta, x, values, scale, "torch")[0, :, outputs]
            total = total + weight * (got - targets).square().sum(1).mean()
        return total

    return loss


def captured(call: Callable[[], None], setting: Setting) -> Callable[[], None]:
    """The call as a CUDA graph: no launch from Python but one. On a CPU the call itself.

    Buffers that the call reads and writes must be allocated before, and stay.
    """
    if setting.device != "cuda":
        return call
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # warming up where nothing is captured yet
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def finished(call: Callable[[], object], setting: Setting) -> Callable[[], object]:
    """The call, which returns when the device is done."""
    if setting.device != "cuda":
        return call

    def wait() -> None:
        call()
        torch.cuda.synchronize()

    return wait
