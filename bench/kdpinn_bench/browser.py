"""Pictures of a model in a browser: frames a second, and what a frame costs.

    python -m kdpinn_bench.browser STUDENT.kdp [--store]

Headless Chromium draws frames that each compute the whole picture, without waiting for a screen;
node evaluates the same module for processor time, which other work on the machine disturbs less
than the clock. First the page's answers are compared with the model's in float64. Two rounds of
everything: the first and the second should agree to within the noise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_export.answers import known_answers
from kdpinn_export.browser import page, tool_versions
from kdpinn_export.browser.replay import quantities, replay
from kdpinn_runtime import unpack

NAME = "browser"
SIDE = 256
FRAMES = 200
ROUNDS = 2
LIMIT = 60.0
"""Frames a second that a value has to reach."""
ENDLESS = ("--no-sandbox", "--disable-frame-rate-limit", "--disable-gpu-vsync")

_NODE = """
const { page, side, frames } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
(async () => {
  const text = /<script type="application\\/json" id="content">(.*?)<\\/script>/s.exec(page)[1];
  const content = JSON.parse(text), { inputs } = content.facts;
  const core = await Core.open(await unzipped(bytesOf(content.core)), bytesOf(content.model),
    content.facts);
  const [x, y] = inputs, fixed = inputs.map((v) => (v.lower + v.upper) / 2);
  const view = { across: 0, up: 1, columns: side, rows: side, fixed,
    box: [x.lower, x.upper, y.lower, y.upper] };
  const out = [];
  for (let k = 0; k < frames; k += 1) {
    const before = process.cpuUsage();
    core.picture("map", { kind: 0, which: 0, a: 0, b: 0 }, view);
    out.push(process.cpuUsage(before).user / 1e3);
  }
  process.stdout.write(JSON.stringify(out));
})();
"""


def in_node(document: str) -> list[float]:
    """Processor time in ms of each of FRAMES pictures, values, SIDE by SIDE points."""
    folder = files("kdpinn_export.browser").joinpath("page")
    script = "".join(folder.joinpath(n).read_text("utf-8") for n in ("numbers.js", "core.js"))
    given = json.dumps({"page": document, "side": SIDE, "frames": FRAMES})
    command = ["node", "--input-type=commonjs", "--eval", script + _NODE]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    times: list[float] = json.loads(done.stdout)
    return times[FRAMES // 4 :]  # the first ones run code that is not optimized yet


def in_chromium(path: Path) -> dict[str, Any]:
    """Name of a quantity -> rounds of frames: stamps, evaluated and colored, in ms by the clock."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ENDLESS)
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-verdict=pass]", timeout=120_000)
        names = tab.evaluate("kdpinn.quantities.filter((q) => !q.hidden).map((q) => q.name)")
        measured: dict[str, Any] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name in names:
                tab.evaluate(
                    "(name) => kdpinn.show(kdpinn.quantities.find((q) => q.name === name))", name
                )
                tab.evaluate(f"kdpinn.measure({FRAMES // 8}, {SIDE})")
                frames = FRAMES if name == names[0] else FRAMES // 4
                measured[name].append(tab.evaluate(f"kdpinn.measure({frames}, {SIDE})"))
        version = browser.version
        browser.close()
    return {"version": version, "quantities": measured}


def rates(stamps: Sequence[float]) -> float:
    """Frames a second over all of them."""
    return 1e3 * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def figures(path: Path) -> dict[str, Any]:
    """Everything, for the baseline. Raises RuntimeError if the page's answers are off."""
    data = path.read_bytes()
    model = unpack(data)
    document = page(data, file=model)
    answers = known_answers(model, derivatives=True)
    said = replay(document, quantities(model, derivatives=True), answers.points)
    compared = answers.compared(said.answers, "node")
    if not compared.passed:
        raise RuntimeError(f"the page's answers are off: {compared.note}")
    load = os.getloadavg()[0]
    cpu = [in_node(document) for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(document, encoding="utf-8")
        seen = in_chromium(file)
    return {
        "model": {"digest": data[64:96].hex(), "weights": model.weight_count, "bytes": len(data)},
        "page_bytes": len(document.encode()),
        "side": SIDE,
        "error_over_bound": compared.measured,
        "node_cpu_ms": [_spread(times) for times in cpu],
        "chromium": seen["version"],
        "quantities": {
            name: [
                {
                    "frames_per_second": round(rates(r["stamps"]), 2),
                    "evaluated_ms": _spread(r["evaluated"]),
                    "colored_ms": _spread(r["colored"]),
                }
                for r in rounds
            ]
            for name, rounds in seen["quantities"].items()
        },
        "load_before": load,
        "load_after": os.getloadavg()[0],
        "nice": os.nice(0),
        "tools": tool_versions(),
        "machine": fingerprint(),
    }


def _spread(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "median": round(statistics.median(ordered), 4),
        "min": round(ordered[0], 4),
        "p90": round(ordered[int(0.9 * len(ordered))], 4),
        "count": len(ordered),
    }


def table(found: dict[str, Any]) -> Table:
    """A row for each quantity and round."""
    heads = ("quantity", "round", "frames/s", "evaluated, ms", "least", "colored, ms")
    out = Table(*heads, box=None)
    for name, rounds in found["quantities"].items():
        for k, r in enumerate(rounds):
            evaluated, colored = r["evaluated_ms"], r["colored_ms"]
            out.add_row(
                name,
                str(k),
                f"{r['frames_per_second']:.1f}",
                f"{evaluated['median']:.2f}",
                f"{evaluated['min']:.2f}",
                f"{colored['median']:.2f}",
            )
    return out


def main() -> int:
    """Measure, print, store if asked to; exit code 1 if a round of the values misses the limit."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.browser", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    found = figures(options.model)
    console = Console()
    console.print(table(found))
    cpu = ", ".join(f"{times['median']:.2f} ms" for times in found["node_cpu_ms"])
    console.print(f"processor time of a picture of values in node: {cpu}")
    if options.store:
        baselines.write(NAME, found, options.baselines)
    first = next(iter(found["quantities"].values()))
    return 0 if min(r["frames_per_second"] for r in first) >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
