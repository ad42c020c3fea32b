"""The command `kdpinn`. Results go to stdout, progress and messages to stderr.

Exit codes: 0 pass, 1 a check failed, 2 wrong use or a file that cannot be used, 130 interrupted.
Heavy modules are imported inside the commands, so that `kdpinn --help` answers at once.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from kdpinn import __version__
from kdpinn.commands import fields, files, live, quantization, releases, runs, structures, studies

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train a physics-informed network, distil it, and ship it as one verified file.",
    epilog="Exit codes: 0 pass, 1 a check failed, 2 wrong use, 130 interrupted.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kdpinn {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """What has to be settled before torch is loaded."""
    # Idle OpenMP threads spin by default, on the core that the native kernels' threads want: with
    # two cores a training iteration took 1.3 to 1.8 times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


app.command()(studies.problems)
app.command()(runs.run)
app.command()(runs.train)
app.command()(runs.distill)
app.command()(structures.discover)
app.command()(studies.search)
app.command()(quantization.quantize)
app.command()(files.export)
app.command("import")(files.import_)
app.command("eval")(fields.eval_)
app.command()(files.verify)
app.command()(live.twin)
app.command()(releases.keygen)
app.command()(releases.sign)
app.command()(studies.bench)
app.command()(studies.report)
