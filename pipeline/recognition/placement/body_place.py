"""Where on the body phones are worn: set, stated by their messages, calibrated, or unknown.

Rules, the first that applies:

1. The setting ``--placement`` decides.
2. Else what the phone's messages state: `statements`.
3. A calibrated phone is at the waist, and so is one whose frame is set: both are ways to the
   training frame, which is that of phones at the waist.
4. Else it may be anywhere.
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

from pipeline.readings import BodyPlace
from pipeline.recognition.placement.by_device import ByDevice
from pipeline.recognition.placement.statements import Statements

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
        self.statements = Statements()
        """What messages state"""

    def of(self, device: str, *, is_calibrated: bool) -> tuple[BodyPlace, PlaceBasis]:
        """Return a phone's place, as far as is known, and how it is known."""
        chosen = self._settings.of(device, default=_NOT_SET)
        for place in get_args(BodyPlace):
            if chosen == place:
                return place, "set"
        stated = self.statements.of(device)
        if stated is not None:
            return stated, "stated"
        if is_calibrated:
            return "waist", "calibrated"
        if self._frames.of(device, default=_NOT_SET) != _NOT_SET:
            return "waist", "set"
        return "any", "assumed"
