"""The payloads of results on the wire: what har-stream publishes, and what others read of it.

Times are in seconds since 1970, probabilities from 0 to 1.
"""

import msgspec


class PredictionPayload(msgspec.Struct, omit_defaults=True):
    """The payload of ``har/<device>/prediction``."""

    device: str
    start: float
    """Time of the window's first sample"""
    end: float
    """Time of its last sample"""
    activity: str
    probability: float
    probabilities: dict[str, float]
    """Of all activities of the model, by name"""
    model: str
    """Name and hash"""
    settling: bool = False
    """Whether the filters had not settled when the window began"""


class EpisodePayload(msgspec.Struct):
    """The payload of ``har/<device>/episode``."""

    device: str
    activity: str
    start: float
    end: float
    probability: float
