"""`kdpinn quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdpinn.commands.errors import CHECK_FAILED, reported
from kdpinn.commands.options import AsJson, ModelPath, Seed, print_json, stderr, stdout, wide_stdout


def quantize(
    model: ModelPath,
    precision: Annotated[
        str,
        typer.Option(
            help="f16, i16, i12, i8, i6 or i4; one for each layer: i12,i8,i8,i12; or auto: the "
            "fewest bytes within --error."
        ),
    ] = "i8",
    among: Annotated[
        str, typer.Option(help="Precisions that auto chooses from, such as i8,i12; all if omitted.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Target; MODEL-PRECISION.kdp if omitted.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="refit, straight-through or post-training.")
    ] = "refit",
    teacher: Annotated[
        Path | None, typer.Option(help="A model file to fit to; MODEL itself if omitted.")
    ] = None,
    error: Annotated[float, typer.Option(help="Relative L2 error that may be added.")] = 1e-3,
    residual: Annotated[
        float, typer.Option(help="RMS residual that may be added, in units of the largest term.")
    ] = 2e-2,
    derivative: Annotated[
        float, typer.Option(help="Relative L2 change of each derivative that is permitted.")
    ] = 2e-2,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Store the weights in fewer bits, refitted; written only if it stays within the budget."""
    with reported():
        from kdpinn.quantization import Budget, method_of
        from kdpinn.quantizing import quantize_file, table

        budget = Budget(error=error, residual=residual, derivative=derivative)
        target = out or model.with_name(f"{model.stem}-{precision.replace(',', '-')}.kdp")
        with stderr().status("Reading ...") as status:

            def progress(text: str, value: float) -> None:
                status.update(f"{text}: mean squared relative difference {value:.2e}")

            outcome = quantize_file(
                model,
                target,
                precision,
                among=[part.strip() for part in among.split(",")] if among else None,
                method=method_of(method),
                budget=budget,
                teacher=teacher,
                seed=seed,
                progress=progress,
            )
    if as_json:
        print_json(outcome.to_dict())
    else:
        _tell(outcome, table(outcome.checks))
    raise typer.Exit(CHECK_FAILED if outcome.refused else 0)


def _tell(outcome: Any, checks: Any) -> None:
    wide_stdout().print(checks, highlight=False)
    before, after = outcome.weight_bytes
    told = outcome.refused or (
        f"{outcome.target}: weights as {','.join(outcome.precisions)}, {after} bytes after "
        f"{before}; file {outcome.file_bytes[1]} after {outcome.file_bytes[0]}; relative distance "
        f"from the float model {outcome.distance:.2g}"
    )
    stdout().print(told, soft_wrap=True, highlight=False, markup=False)
