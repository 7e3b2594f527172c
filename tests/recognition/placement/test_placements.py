import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readings import MessageError
from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.placements import Placements


def test_without_settings() -> None:
    """A phone of which nothing is known is taken for an Android phone in the training frame."""
    placement = Placements().of("phone")

    assert ("android", "assumed") == (placement.convention, placement.convention_by)
    assert "landscape" == placement.frame
    assert 1.0 == placement.sign
    np.testing.assert_array_equal(np.eye(3), placement.rotation)


def test_settings_for_all_and_for_one() -> None:
    """A phone's own setting goes before that for all phones."""
    placements = Placements(["ios", "a=android"], ["b=portrait", "portrait-upside-down"])

    assert {"a": "android", "b": "ios", "c": "ios"} == {
        d: placements.of(d).convention for d in "abc"
    }
    frames = {"a": "portrait-upside-down", "b": "portrait", "c": "portrait-upside-down"}
    assert frames == {device: placements.of(device).frame for device in "abc"}
    assert -1.0 == placements.of("b").sign
    np.testing.assert_array_equal(FRAMES["portrait"], placements.of("b").rotation)


def test_what_a_message_proves() -> None:
    """With auto, what a phone's messages prove holds for it alone; a setting goes before."""
    placements = Placements(["auto", "c=android"])

    assert [True, False] == [placements.prove("a", "ios"), placements.prove("a", "ios")]
    placements.prove("c", "ios")

    told = {d: (placements.of(d).convention, placements.of(d).convention_by) for d in "abc"}
    assert {"a": ("ios", "proven"), "b": ("android", "assumed"), "c": ("android", "set")} == told
    placements.forget("a")
    assert "assumed" == placements.of("a").convention_by


def test_a_calibration_takes_the_place_of_the_frame() -> None:
    """A calibrated phone is turned by its calibration alone, until that is taken back."""
    placements = Placements(frames=["portrait"])
    placements.calibrate("a", FRAMES["landscape-upside-down"])

    assert ["calibrated", "portrait"] == [placements.of(d).frame for d in "ab"]
    np.testing.assert_array_equal(FRAMES["landscape-upside-down"], placements.of("a").rotation)
    placements.forget("a")
    assert "calibrated" == placements.of("a").frame
    placements.calibrate("a", None)
    assert "portrait" == placements.of("a").frame


def calibrated(placements: Placements, devices: Sequence[str]) -> list[str]:
    """Return which of these phones are calibrated."""
    return [device for device in devices if placements.of(device).frame == "calibrated"]


def rejection_of(placements: Placements, device: str) -> str:
    """Return the reason for which a phone's calibration is refused."""
    with pytest.raises(MessageError) as rejected:
        placements.calibrate(device, FRAMES["portrait"])
    return rejected.value.reason


@pytest.mark.parametrize("device", ["", "$SYS", "a/b", "+", "#", "a\nb", "\0", "\ufffe", "a" * 65])
def test_a_calibration_of_what_is_no_phone(device: str) -> None:
    """A name that no phone can have is refused, also to take its calibration back."""
    placements = Placements()
    before = placements.state()
    assert "device" == rejection_of(placements, device)
    with pytest.raises(MessageError, match="a device name has"):
        placements.calibrate(device, None)
    assert before == placements.state()


def test_a_flood_of_calibrations() -> None:
    """Of phones that are not admitted so many calibrations are kept, the first; more are refused.

    Admitted phones are calibrated nevertheless, and a calibrated phone can be calibrated anew.
    """
    placements = Placements(max_devices=3)
    placements.admit("phone")
    placements.calibrate("phone", FRAMES["portrait"])
    for device in ("a", "b", "c"):
        placements.calibrate(device, FRAMES["portrait"])
    invented = [f"invented-{number}" for number in range(100)]

    assert {"devices"} == {rejection_of(placements, device) for device in invented}
    assert ["phone", "a", "b", "c"] == calibrated(placements, ["phone", "a", "b", "c", *invented])
    for device in ("phone", "b"):
        placements.calibrate(device, FRAMES["landscape-upside-down"])
        np.testing.assert_array_equal(
            FRAMES["landscape-upside-down"], placements.of(device).rotation
        )
    placements.admit("late")
    placements.calibrate("late", FRAMES["portrait"])
    placements.calibrate("a", None)
    placements.calibrate("d", FRAMES["portrait"])
    expected = ["phone", "b", "c", "d", "late"]
    assert expected == calibrated(placements, ["phone", "a", "b", "c", "d", "late"])


