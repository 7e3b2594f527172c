import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import sensorspot
from pipeline.readings import MessageError, Readings

EXAMPLES = Path(__file__).parent / "examples"


def example(name: str) -> bytes:
    """Return a message as the app sends it."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def event(**changes: object) -> bytes:
    """Return a sensor event, with some entries changed."""
    whole = {
        "type": "android.sensor.accelerometer",
        "timestamp": 3925657519043709,
        "values": [0.3, -1.0, 10.0],
    }
    return json.dumps(whole | changes).encode()


def decode(payload: bytes) -> Readings:
    """Return the readings that a message of one sensor holds."""
    (readings,) = sensorspot.decode(payload, "phone-7")
    return readings


def reason_of(payload: bytes, device: str | None = "phone-7") -> str:
    """Return the reason for which a message is rejected."""
    with pytest.raises(MessageError) as rejected:
        sensorspot.decode(payload, device)
    assert str(rejected.value)
    return rejected.value.reason


def test_an_accelerometer_event() -> None:
    """A message holds one sample, in SI units and Android's signs, on the phone's own clock."""
    readings = decode(example("sensorspot"))

    assert "phone-7" == readings.device
    assert "accelerometer" == readings.sensor
    np.testing.assert_array_equal([3925657.519043709], readings.times)
    np.testing.assert_array_equal([[0.31892395, -0.97802734, 10.049896]], readings.values)
    assert ("boot", "android") == (readings.clock, readings.convention)
    assert "" == readings.recording


def test_an_uncalibrated_event() -> None:
    """Of the six values of an uncalibrated sensor the first three are the sample."""
    readings = decode(example("sensorspot-gyroscope-uncalibrated"))
    assert "gyroscope_uncalibrated" == readings.sensor
    np.testing.assert_array_equal([[0.012, -0.203, 0.048]], readings.values)


@pytest.mark.parametrize(
    "sensor",
    [
        "accelerometer",
        "accelerometer_uncalibrated",
        "linear_acceleration",
        "gravity",
        "gyroscope",
        "gyroscope_uncalibrated",
    ],
)
def test_types(sensor: str) -> None:
    """Each of Android's motion sensors is known by its type."""
    assert decode(event(type=f"android.sensor.{sensor}")).sensor == sensor


@pytest.mark.parametrize(
    "payload",
    [
        example("sensorspot-gps"),
        event(type="android.sensor.light", values=[120.0]),
        event(type="android.sensor.magnetic_field", values="?", timestamp=None),
        event(type="com.maker.sensor.tilt", values=[]),
        event(type=""),
    ],
)
def test_other_sensors_are_not_read(payload: bytes) -> None:
    """Messages of other types hold nothing, whatever their other keys."""
    assert [] == sensorspot.decode(payload, "phone-7")


@given(timestamp=st.integers(0, 10**20 - 10**13))
@settings(deadline=None)
def test_nanoseconds(timestamp: int) -> None:
    """A time becomes the float64 that is nearest to it."""
    assert float(Fraction(timestamp, 10**9)) == decode(event(timestamp=timestamp)).times[0]


def test_a_topic_without_a_device() -> None:
    """Since nothing in a message names the phone, its topic must."""
    assert "device" == reason_of(event(), None)


def test_dedicated_topics() -> None:
    """A message without its type comes from a setting of the app, which the explanation names."""
    with pytest.raises(MessageError, match="Dedicated Topics") as rejected:
        sensorspot.decode(example("sensorspot-dedicated-topic"), "phone-7")
    assert "field" == rejected.value.reason


@pytest.mark.parametrize(
    "payload",
    [
        event(type=7),
        event(timestamp=None),
        event(timestamp=1.5),
        event(timestamp="3925657519043709"),
        event(values=None),
        event(values=[]),
        event(values=[0.3, -1.0]),
        event(values=[0.3, -1.0, None]),
        event(values=[0.3, -1.0, "10"]),
        event(values=[[0.3, -1.0, 10.0]]),
        b'{"type": "android.sensor.accelerometer"}',
    ],
    ids=lambda payload: payload.decode()[:90],
)
def test_fields_that_do_not_fit(payload: bytes) -> None:
    """Missing keys and other types are rejected as that."""
    assert "field" == reason_of(payload)


@pytest.mark.parametrize("timestamp", [-1, 10**20, 10**400])
def test_impossible_times(timestamp: int) -> None:
    """Times before the phone was switched on, or beyond all bounds, are rejected as that."""
    assert "time" == reason_of(event(timestamp=timestamp))


def test_magnitudes_that_no_phone_measures() -> None:
    """Absurd accelerations and angular velocities are rejected as that."""
    assert "magnitude" == reason_of(event(values=[0.0, 0.0, 400.0]))
    spin = event(type="android.sensor.gyroscope", values=[101.0, 0.0, 0.0])
    assert "magnitude" == reason_of(spin)
