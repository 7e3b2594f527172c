"""The calibrations of recorded phones, in force while their recordings are played.

Rules:

* A recording that was made of a calibrated phone is played with that calibration. It is published
  before the recording, unless it is in force already: the broker retains it from before.
* The broker retains nothing of it. Afterwards that of before, or none, comes into force again: real
  phones may have these names. If somebody else publishes one meanwhile, it is that.
* Calibrations are watched over a connection of their own. Where they may not be read, none is
  published; where one does not come back, the broker did not pass it on. A warning says so.
"""

import time
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration, encode_rotation
from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.readings import MessageError
from pipeline.recordings.recording import Recording
from pipeline.settings import BrokerSettings

RETAINED_TIMEOUT_S: Final = 1.0
"""Wait so long for what the broker retains; it comes right behind the subscription."""
PASSED_ON_TIMEOUT_S: Final = 5.0
CLOSING_TIMEOUT_S: Final = 1.0

NO_CALIBRATION: Final = b""

logger = EventLog(__name__)


class Calibrations:
    """The calibrations in force, of phones that were calibrated when they were recorded."""

    def __init__(
        self, settings: BrokerSettings, recordings: Iterable[Recording], connection: Connection
    ) -> None:
        """Begin with nothing known; what is published goes over ``connection``."""
        self._settings = settings
        self._connection = connection
        devices = {one.device for one in recordings if one.rotation is not None}
        self._topics = {device: f"har/{device}/calibration" for device in sorted(devices)}
        self._watched: Connection | None = None
        self._before: dict[str, bytes] = {}  # payloads, by topic
        self._in_force: dict[str, bytes] = {}
        self._own: set[tuple[str, bytes]] = set()
        """Topics and payloads of recordings' calibrations that were published here"""

    def begin(self) -> None:
        """Read the calibrations in force, of the phones concerned."""
        if not self._topics:
            return
        topics = list(self._topics.values())
        watched = Connection(self._settings, name="har-replay", subscriptions=topics)
        try:
            watched.start(retry=False)
            retained: dict[str, bytes] = {}
            deadline = time.monotonic() + RETAINED_TIMEOUT_S
            while len(retained) < len(topics) and (left_s := deadline - time.monotonic()) > 0:
                for message in watched.take(timeout_s=left_s, gather_s=0.0):
                    retained[message.topic] = message.payload
        except ConnectionError as error:
            logger.warning(
                "calibration-not-read",
                "%(devices)s: played without the calibration of the recording: the one to come "
                "into force again afterwards cannot be read: %(error)s",
                devices=", ".join(self._topics),
                error=error,
            )
            return
        self._watched = watched
        self._before = {topic: retained.get(topic, NO_CALIBRATION) for topic in topics}
        self._in_force = dict(self._before)

    def apply(self, device: str, rotation: NDArray[np.float64] | None) -> None:
        """Let a recording's calibration ``(3, 3)`` come into force, or without one that of before.

        What is published after this call is behind it.
        """
        if self._watched is None or device not in self._topics:
            return
        topic = self._topics[device]
        if rotation is None or _holds(self._before[topic], rotation):
            payload = self._before[topic]
        else:
            payload = encode_rotation(rotation)
            self._own.add((topic, payload))
        if payload != self._in_force[topic]:
            self._connection.publish(topic, payload)
            self._in_force[topic] = payload
            if not self._comes_back(self._watched, topic):
                logger.warning(
                    "calibration-not-passed-on",
                    "%(device)s: may not be played with the calibration of the recording: the "
                    "broker did not pass it on; may %(username)s write %(topic)s, and read it?",
                    device=device,
                    username=self._settings.username or "anybody",
                    topic=topic,
                )

    def give_back(self) -> None:
        """Let the calibrations of before come into force again."""
        if self._watched is None:
            return
        try:
            self._note(self._watched.take(timeout_s=0.0, gather_s=0.0))
        except ConnectionError as error:
            logger.warning(
                "calibration-not-compared",
                "%(devices)s: whether somebody has calibrated it meanwhile is not known: %(error)s",
                devices=", ".join(self._topics),
                error=error,
            )
        for topic, payload in self._before.items():
            if payload != self._in_force[topic]:
                self._connection.publish(topic, payload)
        self._watched.close(timeout_s=CLOSING_TIMEOUT_S)
        self._watched = None

    def _comes_back(self, watched: Connection, topic: str) -> bool:
        """Return whether the broker passes on what was published last on a topic."""
        deadline = time.monotonic() + PASSED_ON_TIMEOUT_S
        while (left_s := deadline - time.monotonic()) > 0:
            messages = watched.take(timeout_s=left_s, gather_s=0.0)
            self._note(messages)
            if any(
                message.topic == topic and message.payload == self._in_force[topic]
                for message in messages
            ):
                return True
        return False

    def _note(self, messages: Iterable[Message]) -> None:
        """Note what others have published: that is to be in force afterwards."""
        for message in messages:
            if (message.topic, message.payload) not in self._own:
                self._before[message.topic] = message.payload


def _holds(payload: bytes, rotation: NDArray[np.float64]) -> bool:
    """Return whether a calibration's payload holds this rotation ``(3, 3)``."""
    try:
        held = decode_calibration(payload)
    except MessageError:  # har-stream does not use it either
        return False
    return held is not None and np.array_equal(held, rotation)
