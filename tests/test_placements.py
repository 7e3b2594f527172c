import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.orientation import FRAMES
from pipeline.placements import PlacementError, Placements, turned


def test_without_settings() -> None:
    """A phone of which nothing is known is taken for an Android phone in the training frame."""
    placement = Placements().of("phone")

    assert (placement.convention, placement.convention_by) == ("android", "assumed")
    assert placement.frame == "landscape"
    assert placement.sign == 1.0
    np.testing.assert_array_equal(np.eye(3), placement.rotation)


def test_settings_for_all_and_for_one() -> None:
    """A phone's own setting goes before that for all phones."""
    placements = Placements(["ios", "a=android"], ["b=portrait", "portrait-upside-down"])

    assert {"a": "android", "b": "ios", "c": "ios"} == {
        d: placements.of(d).convention for d in "abc"
    }
    frames = {"a": "portrait-upside-down", "b": "portrait", "c": "portrait-upside-down"}
    assert frames == {device: placements.of(device).frame for device in "abc"}
    assert placements.of("b").sign == -1.0
    np.testing.assert_array_equal(FRAMES["portrait"], placements.of("b").rotation)


def test_what_a_message_proves() -> None:
    """With auto, what a phone's messages prove holds for it alone; a setting goes before."""
    placements = Placements(["auto", "c=android"])

    assert [True, False] == [placements.prove("a", "ios"), placements.prove("a", "ios")]
    placements.prove("c", "ios")

    told = {d: (placements.of(d).convention, placements.of(d).convention_by) for d in "abc"}
    assert told == {"a": ("ios", "proven"), "b": ("android", "assumed"), "c": ("android", "set")}
    placements.forget("a")
    assert placements.of("a").convention_by == "assumed"


def test_a_calibration_takes_the_place_of_the_frame() -> None:
    """A calibrated phone is turned by its calibration alone, until that is taken back."""
    placements = Placements(frames=["portrait"])
    placements.calibrate("a", FRAMES["landscape-upside-down"])

    assert [placements.of(d).frame for d in "ab"] == ["calibrated", "portrait"]
    np.testing.assert_array_equal(FRAMES["landscape-upside-down"], placements.of("a").rotation)
    placements.forget("a")
    assert placements.of("a").frame == "calibrated"
    placements.calibrate("a", None)
    assert placements.of("a").frame == "portrait"


@pytest.mark.parametrize("setting", ["", "iphone", "phone=", "phone=iphone", "ios=phone"])
def test_settings_that_do_not_fit(setting: str) -> None:
    """What is no convention or no frame is refused, with those there are."""
    with pytest.raises(PlacementError, match="android"):
        Placements([setting])
    with pytest.raises(PlacementError, match="portrait-upside-down"):
        Placements(frames=[setting])


def test_turning() -> None:
    """Both sensors are turned, and the sign is of accelerations alone."""
    rows = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]])

    found = turned(rows, np.array([-1.0]), FRAMES["portrait"][np.newaxis])

    np.testing.assert_array_equal([[[-2.0, 1.0, -3.0, 5.0, -4.0, 6.0]]], found)


@given(n_phones=st.integers(1, 5), n_rows=st.integers(1, 40), seed=st.integers(0, 1000))
def test_turning_does_not_depend_on_company(n_phones: int, n_rows: int, seed: int) -> None:
    """A row comes out bit for bit the same alone as among others."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_phones, n_rows, 6))
    signs = rng.choice([-1.0, 1.0], n_phones)
    rotations = np.linalg.qr(rng.normal(size=(n_phones, 3, 3)))[0]

    together = turned(rows, signs, rotations)

    phone, row = n_phones - 1, n_rows // 2
    alone = turned(rows[phone:, row : row + 1], signs[phone:], rotations[phone:])
    assert together[phone, row].tobytes() == alone[0, 0].tobytes()
