"""The whole benchmark: which sections there are, and running them one step after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kdpinn_bench import engines as e
from kdpinn_bench.cases import TIED, tied_model
from kdpinn_bench.conditions import Condition, conditions
from kdpinn_bench.engine import Engine
from kdpinn_bench.instructions import Instructions, count_instructions
from kdpinn_bench.latency import POINT_COUNTS as POINT_COUNTS
from kdpinn_bench.latency import Latency, measure
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.solver import Comparison, compare_with_solver, refusal
from kdpinn_bench.timing import Schedule
from kdpinn_bench.truth import with_one_pair
from kdpinn_runtime.format import ModelFile

OURS, AVX2 = "kdpinn-runtime", "kdpinn-runtime avx2"
ENGINES: Mapping[str, Engine] = {
    "native": e.Native(OURS),
    "avx2": e.Native(AVX2, "avx2"),
    "onnxruntime": e.OnnxRuntime(),
    "openvino": e.OpenVino(),
    "torch": e.TorchEager(),
    "compile": e.TorchCompile("torch.compile", freezing=False),
    "compile-frozen": e.TorchCompile("torch.compile frozen", freezing=True),
}
"""Short name -> engine, ours first."""
QUICK_ENGINES = ("native", "avx2", "onnxruntime", "openvino", "torch")
DERIVATIVE_ENGINES: Mapping[str, Engine] = {
    "native": e.Native(OURS, derivatives=True),
    "avx2": e.Native(AVX2, "avx2", derivatives=True),
    "onnxruntime": e.OnnxRuntime(derivatives=True),
    "openvino": e.OpenVino(derivatives=True),
    "torch": e.TorchAutograd(),
}
CALL_ENGINES = (e.Native("bind"), e.NativeCall("call"), e.OnnxRuntime(), e.OnnxRuntimeCall())
TIED_ENGINES = (e.Native("tied"), e.Native("untied", untied=True))
THREAD_ENGINES = (e.NativeCall("2 threads", threads=2), e.NativeCall("1 thread"))

DERIVATIVE_POINTS = (100, 10_000)
"""Where derivatives are timed, of the points asked for: one point measures the interpreter."""
THREAD_POINTS = 65_536
TIED_POINTS = 10_000
SECTIONS = (
    *("values", "derivatives", "python", "tied", "threads", "conditions"),
    *("instructions", "solver"),
)
QUICK_SECTIONS = SECTIONS[:6]
SECONDS = 2.5
"""Longest time for one network and number of points, in s."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to measure: models by name; seconds: longest time for one network and point count."""

    models: Mapping[str, ModelFile]
    points: tuple[int, ...] = POINT_COUNTS
    engines: tuple[str, ...] = QUICK_ENGINES
    sections: tuple[str, ...] = QUICK_SECTIONS
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        for what, given, known in (
            ("engine", self.engines, tuple(ENGINES)),
            ("section", self.sections, SECTIONS),
        ):
            unknown = [name for name in given if name not in known]
            if unknown or not given:
                named = ", ".join(map(repr, unknown)) or "nothing"
                raise ValueError(f"no {what} {named}; there are {', '.join(known)}.")
        if not self.models:
            raise ValueError("`Order.models` needs at least one network, got none.")
        if not self.points or min(self.points) < 1 or max(self.points) > 2**24:
            raise ValueError(f"points must lie in 1 .. {2**24}, got {self.points}.")


