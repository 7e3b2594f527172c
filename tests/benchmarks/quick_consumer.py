"""The plain consumer with today's quick wins: orjson, and all windows of a tick in one batch.

What har-stream is beyond it is not a matter of libraries. paho's thread collects the messages; all
else is as plain as in `plain_consumer`, whose filters and predictions these are.
"""

import argparse
import signal
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any, Final

import numpy as np
import orjson
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.benchmarks.plain_consumer import Consumer

TICK_S: Final = 0.02


def predictions(
    consumer: Consumer, messages: Iterable[tuple[str, bytes | bytearray]]
) -> list[dict[str, Any]]:
    """Return what the windows are taken for that a tick's messages complete.

    Args:
        consumer: the plain consumer, with its phones.
        messages: device and payload of each.
    """
    found = [
        (device, *window)
        for device, payload in messages
        for window in consumer.windows(device, orjson.loads(payload))
    ]
    if not found:
        return []
    probabilities = consumer.probabilities(np.stack([window for _, _, window in found]))
    return [
        consumer.prediction(device, start, of_window)
        for (device, start, _), of_window in zip(found, probabilities, strict=True)
    ]


def main() -> None:
    """Run the command until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--model", type=Path, required=True, help=".onnx file")
    flags = parser.parse_args()
    consumer = Consumer(flags.model)
    waiting: deque[tuple[str, bytes | bytearray]] = deque()
    stopping = Event()

    def subscribe(
        client: Client, _: object, f: ConnectFlags, r: ReasonCode, p: Properties | None
    ) -> None:
        client.subscribe("har/+/samples", 1)

    def collect(client: Client, _: object, message: MQTTMessage) -> None:
        waiting.append((message.topic.split("/")[1], message.payload))

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = subscribe, collect
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", flags.port)
    signal.signal(signal.SIGTERM, stop)
    client.loop_start()
    while not stopping.is_set():
        time.sleep(TICK_S)
        messages = [waiting.popleft() for _ in range(len(waiting))]
        for prediction in predictions(consumer, messages):
            topic = f"har/{prediction['device']}/prediction"
            client.publish(topic, orjson.dumps(prediction), 1)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
