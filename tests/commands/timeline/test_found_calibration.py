import numpy as np
import pytest

from pipeline.commands.timeline.found_calibration import ON_A_LEG, TOO_SLOW, find_calibration
from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.calibration import CalibrationError
from pipeline.recordings import simulated


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
