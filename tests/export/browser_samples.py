"""Runs the page's module in node with a few lines of the page's own JavaScript."""

import base64
import json
import shutil
import subprocess
from importlib.resources import files

import pytest

from kdpinn_export.browser import missing_tools, wasm_module
from kdpinn_export.browser.facts import page_facts
from kdpinn_export.browser.replay import node_missing
from kdpinn_runtime import pack

LACKING = missing_tools()
needs_compiler = pytest.mark.skipif(bool(LACKING), reason=LACKING)
needs_node = pytest.mark.skipif(
    bool(LACKING or node_missing()), reason="; ".join(filter(None, (LACKING, node_missing())))
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

OPEN = """
const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const run = async () => {
  const core = await Core.open(bytesOf(given.wasm), bytesOf(given.model), given.facts);
  const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
  process.stdout.write(JSON.stringify(await (async () => { BODY })(), plain));
};
run().catch((error) => { process.stderr.write(error.message); process.exitCode = 1; });
"""
SCRIPTS = ("numbers.js", "core.js", "fields.js", "scale.js", "drawing.js", "overlays.js")


def in_node(body, file, *, data=None, **given):
    """What `body` returns, with `core` open on the model `file` and `given` at hand.

    Raises AssertionError with the message of an Error that it throws.
    """
    folder = files("kdpinn_export.browser").joinpath("page")
    script = "".join(folder.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    data = pack(file) if data is None else data
    content = {
        "wasm": base64.b64encode(wasm_module()).decode(),
        "model": base64.b64encode(data).decode(),
        "facts": page_facts(file, data[64:96].hex(), len(data)),
        **given,
    }
    command = ["node", "--input-type=commonjs", "--eval", script + OPEN.replace("BODY", body)]
    done = subprocess.run(command, input=json.dumps(content), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
