"""The command `kdpinn eval`: a model over a grid, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdpinn.commands.errors import reported
from kdpinn.commands.options import ModelPath, stderr, stdout


def eval_(
    model: ModelPath,
    grid: Annotated[
        str,
        typer.Option(help='Values of every input: "x=-1:1:201,t=0:1:101,nu=0.01", ends included.'),
    ],
    to: Annotated[Path, typer.Option("--to", help="field.zarr, .nc, .vti or .vtu.")],
    dtype: Annotated[str, typer.Option(help="Arithmetic and storage: float32 or float64.")] = (
        "float64"
    ),
    workers: Annotated[int, typer.Option(min=1, help="Threads; for .zarr.")] = 1,
    dask: Annotated[
        str, typer.Option("--dask", help="Address of a Dask scheduler, tcp://...; for .zarr.")
    ] = "",
) -> None:
    """Evaluate a model over a grid of any size; a .zarr that was interrupted goes on."""
    with reported(resume=f"kdpinn eval {model} --grid {grid!r} --to {to}"):
        from kdpinn.fields import parse_grid, write_field
        from kdpinn_runtime.format import read

        if dtype not in ("float32", "float64"):
            raise ValueError(f"--dtype takes float32 or float64, got {dtype}.")
        try:
            count = write_field(
                model.read_bytes(),
                parse_grid(grid, read(model).inputs),
                to,
                dtype=dtype,
                workers=workers,
                dask=dask,
                console=stderr(),
            )
        except ModuleNotFoundError as error:
            raise ValueError(
                f"`kdpinn eval` needs {error.name}, which is not installed: "
                "pip install 'kdpinn[fields]'"
            ) from error
    stdout().print(f"{to}: {count} chunks computed", soft_wrap=True, highlight=False)
