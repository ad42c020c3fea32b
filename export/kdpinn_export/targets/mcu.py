"""Microcontrollers: an evaluator of about 1 kB in C99 and the model as constant tables.

Float weights are evaluated in float, integer weights in fixed point with 16-bit values, for
processors without a floating-point unit.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from kdpinn_runtime import Check

from ..answers import KnownAnswers, known_answers
from ..boards import BOARDS, HOSTS, run_hosted, run_on, versions_of
from ..c_text import answers_header
from ..check import default_points
from ..fixed_point import fixed_bound, fixed_network
from ..mcu_data import fixed_data, float_data
from ..narrowing import narrowed
from ..target import Precision, Request

SOURCES = Path(__file__).parents[1] / "device" / "mcu"
SHARED = (
    "arm.ld",
    "board.h",
    "coordinates.h",
    "kdpinn_mcu.h",
    "kdpinn_types.h",
    "main.c",
    "Makefile",
    "startup_arm.c",
    "tanh_table.h",
)
PROGRAM = ("main.c", "kdpinn_mcu.c")
ANSWERS = 32


@dataclass(frozen=True)
class Mcu:
    """`kdpinn_mcu.c`, `model_data.h`, a test program for hosts and boards, a Makefile."""

    name: str = "mcu"
    summary: str = "C99 for microcontrollers: float, or fixed point without an FPU"
    precisions: tuple[Precision, ...] = ("f32", "i12", "i8")
    derivatives: bool = False

    def missing(self) -> str:
        """The host's compiler, which the check needs."""
        return "" if shutil.which("gcc") else "gcc is not installed: apt-get install gcc"

    def tools(self) -> dict[str, str]:
        """Compilers and emulators that check."""
        boards = [tool for board in BOARDS for tool in (board.compiler, board.emulator)]
        return versions_of([*(tool for host in HOSTS for tool in host.tools), *boards])

    def build(self, request: Request) -> dict[str, bytes]:
        """Sources, tables and known answers."""
        answers, data = _prepared(request)
        kind = "float" if request.precision == "f32" else "fixed"
        files = {name: (SOURCES / name).read_bytes() for name in SHARED}
        return files | {
            "kdpinn_mcu.c": (SOURCES / f"evaluate_{kind}.c").read_bytes(),
            "model_data.h": data.encode(),
            "answers.h": answers_header(answers).encode(),
            "answers.json": answers.to_json(model=request.digest, engine=f"{kind} in C"),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """The test program here and on every processor whose tools are installed."""
        hosts = [host for host in HOSTS if not host.missing()]
        done = [run_hosted(host, folder, PROGRAM, ("-O2",)) for host in hosts]
        done += [run_on(board, folder) for board in BOARDS if not board.missing()]
        return [run.check() for run in done]


def _prepared(request: Request) -> tuple[KnownAnswers, str]:
    """Known answers, and the text of model_data.h."""
    narrow = narrowed(request.model, request.precision)
    answers = known_answers(narrow, count=ANSWERS)
    if request.precision == "f32":
        return answers, float_data(narrow)
    network = fixed_network(narrow, default_points(narrow))
    bound = fixed_bound(narrow, network, answers.points)
    return answers.permitting(bound.error), fixed_data(narrow, network)


TARGET = Mcu()
