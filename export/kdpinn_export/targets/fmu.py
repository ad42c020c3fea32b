"""FMU: a unit for simulation tools, checked by FMPy."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from kdpinn_runtime import Check

from ..answers import KnownAnswers, known_answers
from ..fmu.platforms import compiler_of, host, missing
from ..target import Precision, Request


@dataclass(frozen=True)
class Fmu:
    """`NAME.fmu`, whose resources hold its known answers. The weights are those of the file."""

    name: str = "fmu"
    summary: str = "a unit for simulation tools: FMI 2.0, or 3.0 with --fmi 3"
    precisions: tuple[Precision, ...] = ("f32",)
    derivatives: bool = False

    def missing(self) -> str:
        """The package with the standard's headers and the checker, and this machine's compiler."""
        try:
            compiler = missing([host()])
        except ValueError as error:
            compiler = str(error)
        package = "" if find_spec("fmpy") else "fmpy is not installed: pip install 'kdpinn[fmu]'"
        return "; ".join(filter(None, (package, compiler)))

    def tools(self) -> dict[str, str]:
        """The checker, and the compiler of this machine."""
        compiler = compiler_of(host())
        assert compiler is not None  # `missing` said so
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
        return {"fmpy": version("fmpy"), "compiler": said.stdout.splitlines()[0]}

    def build(self, request: Request) -> dict[str, bytes]:
        """The unit, for the platforms that were asked for."""
        from ..fmu import build_fmu

        data = build_fmu(request.model, request.data, request.name, request.fmu)
        return {f"{request.name}.fmu": data}

    def check(self, request: Request, folder: Path) -> list[Check]:
        """FMPy's validation; and, with a binary for this machine, answers and derivatives."""
        from ..fmu.running import in_fmpy

        path = folder / f"{request.name}.fmu"
        checks = [_validated(path)]
        if host() in request.fmu.built_for:
            answers = _answers(request)
            got = in_fmpy(path, request.model, request.fmu, answers.points)
            checks.append(answers.compared(got, "FMPy"))
        return checks


def _validated(path: Path) -> Check:
    from fmpy.validation import validate_fmu

    faults = validate_fmu(str(path))
    return Check(
        name="FMPy: faults",
        passed=not faults,
        measured=float(len(faults)),
        limit=0.0,
        note="; ".join(faults),
    )


def _answers(request: Request) -> KnownAnswers:
    """Values and first derivatives, which come first among the columns."""
    answers = known_answers(request.model, derivatives=True)
    count = len(request.model.outputs) * (1 + len(request.model.inputs))
    return replace(
        answers,
        names=answers.names[:count],
        expected=answers.expected[:, :count],
        permitted=answers.permitted[:, :count],
    )


TARGET = Fmu()
