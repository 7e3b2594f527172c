"""The windows of a recorded phone, made by the same machine as those of a live phone."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Delivery, Readings
from pipeline.recognition.network import Network
from pipeline.recognition.preparation.preparation import Preparation
from pipeline.recognition.prepared import Windows

_SLOT: Final = 0


class RecordedPhone:
    """The preparation of one recorded phone, by itself."""

    def __init__(
        self,
        *,
        hop: int,
        rotation: NDArray[np.float64] | None = None,
        gait: Network | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            hop: samples from one window to the next.
            rotation: ``(3, 3)``, from the phone's axes to the training frame; by default it was
                worn as the phones of the training data were.
            gait: with it the wearer's frame is learnt; `Wearers` has more of it.
        """
        self._preparation = Preparation(1, hop=hop, gait=gait)
        if rotation is not None:
            self._preparation.place(_SLOT, 1.0, rotation)

    def push(self, readings: Sequence[Readings]) -> Windows:
        """Return the windows that a message's readings complete, on the phone's own clock."""
        # Whatever the clock, its times are used as they are. If they were dated by when messages
        # came, the windows' times would differ from the samples' by as much as sensors are apart.
        dated = [msgspec.structs.replace(of_sensor, clock="epoch") for of_sensor in readings]
        prepared = self._preparation.push({_SLOT: [Delivery(dated)]})
        return Windows.joined([part.windows for part in prepared.parts])

    def finish(self) -> Windows:
        """Return the windows that waited for messages which will not come.

        With the next message another recording begins: clock and signals anew, while what is known
        of the wearer is kept.
        """
        prepared = self._preparation.finish([_SLOT])
        self._preparation.intake.reset([_SLOT])
        return Windows.joined([part.windows for part in prepared.parts])
