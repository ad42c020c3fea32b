"""The sensor examples against real servers: a broker, and asyncua's own OPC UA server."""

import asyncio
import json
import queue
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from assimilation_samples import rate_model

from kdpinn_runtime import Assimilator, pack

EXAMPLES = Path(__file__).parents[2] / "examples" / "sensors"
BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TRUTH, NOISE = 2.5, 0.01


def free_port():
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return here.getsockname()[1]


def readings():
    """Fifteen good ones; a dropout, one outside the domain, a wild one, and broken ones between."""
    rng = np.random.default_rng(0)
    times = np.linspace(0.05, 0.95, 15)
    good = [{"t": float(t), "u": float(np.exp(-TRUTH * t) + NOISE * rng.normal())} for t in times]
    bad = [{"t": 0.5, "u": None}, {"t": 1.5, "u": 0.1}, {"t": 0.5, "u": 0.9}]
    broken = ["{", json.dumps({"u": 1.0}), json.dumps({"t": 0.1, "q": 2}), '["t", "u"]']
    return [json.dumps(r) for r in (*good, *bad)], broken


def expected():
    """The same, from the class itself."""
    twin = Assimilator(rate_model(), ["k"], noise=NOISE, loss="huber")
    verdicts = []
    for text in readings()[0]:
        reading = json.loads(text)
        u = np.nan if reading["u"] is None else reading["u"]
        kinds = twin.update([[reading["t"]]], [u]).reading[0, 0]
        verdicts.append(("used", "missing", "outside", "outlier")[kinds])
    return twin, verdicts


def check(answers):
    """One answer for each reading, in their order; broken ones change nothing."""
    twin, verdicts = expected()
    assert verdicts[-3:] == ["missing", "outside", "outlier"]
    kinds = [answer["reading"] for answer in answers]
    assert kinds[: len(verdicts)] == verdicts
    assert all(kind.startswith("refused: ") for kind in kinds[len(verdicts) :])
    assert len(kinds) == len(verdicts) + 4
    assert answers[-1]["k"] == {"value": twin.value["k"], "interval": list(twin.interval()["k"])}
    low, high = answers[-1]["k"]["interval"]
    assert low < TRUTH < high < 1.1 * low + TRUTH


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.kdp"
    path.write_bytes(pack(rate_model().file))
    return path


def start(script, model, *more):
    command = [sys.executable, EXAMPLES / script, model, "k", "--noise", str(NOISE), *more]
    return subprocess.Popen(list(map(str, command)))


def stop(process):
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("script", "package", "where"),
    [
        ("over_mqtt.py", "paho.mqtt.client", ("--port", 1)),
        ("over_opcua.py", "asyncua", ("--url", "opc.tcp://127.0.0.1:1/none")),
    ],
)
def test_a_server_that_is_not_there_is_one_message(model, script, package, where):
    pytest.importorskip(package)
    command = [sys.executable, EXAMPLES / script, model, "k", "--noise", NOISE, *where]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "onnect" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not BROKER, reason="needs the broker mosquitto (Debian: mosquitto)")
def test_readings_over_mqtt(model, tmp_path):
    mqtt = pytest.importorskip("paho.mqtt.client")
    port = free_port()
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen([BROKER, "-c", settings], stderr=subprocess.DEVNULL)
    answers = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda c, u, message: answers.put(json.loads(message.payload))
    example = None
    try:
        for _ in range(200):
            try:
                client.connect("127.0.0.1", port)
                break
            except ConnectionError:
                time.sleep(0.05)
        client.subscribe("kdpinn/estimate", qos=1)
        client.loop_start()
        example = start("over_mqtt.py", model, "--host", "127.0.0.1", "--port", port)
        assert "reading" not in answers.get(timeout=60)  # the prior: it listens
        good, broken = readings()
        for text in (*good, *broken):
            client.publish("kdpinn/readings", text, qos=1)
        check([answers.get(timeout=30) for _ in range(len(good) + len(broken))])
    finally:
        client.loop_stop()
        client.disconnect()
        if example is not None:
            stop(example)
        stop(broker)


def test_readings_over_opcua(model):
    asyncua = pytest.importorskip("asyncua")
    url = f"opc.tcp://127.0.0.1:{free_port()}/kdpinn"

    async def session():
        server = asyncua.Server()
        await server.init()
        server.set_endpoint(url)
        index = await server.register_namespace("urn:kdpinn")
        folder = await server.nodes.objects.add_object(index, "Kdpinn")
        reading = await folder.add_variable(index, "reading", "")
        estimate = await folder.add_variable(index, "estimate", "")
        await estimate.set_writable()
        answers = []
        async with server:
            example = start("over_opcua.py", model, "--url", url)
            try:
                good, broken = readings()
                before = ""
                for text in (*good, *broken):
                    await reading.write_value(text)
                    for _ in range(1200):
                        now = await estimate.read_value()
                        if now != before:
                            break
                        await asyncio.sleep(0.05)
                    answers.append(json.loads(now))
                    # Two answers in a row may be alike: each is told from none.
                    await estimate.write_value(before := "")
            finally:
                stop(example)
        return answers

    check(asyncio.run(session()))
