"""Corrects a model by readings of an OPC UA server, and writes the estimate back to it.

    python over_opcua.py student.kdp nu --noise 0.01 [--url opc.tcp://localhost:4840/kdpinn]

The server has, below Objects/Kdpinn, the variable `reading`: JSON such as {"x": 0.1, "t": 0.5,
"u": -0.4}, written as one, so that position and value belong together; and `estimate`, a writable
string that receives {"nu": {"value": ..., "interval": [..., ...]}, "reading": "used"}.
Needs asyncua (`pip install 'kdpinn[opcua]'`).
"""

import argparse
import asyncio
import json

from asyncua import Client, ua
from twin import Twin

NAMESPACE = "urn:kdpinn"
PERIOD_MS = 50


class Readings:
    """Hands the values of a subscription on, in their order."""

    def __init__(self):
        self.queue = asyncio.Queue()

    def datachange_notification(self, node, value, data):
        """Called by asyncua for every new value."""
        self.queue.put_nowait(value)


async def follow(twin, url):
    """Follow the readings until the connection ends."""
    async with Client(url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        folder = await client.nodes.objects.get_child(f"{index}:Kdpinn")
        reading = await folder.get_child(f"{index}:reading")
        estimate = await folder.get_child(f"{index}:estimate")
        readings = Readings()
        subscription = await client.create_subscription(PERIOD_MS, readings)
        # A queue on the server: with its default of one, readings within a period are lost.
        await subscription.subscribe_data_change(reading, queuesize=1000)
        while True:
            text = await readings.queue.get()
            if not text:
                continue  # nothing was read so far
            try:
                told = twin.correct(json.loads(text))
            except (ValueError, TypeError) as error:  # a broken sensor does not stop the others
                told = {**twin.told(), "reading": f"refused: {error}"}
            await estimate.write_value(json.dumps(told))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("unknown", nargs="+")
    parser.add_argument("--noise", type=float, required=True)
    parser.add_argument("--url", default="opc.tcp://localhost:4840/kdpinn")
    given = parser.parse_args()
    try:
        asyncio.run(follow(Twin(given.model, given.unknown, given.noise), given.url))
    except (OSError, ValueError, ua.UaError) as error:
        parser.error(f"{given.model}, server {given.url}: {error!r}")
