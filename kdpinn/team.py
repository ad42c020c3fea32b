"""One training on several processes, started by `torchrun --nproc-per-node K -m kdpinn train ...`.

Every process holds its share of the points. The first one leads: it runs the training loop, sends
the parameters theta to all before each evaluation, and gets back the sums over all points, so that
all stand at the same theta at every step. Decisions (line search, clock, Ctrl-C) are taken in one
place; a rounding that differs between processes cannot part them. Only the leader writes and draws.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor

from kdpinn.field import Field
from kdpinn.losses import LeastSquares, Products, Term, TrainingObjective
from kdpinn.stages import Stage

# The helpers wait while the leader does what only it can do, such as writing files.
PATIENCE = timedelta(days=30)
Sampler: TypeAlias = Callable[[Field, Stage, int], TrainingObjective]
"""(field so far, stage, number of the draw) -> objective; the same arguments, the same points."""
_END, _DRAW, _GRADIENT, _VALUE, _PRODUCTS, _TERMS = range(6)


class Memory(Protocol):
    """What passes from one draw of points to the next; a part of every checkpoint."""

    values: Tensor

    def renew(self, field: Field, stage: Stage) -> None:
        """Bring the values up to date before a draw, at the field so far."""
        ...


class Drawing(Protocol):
    """A sampler whose terms can be split, and what it remembers from draw to draw."""

    @property
    def memory(self) -> Memory | None:
        """None where nothing is."""
        ...

    def __call__(self, field: Field, stage: Stage, draw: int) -> LeastSquares:
        """The objective of a draw."""
        ...


@dataclass(frozen=True)
class Team:
    """The processes of one `torchrun`: this one's number, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process runs the training loop."""
        return self.rank == 0

    def share(self, field: Field, terms: tuple[Term, ...]) -> LeastSquares:
        """Every size-th point of each term, from this process's on.

        A term of fewer points than processes counts nothing where none is left.
        """
        return LeastSquares(field, [self._part(term) for term in terms])

    def _part(self, term: Term) -> Term:
        rows = torch.arange(self.rank, len(term.points), self.size)
        if len(rows):
            return term.take(rows)
        return replace(term.take(torch.zeros(1, dtype=torch.long)), weight=0.0)

    def tell(self, what: Any = None) -> Any:
        """What the leader says, in every process; slow, for seldom use."""
        box = [what]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def give(self, message: Tensor) -> Tensor:
        """The leader's tensor, in every process."""
        dist.broadcast(message, src=0)
        return message

    def total(self, part: Tensor) -> Tensor:
        """Sum over the processes, in every process."""
        dist.all_reduce(part)
        return part


ALONE = Team()


@contextmanager
def joined() -> Iterator[Team]:
    """The team that torchrun started this process in; `ALONE` without torchrun.

    When the leader leaves, the helpers are dismissed.
    """
    team = in_environment()
    if team.size == 1:
        yield ALONE
        return
    if not team.leads:  # Ctrl-C reaches all processes; the leader stores the state and ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    dist.init_process_group(_backend(), timeout=PATIENCE)
    try:
        yield team
    finally:
        if team.leads:
            with suppress(RuntimeError):  # a helper that is gone needs no dismissal
                team.tell(None)
        dist.destroy_process_group()


def in_environment() -> Team:
    """Rank and size as torchrun sets them, before anything is set up."""
    environment = os.environ
    return Team(int(environment.get("RANK", 0)), int(environment.get("WORLD_SIZE", 1)))


def _backend() -> str:
    """NCCL for tensors on a GPU, where each process can have its own; gloo for all others."""
    each_has_one = torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if torch.cuda.is_available() and each_has_one and dist.is_nccl_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        return "cpu:gloo,cuda:nccl"
    return "gloo"


class SharedObjective:
    """The leader's objective: each call is answered by all processes together.

    Sums over points are split between the processes, so values differ from those of one process
    by rounding.
    """

    def __init__(self, team: Team, local: LeastSquares) -> None:
        self._team, self._local = team, local

    def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """f and df/dtheta (P,)."""
        total = self._asked(_GRADIENT, theta)
        return float(total[0]), total[1:]

    def value(self, theta: Tensor) -> float:
        """f."""
        return float(self._asked(_VALUE, theta)[0])

    def products(self, theta: Tensor) -> Products:
        """f, J^T r (P,), J^T J (P, P)."""
        total, n = self._asked(_PRODUCTS, theta), theta.numel()
        return Products(float(total[0]), total[1 : n + 1], total[n + 1 :].view(n, n))

    def term_values(self, theta: Tensor) -> dict[str, float]:
        """Each term's share of f, by name."""
        total = self._asked(_TERMS, theta)
        names = [term.name for term in self._local.terms]
        return dict(zip(names, total.tolist(), strict=True))

    def _asked(self, request: int, theta: Tensor) -> Tensor:
        self._team.give(_message(request, theta))
        return self._team.total(_answer(self._local, request, theta))


@contextmanager
def shared(team: Team, field: Field, sample: Drawing, *details: Any) -> Iterator[Sampler]:
    """The sampler whose objectives all processes evaluate; itself where this one is alone.

    Args:
        field: that is trained.
        details: whatever tells the helpers, beside the field, what to draw.
    """
    if team.size == 1:
        yield sample
        return

    def draw(field: Field, stage: Stage, number: int) -> TrainingObjective:
        team.give(_message(_DRAW, field.theta))
        team.tell((stage, number, None if sample.memory is None else sample.memory.values))
        made = sample(field, stage, number)
        return SharedObjective(team, team.share(field, made.terms))

    team.tell((field, *details))
    try:
        yield draw
    finally:
        team.give(_message(_END, field.theta))


def help_with(team: Team, field: Field, sample: Drawing) -> None:
    """Answer the leader's calls until its training ends."""
    message = torch.zeros(1 + field.theta.numel(), dtype=field.theta.dtype)
    local: LeastSquares | None = None
    while (request := int(team.give(message)[0])) != _END:
        theta = message[1:].clone()
        if request == _DRAW:
            stage, number, remembered = team.tell()
            if sample.memory is not None:
                sample.memory.values = remembered
            made = sample(field.with_theta(theta), stage, number)
            local = team.share(field, made.terms)
        elif local is not None:
            team.total(_answer(local, request, theta))


def _message(request: int, theta: Tensor) -> Tensor:
    return torch.cat([theta.new_tensor([request]), theta])


def _answer(local: LeastSquares, request: int, theta: Tensor) -> Tensor:
    """This process's part of what is summed, as one vector."""
    if request == _GRADIENT:
        value, gradient = local.value_and_gradient(theta)
        return torch.cat([theta.new_tensor([value]), gradient])
    if request == _VALUE:
        return theta.new_tensor([local.value(theta)])
    if request == _TERMS:
        return theta.new_tensor(list(local.term_values(theta).values()))
    products = local.products(theta)
    parts = (theta.new_tensor([products.value]), products.slope, products.normal.flatten())
    return torch.cat(parts)
