"""The physical floor of a load: bytes come off the socket and become arrays, and nothing else.

A bare socket, read every few milliseconds as a tick's messages wait. JSON is parsed by simdjson,
which makes an array of a message's numbers itself; of the compact form all messages of a tick are
one array at once. At QoS 1 the messages are acknowledged. Before that, the process measures how
fast it multiplies matrices: no model could take less time for its operations.
"""

import argparse
import json
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import numpy as np
import simdjson

from tests.benchmarks.load_messages import ACC_SCALE, GYRO_SCALE
from tests.benchmarks.load_plan import FORMS, JSON, ROWS
from tests.benchmarks.mqtt_packets import PUBACK, connected, subscribe
from tests.benchmarks.peak import measured_peak

TOPIC: Final = "har/+/samples"
TICK_S: Final = 0.01
POLL_S: Final = 0.2
READ_BYTES: Final = 1 << 20
NUMBERS: Final = ROWS * 3
"""Of each sensor in a message"""

Taken = tuple[int, int, bytes]
"""Bytes and messages that were taken off what was received, and their acknowledgements"""
Take = Callable[[bytes], Taken]
"""Parses all packets of what was received that are whole; raises ValueError for others' messages"""


def parser_of(form: str, qos: int) -> Take:
    """Return what parses the messages of a load's form and QoS."""
    return (JsonParser if form == JSON else CompactParser)(qos).take


class JsonParser:
    """Parses one message after the other."""

    def __init__(self, qos: int) -> None:
        """Begin."""
        self._parser = simdjson.Parser()
        self._id_bytes = 2 if qos else 0

    def take(self, received: bytes) -> Taken:
        """Parse all packets that are whole."""
        view = memoryview(received)
        position, n_messages, ids = 0, 0, []
        while position + 3 <= len(received):
            length = received[position + 1]
            at = position + 2
            if length > 127:
                length += (received[at] << 7) - 128
                at += 1
            if at + length > len(received):
                break
            id_at = at + 2 + (received[at] << 8 | received[at + 1])
            position = at + length
            ids.append(received[id_at : id_at + self._id_bytes])
            self._parse(view[id_at + self._id_bytes : position])
            n_messages += 1
        acknowledgements = b"".join([_ACKNOWLEDGEMENT + one for one in ids if one])
        return position, n_messages, acknowledgements

    def _parse(self, payload: memoryview) -> None:
        message: Any = self._parser.parse(payload)
        _ = message["start"]
        for sensor in ("acc", "gyro"):
            if len(np.frombuffer(message[sensor].as_buffer(of_type="d"))) != NUMBERS:
                raise ValueError("not a message of the load")


class CompactParser:
    """Parses all messages at once; they are equally long."""

    def __init__(self, qos: int) -> None:
        """Begin."""
        self._id_bytes = 2 if qos else 0
        self._record: np.dtype[np.void] | None = None

    def take(self, received: bytes) -> Taken:
        """Parse all packets that are whole."""
        if len(received) < 3:
            return 0, 0, b""
        size = 3 + (received[2] << 7 | received[1] & 127)
        if len(received) < size:
            return 0, 0, b""
        if self._record is None:
            self._record = self._layout(received[:size])
        n_messages = len(received) // size
        records = np.frombuffer(received, self._record, n_messages)
        if (records["head"] != records["head"][0]).any():
            raise ValueError("not messages of one size")
        _ = records["start"].astype(np.float64)
        _ = records["acc"] * ACC_SCALE, records["gyro"] * GYRO_SCALE
        acknowledgements = b""
        if self._id_bytes:
            packets = np.empty(n_messages, [("head", "S2"), ("id", "V2")])
            packets["head"], packets["id"] = _ACKNOWLEDGEMENT, records["id"]
            acknowledgements = packets.tobytes()
        return n_messages * size, n_messages, acknowledgements

    def _layout(self, packet: bytes) -> np.dtype[np.void]:
        """Return where each message has what, by the first one."""
        id_at = 5 + (packet[3] << 8 | packet[4])
        payload = packet[id_at + self._id_bytes :]
        message = msgspec.msgpack.decode(payload)
        places = {
            "head": ("S3", 0),
            "id": (f"V{self._id_bytes}", id_at),
            "start": (">f8", packet.index(b"start") + 6),
            "acc": (f"<{NUMBERS}i2", packet.index(message["acc"])),
            "gyro": (f"<{NUMBERS}i2", packet.index(message["gyro"])),
        }
        formats, offsets = zip(*places.values(), strict=True)
        return np.dtype(
            {
                "names": list(places),
                "formats": list(formats),
                "offsets": list(offsets),
                "itemsize": len(packet),
            }
        )


_ACKNOWLEDGEMENT: Final = bytes([PUBACK, 2])


def main() -> None:
    """Run the command until SIGTERM; then it writes its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--qos", type=int, choices=(0, 1), required=True)
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--report", type=Path, required=True, help=".json to write at the end")
    flags = parser.parse_args()
    peak = measured_peak()
    try:
        n_messages = _consume(flags.port, flags.qos, parser_of(flags.form, flags.qos))
    except (OSError, ValueError) as error:
        sys.exit(f"floor consumer: {error}")
    flags.report.write_text(json.dumps({"messages": n_messages, "peak_flops_per_s": peak}))


def _consume(port: int, qos: int, take: Take) -> int:
    """Return how many messages came until SIGTERM."""
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    link = connected(port, "floor-consumer")
    subscribe(link, TOPIC, qos=qos)
    received, n_messages = b"", 0
    while not stopping:
        if not select.select([link], [], [], POLL_S)[0]:
            continue
        chunk = link.recv(READ_BYTES)
        if not chunk:
            raise ConnectionError("the broker hung up")
        received = received + chunk if received else chunk
        n_bytes, n_taken, acknowledgements = take(received)
        received = received[n_bytes:]
        n_messages += n_taken
        if acknowledgements:
            link.sendall(acknowledgements)
        if len(chunk) < READ_BYTES:
            time.sleep(TICK_S)
    link.close()
    return n_messages


if __name__ == "__main__":
    main()
