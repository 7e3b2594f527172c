"""Whether a phone's clock was set back: for how long nothing but late samples may come.

Rules:

* When for `SET_BACK_S` nothing but late samples come, the clock was set back.
* If the samples from before go on after that, it was not, and it takes longer the next time: so a
  backlog that is sent between live samples gives way to them.
* After a calm time without late samples it takes `SET_BACK_S` again.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

SET_BACK_S: Final = 2.0
"""So long may nothing but late samples come until the phone's clock counts as set back."""
LONGEST_SET_BACK_S: Final = 64.0
"""The same, at most, for a phone whose clock seemed to be set back and was not."""
CALM_S: Final = 60.0
"""After so long without late samples it is `SET_BACK_S` again."""
CERTAIN_S: Final = 600.0
"""After so long without the samples from before, the clock was set back for certain."""


@dataclass
class SetBack:
    """Whether a phone's clock was set back."""

    after_s: float = SET_BACK_S
    """Seconds of late samples from which the clock counts as set back"""
    newest_before: float = np.nan
    """Time of the newest sample before the clock seemed to be set back; nan if it never was, or
    for certain"""
    calm_s: float = 0.0
    """Seconds of samples since a late one"""

    @property
    def is_initial(self) -> bool:
        """Whether there is no sign that the clock was set back."""
        return self.after_s == SET_BACK_S and bool(np.isnan(self.newest_before))

    def happen(self, newest: float) -> None:
        """Note that the clock counts as set back behind a sample at the time ``newest``."""
        self.newest_before, self.calm_s = newest, 0.0

    def disprove(self) -> None:
        """Note that the time from before goes on: the clock was not set back."""
        self.after_s = min(4 * self.after_s, LONGEST_SET_BACK_S)
        self.newest_before, self.calm_s = np.nan, 0.0

    def pass_calm(self, seconds: float) -> bool:
        """Let samples without late ones pass; return whether it has been calm for long enough."""
        self.calm_s += seconds
        if self.calm_s < (CALM_S if np.isnan(self.newest_before) else CERTAIN_S):
            return False
        self.after_s, self.newest_before = SET_BACK_S, np.nan
        return True
