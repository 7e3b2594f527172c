"""``POST /push``: messages of Sensor Logger by HTTP, published to the broker.

The answer comes at once, whatever the broker does: the app waits for it. What is wrong is said in
words; the app shows them.
"""

import time
from typing import Final, NamedTuple

import msgspec

from pipeline.commands.web.access import Access
from pipeline.commands.web.bus import Bus
from pipeline.commands.web.limits import Allowance, Allowances
from pipeline.formats import FORMATS
from pipeline.readings import MAX_PAYLOAD_BYTES, MessageError, check_device, check_payload

PER_PHONE_PER_S: Final = 10.0
PER_PHONE_AT_ONCE: Final = 30.0
PER_S: Final = 500.0
AT_ONCE: Final = 1_000.0
BODY_TIMEOUT_S: Final = 10.0
FORMAT: Final = FORMATS["sensor-logger"]


class Outcome(NamedTuple):
    """How a push is answered."""

    status: int
    words: str


class _Sender(msgspec.Struct, rename="camel"):
    device_id: str = ""


class Pushes:
    """All that is pushed."""

    def __init__(self, access: Access, bus: Bus) -> None:
        """Begin with nothing pushed."""
        self._access, self._bus = access, bus
        self._of_phones = Allowances(PER_PHONE_AT_ONCE, PER_PHONE_PER_S)
        self._of_all = Allowance(AT_ONCE, PER_S, time.monotonic())

    def may_come(self, token: str, device: str | None) -> bool:
        """Return whether somebody with this token may push, for a phone if it is named."""
        if self._access.is_token(token):
            return True
        return device is not None and self._access.is_phone_token(token, device)

    def take(self, payload: bytes, device: str | None) -> Outcome:
        """Publish a message, under a phone's name or that which it names itself."""
        now = time.monotonic()
        if len(payload) > MAX_PAYLOAD_BYTES:
            return Outcome(413, f"more than {MAX_PAYLOAD_BYTES} bytes: push more often")
        if not self._of_all.take(now):
            return Outcome(429, "too much comes from all phones together: push less often")
        try:
            check_payload(payload)
            name = device or _device_in(payload)
            check_device(name)
        except MessageError as error:
            return Outcome(400, str(error))
        if not self._of_phones.take(name, now):
            return Outcome(
                429, f"more than {PER_PHONE_PER_S:.0f} messages a second: push less often"
            )
        try:
            FORMAT.decode(payload, name)
        except MessageError as error:
            return Outcome(400, str(error))
        if not self._bus.publish(f"sensor-logger/{name}", payload):
            return Outcome(429, "too much waits for the broker: push later")
        return Outcome(200, "")


def _device_in(payload: bytes) -> str:
    """Return the name that a message gives its phone.

    Raises:
        MessageError: it is none of Sensor Logger's.
    """
    try:
        return msgspec.json.decode(payload, type=_Sender).device_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError("json", f"no message of Sensor Logger: {error}") from error
