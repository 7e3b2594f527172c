"""The use of a calibration: what it changes for a phone, given where it is worn and the models.

It is the same before a phone is calibrated, while it is, and when its calibration is taken back.
"""

from collections.abc import Sequence
from typing import Literal

from pipeline.readings import BodyPlace
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.placement.placements import Placements

CalibrationUse = Literal["full", "waist-only", "none"]
"""``none``: its model is for phones any way round, calibrated or not. ``waist-only``: without a
calibration its model learns the wearer's upright, which away from the waist is better"""


def calibration_use(device: str, placements: Placements, models: Sequence[Model]) -> CalibrationUse:
    """Return the use of a calibration for a phone.

    ``models`` is one for all phones, or one for those at the waist and one for the others.
    """

    def model_at(place: BodyPlace) -> Model:
        return models[0] if place == "waist" else models[-1]

    if model_at(placements.place_if(device, is_calibrated=True)).orientation == "any":
        return "none"
    without = model_at(placements.place_if(device, is_calibrated=False))
    return "full" if without.gait is None else "waist-only"
