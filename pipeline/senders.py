"""Which recording of a phone a message belongs to: the one under way, a new one, or one before.

A recording is what its sender calls so, on one kind of clock; messages that name none are of one
recording, too. Rules, for the messages of a phone one after another:

* Another recording begins with its first message. Of one that was left, what is not newer than its
  newest sample comes again; what just continues it was overtaken, and is late; all else is new.
* If recordings take turns, two phones send under one name. Then the one under way is heard alone
  until it has been silent for `MIXED_MESSAGES` messages of others.
"""

from typing import Any, Final, Literal

from pipeline.readings import Clock

MOST_PAST: Final = 8
"""Recordings of a phone that are remembered."""
MOST_RETURNS: Final = 2
"""So often a phone may go back to a recording before two phones are taken to use its name."""
MIXED_MESSAGES: Final = 200
FORGOTTEN_AFTER: Final = 20
"""Messages of one recording after which a return counts no more."""

OVERTAKEN_S: Final = 0.5
"""A message that continues a recording which was left, up to such a pause, was overtaken."""

Decision = Literal["goes on", "begins", "repeated", "late", "mixed"]


class Sender:
    """The recordings of one phone."""

    def __init__(self) -> None:
        """Begin with one that has no name and no samples."""
        self.recording = ""
        self.clock: Clock = "epoch"
        self._past: dict[tuple[str, Clock], float] = {}
        """Time of the newest sample of recordings before, the oldest first"""
        self._n_others = 0  # messages of others since one of the recording under way
        self._n_returns = 0.0

    @property
    def is_mixed(self) -> bool:
        """Whether two phones seem to send under this name."""
        return self._n_returns > MOST_RETURNS

    def decide(
        self,
        recording: str,
        clock: Clock,
        *,
        oldest: float,
        newest: float,
        newest_before: float,
    ) -> tuple[Decision, float]:
        """Return what a message is, and the time up to which its samples come again.

        Args:
            recording: what the message names; nothing if it names none.
            clock: its kind of clock.
            oldest: time of its oldest sample.
            newest: time of its newest sample.
            newest_before: the same of the recording under way.
        """
        key = recording, clock
        under_way = self.recording, self.clock
        if key == under_way:
            self._n_others = 0
            self._n_returns = max(self._n_returns - 1 / FORGOTTEN_AFTER, 0.0)
            return "goes on", -float("inf")
        known_until = self._past.get(key, -float("inf"))
        if newest <= known_until:
            return "repeated", known_until
        if recording and 0 < oldest - known_until <= OVERTAKEN_S:
            return "late", known_until
        self._n_others += 1
        if self.is_mixed and self._n_others < MIXED_MESSAGES:
            return "mixed", known_until
        if key in self._past:
            self._n_returns += 1
        self._past.pop(key, None)
        self._past[under_way] = max(newest_before, self._past.pop(under_way, newest_before))
        if len(self._past) > MOST_PAST:
            del self._past[next(iter(self._past))]
        self.recording, self.clock = recording, clock
        self._n_others = 0
        return "begins", known_until

    def state(self) -> list[Any]:
        """Return all that is known, in values that MessagePack can hold."""
        past = [[*key, newest] for key, newest in self._past.items()]
        return [self.recording, self.clock, past, self._n_others, self._n_returns]

    @classmethod
    def restored(cls, state: list[Any]) -> "Sender":
        """Return a sender that knows what `state` returned."""
        sender = cls()
        sender.recording, sender.clock, past, sender._n_others, sender._n_returns = state
        sender._past = {(name, clock): newest for name, clock, newest in past}
        return sender
