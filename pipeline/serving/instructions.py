"""Messages that instruct of a phone: its calibration, and its options."""

from pipeline.calibration_message import decode_calibration
from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.options_message import decode_options
from pipeline.readings import MessageError
from pipeline.serving.deliveries import Deliveries
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence
from pipeline.serving.routes import INSTRUCTION

logger = EventLog(__name__)


class Instructions:
    """Carries instructions out."""

    def __init__(self, phones: Phones, presence: Presence, deliveries: Deliveries) -> None:
        """Begin; a calibration takes effect behind the samples that wait in ``deliveries``."""
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries

    def obey(self, message: Message) -> bool:
        """Carry a message's instruction out; return whether it holds one.

        Raises:
            MessageError: it cannot be used.
        """
        instruction = INSTRUCTION.fullmatch(message.topic)
        if instruction is None:
            return False
        device = instruction["device"]
        try:
            if instruction["kind"] == "calibration":
                self._calibrate(device, message)
            else:
                self._set_options(device, message)
        except MessageError as error:
            error.device = device
            raise
        return True

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
        name = decode_options(message.payload)
        has_changed = self._phones.names.set(device, name)
        if has_changed and self._phones.get(device) is not None:
            if name is None:
                logger.info("name-removed", "%(device)s: name taken back", device=device)
            else:
                logger.info("phone-named", "%(device)s: named %(name)r", device=device, name=name)
            self._phones.expect_info(device)
            self._presence.announce(device)
