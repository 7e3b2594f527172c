"""How fast a sender may send."""

from collections import OrderedDict
from typing import Final

MOST_SENDERS: Final = 10_000


class Allowance:
    """So many at once, and so many more each second; times are in monotonic seconds."""

    def __init__(self, most: float, per_s: float, now: float) -> None:
        """Begin with all that may come at once."""
        self._most, self._per_s = most, per_s
        self._left, self._at = most, now

    def take(self, now: float) -> bool:
        """Take one; return False if there is none left."""
        if self.wait_s(now) > 0:
            return False
        self._left -= 1
        return True

    def wait_s(self, now: float) -> float:
        """Return in how many seconds there is one."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return max(0.0, (1 - self._left) / self._per_s)


class Allowances:
    """An allowance for each sender, of the latest `MOST_SENDERS`."""

    def __init__(self, most: float, per_s: float) -> None:
        """Begin with all of them unused."""
        self._most, self._per_s = most, per_s
        self._of: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, sender: str, now: float) -> bool:
        """Take one of a sender's; return False if it has none left."""
        allowance = self._of.get(sender)
        if allowance is None:
            allowance = self._of[sender] = Allowance(self._most, self._per_s, now)
            if len(self._of) > MOST_SENDERS:
                self._of.popitem(last=False)
        self._of.move_to_end(sender)
        return allowance.take(now)
