"""Where on the body phones are worn: set, stated by their messages, calibrated, or unknown.

Rules, the first that applies:

1. The setting ``--placement`` decides.
2. Else what the phone's messages state. A statement holds until newer samples come with another;
   what is repeated or comes late changes nothing.
3. A calibrated phone is at the waist, and so is one whose frame is set: both are ways to the
   training frame, which is that of phones at the waist.
4. Else it may be anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from pipeline.readings import BodyPlace
from pipeline.recognition.placement.by_device import ByDevice

PlaceBasis = Literal["set", "stated", "calibrated", "assumed"]
"""How the place is known: from settings, from messages, from a calibration, or not at all"""

_NOT_SET: Final = ""


class BodyPlaces:
    """The places of all phones."""

    def __init__(self, settings: Sequence[str], frames: ByDevice) -> None:
        """Take settings ``VALUE`` for all phones and ``DEVICE=VALUE`` for one, and the frames set.

        Raises:
            PlacementError: a setting has another value.
        """
        self._settings = ByDevice(settings, get_args(BodyPlace), "placement")
        self._frames = frames
        self._stated: dict[str, tuple[BodyPlace, float]] = {}  # with the newest sample's time in s

    def of(self, device: str, *, is_calibrated: bool) -> tuple[BodyPlace, PlaceBasis]:
        """Return a phone's place, as far as is known, and how it is known."""
        chosen = self._settings.of(device, default=_NOT_SET)
        for place in get_args(BodyPlace):
            if chosen == place:
                return place, "set"
        if device in self._stated:
            return self._stated[device][0], "stated"
        if is_calibrated:
            return "waist", "calibrated"
        if self._frames.of(device, default=_NOT_SET) != _NOT_SET:
            return "waist", "set"
        return "any", "assumed"

    def note(self, device: str, place: BodyPlace, newest: float) -> bool:
        """Note what a message states of a phone; return whether that is news.

        ``newest`` is the time of the message's newest sample, in seconds on the phone's clock.
        """
        known, since = self._stated.get(device, (None, -float("inf")))
        if newest <= since:
            return False
        self._stated[device] = place, newest
        return place != known

    def forget(self, device: str) -> None:
        """Drop what a phone's messages have stated."""
        self._stated.pop(device, None)

    def state(self) -> dict[str, Any]:
        """Return what was stated, in values that JSON can hold."""
        return {device: list(stated) for device, stated in self._stated.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned, in place of all that was stated before."""
        self._stated = {device: (place, newest) for device, (place, newest) in state.items()}
