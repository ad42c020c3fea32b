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
    wide_stdout,
)

FMU = "For the target fmu"
SIGNED = "Signatures"


def export(
    model: ModelPath,
    to: Annotated[str, typer.Option(help="Targets: onnx,c or all; `--to list` names them.")] = (
        "onnx"
    ),
    precision: Annotated[
        str,
        typer.Option(help="Of the weights: f32, f16, i16, i12, i8, i6, i4, or several: f32,i8."),
    ] = "f32",
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Add first and second derivatives as outputs.")
    ] = False,
    budget: Annotated[
        float, typer.Option(help="Relative distance from the model that narrower weights may make.")
    ] = 0.01,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder; MODEL-export beside the model if omitted."),
    ] = None,
    fmi: Annotated[
        int, typer.Option(min=2, max=3, help="FMI 2.0 or 3.0.", rich_help_panel=FMU)
    ] = 2,
    time: Annotated[
        str, typer.Option(help="Input that is the simulation's time.", rich_help_panel=FMU)
    ] = "",
    parameters: Annotated[
        str,
        typer.Option(help="Inputs that a simulation keeps as they are: x,nu.", rich_help_panel=FMU),
    ] = "",
    points: Annotated[
        int,
        typer.Option(min=0, help="FMI 3: arrays of so many points.", rich_help_panel=FMU),
    ] = 0,
    single: Annotated[
        bool, typer.Option("--single", help="Compute in float32.", rich_help_panel=FMU)
    ] = False,
    platforms: Annotated[
        str,
        typer.Option(
            help="x86_64-linux,x86_64-windows,aarch64-linux, or all; this machine's if omitted.",
            rich_help_panel=FMU,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Turn the model into files for other engines and devices, each checked against it."""
    with reported():
        from kdpinn.exports import exported_all, fmu_options, listing, table

        if to == "list":
            wide_stdout().print(listing(), highlight=False)
            return
        folder = out or model.with_name(f"{model.stem}-export")
        unit = fmu_options(fmi, time, parameters, points, single, platforms)
        rows = exported_all(model, to, precision.split(","), derivatives, folder, budget, unit)
    if as_json:
        print_json([row.to_dict() for row in rows])
    else:
        wide_stdout().print(table(rows), highlight=False)
    raise typer.Exit(0 if all(row.passed is not False for row in rows) else 1)


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
    engine: Annotated[
        str,
        typer.Option(help="Where: native, onnxruntime, openvino, c, tensorrt or cuda."),
    ] = "native",
    latency: Annotated[bool, typer.Option(help="Measure the latency targets.")] = True,
    seconds: Seconds = 3.0,
    require_signature: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="Public key of the releaser.", rich_help_panel=SIGNED),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What it has to be released as.", rich_help_panel=SIGNED)
    ] = "",
    at_least: Annotated[
        int, typer.Option(min=0, help="Oldest version to accept.", rich_help_panel=SIGNED)
    ] = 0,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="File that remembers the newest versions accepted.", rich_help_panel=SIGNED
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a model file on this machine: signature, answers, accuracy, physics, latency."""
    with reported():
        from kdpinn.signing import trust_of

        trust = trust_of(require_signature, name, at_least, memory)
        if engine == "native":
            from kdpinn_runtime import verify as verified

            verdict = verified(model, latency=latency, latency_seconds=seconds, trust=trust)
        elif trust is not None:
            raise ValueError("a signature is required of the engine native alone: verify it there")
        else:
            from kdpinn_export.engine_model import verify_on
            from kdpinn_export.engines import engine_of
            from kdpinn_export.exporting import request_of

            asked = request_of(model)
            chosen = engine_of(engine)
            verdict = verify_on(chosen, asked.model, asked.data, latency=latency, seconds=seconds)
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
