"""Which phone of a load sends which message when.

Phones join one after the other over a ramp: those that begin together would fill their windows
together. Time can be sped up: messages come as much more often, and their samples' times run as
much faster; slowed down, they come more seldom. Phones can come and go, or send in bursts.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 50
ROWS: Final = 25
"""Samples a message"""
INTERVAL_S: Final = ROWS / RATE_HZ
"""Seconds from one message of a phone to the next"""
JSON: Final = "json"
COMPACT: Final = "compact"
FORMS: Final = (JSON, COMPACT)
"""Of the native format's messages, with samples at 50 Hz sharp"""
UNEVEN: Final = "uneven"
"""Compact, with a time for each sample, and none quite where 50 Hz would have it"""
SENSOR_LOGGER: Final = "sensor-logger"
"""That app's, of an accelerometer and a gyroscope that have uneven times of their own"""
ALL_FORMS: Final = (*FORMS, UNEVEN, SENSOR_LOGGER)
MOST_PHONES: Final = 20_000
LONGEST_S: Final = 7200.0


@dataclass(frozen=True)
class Load:
    """So many phones for so long."""

    phones: int
    qos: int
    hold_s: float
    """Seconds during which all phones are there"""
    ramp_s: float
    """Seconds before, over which they join"""

    speed: float = field(default=1.0, kw_only=True)
    """Times real time"""
    first: int = field(default=0, kw_only=True)
    """Number of the first phone in its name: those of two generators are not to be the same"""
    form: str = field(default=JSON, kw_only=True)
    """Of the messages, one of `ALL_FORMS`"""

    @property
    def duration_s(self) -> float:
        """Seconds in all."""
        return self.ramp_s + self.hold_s

    @property
    def interval_s(self) -> float:
        """Seconds from one message of a phone to the next."""
        return INTERVAL_S / self.speed

    @property
    def joins_s(self) -> NDArray[np.float64]:
        """When each phone's first message is due, in seconds after the beginning.

        Phones send one after the other at equal distances, and as many join in each interval.
        """
        return _joins_s(self.phones, self.ramp_s, self.interval_s)

    @property
    def n_messages(self) -> NDArray[np.int64]:
        """How many messages each phone sends."""
        return _n_intervals(self.duration_s - self.joins_s, self.interval_s)

    def due_s(self, phone: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when messages are due, by phone and number, in seconds after the beginning."""
        return self.joins_s[phone] + number * self.interval_s


@dataclass(frozen=True)
class Relay(Load):
    """Phones that come and go: at equal distances the one that is there longest gives way to one.

    ``phones`` counts all that ever come. The first ones join over the ramp.
    """

    at_once: int = field(kw_only=True)
    """Phones that are there at any time"""

    @property
    def turn_s(self) -> float:
        """Seconds from one that gives way to the next."""
        return self.duration_s / (self.phones - self.at_once + 1)

    @property
    def joins_s(self) -> NDArray[np.float64]:
        """When each phone's first message is due, in seconds after the beginning."""
        first = _joins_s(self.at_once, self.ramp_s, self.interval_s)
        later = np.arange(self.phones - self.at_once)
        place_s = later % self.at_once / self.at_once * self.interval_s
        return np.concatenate([first, (later + 1) * self.turn_s + place_s])

    @property
    def n_messages(self) -> NDArray[np.int64]:
        """How many messages each phone sends."""
        leaves_s = np.minimum((np.arange(self.phones) + 1) * self.turn_s, self.duration_s)
        return _n_intervals(leaves_s - self.joins_s, self.interval_s)


@dataclass(frozen=True)
class Bursts(Load):
    """Phones that are silent and send by turns; their samples' times run on only as they send."""

    burst_s: float = field(kw_only=True)
    """Seconds of a silence, and of a burst"""

    @property
    def n_messages(self) -> NDArray[np.int64]:
        """How many messages each phone sends."""
        n_whole, rest_s = divmod(self.duration_s, 2 * self.burst_s)
        sending_s = n_whole * self.burst_s + max(rest_s - self.burst_s, 0.0)
        return _n_intervals(sending_s - self.joins_s, self.interval_s)

    def due_s(self, phone: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when messages are due, by phone and number, in seconds after the beginning."""
        sending_s = super().due_s(phone, number)
        return sending_s + (np.floor(sending_s / self.burst_s + 1e-9) + 1) * self.burst_s


def _joins_s(n_phones: int, ramp_s: float, interval_s: float) -> NDArray[np.float64]:
    phone = np.arange(n_phones)
    n_intervals = int(ramp_s / interval_s + 1e-9)
    return (phone % n_intervals + phone / n_phones) * interval_s


def _n_intervals(seconds: NDArray[np.float64], interval_s: float) -> NDArray[np.int64]:
    """Return how many messages are due in less than so many seconds, the first at once."""
    return np.maximum(np.ceil(seconds / interval_s - 1e-9), 0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Schedule:
    """The messages of a load in the order in which they are due; all arrays ``(n_messages,)``."""

    due_s: NDArray[np.float64]
    """Seconds after the beginning"""
    phone: NDArray[np.int64]
    number: NDArray[np.int64]
    """Of the message among the phone's, from 0"""


def schedule(load: Load) -> Schedule:
    """Return all messages of a load."""
    counts = load.n_messages
    phone = np.repeat(np.arange(load.phones), counts)
    number = np.arange(len(phone)) - np.repeat(np.cumsum(counts) - counts, counts)
    due_s = load.due_s(phone, number)
    order = np.argsort(due_s, kind="stable")
    return Schedule(due_s[order], phone[order], number[order])


def device(phone: int) -> str:
    """Return a phone's name; all are equally long."""
    return f"load-{phone:05d}"


def first_samples_ms(load: Load, epoch: float) -> NDArray[np.int64]:
    """Return when each phone measured its first sample, in epoch milliseconds ``(phones,)``.

    The last sample of its first message is of the moment when that is due; ``epoch`` is the
    beginning, in epoch seconds. With time sped up all lies in the past, but for the end; slowed
    down, all but the beginning.
    """
    ahead_s = load.duration_s * max(load.speed - 1, 0.0)
    last_sample_s = epoch + load.joins_s * load.speed - ahead_s
    return np.round(last_sample_s * 1000).astype(np.int64) - (ROWS - 1) * 1000 // RATE_HZ
