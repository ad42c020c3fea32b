"""One self-contained HTML page from a model file.

Nothing is loaded from anywhere, which the page's own content policy enforces.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

from kdpinn_runtime import unpack
from kdpinn_runtime.format import ModelFile

from .colors import color_maps
from .facts import page_facts
from .module import wasm_module

SCRIPTS = (
    "numbers.js", "core.js", "fields.js", "scale.js", "drawing.js", "overlays.js", "map.js",
    "profile.js", "readings.js", "panel.js", "live.js", "main.js",
)  # fmt: skip
"""In the order in which they use each other; together they are one script."""


def page(data: bytes, *, live: str = "", file: ModelFile | None = None) -> str:
    """The HTML document of the model file `data`; equal arguments give an equal document.

    live: WebSocket address that brings sensor readings and estimates, e.g. "ws://127.0.0.1:8000/live";
    without one the page may connect to nothing.
    Raises FormatError for the file, and what `wasm_module` raises.
    """
    model = file or unpack(data)
    facts = page_facts(model, data[64:96].hex(), len(data))
    content = {
        "facts": facts | {"live": live},
        "colors": color_maps(),
        "model": base64.b64encode(data).decode(),
        "core": base64.b64encode(gzip.compress(wasm_module(), 9, mtime=0)).decode(),
    }
    style, script = _asset("style.css"), "".join(map(_asset, SCRIPTS))
    filled = {
        "policy": _policy(style, script, live),
        "title": html.escape(facts["title"]),
        "style": style,
        "content": _embedded(content),
        "script": script,
    }
    return re.sub(r"{{(\w+)}}", lambda place: filled[place[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return files("kdpinn_export.browser").joinpath("page", name).read_text(encoding="utf-8")


def _policy(style: str, script: str, live: str) -> str:
    """What a browser lets the page do: run this very script and style, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}' 'wasm-unsafe-eval'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "connect-src " + (live or "'none'"),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(content: dict[str, Any]) -> str:
    """JSON that may stand in a script element: no "<" that could end it."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
