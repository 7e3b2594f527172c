"""Messages between this program and the broker, and how each is identified until that is answered.

Their contents are decided in `formats` and `commands`, their transport in `mqtt`.
"""

import msgspec

Receipt = tuple[int, float]
"""Packet identifier of a message, and when it came in monotonic seconds: needed to acknowledge
it"""


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message that the broker delivered."""

    topic: str
    payload: bytes
    received: float
    """Seconds on the monotonic clock, or, out of a log that dates messages, since 1970"""
    mid: int = 0
    """Packet identifier, by which it is acknowledged; 0 at QoS 0"""
    dup: bool = False
    """The broker has sent it before"""
    oversize: int = 0
    """Bytes of a message that was too large to be kept, and whose payload is therefore empty"""
    retained: bool = False
    """The broker had kept it for later subscribers: it may be of any age"""
    stream: int = 0
    """Of several streams that it may come in, each in the order of time"""

    @property
    def receipt(self) -> Receipt:
        """Packet identifier and time of arrival, for its acknowledgement."""
        return self.mid, self.received


class Publication(msgspec.Struct, frozen=True, gc=False):
    """A message to publish at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    mark: str = ""
    """Who publishes it; MQTT 5 alone passes that on"""


class Confirmation(msgspec.Struct, frozen=True, gc=False):
    """The broker's answer to a publication."""

    mid: int
    reason: int
    """From 128 on a refusal (MQTT 5)"""
