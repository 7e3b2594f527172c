"""The har-stream that a replay is for: whether it is there, and the hop of its windows."""

import time
from dataclasses import dataclass
from typing import Final

from pipeline.commands.program_info import published_hop
from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.program_topics import INFO_TOPIC, STATUS_TOPIC

PROGRAM_INFO_TIMEOUT_S: Final = 1.0
"""Wait so long for the hop of a har-stream that is online: an earlier version publishes none."""


@dataclass
class HarStream:
    """What a har-stream has published of itself."""

    is_online: bool = False
    hop: int | None = None
    """Samples between the starts of neighbouring windows, None if it has published none"""

    def note(self, message: Message) -> bool:
        """Return whether a message is of har-stream itself, and note what it says."""
        if message.topic == STATUS_TOPIC:
            is_online = message.payload in (b"online", b"degraded")
            if is_online and not (self.is_online or message.retained):
                self.hop = None  # what is retained is of another run, until it publishes its own
            self.is_online = is_online
        elif message.topic == INFO_TOPIC:
            self.hop = published_hop(message.payload)
        else:
            return False
        return True


def await_har_stream(connection: Connection, *, timeout_s: float, is_hop_needed: bool) -> HarStream:
    """Return what is known of har-stream, when it is online or ``timeout_s`` seconds are over.

    If its hop is needed, that is waited for a moment more.

    Raises:
        ConnectionError: there will be no connection any more.
    """
    har_stream = HarStream()
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        was_online = har_stream.is_online
        for message in connection.take(timeout_s=left_s, gather_s=0.0):
            har_stream.note(message)
        if not har_stream.is_online:
            continue
        if har_stream.hop is not None or not is_hop_needed:
            break
        if not was_online:
            deadline = time.monotonic() + PROGRAM_INFO_TIMEOUT_S
    return har_stream
