"""How long a phone has been silent, as far as that is known.

Rules: silence lasts from a phone's last message to the end of the time that is known about.

* A message of its topic that was dropped shows that it has sent.
* If messages of its topic wait to be taken, the time after the oldest of them came is not known.
* If the broker holds messages back, the phone's may be among them: then the time since that began
  is not known, until some time has passed without it.
* Over a new connection every silence begins anew, because messages in between may be lost.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.serving.phone import Phone

CATCH_UP_S: Final = 2.0
"""Seconds after which all messages that the broker held back have come"""


class Silence:
    """The silence of all phones; times are in monotonic seconds."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self._since: float | None = None  # there is a connection
        self._until = 0.0  # messages sent by then have come
        self._held_back = -CATCH_UP_S  # when the broker did so last
        self._waiting: Mapping[str, float] = {}
        self._dropped: Mapping[str, float] = {}
        self._now = 0.0

    def disconnect(self) -> None:
        """Note that nothing can come."""
        self._since = None

    def update(
        self,
        now: float,
        *,
        held_back: bool,
        waiting: Mapping[str, float],
        dropped: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Update what is known; to be called about every second while there is a connection.

        Args:
            now: the time.
            held_back: the broker may have held messages back since this was called last.
            waiting: when the oldest message that waits to be taken came, by topic.
            dropped: when a message was dropped since this was called last, by topic.
        """
        self._now = now
        if self._since is None:
            self._since = self._until = now
        if held_back:
            self._held_back = now
        if now - self._held_back >= CATCH_UP_S:
            self._until = now
        self._waiting = waiting
        self._dropped = dropped

    def now(self, phone: Phone) -> float:
        """Return the time when `update` was called last."""
        return self._now

    def silent_s(self, phone: Phone, since: float, until: float) -> float:
        """Return how long a phone has sent nothing, if it did last at the time ``since``.

        What is known of the time after ``until`` does not count.
        """
        return self.seconds(phone.route.topic, since, until)

    def seconds(self, topic: str, since: float, latest: float = math.inf) -> float:
        """Return how long a topic has brought nothing.

        Args:
            topic: on which a phone's messages come.
            since: when the last processed message came.
            latest: what is known of the time after it does not count.
        """
        if self._since is None:
            return 0.0
        until = min(self._until, self._waiting.get(topic, self._until), latest)
        return until - max(since, self._since, self._dropped.get(topic, 0.0))
