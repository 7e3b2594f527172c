"""Phones that were announced to Home Assistant by an earlier har-stream and have not come again.

The broker retains the announcements, and sends them over each new connection. Rules: a phone that
sends nothing for as long as makes a phone be forgotten is taken away, with all that is retained of
it. Announcements of other programs are left alone.
"""

from pipeline.messages import Message
from pipeline.serving.outputs import homeassistant
from pipeline.serving.phones import Phones


class LeftAnnouncements:
    """The phones that are announced and not admitted."""

    def __init__(self, phones: Phones, *, most: int, forget_after_s: float) -> None:
        """Begin without any; ``most`` are kept."""
        self._phones = phones
        self._most = most
        self._forget_after_s = forget_after_s
        self._noted: dict[str, float] = {}
        """When each was announced, in monotonic seconds, the longest ago first"""

    def note(self, message: Message) -> None:
        """Note the phone that a retained message announces, unless it announces something else."""
        if not message.retained or len(self._noted) >= self._most:
            return
        device = homeassistant.announced_device(message)
        if device is not None and self._phones.get(device) is None:
            self._noted.setdefault(device, message.received)

    def disconnect(self) -> None:
        """Note that nothing can come; announcements will come anew."""
        self._noted.clear()

    def take_forgotten(self, now: float) -> list[str]:
        """Return, once, the phones that are to be taken away."""
        due = []
        for device, noted in self._noted.items():
            if now - noted <= self._forget_after_s:
                break
            due.append(device)
        for device in due:
            del self._noted[device]
        return [device for device in due if self._phones.get(device) is None]
