"""The page in headless Chromium: its numbers, its keys, and that it asks nobody for anything."""

import base64
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser_samples import CHROMIUM, needs_compiler
from kdp_samples import bare_model, sample
from twin_samples import family, running

from kdpinn_export.browser import page
from kdpinn_runtime import load, pack, write

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `dev`")
pytestmark = [
    needs_compiler,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        chromium = started.chromium.launch(**options)
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, address, **options):
    """The page at `address`, ready; what it asks for and says is collected in .asked and .said."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.asked, tab.said = [], []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    try:
        tab.goto(address)
        tab.wait_for_selector("html[data-verdict]")
        yield tab
    finally:
        context.close()


def from_disk(folder, file):
    path = Path(folder) / "model.html"
    path.write_text(page(pack(file), file=file), encoding="utf-8")
    return path.as_uri()


def wait(tab, expression):
    """Until it is true. The page's policy forbids it to evaluate strings; the test may."""
    for _ in range(600):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def settled(tab):
    """Two frames later."""
    tab.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory):
    with opened(browser, from_disk(tmp_path_factory.mktemp("page"), sample())) as tab:
        yield tab
        assert tab.said == []  # no error, no warning, in the whole of what these tests did
        assert [url for url in tab.asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def model():
    return load(pack(sample()), isa="scalar")


def shown(tab):
    """Quantity -> number in the panel, as computed."""
    script = "(all) => all.map((b) => [b.dataset.quantity, Number(b.dataset.value)])"
    return dict(tab.eval_on_selector_all("[data-quantity]", script))


def test_it_verified_itself(tab):
    assert tab.evaluate("document.documentElement.dataset.verdict") == "pass"
    assert "Verified" in tab.inner_text("#verdict")
    assert tab.locator("#selftest tbody tr").count() == 8
    assert tab.evaluate("kdpinn.core.isa") == "wasm"


def test_readings_at_the_probe_are_the_runtimes(tab, model):
    """The scalar kernels' bits, at a point that the page chose."""
    point = np.array([tab.evaluate("kdpinn.state.point")])
    jet = model.jet(point, [("x", "x")])
    want = {name: float(jet[name][0]) for name in ("u_x", "u_t", "u_xx")}
    assert shown(tab) == want | {"u": float(model(point)[0, 0])}


def test_pixels_have_the_colors_of_the_runtimes_values(tab, model):
    """Each pixel of the canvas: the value's place on the scale, through the page's colors."""
    tab.evaluate("kdpinn.set({resolution: 128})")
    wait(tab, "document.getElementById('field').width === 128")
    settled(tab)
    got = tab.evaluate(
        "Array.from(document.getElementById('field').getContext('2d').getImageData(0, 0, 128, 128)"
        ".data)"
    )
    scale, table = tab.evaluate("[kdpinn.scale, Array.from(new Uint8Array(kdpinn.table.buffer))]")
    place = (np.arange(128) + 0.5) / 128
    x = np.array([(2 * a - 1, 1 - b) for b in place for a in place]).astype(np.float32)
    values = model(x)[:, 0]
    low = np.float32(scale["low"])
    step = np.float32(256) / (np.float32(scale["high"]) - low)
    index = np.clip((values - low) * step, 0, 255).astype(int)
    assert np.array_equal(np.reshape(got, (-1, 4)), np.reshape(table, (-1, 4))[index])
    tab.evaluate("kdpinn.set({resolution: 0})")


def test_keys(tab):
    before = tab.evaluate("kdpinn.state.point.slice()")
    tab.focus("#pad")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowUp")
    after = tab.evaluate("kdpinn.state.point.slice()")
    assert after == pytest.approx([before[0] + 0.02, before[1] + 0.1], abs=1e-12)
    tab.keyboard.press("3")
    assert tab.evaluate("kdpinn.state.q.name") == "u_t"
    tab.keyboard.press("1")
    tab.keyboard.press("o")
    assert tab.evaluate("kdpinn.state.overlay.kind") == "contours"
    settled(tab)
    assert len(tab.get_attribute("#over path.lines", "d")) > 100
    tab.keyboard.press("Space")
    assert tab.evaluate("kdpinn.state.playing") == 1  # t, which the map has upwards
    wait(tab, f"kdpinn.state.point[1] !== {after[1]}")
    tab.keyboard.press("Space")
    assert tab.evaluate("kdpinn.state.playing") is None
    theme = tab.evaluate("kdpinn.state.theme")
    tab.keyboard.press("d")
    assert {theme, tab.evaluate("kdpinn.state.theme")} == {"light", "dark"}
    tab.keyboard.press("?")
    assert tab.is_visible("dialog")
    tab.keyboard.press("Escape")
    assert not tab.is_visible("dialog")


def test_tab_reaches_every_control(tab):
    """In order, and each has a name that a screen reader can say."""
    tab.focus("#verdict")
    reached = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "BODY":
            break
    for wanted in ("theme", "help", "pad", "slider-x", "slider-t"):
        assert wanted in reached
    unnamed = "(all) => all.filter((e) => !(e.textContent.trim() || e.ariaLabel)).length"
    assert tab.eval_on_selector_all("button, input, select, [tabindex]", unnamed) == 0


def test_the_pointer_reads_the_field(tab, model):
    box = tab.locator("#pad").bounding_box()
    tab.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    tip = tab.inner_text("#tip").split()
    want = float(model(np.array([[-0.5, 0.5]]))[0, 0])
    assert float(tip[2].replace("−", "-")) == pytest.approx(want, abs=0.01)  # of a pixel
    tab.mouse.down()
    tab.mouse.up()
    assert tab.evaluate("kdpinn.state.point") == pytest.approx([-0.5, 0.5], abs=0.01)


@pytest.mark.parametrize(
    "file",
    [bare_model(sizes=(1, 5, 1)), bare_model(sizes=(4, 6, 3)), bare_model(sizes=(2, 5, 4))],
    ids=["one input", "four inputs", "four outputs"],
)
def test_models_of_other_shapes_without_a_baseline(browser, tmp_path, file):
    with opened(browser, from_disk(tmp_path, file)) as tab:
        assert tab.evaluate("document.documentElement.dataset.verdict") == "none"
        for overlay in range(tab.evaluate("kdpinn.overlays.length")):
            tab.evaluate(f"kdpinn.set({{overlay: kdpinn.overlays[{overlay}]}})")
            settled(tab)
        assert tab.said == []


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(browser, tmp_path):
    with opened(browser, from_disk(tmp_path, sample(sizes=(2, 9, 1)))) as tab:
        tab.set_viewport_size({"width": 360, "height": 740})
        settled(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.locator("#pad").bounding_box()["width"] > 240


def test_a_damaged_page_says_so(browser, tmp_path):
    """Two characters of the model file exchanged, as an editor or a mail program might."""
    data = pack(sample())
    file = bytearray(data)
    file[300] ^= 1
    whole = page(data)
    broken = whole.replace(base64.b64encode(data).decode(), base64.b64encode(file).decode())
    assert broken != whole
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    with opened(browser, path.as_uri()) as tab:
        assert tab.evaluate("document.documentElement.dataset.verdict") == "error"
        assert "SHA-256 digest does not match" in tab.inner_text("#verdict")


def test_sensor_readings_reach_the_page(browser, tmp_path):
    pytest.importorskip("uvicorn", reason="needs the extra `twin`")
    client = pytest.importorskip("websockets.sync.client", reason="needs the extra `twin`")
    from kdpinn.twin.server import serve

    path = tmp_path / "family.kdp"
    write(path, family())
    with running(serve(path, None, None, 0)) as server, opened(browser, server.address) as tab:
        wait(tab, "document.getElementById('live').textContent.includes('waiting')")
        model, truth = load(path), 3.4
        places = np.random.default_rng(0).uniform((-1, 0), (1, 1), (30, 2))
        values = model(np.column_stack([places, np.full(30, truth)]))[:, 0]
        entries = [{"x": x, "t": t, "u": u, "sigma": 1e-3} for (x, t), u in zip(places, values)]
        with client.connect(server.live) as sensor:
            sensor.recv(timeout=10)
            sensor.send(json.dumps({"readings": entries}))
            said = json.loads(sensor.recv(timeout=10))
        tab.wait_for_selector("[data-parameter=y]")
        value = said["parameters"][0]["value"]
        assert float(tab.get_attribute("[data-parameter=y]", "data-value")) == value
        assert tab.evaluate("kdpinn.state.point[2]") == value  # the field follows the estimate
        settled(tab)
        assert tab.evaluate(
            "(r => r.scrollWidth <= r.clientWidth)(document.getElementById('live'))"
        )
        assert tab.locator("circle.sensor").count() == 30
        assert tab.said == []
        ours = (server.address, server.live)
        assert [url for url in tab.asked if not url.startswith((*ours, "data:"))] == []
