"""Troubles: signs in a phone's samples that something is wrong, and how long each counts."""

from dataclasses import dataclass
from typing import Final

Trouble = str
TROUBLES: Final[tuple[Trouble, ...]] = (
    *("low-rate", "clocks-apart", "two-phones"),
    *("late-samples", "short-recordings"),
)
"""Signs in a phone's samples that something is wrong."""
DOUBTFUL: Final = frozenset(TROUBLES[:3])
"""Those that make its rows doubtful"""

LATE_RAISE_S: Final = 2.0
LATE_MOST_S: Final = 4.0
LATE_WEARS_OFF: Final = 0.1
"""`late-samples` and `two-phones` come into force after `LATE_RAISE_S` of late samples; at most
`LATE_MOST_S` count, and each second of other samples takes this share of a second off."""


@dataclass
class Level:
    """The amount of a trouble, in seconds of samples."""

    seconds: float = 0.0
    in_force: bool = False

    def rise(self, seconds: float) -> None:
        """Count more of it."""
        self.seconds = min(self.seconds + seconds, LATE_MOST_S)
        self.in_force = self.in_force or self.seconds >= LATE_RAISE_S

    def wear_off(self, seconds: float) -> None:
        """Let samples without it pass."""
        self.seconds = max(self.seconds - LATE_WEARS_OFF * seconds, 0.0)
        self.in_force = self.in_force and self.seconds > 0
