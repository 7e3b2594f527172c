"""Complaints that come again and again: when one may be logged again, each origin by itself.

An origin is a phone, or a topic of which no phone is known. So a phone that sends nonsense keeps no
complaint about another out of the log, and costs no line a message. How much all may log together
is bounded elsewhere (`pipeline.commands.log`): senders can make up names.
"""

from collections import OrderedDict
from typing import Final

MOST_REMEMBERED: Final = 1_000
"""Complaints whose time is known; of others, those of the longest ago are forgotten"""


class LogIntervals:
    """The complaints that were logged lately, by kind and origin."""

    def __init__(self, interval_s: float) -> None:
        """Begin with none; between two alike there are ``interval_s``."""
        self._interval_s = interval_s
        self._logged: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Monotonic seconds, the longest ago first"""

    def are_over(self, kind: str, origin: str, now: float) -> bool:
        """Return whether to log a complaint now, in monotonic seconds, and note it if so."""
        logged = self._logged.get((kind, origin))
        if logged is not None and now - logged < self._interval_s:
            return False
        self._logged[kind, origin] = now
        self._logged.move_to_end((kind, origin))
        if len(self._logged) > MOST_REMEMBERED:
            self._logged.popitem(last=False)
        return True
