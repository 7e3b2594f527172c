"""What har-stream publishes of itself: its topics, and ``har/info``.

Retained on ``har/info`` is what others must know to work with it: har-replay takes the hop from it.
Whether it is there, on ``har/status``, is published by `connection`.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, Self

import msgspec

from pipeline.messages import Publication
from pipeline.mqtt.connection import STATUS_TOPIC
from pipeline.vocabulary import WINDOW_LENGTH

DEFAULT_HOP: Final = 64
"""Samples between the starts of neighbouring windows: half of one"""

INFO_TOPIC: Final = "har/info"
LOAD_TOPIC: Final = "har/load"
PROGRAM_TOPICS: Final = frozenset({STATUS_TOPIC, INFO_TOPIC, LOAD_TOPIC})
"""They are no phone's, whatever is subscribed to."""


class ProgramInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of ``har/info``; what later versions add is ignored."""

    version: str
    """Of har-stream"""
    model: str
    """Name and hash of the model, as in predictions"""
    hop: int
    """Samples between the starts of neighbouring windows, 1 to 128"""
    window_length: int
    """Samples of a window"""
    formats: list[str]
    """Wire formats of the topics that it is subscribed to"""

    @classmethod
    def of(cls, model: str, *, hop: int, formats: Sequence[str]) -> Self:
        """Return what a har-stream of this version publishes."""
        return cls(
            version=version("har-stream"),
            model=model,
            hop=hop,
            window_length=WINDOW_LENGTH,
            formats=sorted(set(formats)),
        )

    @property
    def publication(self) -> Publication:
        """What is published of it, retained."""
        return Publication(INFO_TOPIC, msgspec.json.encode(self), retain=True)


def published_hop(payload: bytes) -> int | None:
    """Return the hop that a message on ``har/info`` names, None if it names none that can be."""
    try:
        hop = msgspec.json.decode(payload, type=ProgramInfo).hop
    except msgspec.DecodeError:
        return None
    return hop if 1 <= hop <= WINDOW_LENGTH else None
