"""What the pages show of har-stream's messages, and what it has to be.

A page takes all that it is told as it is; so what could break one is kept from it here. What the
pages do not show may be anything.
"""

from typing import Annotated

import msgspec

from pipeline.readings import LATEST_TIME_S

Time = Annotated[float, msgspec.Meta(ge=0, le=LATEST_TIME_S)]
"""Epoch seconds"""
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
ActivityName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PublishedActivity(msgspec.Struct):
    """The message on ``har/<device>/activity``."""

    activity: ActivityName
    since: Time
    probability: Probability


class PublishedPrediction(msgspec.Struct):
    """The message on ``har/<device>/prediction``."""

    start: Time
    end: Time
    activity: ActivityName
    probability: Probability
    probabilities: dict[ActivityName, Probability]


class PublishedEpisode(msgspec.Struct):
    """The message on ``har/<device>/episode``."""

    activity: ActivityName
    start: Time
    end: Time
    probability: Probability


class PublishedInfo(msgspec.Struct):
    """The message on ``har/<device>/info``."""

    topic: str = ""
    format: str = ""
    convention: str = ""
    convention_by: str = ""
    frame: str = ""
    placement: str = ""
    placement_by: str = ""
    model: str = ""
    upright: str = ""
    calibration: str = ""
    rates_hz: dict[str, float] = {}
    clocks_apart_s: float = 0.0
    rejected: dict[str, int] = {}
    warnings: list[str] = []
    advice: list[str] = []


class PublishedLoad(msgspec.Struct):
    """The message on ``har/load``."""

    messages_per_s: float = 0.0
    latency_ms: dict[str, float] = {}
    troubles: list[str] = []
