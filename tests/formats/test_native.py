import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import native
from pipeline.vocabulary import CHANNELS, STANDARD_GRAVITY
from tests.formats.native_messages import (
    decode,
    example,
    prepared,
    raw,
    reason_of,
    sensor,
    separate,
    without,
)


def test_raw_samples() -> None:
    """A raw message gives device, times and six columns in SI units."""
    readings = decode(raw())

    assert ("phone-7", "motion", "") == (readings.device, readings.sensor, readings.recording)
    assert ("epoch", None) == (readings.clock, readings.convention)
    np.testing.assert_allclose(readings.times, [1698501144.4, 1698501144.42], rtol=0, atol=1e-6)
    expected = [[0.12, 9.71, 1.05, 0.01, -0.02, 0.003], [0.13, 9.7, 1.0, 0.02, -0.01, 0.004]]
    np.testing.assert_array_equal(expected, readings.values)


def test_units_are_converted() -> None:
    """Accelerations in g and angular velocities in deg/s become m/s² and rad/s."""
    readings = decode(
        raw(acc=[[0.0, 0.5, 1.0]], acc_unit="g", gyro=[[180.0, 90.0, 0.0]], gyro_unit="deg/s")
    )
    expected = [[0.0, STANDARD_GRAVITY / 2, STANDARD_GRAVITY, np.pi, np.pi / 2, 0.0]]
    np.testing.assert_allclose(readings.values, expected, rtol=1e-15)


def test_a_time_for_each_row() -> None:
    """A list of times takes the place of start and rate."""
    times = [1698501144.4, 1698501144.41]
    readings = decode(without(raw(time=times), "start", "rate"))
    np.testing.assert_array_equal(times, readings.times)


def test_prepared_samples() -> None:
    """A prepared message gives nine columns, untouched."""
    readings = decode(prepared())
    assert "prepared" == readings.sensor
    np.testing.assert_array_equal(prepared()["samples"], readings.values)


@pytest.mark.parametrize(
    ("placement", "worn_at"),
    [
        *((None, None), ("waist", "waist"), ("any", "any"), ("left pocket", "any"), ("", "any")),
        *((" Waist", "waist"), ("WAIST\n", "waist"), ("wa ist", "any")),
    ],
)
def test_where_the_phone_is_worn(placement: str | None, worn_at: str | None) -> None:
    """A message may state that it is at the waist; any other place is one of many."""
    separate_sensors = separate(accelerometer=sensor()) | {"placement": placement}
    for message in (raw(placement=placement), prepared(placement=placement), separate_sensors):
        assert worn_at == decode(message).worn_at
    assert decode(raw()).worn_at is None


@pytest.mark.parametrize("convention", [None, "android", "ios"])
def test_the_sign_of_accelerations(convention: str | None) -> None:
    """A message may state whose sign its accelerations have; else nothing is known of it."""
    sensors = separate(gravity=sensor()) | {"convention": convention}
    for message in (raw(convention=convention), sensors):
        assert convention == decode(message).convention


def test_channels_in_another_order() -> None:
    """Prepared samples whose channels come in another order are put into ours."""
    message = prepared(channels=list(CHANNELS[::-1]), samples=[list(range(9))])
    np.testing.assert_array_equal([list(range(8, -1, -1))], decode(message).values)


@given(
    rows=st.lists(
        st.tuples(*[st.floats(-99, 99) | st.integers(-99, 99)] * 6), min_size=1, max_size=40
    )
)
@settings(max_examples=300, deadline=None)
def test_numbers_keep_all_their_bits(rows: list[tuple[float, ...]]) -> None:
    """Values are the nearest float64 to what is written, whatever the number of rows."""
    acc, gyro = [row[:3] for row in rows], [row[3:] for row in rows]
    expected = np.array(rows, np.float64)
    assert expected.tobytes() == decode(raw(acc=acc, gyro=gyro)).values.tobytes()
    alone = decode(separate(gravity=sensor(time=[1.0] * len(rows), values=acc)))
    assert np.ascontiguousarray(expected[:, :3]).tobytes() == alone.values.tobytes()


def test_sensors_with_times_of_their_own() -> None:
    """Sensors that are not sampled together come each with its own times, rate and unit."""
    payload = json.dumps(example("native-sensors")).encode()
    acceleration, gyroscope = native.decode(payload, "phone-7")

    assert ("accelerometer", "gyroscope") == (acceleration.sensor, gyroscope.sensor)
    assert {"morning"} == {acceleration.recording, gyroscope.recording}
    times = [1698501144.4, 1698501144.41, 1698501144.42]
    np.testing.assert_array_equal(times, acceleration.times)
    expected = np.array([[0.01, 0.99, 0.1], [0.02, 0.98, 0.1], [0.03, 0.97, 0.1]])
    np.testing.assert_array_equal(expected * STANDARD_GRAVITY, acceleration.values)
    np.testing.assert_array_equal([1698501144.405, 1698501144.425], gyroscope.times)
    expected = np.array([[np.pi, 0.0, -np.pi / 2], [0.0, np.pi / 2, 0.0]])
    np.testing.assert_allclose(gyroscope.values, expected, rtol=1e-15)


@pytest.mark.parametrize(
    "name",
    ["accelerometer", "accelerometer_uncalibrated", "linear_acceleration", "gravity"],
)
def test_every_acceleration(name: str) -> None:
    """Each sensor of accelerations may come on its own."""
    readings = decode(separate(**{name: sensor()}))
    assert readings.sensor == name
    np.testing.assert_array_equal([[0.1, 0.2, 0.3]], readings.values)


@pytest.mark.parametrize("name", ["gyroscope", "gyroscope_uncalibrated"])
def test_every_gyroscope(name: str) -> None:
    """Each sensor of angular velocities may come on its own."""
    readings = decode(separate(**{name: sensor(unit="rad/s")}))
    assert readings.sensor == name
    np.testing.assert_array_equal([[0.1, 0.2, 0.3]], readings.values)


def test_integers_are_numbers() -> None:
    """Whole numbers need no decimal point."""
    readings = decode(raw(start=1698501144, rate=50, acc=[[0, 0, 10]], gyro=[[0, 0, 0]]))
    np.testing.assert_array_equal([[0, 0, 10, 0, 0, 0]], readings.values)


def test_unknown_keys_are_ignored() -> None:
    """Keys that the format does not know change nothing."""
    known, more = decode(raw()), decode(raw(battery=0.7, notes={"deep": [1, None, "x"]}))
    np.testing.assert_array_equal(known.values, more.values)
    np.testing.assert_array_equal(known.times, more.times)


def test_the_version_may_be_left_out() -> None:
    """A message without v is of version 1."""
    np.testing.assert_array_equal(decode(raw()).values, decode(without(raw(), "v")).values)


def test_the_recording_is_kept() -> None:
    """The sender's name for its recording is handed on."""
    assert "morning" == decode(raw(recording="morning")).recording


def test_the_device_comes_from_the_topic() -> None:
    """A message cannot name its device itself."""
    assert "phone-7" == decode(raw(device="phone-8")).device
    assert "device" == reason_of(raw(device="phone-8"), None)
