"""Corrects a model by readings that arrive over MQTT, and publishes the estimate.

    python over_mqtt.py student.kdp nu --noise 0.01 [--host localhost] [--port 1883]

A reading is JSON on `kdpinn/readings`: {"x": 0.1, "t": 0.5, "u": -0.4}, every known input and at
least one output; null stands for what was not read. After each the estimate goes to
`kdpinn/estimate`: {"nu": {"value": ..., "interval": [..., ...]}, "reading": "used"}, retained, so
that who comes later has it at once. Needs paho-mqtt (`pip install 'kdpinn[mqtt]'`) and a broker,
such as mosquitto.
"""

import argparse
import json

import paho.mqtt.client as mqtt
from twin import Twin

READINGS, ESTIMATE = "kdpinn/readings", "kdpinn/estimate"


def serve(twin, host, port):
    """Follow the readings until the process is stopped; a lost connection is made again."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)

    def connected(client, userdata, flags, reason, properties):
        client.subscribe(READINGS, qos=1)
        client.publish(ESTIMATE, json.dumps(twin.told()), qos=1, retain=True)

    def received(client, userdata, message):
        try:
            told = twin.correct(json.loads(message.payload))
        except (ValueError, TypeError) as error:  # a broken sensor does not stop the others
            told = {**twin.told(), "reading": f"refused: {error}"}
        client.publish(ESTIMATE, json.dumps(told), qos=1, retain=True)

    client.on_connect, client.on_message = connected, received
    client.connect(host, port)
    client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("unknown", nargs="+")
    parser.add_argument("--noise", type=float, required=True)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    given = parser.parse_args()
    try:
        serve(Twin(given.model, given.unknown, given.noise), given.host, given.port)
    except (OSError, ValueError) as error:
        parser.error(f"{given.model}, broker {given.host}:{given.port}: {error}")
