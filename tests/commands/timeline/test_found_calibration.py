from pathlib import Path

import numpy as np
import pytest

from pipeline.commands.timeline.found_calibration import (
    NOT_FOUND,
    ON_A_LEG,
    TOO_SLOW,
    find_calibration,
)
from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.calibration import CalibrationError, calibrate
from pipeline.recognition.placement.frames import nearest_frame
from pipeline.recordings import hapt, simulated


def test_a_slow_recording() -> None:
    """Steps are not found surely in few samples a second, so none are looked for."""
    with pytest.raises(CalibrationError, match="fewer than 30"):
        find_calibration([], slowest_hz=20.0)
    assert "30" in TOO_SLOW


def test_prepared_samples() -> None:
    """Samples that cannot be rotated need no calibration."""
    prepared = Delivery([Readings("phone", np.arange(200) / 50, np.zeros((200, 9)), "prepared")])
    with pytest.raises(CalibrationError, match="nobody stands still"):
        find_calibration([prepared], slowest_hz=50.0)


def test_a_phone_on_a_leg() -> None:
    """A phone that swings with a leg is not calibrated, whatever its wearer says."""
    (stand,) = simulated.recordings(1, seconds=12, activity="STANDING")[0].stretches
    (walk,) = simulated.recordings(1, seconds=20, activity="WALKING")[0].stretches
    swing = walk.samples.copy()
    swing[:, 4] += 4 * np.sin(2 * np.pi * 0.87 * walk.times)
    rows = np.concatenate([stand.samples, swing])
    delivery = Delivery([Readings("phone", np.arange(len(rows)) / 50, rows)])
    with pytest.raises(CalibrationError, match=ON_A_LEG):
        find_calibration([delivery], slowest_hz=50.0)


def test_a_walk_down_stairs() -> None:
    """Forward is not seen in it, so it is none, though it would do for somebody who was asked."""
    (stand,) = simulated.recordings(1, seconds=12, activity="STANDING")[0].stretches
    (down,) = simulated.recordings(1, seconds=20, activity="WALKING_DOWNSTAIRS")[0].stretches
    rows = np.concatenate([stand.samples, down.samples])
    assert calibrate(rows).n_steps >= 20
    delivery = Delivery([Readings("phone", np.arange(len(rows)) / 50, rows)])
    with pytest.raises(CalibrationError, match=NOT_FOUND):
        find_calibration([delivery], slowest_hz=50.0)


def test_real_recordings(data_dir: Path) -> None:
    """The training subjects wore the phone about in landscape, and are seen to, or not at all.

    Three of them stood still before the stairs as well; subject 6 before nothing else.
    """
    found = {}
    for recording in hapt.recordings(subjects=(1, 6, 22, 26)):
        name = recording.device.removeprefix("subject-")
        cut = recording.cut(1_000).messages
        deliveries = [Delivery([part.readings for part in message]) for message in cut]
        try:
            found[name] = nearest_frame(find_calibration(deliveries, slowest_hz=50.0).rotation)
        except CalibrationError:
            continue
    assert ["01", "22", "26"] == sorted(found)
    assert {"landscape"} == {frame for frame, _ in found.values()}
    assert max(degrees for _, degrees in found.values()) < 15.0
