from collections.abc import Callable

import numpy as np
import pytest

from pipeline.commands.calibrate.measurement import Measurement
from pipeline.readings import Readings, Sensor
from pipeline.recognition.placement.calibration import CalibrationError
from pipeline.recognition.placement.frames import UP, angle_deg, rotation_onto_x
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY
from tests.commands.calibrate.wearers import (
    ASKEW,
    EPOCH,
    Rows,
    cut,
    motion,
    stand,
    stroll,
    stroll_with_the_leg,
)


@pytest.mark.parametrize("n_rows", [10, 25, 100, 1000])
def test_a_measurement(n_rows: int) -> None:
    """First the stand is awaited, then the walk, however the samples are cut into messages."""
    measurement = Measurement("android")
    phases = [measurement.phase]
    for message in cut(np.vstack([stand(), stroll()]), n_rows):
        measurement.push([message])
        phases.append(measurement.phase)
        if measurement.phase == "done":
            break
    assert sorted(phases, key=["stand", "walk", "done"].index) == phases
    assert "done" == phases[-1]
    assert measurement.n_steps >= 10
    rotation = measurement.result().rotation
    assert angle_deg(rotation @ stand()[:, :3].mean(axis=0), UP) < 5
    assert np.trace(rotation @ ASKEW.T) > 1 + 2 * np.cos(np.radians(25))


def test_an_iphone() -> None:
    """Accelerations with the signs of an iPhone give the same calibration."""
    calibrations = []
    for convention, sign in (("android", 1.0), ("ios", -1.0)):
        measurement = Measurement(convention)  # type: ignore[arg-type]
        rows = np.vstack([stand(), stroll()]) * np.repeat([sign, 1.0], 3)
        measurement.push([motion(rows)])
        calibrations.append(measurement.result())
    np.testing.assert_allclose(calibrations[0].rotation, calibrations[1].rotation)
    np.testing.assert_allclose(calibrations[0].gravity, calibrations[1].gravity)


def test_sensors_apart() -> None:
    """Sensors with times of their own, faster than 50 Hz, do as well."""
    rows = np.repeat(np.vstack([stand(), stroll()]), 2, axis=0)
    times = EPOCH + np.arange(len(rows)) / 100
    measurement = Measurement("android")
    for first in range(0, len(rows), 50):
        now = slice(first, first + 50)
        sensors: list[tuple[Sensor, Rows]] = [
            ("gyroscope", rows[now, 3:]),
            ("accelerometer", rows[now, :3]),
        ]
        measurement.push(
            [Readings("phone", times[now], values, sensor) for sensor, values in sensors]
        )
    assert "done" == measurement.phase
    assert angle_deg(measurement.result().rotation @ stand()[:, :3].mean(axis=0), UP) < 5


def test_a_gap() -> None:
    """After lost samples the wearer stands still again."""
    measurement = Measurement("android")
    phases = []
    for message in (motion(np.vstack([stand(), stroll(3)])), motion(stroll(3), first=1000)):
        measurement.push([message])
        phases.append(measurement.phase)
    assert ["walk", "stand"] == phases


def test_a_short_walk_that_is_over() -> None:
    """Eight or nine steps are enough when no more come."""
    measurement = Measurement("android")
    measurement.push([motion(np.vstack([stand(), stroll(5.0)]))])
    assert measurement.n_steps in (8, 9)
    phases = [measurement.phase]
    measurement.push([motion(stand(2), first=450)])
    phases.append(measurement.phase)
    assert ["walk", "done"] == phases


@pytest.mark.parametrize(("walk", "swings"), [(stroll, False), (stroll_with_the_leg, True)])
@pytest.mark.parametrize("n_rows", [10, 1000])
def test_a_phone_in_a_trouser_pocket(walk: Callable[[], Rows], swings: bool, n_rows: int) -> None:
    """That a phone swings with a leg is known after the walk, even if it cannot be calibrated."""
    measurement = Measurement("android")
    elsewhere = rotation_onto_x(np.array([-1.0, 0.1, 0.1]))
    walked = np.hstack([walk()[:, :3] @ elsewhere, walk()[:, 3:] @ elsewhere])
    for message in cut(np.vstack([stand(), walked]), n_rows):
        measurement.push([message])
        if measurement.phase == "done":
            break
    assert swings == measurement.swings_with_leg
    with pytest.raises(CalibrationError, match="turned by"):
        measurement.result()


def test_a_phone_that_is_too_slow() -> None:
    """Its wearer is not to blame."""
    measurement = Measurement("android")
    times = 1.7e9 + np.arange(100) / 5
    measurement.push([Readings("phone", times, stand(2)[:100])])
    assert "let the app send 30 or more a second" in given_up(measurement)


def given_up(measurement: Measurement) -> str:
    """Return what is said of a measurement that took too long."""
    with pytest.raises(CalibrationError) as error:
        measurement.give_up()
    return str(error.value)


def test_giving_up() -> None:
    """Who waited too long is told what was missing."""
    measurement = Measurement("android")
    measurement.push([motion(stroll())])
    assert "never stood still" in given_up(measurement)
    measurement.push([motion(stand(), first=400)])
    measurement.push([motion(stroll(1.5), first=600)])
    assert "never walked 8 steps" in given_up(measurement)


def test_a_phone_without_a_gyroscope() -> None:
    """Who sends accelerations alone is told what lacks."""
    measurement = Measurement("android")
    for message in cut(stand(), 25):
        acc = message.values[:, :3]
        measurement.push([Readings("phone", message.times, acc, "accelerometer")])
    assert "the phone does not send gyroscope" == given_up(measurement)


def test_prepared_samples() -> None:
    """Prepared samples cannot be calibrated."""
    times = EPOCH + np.arange(100) / SAMPLING_RATE_HZ
    with pytest.raises(CalibrationError, match="prepared"):
        Measurement("android").push([Readings("phone", times, np.zeros((100, 9)), "prepared")])


def test_wrong_units() -> None:
    """Gravity that is not 1 g is noticed before the walk."""
    rows = stand() / np.repeat([STANDARD_GRAVITY, 1.0], 3)
    with pytest.raises(CalibrationError, match="unit"):
        Measurement("android").push([motion(rows)])