def test_calibrations_of_phones_that_went() -> None:
    """A phone that was admitted keeps its calibration before any that was not; then the latest."""
    placements = Placements(max_devices=2)
    for device in ("unseen-1", "unseen-2"):
        placements.calibrate(device, FRAMES["portrait"])
    names = ["unseen-1", "unseen-2", "a", "b", "c"]
    kept = []
    for device in ("a", "b", "c"):
        placements.admit(device)
        placements.calibrate(device, FRAMES["portrait"])
        placements.forget(device)
        kept.append(calibrated(placements, names))
    assert [["unseen-1", "a"], ["a", "b"], ["b", "c"]] == kept
    placements.admit("b")  # back again, and so no longer one of the two
    placements.calibrate("unseen-1", FRAMES["portrait"])
    assert ["unseen-1", "b", "c"] == calibrated(placements, names)
    placements.forget("b")
    assert ["b", "c"] == calibrated(placements, names)


def test_a_calibration_is_its_own() -> None:
    """Whoever changes a matrix afterwards changes no calibration."""
    placements = Placements()
    rotation = FRAMES["portrait"].copy()
    placements.calibrate("a", rotation)
    rotation[:] = 0
    np.testing.assert_array_equal(FRAMES["portrait"], placements.of("a").rotation)


NAMES = ["a", "a.b", "a_b", "..", "Телефон", "📱", "%2e", "a\u2028"]
names = st.sampled_from(NAMES)
numbers = st.floats(-1, 1, width=64)
rotations = st.lists(numbers, min_size=9, max_size=9).map(lambda nine: np.reshape(nine, (3, 3)))
acts = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), names),
        st.tuples(st.just("forget"), names),
        st.tuples(st.just("prove"), names, st.sampled_from(["android", "ios"])),
        st.tuples(st.just("calibrate"), names, st.none() | rotations),
    ),
    max_size=30,
)


def act(placements: Placements, what: str, *arguments: Any) -> str:  # noqa: ANN401 (any act's)
    """Do one thing to placements; return the reason if it is refused."""
    try:
        getattr(placements, what)(*arguments)
    except MessageError as error:
        return error.reason
    return ""


def contents(placements: Placements) -> list[tuple[object, ...]]:
    """Return the placements of the phones, to the last bit."""
    of_phones = [placements.of(device) for device in NAMES]
    return [
        (p.convention, p.convention_by, p.frame, p.sign, p.rotation.tobytes()) for p in of_phones
    ]


@given(acts, acts, st.integers(1, 5))
def test_restored_placements_go_on(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], max_devices: int
) -> None:
    """What is saved as JSON and restored elsewhere goes on to the last bit, whatever was there."""
    placements = Placements(["a=ios"], ["portrait"], max_devices=max_devices)
    for one in before:
        act(placements, *one)
    other = Placements(["a=ios"], ["portrait"], max_devices=max_devices)
    other.admit("..")
    other.calibrate("📱", FRAMES["portrait"])
    state = placements.state()
    saved = json.loads(json.dumps(state))
    other.restore(saved)

    assert contents(placements) == contents(other)
    for one in after:
        assert act(placements, *one) == act(other, *one)
        assert contents(placements) == contents(other)
    assert placements.state() == other.state()
    assert saved == state, "what was saved changed later"


@given(acts, st.integers(1, 5))
def test_what_is_kept_is_bounded(acts: list[tuple[Any, ...]], max_devices: int) -> None:
    """Whatever comes, no more is kept than of admitted phones and of so many that are not."""
    placements = Placements(max_devices=max_devices)
    admitted: set[str] = set()
    for what, device, *arguments in acts:
        admitted = admitted | {device} if what == "admit" else admitted
        admitted = admitted - {device} if what == "forget" else admitted
        if what != "prove" or device in admitted:
            act(placements, what, device, *arguments)
        absent = [device for device in NAMES if device not in admitted]
        assert len(calibrated(placements, absent)) <= max_devices
    assert set(placements.state()["proven"]) <= admitted


def test_a_state_of_more_calibrations() -> None:
    """With a smaller bound than the state's, admitted phones are served first."""
    placements = Placements()
    for device in ("b", "here", "gone", "a"):
        placements.calibrate(device, FRAMES["portrait"])
    placements.admit("here")
    placements.admit("gone")
    placements.forget("gone")
    smaller = Placements(max_devices=1)
    smaller.restore(placements.state())
    assert ["gone", "here"] == calibrated(smaller, ["a", "b", "gone", "here"])


@pytest.mark.parametrize("setting", ["", "iphone", "phone=", "phone=iphone", "ios=phone"])
def test_settings_that_do_not_fit(setting: str) -> None:
    """What is no convention or no frame is refused, with those there are."""
    with pytest.raises(PlacementError, match="android"):
        Placements([setting])
    with pytest.raises(PlacementError, match="portrait-upside-down"):
        Placements(frames=[setting])