@dataclass(frozen=True, eq=False)
class Measured:
    """All engines on one network at one number of points."""

    net: str
    points: int
    table: Latency

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the machine, which is that of the whole run."""
        entry = self.table.to_dict()
        del entry["machine"]
        return {"net": self.net, **entry}


Item = Measured | Condition | Instructions | Comparison


@dataclass(eq=False)
class Results:
    """What has been measured so far; complete is False while steps are missing."""

    order: Order
    machine: dict[str, Any]
    started: str
    sections: dict[str, list[Any]] = field(default_factory=dict)
    seconds: float = 0.0
    load_after: float | None = None
    complete: bool = False
    notes: list[str] = field(default_factory=list)

    def tables(self, section: str) -> list[Measured]:
        """The tables of a section that is made of them."""
        return [item for item in self.sections.get(section, []) if isinstance(item, Measured)]


@dataclass(frozen=True)
class Step:
    """A part of a section that runs on its own."""

    section: str
    label: str
    run: Callable[[], list[Any]]


def run_suite(order: Order, progress: Callable[[int, int, str], None] | None = None) -> Results:
    """Run all steps; an interrupt (Ctrl-C) ends the run and keeps the steps that are finished.

    progress(done, total, label) is called before each step and at the end.
    """
    report = progress or (lambda done, total, label: None)
    results = Results(
        order=order,
        machine=fingerprint() | {"load_before": load()},
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=[f"left out: {name}: {why}" for name, why in absent(order.engines)],
    )
    plan = list(steps(order))
    start = time.perf_counter()
    try:
        for index, step in enumerate(plan):
            report(index, len(plan), step.label)
            results.sections.setdefault(step.section, []).extend(step.run())
        results.complete = True
        report(len(plan), len(plan), "done")
    except KeyboardInterrupt:
        results.notes.append("interrupted: what was finished before is here")
    results.seconds = time.perf_counter() - start
    results.load_after = load()
    return results


def load() -> float | None:
    """Runnable processes, averaged over the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def absent(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Engines that cannot run here, and why."""
    for name in names:
        why = ENGINES[name].missing()
        if why:
            yield name, why


def steps(order: Order) -> Iterator[Step]:
    """In the order in which they run; sections without anything to do are left out."""
    makers = {
        "values": _values,
        "derivatives": _derivatives,
        "python": _python,
        "tied": _tied,
        "threads": _threads,
        "conditions": _conditions,
        "instructions": _instructions,
        "solver": _solver,
    }
    for section in SECTIONS:
        if section in order.sections:
            for label, run in makers[section](order):
                yield Step(section, label, run)


Made = Iterator[tuple[str, Callable[[], list[Any]]]]


def _values(order: Order) -> Made:
    chosen = e.present([ENGINES[name] for name in order.engines])
    if not chosen:
        return
    for net, model in order.models.items():
        for count in order.points:
            yield f"values {net}, {count} points", partial(_table, order, net, model, count, chosen)


def _derivatives(order: Order) -> Made:
    named = [DERIVATIVE_ENGINES[name] for name in order.engines if name in DERIVATIVE_ENGINES]
    chosen = e.present(named)
    if not chosen:
        return
    for net, model in order.models.items():
        for count in (n for n in order.points if n in DERIVATIVE_POINTS):
            yield (
                f"derivatives {net}, {count} points",
                partial(_table, order, net, with_one_pair(model), count, chosen, derivatives=True),
            )


def _python(order: Order) -> Made:
    for net, model in order.models.items():
        yield f"one point {net}", partial(_table, order, net, model, 1, CALL_ENGINES)


def _tied(order: Order) -> Made:
    for net, (hidden, generators) in TIED.items():
        model = tied_model(hidden, generators)
        yield f"tied {net}", partial(_table, order, net, model, TIED_POINTS, TIED_ENGINES)


def _threads(order: Order) -> Made:
    if (os.cpu_count() or 1) < 2:
        return
    for net, model in order.models.items():
        yield (
            f"two threads {net}",
            partial(_table, order, net, model, THREAD_POINTS, THREAD_ENGINES, pinned=False),
        )


def _conditions(order: Order) -> Made:
    for net, model in order.models.items():
        yield (
            f"cold and contended {net}",
            partial(_conditions_of, order, net, model),
        )


def _instructions(order: Order) -> Made:
    for net, model in order.models.items():
        yield (
            f"instructions {net}",
            partial(_count_of, net, model),
        )


def _solver(order: Order) -> Made:
    for net, model in order.models.items():
        if refusal(model):
            continue
        yield f"solver {net}", partial(_comparison_of, net, model)


def _table(
    order: Order,
    net: str,
    model: ModelFile,
    count: int,
    chosen: tuple[Engine, ...],
    *,
    derivatives: bool = False,
    pinned: bool = True,
) -> list[Measured]:
    schedule = Schedule(budget_s=order.seconds, min_rounds=7)
    table = measure(
        model,
        points=(count,),
        engines=chosen,
        schedule=schedule,
        name=net,
        derivatives=derivatives,
        pinned=pinned,
    )
    return [Measured(net, count, table)]


def _conditions_of(order: Order, net: str, model: ModelFile) -> list[Condition]:
    return list(conditions(model, net, order.seconds / 3))


def _count_of(net: str, model: ModelFile) -> list[Instructions]:
    return [count_instructions(model, net)]


def _comparison_of(net: str, model: ModelFile) -> list[Comparison]:
    return [compare_with_solver(model, net)]
