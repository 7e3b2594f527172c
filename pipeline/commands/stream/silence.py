"""How long a phone has been silent, as far as that is known.

A phone is silent from its last message to the end of what is known of it. If messages of its topic
wait here, nothing is known of the time after the oldest of them has come. If the broker holds
messages back, the phone's may be among them: then nothing is known of the time since that began,
until some time has passed without. Over a new connection every silence begins anew, for what was
sent in between may be lost. How much silence is too much is decided elsewhere.
"""

from collections.abc import Mapping
from typing import Final

SETTLE_S: Final = 2.0
"""So long after the broker held messages back they have all come"""


class Silence:
    """What is known of the silence of all phones; times are in monotonic seconds."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self._since: float | None = None  # there is a connection
        self._until = 0.0  # what was sent by then has come
        self._held_back = -SETTLE_S  # last time that the broker did
        self._waiting: Mapping[str, float] = {}

    def disconnect(self) -> None:
        """Note that nothing can come."""
        self._since = None

    def update(self, now: float, *, held_back: bool, waiting: Mapping[str, float]) -> None:
        """Note how it stands; to be called every second or so while there is a connection.

        Args:
            now: the time.
            held_back: the broker may have held messages back since this was called last.
            waiting: when the oldest message that waits here has come, by topic.
        """
        if self._since is None:
            self._since = self._until = now
        if held_back:
            self._held_back = now
        if now - self._held_back >= SETTLE_S:
            self._until = now
        self._waiting = waiting

    def seconds(self, topic: str, last_message: float) -> float:
        """Return how long a phone has been silent.

        Args:
            topic: on which its messages come.
            last_message: when the last of them came that was worked through.
        """
        if self._since is None:
            return 0.0
        until = min(self._until, self._waiting.get(topic, self._until))
        return until - max(last_message, self._since)
