"""The samples of which no row is made, by cause."""

from dataclasses import dataclass


@dataclass
class Dropped:
    """Samples of which no row was made, by cause."""

    repeated: int = 0
    """They came again"""
    late: int = 0
    """They came after newer ones, by more than the lateness"""
    unused: int = 0
    """The samples to combine them with did not come, or they were too few a second"""

    def __iadd__(self, other: "Dropped") -> "Dropped":
        """Add another's counts."""
        self.repeated += other.repeated
        self.late += other.late
        self.unused += other.unused
        return self

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.repeated or self.late or self.unused)
