import numpy as np
import pytest

from pipeline.readings import Sensor
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    expected_rows,
    push_readings,
    sensor,
    stretches,
)


def test_the_sum_of_linear_acceleration_and_gravity() -> None:
    """Where a phone sends the two parts of its acceleration, rows hold their sum."""
    linear = sensor("linear_acceleration", np.arange(500) / 100, scale=1.0)
    gravity = sensor("gravity", 0.003 + np.arange(500) / 100, scale=2.0)
    gyro = sensor("gyroscope", np.arange(500) / 100, scale=0.5)

    [(origin, rows)] = stretches(push_readings([linear, gravity, gyro]))

    assert origin == pytest.approx(EPOCH + 0.003, abs=1e-6)
    expected = expected_rows(len(rows), first_s=0.003, acc=3.0, gyro=0.5)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=0.01)


def test_the_best_of_several_sensors_is_taken() -> None:
    """The accelerometer with gravity is preferred to its parts, the calibrated gyroscope too."""
    times = np.arange(200) / 50
    readings = [
        sensor("linear_acceleration", times, scale=9.0),
        sensor("gravity", times, scale=9.0),
        sensor("gyroscope_uncalibrated", times, scale=9.0),
        sensor("gyroscope", times, scale=0.5),
        sensor("accelerometer", times, scale=2.0),
    ]

    [(_, rows)] = stretches(push_readings(readings))

    np.testing.assert_array_equal(expected_rows(200, first_s=0.0, acc=2.0, gyro=0.5)[:5], rows[:5])


@pytest.mark.parametrize(
    ("sent", "lacking"),
    [
        (["accelerometer"], ["gyroscope"]),
        (["gyroscope"], ["accelerometer"]),
        (["linear_acceleration", "gyroscope"], ["gravity"]),
        (["accelerometer", "gyroscope"], []),
        (["linear_acceleration"], ["gravity", "gyroscope"]),
    ],
)
def test_what_a_phone_lacks(sent: list[Sensor], lacking: list[Sensor]) -> None:
    """Of a phone that does not send enough for rows it is known what it would have to send."""
    resampler = Resampler(1)
    resampler.push(0, [sensor(name, np.arange(100) / 100) for name in sent])

    assert resampler.lacks(0) == lacking
