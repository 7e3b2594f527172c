"""The message on ``har/<device>/options``: what its owner sets of a phone, which is its name."""

from typing import Final

import msgspec

from pipeline.readings import MessageError, reading_json

MAX_OPTIONS_BYTES: Final = 1_024
MAX_DISPLAY_NAME: Final = 64
"""Characters, as of a device's own name"""

_JOINERS: Final = dict.fromkeys([0x200C, 0x200D])
"""Of no width; Persian and Indian writing and emoji need them"""


class _Options(msgspec.Struct):
    name: str


_decode: Final = msgspec.json.Decoder(_Options).decode


def decode_options(payload: bytes) -> str | None:
    """Return the name by which a phone is to be shown, None if it is taken back.

    Raises:
        MessageError: the message holds none, or one that cannot be shown.
    """
    if not payload:
        return None
    if len(payload) > MAX_OPTIONS_BYTES:
        raise MessageError("size", f"{len(payload)} bytes; at most {MAX_OPTIONS_BYTES}")
    with reading_json():
        name = _decode(payload).name.strip()
    if not (1 <= len(name) <= MAX_DISPLAY_NAME and name.translate(_JOINERS).isprintable()):
        raise MessageError(
            "options", f"a name is to have 1 to {MAX_DISPLAY_NAME} printable characters"
        )
    return name
