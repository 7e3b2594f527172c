"""The form in which everything here takes episodes, be they recognised just now or stored."""

from typing import Protocol


class ActivitySpan(Protocol):
    """A time of one activity, recognised or labelled."""

    @property
    def activity(self) -> str:
        """An activity, ``transition`` or ``unknown``."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds on the same clock, after the start."""


class Period(ActivitySpan, Protocol):
    """A period of one activity that was recognised, such as an `Episode`."""

    @property
    def probability(self) -> float:
        """Mean over the period, 0 to 1."""
