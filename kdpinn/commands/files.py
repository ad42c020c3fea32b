"""Commands for one file: `kdpinn export`, `import` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdpinn.commands.errors import reported
from kdpinn.commands.options import (
    AsJson,
    ModelPath,
    Seconds,
    print_json,
    stdout,
)


def export(
    model: ModelPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="Target; MODEL.onnx beside the model if omitted.")
    ] = None,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Add first and second derivatives as outputs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the model as ONNX and check it in onnxruntime."""
    with reported():
        from kdpinn.steps import onnx_file

        target = out or model.with_name(
            model.stem + ("_derivatives" if derivatives else "") + ".onnx"
        )
        check = onnx_file(model, target, derivatives=derivatives)
    if as_json:
        print_json({"file": str(target), **check})
    else:
        _agreement(target, "the model", check)
    raise typer.Exit(0 if check["passed"] else 1)


def import_(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A plain network.")],
    domain: Annotated[str, typer.Option(help='Its inputs: "x=-1:1,t=0:1".')],
    fields: Annotated[str, typer.Option(help="Names of its outputs: u,v.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Target; MODEL.kdp beside the model if omitted.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a model file of an ONNX network as it is, and check it against onnxruntime."""
    with reported():
        from kdpinn.importing import import_onnx
        from kdpinn.teachers.boxes import parse_domain
        from kdpinn.teachers.request import names_of

        target = out or model.with_suffix(".kdp")
        check = import_onnx(model, target, parse_domain(domain), names_of(fields))
    if as_json:
        print_json(check)
    else:
        _agreement(target, "the graph", check)
    raise typer.Exit(0 if check["passed"] else 1)


def verify(
    model: ModelPath,
    latency: Annotated[bool, typer.Option(help="Measure the latency targets.")] = True,
    seconds: Seconds = 3.0,
    as_json: AsJson = False,
) -> None:
    """Check a model file on this machine: answers, accuracy, physics, latency."""
    with reported():
        from kdpinn_runtime import verify as verified

        verdict = verified(model, latency=latency, latency_seconds=seconds)
    if as_json:
        print_json(verdict.to_dict())
    else:
        stdout().print(str(verdict), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)


def _agreement(target: Path, other: str, check: dict[str, Any]) -> None:
    """One line on a file that was compared with where it comes from."""
    word = "agrees with" if check["passed"] else "DIFFERS from"
    stdout().print(
        f"{target} {word} {other}: largest difference {check['measured']:.2g}, "
        f"permitted {check['limit']:.2g}",
        soft_wrap=True,
        highlight=False,
    )
