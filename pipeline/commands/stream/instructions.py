"""Messages that bring no samples but instruct.

A phone's calibration and options do, and what Home Assistant needs to show phones: that it has
started, and which phones were announced before.
"""

import re
from typing import Final

from pipeline.calibration_message import decode_calibration
from pipeline.commands.home_assistant import BIRTH_TOPIC
from pipeline.commands.stream.deliveries import Deliveries
from pipeline.commands.stream.left_announcements import LeftAnnouncements
from pipeline.commands.stream.phones import Phones
from pipeline.commands.stream.presence import Presence
from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.options_message import decode_options
from pipeline.readings import MessageError

logger = EventLog(__name__)

CALIBRATION_TOPIC: Final = "har/+/calibration"
OPTIONS_TOPIC: Final = "har/+/options"
INSTRUCTION: Final = re.compile("har/(?P<device>[^/]+)/(?P<kind>calibration|options)")


class Instructions:
    """Carries instructions out."""

    def __init__(
        self,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        left_announcements: LeftAnnouncements,
    ) -> None:
        """Begin; a calibration takes effect behind the samples that wait in ``deliveries``."""
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._left_announcements = left_announcements

    def obey(self, message: Message) -> None:
        """Carry a message's instruction out, if it holds one.

        Raises:
            MessageError: it cannot be used.
        """
        instruction = INSTRUCTION.fullmatch(message.topic)
        if instruction is None:
            if message.topic == BIRTH_TOPIC and message.payload == b"online":
                self._presence.announce_all()
            elif message.topic != BIRTH_TOPIC:
                self._left_announcements.note(message)
        elif instruction["kind"] == "calibration":
            self._calibrate(instruction["device"], message)
        else:
            self._set_options(instruction["device"], message)

    def _calibrate(self, device: str, message: Message) -> None:
        rotation = decode_calibration(message.payload)
        self._phones.placements.calibrate(device, rotation)
        if self._phones.get(device) is not None:
            if rotation is None:
                logger.info(
                    "calibration-removed", "%(device)s: calibration taken back", device=device
                )
            else:
                logger.info("phone-calibrated", "%(device)s: calibrated", device=device)
            self._deliveries.place(device)

    def _set_options(self, device: str, message: Message) -> None:
        try:
            name = decode_options(message.payload)
            has_changed = self._phones.names.set(device, name)
        except MessageError as error:
            error.device = device
            raise
        if has_changed and self._phones.get(device) is not None:
            if name is None:
                logger.info("name-removed", "%(device)s: name taken back", device=device)
            else:
                logger.info("phone-named", "%(device)s: named %(name)r", device=device, name=name)
            self._phones.expect_info(device)
            self._presence.announce(device)
