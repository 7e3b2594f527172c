"""The topics that are read of phones: samples, and what instructs of a phone."""

import re
from collections.abc import Sequence
from typing import Final

from pipeline.program_topics import PROGRAM_TOPICS
from pipeline.subscriptions import Route, Subscription, route

CALIBRATION_TOPIC: Final = "har/+/calibration"
OPTIONS_TOPIC: Final = "har/+/options"
INSTRUCTION: Final = re.compile("har/(?P<device>[^/]+)/(?P<kind>calibration|options)")


def sample_route(subscriptions: Sequence[Subscription], topic: str) -> Route | None:
    """Return the route of a topic's messages, None if they bring no samples."""
    if topic in PROGRAM_TOPICS or INSTRUCTION.fullmatch(topic):
        return None
    return route(subscriptions, topic)
