"""What the phones' messages state of where they are worn.

Rules, for the messages of a phone one after another, those left out whose samples are repeated or
late:

* The first statement takes effect at once.
* Another one does once it has stood for `HELD_S` of samples: none of before has come again between.
  So two moves are far enough apart that the phone has windows between them.
* If that of before comes again, the statements alternate. That is told until for `CALM_S` they have
  not.
"""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from pipeline.readings import BodyPlace

HELD_S: Final = 6.0
"""The filters take 3.2 s to settle, and a window has 2.56 s."""
CALM_S: Final = 60.0


@dataclass
class _Stated:
    """What one phone has stated; times are in seconds on its clock."""

    place: BodyPlace
    """The statement in effect"""
    other: BodyPlace | None = None
    """A later one that is not in effect yet"""
    other_since: float = math.nan
    """Time of the first sample with it"""
    alternated: float = math.nan
    """Time of the newest sample when one of before came again, the last time; nan for not lately"""

    @property
    def is_in_question(self) -> bool:
        """Whether messages without a statement can change anything."""
        return self.other is not None or not math.isnan(self.alternated)


class Statements:
    """The statements of all phones."""

    def __init__(self) -> None:
        """Begin with none."""
        self._stated: dict[str, _Stated] = {}

    @property
    def any(self) -> bool:
        """Whether any phone has stated a place."""
        return bool(self._stated)

    def of(self, device: str) -> BodyPlace | None:
        """Return the place in effect that a phone has stated, None if it has stated none."""
        stated = self._stated.get(device)
        return None if stated is None else stated.place

    def alternate(self, device: str) -> bool:
        """Return whether a phone's statements alternate."""
        stated = self._stated.get(device)
        return stated is not None and not math.isnan(stated.alternated)

    def matters(self, device: str, place: BodyPlace | None) -> bool:
        """Return whether a message with this statement, None for no statement, can matter."""
        stated = self._stated.get(device)
        if stated is None:
            return place is not None
        return stated.is_in_question or place not in (None, stated.place)

    def note(self, device: str, place: BodyPlace | None, *, oldest: float, newest: float) -> bool:
        """Note a message's statement; return whether what `of` or `alternate` returns changes.

        Args:
            device: the phone.
            place: what is stated, None for no statement.
            oldest: time of the message's oldest sample.
            newest: that of its newest one, which is newer than all before.
        """
        stated = self._stated.get(device)
        if stated is None:
            if place is not None:
                self._stated[device] = _Stated(place)
            return place is not None
        before = stated.place, math.isnan(stated.alternated)
        if place == stated.place and stated.other is not None:
            stated.other, stated.alternated = None, newest
        elif not 0 <= newest - stated.alternated < CALM_S:  # below 0 on another clock
            stated.alternated = math.nan
        if place not in (None, stated.place) and stated.other is None:
            stated.other, stated.other_since = place, oldest
        if stated.other is not None:
            if newest < stated.other_since:
                stated.other_since = oldest
            if newest - stated.other_since >= HELD_S:
                self._stated[device] = stated = _Stated(stated.other, alternated=stated.alternated)
        return before != (stated.place, math.isnan(stated.alternated))

    def forget(self, device: str) -> None:
        """Drop what a phone has stated."""
        self._stated.pop(device, None)

    def state(self) -> dict[str, Any]:
        """Return all statements, in values that MessagePack can hold."""
        return {device: list(astuple(stated)) for device, stated in self._stated.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned, in place of all statements before."""
        self._stated = {device: _Stated(*stated) for device, stated in state.items()}
