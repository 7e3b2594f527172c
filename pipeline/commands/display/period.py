"""The form in which everything here takes episodes, be they recognised just now or stored."""

from typing import Protocol


class Period(Protocol):
    """A period of one activity, such as an `Episode`."""

    @property
    def activity(self) -> str:
        """An activity, ``transition`` or ``unknown``."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds on the same clock, after the start."""

    @property
    def probability(self) -> float:
        """Mean over the period, 0 to 1."""
