"""The form of a phone's messages, and whether those of another form are taken.

A sender keeps to one form: each sensor by itself, both in one row, or rows that it has prepared.
When messages of another form come, they are taken, and the earlier samples are forgotten; but when
two forms alternate, as of two phones under one name, only the first is taken.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.readings import Sensor

MIXED_MESSAGES: Final = 200
"""If two forms have alternated, messages of the other form are taken only after so many without a
message of the first."""


def form_of(sensor: Sensor) -> str:
    """Return the form of a sensor's messages; only sensors of one form can be combined."""
    return sensor if sensor in ("prepared", "motion") else "separate"


@dataclass
class Forms:
    """How the forms of a phone's messages have changed."""

    n_other: int = 0
    """Messages of another form since one of this"""
    n_changes: int = 0
    """How often the form changed, since it last was calm"""

    def take_other(self) -> bool:
        """Count a message of another form; return whether it is taken, and its form from now on."""
        self.n_other += 1
        if self.n_changes > 1 and self.n_other < MIXED_MESSAGES:
            return False
        self.n_changes += 1
        return True
