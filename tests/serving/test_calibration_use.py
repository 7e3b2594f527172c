"""The use of a calibration, by where a phone is worn and the models that there are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from pipeline.models.gait import shipped_gait
from pipeline.recognition.placement.placements import Placements
from pipeline.serving.calibration_use import calibration_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.recognition.judgement.model import Model


@dataclass
class _Model:
    orientation: str
    gait: object = None


UPRIGHT, LEVELLED, LEARNING = _Model("training"), _Model("any"), _Model("any", shipped_gait())


def use(models: "Sequence[_Model]", placements: Placements) -> str:
    """Return the use, which must be the same before a calibration, with it and after it."""
    uses = []
    for rotation in (None, np.eye(3), None):
        placements.calibrate("phone", rotation)
        uses.append(calibration_use("phone", placements, cast("Sequence[Model]", models)))
    assert 1 == len(set(uses))
    return uses[0]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([UPRIGHT], "full"),
        ([LEVELLED], "none"),
        ([LEARNING], "none"),
        ([UPRIGHT, LEVELLED], "full"),
        ([UPRIGHT, LEARNING], "waist-only"),
    ],
)
def test_a_phone_of_which_nothing_is_known(models: "list[_Model]", expected: str) -> None:
    """Its calibration would make it one at the waist, where there is a model for these."""
    assert expected == use(models, Placements())


@pytest.mark.parametrize(
    ("place", "expected"), [("waist", ["full", "full"]), ("any", ["full", "none"])]
)
def test_a_place_that_is_set(place: str, expected: list[str]) -> None:
    """It decides which of two models there is, and of one nothing."""
    placements = Placements(body_places=[place])
    assert expected == [use(models, placements) for models in ([UPRIGHT], [UPRIGHT, LEARNING])]


def test_a_place_that_is_stated() -> None:
    """It decides as one that is set."""
    placements = Placements()
    placements.admit("phone")
    placements.statements.note("phone", "any", oldest=0.0, newest=1.0)
    assert "none" == use([UPRIGHT, LEVELLED], placements)


def test_a_frame_that_is_set() -> None:
    """Without a calibration the phone is at the waist too."""
    assert "full" == use([UPRIGHT, LEARNING], Placements(frames=["portrait"]))
