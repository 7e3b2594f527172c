"""Messages that bring no samples but instruct: a phone's calibration, Home Assistant's start."""

import logging
import re
from typing import Final

from pipeline.calibration_message import decode_calibration
from pipeline.commands.stream.deliveries import Deliveries
from pipeline.commands.stream.outputs import homeassistant
from pipeline.commands.stream.phones import Phones
from pipeline.commands.stream.presence import Presence
from pipeline.messages import Message

logger = logging.getLogger(__name__)

CALIBRATION_TOPIC: Final = "har/+/calibration"
CALIBRATION: Final = re.compile("har/(?P<device>[^/]+)/calibration")


class Instructions:
    """Carries instructions out."""

    def __init__(self, phones: Phones, presence: Presence, deliveries: Deliveries) -> None:
        """Begin; a calibration takes effect behind the samples that wait in ``deliveries``."""
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries

    def obey(self, message: Message) -> None:
        """Carry a message's instruction out, if it holds one.

        Raises:
            MessageError: it cannot be used.
        """
        calibration = CALIBRATION.fullmatch(message.topic)
        if calibration is not None:
            self._calibrate(calibration["device"], message)
        elif message.topic == homeassistant.BIRTH_TOPIC and message.payload == b"online":
            self._presence.announce_all()

    def _calibrate(self, device: str, message: Message) -> None:
        rotation = decode_calibration(message.payload)
        self._phones.placements.calibrate(device, rotation)
        if self._phones.get(device) is not None:
            logger.info(
                "%s: %s", device, "calibration taken back" if rotation is None else "calibrated"
            )
            self._deliveries.place(device)
