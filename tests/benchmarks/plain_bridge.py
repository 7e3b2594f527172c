"""The plainest bridge: paho's callback produces, a loop consumes and publishes; nothing in between.

It loses what is on its way when it is killed, and publishes whatever a record says.
"""

import argparse
import signal
from threading import Event
from types import FrameType
from typing import Final

from confluent_kafka import Consumer, Producer
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

HOST: Final = "127.0.0.1"


def main() -> None:
    """Run the command until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--kafka", required=True, help="HOST:PORT")
    parser.add_argument("--samples-topic", required=True)
    parser.add_argument("--results-topic", required=True)
    parser.add_argument("--only", choices=["samples", "results"], required=True)
    flags = parser.parse_args()
    stopping = Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    client = Client(CallbackAPIVersion.VERSION2)
    if flags.only == "samples":
        _take_samples(client, flags, stopping)
    else:
        _take_results(client, flags, stopping)


def _take_samples(client: Client, flags: argparse.Namespace, stopping: Event) -> None:
    producer = Producer(
        {
            "bootstrap.servers": flags.kafka,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
        }
    )

    def subscribe(
        client: Client, _: object, f: ConnectFlags, r: ReasonCode, p: Properties | None
    ) -> None:
        client.subscribe("har/+/samples", 1)
        print("connected to", flush=True)

    def carry(client: Client, _: object, message: MQTTMessage) -> None:
        topic = message.topic
        producer.produce(
            flags.samples_topic,
            bytes(message.payload),
            topic.split("/")[1],
            headers=[("topic", topic.encode())],
        )

    client.on_connect = subscribe
    client.on_message = carry
    client.connect(HOST, flags.port)
    client.loop_start()
    while not stopping.is_set():
        producer.poll(0.1)
    client.disconnect()
    client.loop_stop()
    producer.flush()


def _take_results(client: Client, flags: argparse.Namespace, stopping: Event) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": flags.kafka,
            "group.id": "plain",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([flags.results_topic])
    client.max_inflight_messages_set(1_000)
    client.connect(HOST, flags.port)
    client.loop_start()
    print("connected to", flush=True)
    while not stopping.is_set():
        record = consumer.poll(0.1)
        if record is None or record.error():
            continue
        headers = dict(record.headers() or ())
        client.publish(
            bytes(headers["topic"]).decode(),  # type: ignore[arg-type]
            record.value(),
            1,
            "retain" in headers,
        )
    client.disconnect()
    client.loop_stop()
    consumer.close()


if __name__ == "__main__":
    main()
