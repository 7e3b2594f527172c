"""The work that waits, and how long it takes."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Message

logger = EventLog(__name__)

REPORT_S: Final = 10.0
"""The load is reported this often."""
MOST_NAMED_TOPICS: Final = 10
"""Topics that a report names of which messages were dropped"""


class Load:
    """The messages that wait or were dropped, and the age of results.

    The results of an owner that was limited, since it sent more than any phone would, are as old as
    it makes them: their age tells nothing of how others fare, and is left out.
    """

    def __init__(self, most_waiting: int, now: float) -> None:
        """Begin idle; times are in monotonic seconds.

        Args:
            most_waiting: messages that may wait.
            now: the time.
        """
        self._most_waiting = most_waiting
        self._ages_s: list[float] = []
        self._busy_ages_s: defaultdict[str, list[float]] = defaultdict(list)
        """The same of owners that may have been limited, by topic"""
        self._n_messages = 0
        self._dropped: Counter[str] = Counter()
        self._begun = now
        self.too_much = False
        """More messages wait than can be processed soon"""

    def add(self, messages: Sequence[Message], now: float, *, busy: Collection[str]) -> None:
        """Note that messages have been processed, and their results published.

        ``busy`` are the topics of owners that send more than any phone would.
        """
        self._n_messages += len(messages)
        if not busy:
            self._ages_s += [now - message.received for message in messages]
            return
        for message in messages:
            is_busy = message.topic in busy
            ages_s = self._busy_ages_s[message.topic] if is_busy else self._ages_s
            ages_s.append(now - message.received)

    def drop(self, dropped: Mapping[str, int]) -> None:
        """Note how many messages were dropped, by topic."""
        self._dropped.update(dropped)

    def watch(self, waiting: int) -> None:
        """Log when too much waits, and when that is over."""
        before = self.too_much
        self.too_much = waiting > self._most_waiting / (10 if before else 2)
        if self.too_much and not before:
            logger.warning(
                "overloaded",
                "overloaded: %(n_waiting)d messages wait; more waits at the broker, or is dropped "
                "at QoS 0",
                n_waiting=waiting,
            )
        elif before and not self.too_much:
            logger.info("caught-up", "caught up")

    def is_due(self, now: float) -> bool:
        """Return whether a report is due; ``now`` is in monotonic seconds."""
        return now - self._begun >= REPORT_S

    def report(self, now: float, *, limited: Collection[str]) -> dict[str, object]:
        """Return a report since the last one.

        Args:
            now: the time.
            limited: topics of owners that were limited since then.
        """
        ages_s = self._ages_s
        for topic, busy_ages_s in self._busy_ages_s.items():
            if topic not in limited:
                ages_s += busy_ages_s
        p50, p99 = np.percentile(ages_s or [0.0], [50, 99]) * 1000
        report = {
            "messages_per_s": round(self._n_messages / max(now - self._begun, 1e-3), 1),
            "latency_ms": {"p50": round(float(p50), 1), "p99": round(float(p99), 1)},
            "overloaded": self.too_much,
            "dropped_topics": len(self._dropped),
            "dropped_most": dict(self._dropped.most_common(MOST_NAMED_TOPICS)),
        }
        self._ages_s, self._n_messages, self._begun = [], 0, now
        self._busy_ages_s.clear()
        self._dropped.clear()
        return report
