import json

import numpy as np
import pytest

from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.placements import Placements


def known(placements: Placements, device: str = "phone") -> tuple[str, str]:
    """Return where a phone is worn, as far as is known, and how that is known."""
    placement = placements.of(device)
    return placement.worn_at, placement.worn_at_by


def test_a_phone_of_which_nothing_is_known() -> None:
    """It may be anywhere."""
    assert ("any", "assumed") == known(Placements())


def test_settings_for_all_and_for_one() -> None:
    """A phone's own setting goes before that for all phones."""
    placements = Placements(body_places=["waist", "b=any"])
    assert ("waist", "set") == known(placements, "a")
    assert ("any", "set") == known(placements, "b")


@pytest.mark.parametrize("value", ["pocket", "", "a=wrist", "waist=b"])
def test_a_setting_that_is_no_place(value: str) -> None:
    """It is refused, with those that there are."""
    with pytest.raises(PlacementError, match="waist, any"):
        Placements(body_places=[value])


def test_a_frame_that_is_set_means_the_waist() -> None:
    """Frames are those of phones at the waist; the default is none that was set."""
    placements = Placements(frames=["a=portrait"])
    assert ("waist", "set") == known(placements, "a")
    assert ("any", "assumed") == known(placements, "b")
    assert ("waist", "set") == known(Placements(frames=["landscape"]))


def test_a_calibration_means_the_waist() -> None:
    """As long as it is there, also when its phone is forgotten meanwhile."""
    placements = Placements()
    placements.admit("phone")
    placements.calibrate("phone", np.eye(3))
    assert ("waist", "calibrated") == known(placements)
    placements.forget("phone")
    assert ("waist", "calibrated") == known(placements)
    placements.calibrate("phone", None)
    assert ("any", "assumed") == known(placements)


def test_what_messages_state_goes_before_a_calibration() -> None:
    """And a setting before both; what was stated ends with the phone."""
    placements = Placements(body_places=["b=waist"])
    for device in "ab":
        placements.admit(device)
        placements.calibrate(device, np.eye(3))
        assert placements.statements.note(device, "any", oldest=0.5, newest=1.0)
    assert ("any", "stated") == known(placements, "a")
    assert ("waist", "set") == known(placements, "b")
    placements.forget("a")
    assert ("waist", "calibrated") == known(placements, "a")


def test_what_was_stated_is_part_of_the_state() -> None:
    """Restored it holds as before."""
    placements, restored = Placements(), Placements()
    placements.admit("phone")
    placements.statements.note("phone", "waist", oldest=9.5, newest=10.0)
    restored.statements.note("other", "waist", oldest=0.5, newest=1.0)

    restored.restore(json.loads(json.dumps(placements.state())))

    assert ("waist", "stated") == known(restored)
    assert ("any", "assumed") == known(restored, "other")


def test_only_what_is_known_by_statements_alternates() -> None:
    """A phone whose place is set is worn there, whatever its messages say."""
    placements = Placements(body_places=["set=waist"])
    for device in ("set", "phone"):
        placements.admit(device)
        for number, place in enumerate(("waist", "any", "waist")):
            placements.statements.note(device, place, oldest=number, newest=number + 0.98)  # type: ignore[arg-type]  # is one of both
    assert (False, True) == tuple(
        placements.of(device).statements_alternate for device in ("set", "phone")
    )
