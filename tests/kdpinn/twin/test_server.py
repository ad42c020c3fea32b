"""The server as its clients see it: several at once, bad ones, and other sites."""

import json
import socket
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from browser_samples import needs_compiler
from kdp_samples import sample
from twin_samples import running

from kdpinn_runtime import load, write

pytest.importorskip("starlette", reason="needs the extra `twin`")
pytest.importorskip("uvicorn", reason="needs the extra `twin`")
client = pytest.importorskip("websockets.sync.client", reason="needs the extra `twin`")

from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402

from kdpinn.twin.server import serve  # noqa: E402

pytestmark = needs_compiler
READING = {"x": 0.25, "t": 0.5, "u": 0.3}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    path = tmp_path_factory.mktemp("twin") / "model.kdp"
    write(path, sample())
    with running(serve(path, None, 0.1, 0)) as server:
        server.model = load(path)
        yield server


@contextmanager
def connect(served, **options):
    with client.connect(served.live, **options) as connection:
        assert json.loads(connection.recv(timeout=10))["type"] == "estimate"
        yield connection


def send(connection, *readings):
    connection.send(json.dumps({"readings": readings}))


def test_every_client_sees_the_estimates(served):
    with connect(served) as one, connect(served) as other:
        send(one, READING)
        for each in (one, other):
            last = json.loads(each.recv(timeout=10))["readings"][-1]
            want = float(served.model(np.array([[0.25, 0.5]]))[0, 0])
            assert last["model"] == {"u": want}
            assert last["off"] == {"u": (0.3 - want) / 0.1}


def test_a_bad_message_concerns_its_sender_only(served):
    with connect(served) as bad, connect(served) as good:
        for text in ("{", json.dumps({"readings": [READING | {"u": "high"}]})):
            bad.send(text)
            said = json.loads(bad.recv(timeout=10))
            assert said["type"] == "error"
            assert "JSON" in said["message"] or "'u' must be a finite number" in said["message"]
        send(bad, READING)  # it may go on
        assert json.loads(bad.recv(timeout=10))["type"] == "estimate"
        assert json.loads(good.recv(timeout=10))["type"] == "estimate"  # and saw no error


def test_a_client_that_leaves_harms_nobody(served):
    with connect(served) as stays:
        with connect(served) as rude:
            rude.socket.shutdown(socket.SHUT_RDWR)  # without a word
        send(stays, READING)
        assert json.loads(stays.recv(timeout=10))["type"] == "estimate"


def test_a_message_too_long_ends_its_connection_only(served):
    with connect(served) as long, connect(served) as other:
        long.send('{"readings": "' + "x" * (1 << 19) + '"}')
        with pytest.raises(ConnectionClosed):
            long.recv(timeout=10)
        send(other, READING)
        assert json.loads(other.recv(timeout=10))["type"] == "estimate"


def test_pages_of_other_sites_are_refused(served):
    with pytest.raises(InvalidStatus), connect(served, origin="https://example.org"):
        pass
    with connect(served, origin=served.address):
        pass
    request = urllib.request.Request(served.address, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)


def test_the_page_is_served_and_may_talk_to_its_server_only(served):
    with urllib.request.urlopen(served.address, timeout=10) as answer:
        text = answer.read().decode()
    assert f"connect-src {served.live};" in text
    assert served.address.startswith("http://127.0.0.1:")


def test_a_port_in_use_is_said(served, tmp_path):
    path = tmp_path / "model.kdp"
    write(path, sample())
    port = int(served.address.rsplit(":", 1)[1])
    with pytest.raises(ValueError, match=f"Port {port} of 127.0.0.1 cannot be used.*--port"):
        serve(path, None, None, port)
