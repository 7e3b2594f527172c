"""What is known and published of one phone, beside its signals and placement."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pipeline.messages import Publication
from pipeline.subscriptions import Route


def checksum(info: Publication) -> int:
    """Return the checksum of a message on ``har/<device>/info``, which is not 0."""
    return crc32(info.payload) or 1


@dataclass(eq=False, slots=True)
class Phone:
    """The state of one phone beside its signals; times are on the clock of its messages."""

    route: Route
    """Where its last samples came from, and how"""
    admitted: float
    """When its first message came"""
    last_message: float
    """When its last message came"""
    received_s: float = 0.0
    """The same in epoch seconds"""
    stream: int = 0
    """Which of several streams it came in"""
    topic: str | None = None
    """The topic of its last message"""
    last_live: float = -np.inf
    """When the last message came whose samples were not old"""
    is_live: bool = False
    """Whether the samples of its last message were not old"""
    is_plain: bool = False
    """Whether its last message had samples of both sensors together, and names the phone by its
    topic: so may be those to come"""
    online: bool = False
    """Whether it is published to be online"""
    last_classified: float = 0.0
    """When its last settled window was classified, or when it came online"""
    classified_until: float = 0.0
    """Epoch seconds: end of its last settled window"""
    activity: Publication | None = None
    """The activity now, also while it is not published"""
    published_activity: Publication | None = None
    """The activity that was published last"""
    activity_published: float = 0.0
    """When it was published"""
    was_there: bool = False
    """Whether it was sending already when har-stream began, and what it does may have begun before:
    until its first activity is published"""
    unknown: Publication | None = None
    """The last `unknown` that was published because windows failed to come"""
    info: Publication | None = None
    """The last message on ``har/<device>/info``"""
    info_checksum: int = 0
    """Of that message; 0 if there was none"""
    info_tells: int | None = None
    """The hash of what the last one was made of that was due"""
    n_placed: int = 0
    """How often its placement took effect"""
    info_due: float = 0.0
    """When the next is due"""
    logged_placement: str = ""
    """How it is worn, and its model, as far as that is in the log already"""
    lacks_sensor: bool = False
    """Whether a sensor is missing, as far as its info says"""
    statements_alternate: bool = False
    """Whether what its messages state of its placement alternates"""
    logged_problems: tuple[str, ...] = ()
    """The problems of its samples that are in the log already"""
    last_problem: float = -np.inf
    """When anything was wrong with its samples, the last time"""
    last_dropped: float = -np.inf
    """When messages of its own topic were dropped, the last time"""
    last_failure: float = -np.inf
    """When har-stream itself failed on its samples, the last time"""
