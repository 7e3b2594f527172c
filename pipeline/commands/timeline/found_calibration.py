"""The calibration in a recording itself: somebody stands, and then walks.

It is looked for in parts of `PART_S`, each half of which the next part has too; of those found,
that of the clearest walk is taken. Nobody was told to walk on level ground, and whoever goes down
stairs seems to go backwards, but less clearly than anybody walks: so the walk has to be clearer
than where people do as they are told. What the samples mean is decided in
`recognition.placement.calibration`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Delivery
from pipeline.recognition.placement.calibration import (
    STANDING_SAMPLES,
    Calibration,
    CalibrationError,
    calibrate,
    walk,
)
from pipeline.recognition.placement.leg_swing import LEG_SWING_RAD_S, leg_swing_rad_s
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.recognition.preparation.resampler import Resampler
from pipeline.vocabulary import SAMPLING_RATE_HZ

PART_S: Final = 60
PART: Final = int(PART_S * SAMPLING_RATE_HZ)

LEAST_COHERENCE: Final = 0.58
"""Of the walk: 0.575 at most in the training subjects' walks down stairs, whose direction is wrong
by 86 to 174 degrees; 0.53 at least and 0.74 in the median where they walk on level ground."""

ON_A_LEG: Final = "the phone swings with a leg, as in a trouser pocket: no calibration is for that"
TOO_SLOW: Final = f"a sensor has fewer than {NEEDED_RATE_HZ:.0f} samples a second"
NOT_FOUND: Final = (
    "nobody stands still for three seconds and then walks eight steps straight ahead on level "
    "ground, with the phone in its place"
)


def find_calibration(deliveries: Iterable[Delivery], *, slowest_hz: float) -> Calibration:
    """Return how a recorded phone at the waist is worn.

    ``slowest_hz`` is how many samples a second the slower sensor has.

    Raises:
        CalibrationError: the recording does not show it.
    """
    if slowest_hz < NEEDED_RATE_HZ:
        raise CalibrationError(TOO_SLOW)
    best: Calibration | None = None
    is_on_leg = False
    for rows in _parts(deliveries):
        try:
            calibration = calibrate(rows)
        except CalibrationError:
            continue
        steps = walk(rows)
        if leg_swing_rad_s(rows[steps[0] : steps[-1]]) >= LEG_SWING_RAD_S:
            is_on_leg = True
        elif calibration.coherence >= LEAST_COHERENCE and (
            best is None or calibration.coherence > best.coherence
        ):
            best = calibration
    if best is None:
        raise CalibrationError(ON_A_LEG if is_on_leg else NOT_FOUND)
    return best


def _parts(deliveries: Iterable[Delivery]) -> Iterator[NDArray[np.float64]]:
    """Yield the rows ``(n_rows, 6)`` of each part, none with a gap in it."""
    resampler = Resampler(1)
    held = np.empty((0, 6))
    for delivery in deliveries:
        pieces, _ = resampler.push(0, delivery.readings)
        for piece in pieces:
            if piece.rows.shape[1] != 6:
                return  # prepared samples cannot be rotated
            if piece.origin is not None:  # behind a gap
                if len(held) >= STANDING_SAMPLES:
                    yield held
                held = np.empty((0, 6))
            held = np.concatenate([held, piece.rows])
            while len(held) >= PART:
                yield held[:PART]
                held = held[PART // 2 :]
    if len(held) >= STANDING_SAMPLES:
        yield held
