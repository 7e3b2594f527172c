"""The messages of har-calibrate: a phone's info and samples in, its calibration out.

Rules: a calibration counts only when the broker has passed it on. Samples that har-stream would
reject are not measured.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.commands.stream.settings import StreamSettings
from pipeline.formats import FORMATS
from pipeline.mqtt.connection import Connection
from pipeline.readings import MAX_PAYLOAD_BYTES, Convention, MessageError, Readings
from pipeline.recognition.placement.calibration import (
    CalibrationError,
)
from pipeline.subscriptions import Route

PHONE_INFO_TIMEOUT_S: Final = 5.0
"""For the retained info, which names the topic of a phone's samples."""
MAX_AHEAD_S: Final[float] = StreamSettings.model_fields["max_ahead"].default
"""How far samples may be ahead of this machine's clock where har-stream rejects some."""
SILENCE_S: Final = 5.0
"""Without samples for so long, the measurement is given up."""
DELIVERY_TIMEOUT_S: Final = 5.0
EFFECT_TIMEOUT_S: Final = 5.0
"""For the calibration to come back from the broker, or har-stream to publish that it uses it."""
POLL_S: Final = 0.2


class Info(msgspec.Struct):
    """The message on ``har/<device>/info``."""

    topic: str
    """Topic of its samples"""
    format: str
    convention: Convention = "android"
    convention_by: str = ""
    """``assumed`` if it is neither set nor proven"""
    frame: str = ""
    """``calibrated``, or the name of a placement"""
    placement: str = ""
    """``waist`` or ``any``"""
    placement_by: str = ""
    """How that is known: ``set``, ``stated``, ``calibrated``, ``assumed`` or ``prepared``"""
    model: str = ""
    """Name and version of the model that classifies it"""
    upright: str = ""
    """``known`` or ``unknown`` if its model is for phones anywhere and takes the wearer's frame"""
    calibration: str = ""
    """``waist-only`` or ``none``, if a calibration is of so little use"""
    warnings: tuple[str, ...] = ()
    """Problems, in a word each"""
    advice: tuple[str, ...] = ()
    """What to do about each of them"""

    @property
    def is_rejected(self) -> bool:
        """Whether har-stream could use no message of the phone; then the info says why."""
        return "rejected" in self.warnings and not self.convention_by


def read_info(settings: CalibrateSettings) -> Info:
    """Return the phone's info.

    Raises:
        CalibrationError: har-stream does not know the phone, or rejects all that it sends.
        ConnectionError: the broker cannot be reached.
    """
    topic = f"har/{settings.device}/info"
    rejected: Info | None = None
    deadline = time.monotonic() + PHONE_INFO_TIMEOUT_S
    with connected(settings, topic) as connection:
        while time.monotonic() < deadline:
            for message in connection.take(timeout_s=POLL_S, gather_s=0.0):
                try:
                    info = msgspec.json.decode(message.payload, type=Info)
                except msgspec.MsgspecError as error:
                    raise CalibrationError(f"{topic} says nothing useful: {error}") from error
                if not info.is_rejected:
                    return info
                rejected = info  # it may have been mended just now
    if rejected is not None:
        raise CalibrationError(
            f"har-stream can use nothing of {settings.device}: {'; '.join(rejected.advice)}"
        )
    raise CalibrationError(
        f"no har-stream knows {settings.device}: start har-stream, let the phone send to it, "
        "and take the name that stands in har/<device>/activity"
    )


def messages_of(connection: Connection, device: str, info: Info) -> Iterator[list[list[Readings]]]:
    """Yield the readings of each message of one phone, several times a second, also if none came.

    Raises:
        CalibrationError: nothing has come for long, or nothing in the right format.
    """
    if info.format not in FORMATS:
        raise CalibrationError(f"the format of {device} is {info.format!r}: update har-stream here")
    # The level of the topic that names the phone; else the payload does.
    named = device if device in info.topic.split("/") else None
    route = Route(FORMATS[info.format], named, info.topic)
    newest = time.monotonic()
    why_none = "is it sending?"
    while True:
        messages: list[list[Readings]] = []
        for message in connection.take(timeout_s=POLL_S, gather_s=POLL_S):
            try:
                if message.oversize:
                    raise MessageError(
                        "size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}"
                    )
                decoded = route.decode(message.payload)
            except MessageError as error:  # on a shared topic it may be another phone's
                why_none = str(error)
                continue
            readings = [
                part for part in decoded if isinstance(part, Readings) and part.device == device
            ]
            ahead_s = _ahead_s(readings)
            if "rejected" in info.warnings and ahead_s > MAX_AHEAD_S:
                why_none = f"they are {ahead_s:.0f} s ahead of this machine's clock"
            elif readings:
                messages.append(readings)
        if messages:
            newest = time.monotonic()
        elif time.monotonic() - newest > SILENCE_S:
            raise CalibrationError(
                f"no samples of {device} on {info.topic} for {SILENCE_S:.0f} s: {why_none}"
            )
        yield messages


def _ahead_s(readings: Sequence[Readings]) -> float:
    """Return by how many seconds samples are ahead of this machine's clock; 0 if none can be."""
    newest = [float(part.times.max()) for part in readings if part.clock == "epoch"]
    return max(newest) - time.time() if newest else 0.0


def publish(settings: CalibrateSettings, payload: bytes) -> None:
    """Publish the phone's calibration, or an empty payload to take it back.

    Returns when the broker has passed it on: a broker that speaks MQTT 3.1.1 also confirms messages
    that it drops because rights are missing.

    Raises:
        CalibrationError: the broker did not confirm it, or did not pass it on.
        ConnectionError: the broker cannot be reached.
    """
    topic, info_topic = f"har/{settings.device}/calibration", f"har/{settings.device}/info"
    with connected(settings, topic, info_topic) as connection:
        connection.publish(topic, payload, retain=True)
        if not connection.await_confirmations(0, timeout_s=DELIVERY_TIMEOUT_S):
            raise CalibrationError(f"{connection.address} did not confirm: may we write there?")
        if not _took_effect(connection, topic, payload):
            raise CalibrationError(
                f"the broker did not pass the {'calibration' if payload else 'removal'} on: "
                f"may {settings.username or 'anybody'} write {topic}, and read it?"
            )


def _took_effect(connection: Connection, topic: str, payload: bytes) -> bool:
    """Return whether the publication comes back, or the phone's info changes accordingly.

    The connection is subscribed to both; it has been since before the publication.
    """
    was_calibrated: bool | None = None  # not known yet
    deadline = time.monotonic() + EFFECT_TIMEOUT_S
    while time.monotonic() < deadline:
        for message in connection.take(timeout_s=POLL_S, gather_s=0.0):
            if message.topic == topic:
                if message.payload == payload:
                    return True
                continue
            try:
                frame = msgspec.json.decode(message.payload, type=Info).frame
            except msgspec.MsgspecError:
                continue
            is_calibrated = frame == "calibrated"
            # The first info was retained, from before: only a change is an effect.
            changed = was_calibrated is not None and was_calibrated != is_calibrated
            if changed and is_calibrated == bool(payload):
                return True
            was_calibrated = is_calibrated
    return False


@contextmanager
def connected(settings: CalibrateSettings, *topics: str) -> Iterator[Connection]:
    """Give a connection that is subscribed to topics, as long as the context lasts."""
    connection = Connection(settings, name="har-calibrate", subscriptions=topics)
    connection.start(retry=False)
    try:
        yield connection
    finally:
        connection.close(timeout_s=DELIVERY_TIMEOUT_S)
