"""The local server of `kdpinn twin`: the page, and a WebSocket for readings and estimates."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from kdpinn.twin.estimates import Estimates
from kdpinn.twin.messages import BadMessage, readings_of
from kdpinn_export.browser import page

HOST = "127.0.0.1"
MOST_BYTES = 1 << 18
"""Of a message."""


class Server:
    """Binds its port when it is made, so that the address is known and is really free.

    Attributes:
        address: of the page; live: of the WebSocket.
    """

    def __init__(self, estimates: Estimates, data: bytes, port: int) -> None:
        try:
            self._socket = socket.create_server((HOST, port))
        except OSError as error:
            raise ValueError(
                f"Port {port} of {HOST} cannot be used ({error.strerror}): choose another with "
                "--port, or 0 for any free one."
            ) from error
        port = self._socket.getsockname()[1]
        self.address = f"http://{HOST}:{port}"
        self.live = f"ws://{HOST}:{port}/live"
        self._page = page(data, live=self.live)
        self._origins = {self.address, f"http://localhost:{port}"}
        self._estimates = estimates
        self._clients: set[WebSocket] = set()
        app = Starlette(
            routes=[Route("/", self._home), WebSocketRoute("/live", self._talk)],
            # Other names for this machine are another site's attempt to be read as this one.
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                ws="websockets-sansio",
                ws_max_size=MOST_BYTES,
                timeout_graceful_shutdown=2,
                lifespan="off",
            )
        )

    def run(self) -> None:
        """Serve until interrupted or `stop`ped."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run`, in another thread, end."""
        self._server.should_exit = True

    async def _home(self, request: Request) -> HTMLResponse:
        return HTMLResponse(self._page, headers={"X-Frame-Options": "DENY"})

    async def _talk(self, client: WebSocket) -> None:
        origin = client.headers.get("origin")
        if origin is not None and origin not in self._origins:
            await client.close(1008)  # another site's page: browsers let it try
            return
        await client.accept()
        self._clients.add(client)
        with suppress(WebSocketDisconnect):
            await client.send_text(self._message())
            while True:
                await self._take(client, await client.receive_text())
        self._clients.discard(client)

    async def _take(self, client: WebSocket, text: str) -> None:
        """Readings change what everybody sees; a bad message concerns its sender only."""
        try:
            self._estimates.take(readings_of(text, self._estimates.known, self._estimates.outputs))
        except BadMessage as error:
            await client.send_text(json.dumps({"type": "error", "message": str(error)}))
            return
        message = self._message()
        for each in list(self._clients):
            try:
                await each.send_text(message)
            except (WebSocketDisconnect, RuntimeError):  # gone meanwhile
                self._clients.discard(each)

    def _message(self) -> str:
        return json.dumps(self._estimates.message(), allow_nan=False)


def serve(path: Path, unknown: tuple[str, ...] | None, noise: float | None, port: int) -> Server:
    """A server of the model file `path`, ready to `run`.

    unknown: inputs to estimate, None for the equations' parameters among them; noise: standard
    deviation of a reading, in the unit of the outputs.
    Raises FormatError or OSError for the file, ValueError for the other arguments.
    """
    from kdpinn.twin.estimates import unmeasured
    from kdpinn_runtime import load

    model = load(path, outside="count")
    names = unmeasured(model.file) if unknown is None else unknown
    usual = None if noise is None else {v.name: noise for v in model.outputs}
    return Server(Estimates(model, names, usual), path.read_bytes(), port)
