"""How long a phone has been silent, as far as that is known.

Rules: silence lasts from a phone's last message to the end of the time that is known about.

* If messages of its topic wait to be taken, the time after the oldest of them came is not known.
* If the broker holds messages back, the phone's may be among them: then the time since that began
  is not known, until some time has passed without it.
* Over a new connection every silence begins anew, because messages in between may be lost.
"""

from collections.abc import Mapping
from typing import Final

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

    def disconnect(self) -> None:
        """Note that nothing can come."""
        self._since = None

    def update(self, now: float, *, held_back: bool, waiting: Mapping[str, float]) -> None:
        """Update what is known; to be called about every second while there is a connection.

        Args:
            now: the time.
            held_back: the broker may have held messages back since this was called last.
            waiting: when the oldest message that waits to be taken came, by topic.
        """
        if self._since is None:
            self._since = self._until = now
        if held_back:
            self._held_back = now
        if now - self._held_back >= CATCH_UP_S:
            self._until = now
        self._waiting = waiting

    def seconds(self, topic: str, last_message: float) -> float:
        """Return how long a phone has been silent.

        Args:
            topic: on which its messages come.
            last_message: when the last processed message came.
        """
        if self._since is None:
            return 0.0
        until = min(self._until, self._waiting.get(topic, self._until))
        return until - max(last_message, self._since)
