"""The command that serves a model's page: `kdpinn twin`."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from kdpinn.commands.errors import reported
from kdpinn.commands.options import ModelPath, stdout

NEEDED = ("starlette", "uvicorn", "websockets")


def twin(
    model: ModelPath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8765,
    estimate: Annotated[
        str | None,
        typer.Option(
            help='Inputs to find from the readings: "nu"; "" for none. By default those that '
            "no equation differentiates by."
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="Standard deviation of a reading; 1 % of the range if omitted."),
    ] = None,
) -> None:
    """Show the model live in a browser, beside sensor readings from a WebSocket."""
    with reported():
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            raise ValueError(
                f"`kdpinn twin` needs {', '.join(missing)}: pip install 'kdpinn[twin]'."
            )
        from kdpinn.twin.server import serve

        names = (
            None if estimate is None else tuple(n.strip() for n in estimate.split(",") if n.strip())
        )
        server = serve(model, names, noise, port)
        say = stdout().print
        say(f"{server.address}   the model, in a browser", highlight=False)
        say(f"{server.live}   readings in, estimates out; Ctrl+C ends", highlight=False)
        with suppress(KeyboardInterrupt):  # that is how it ends
            server.run()
