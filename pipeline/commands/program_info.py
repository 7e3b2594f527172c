"""The retained message on ``har/info``: what other programs must know to work with har-stream.

har-replay takes the hop from it.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, Self

import msgspec

from pipeline.messages import Publication
from pipeline.program_topics import INFO_TOPIC
from pipeline.vocabulary import WINDOW_LENGTH

DEFAULT_HOP: Final = 64
"""Samples between the starts of neighbouring windows: half of one"""


class ProgramInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of ``har/info``; keys of later versions are ignored."""

    version: str
    """Of har-stream"""
    model: str
    """Name and hash of the model, as in predictions; of several, that of phones at the waist"""
    hop: int
    """Samples between the starts of neighbouring windows, 1 to 128"""
    window_length: int
    """Samples of a window"""
    formats: list[str]
    """Wire formats of the topics that it is subscribed to"""
    models: list[str] = []
    """Names and hashes of all models that are in use"""

    @classmethod
    def of(cls, models: Sequence[str], *, hop: int, formats: Sequence[str]) -> Self:
        """Return the info of a har-stream of this version."""
        return cls(
            version=version("har-stream"),
            model=models[0],
            models=list(models),
            hop=hop,
            window_length=WINDOW_LENGTH,
            formats=sorted(set(formats)),
        )

    @property
    def publication(self) -> Publication:
        """The message to publish, retained."""
        return Publication(INFO_TOPIC, msgspec.json.encode(self), retain=True)


def published_hop(payload: bytes) -> int | None:
    """Return the hop that a message on ``har/info`` names, None if it names none that can be."""
    try:
        hop = msgspec.json.decode(payload, type=ProgramInfo).hop
    except msgspec.DecodeError:
        return None
    return hop if 1 <= hop <= WINDOW_LENGTH else None
