import json
from typing import Any

import pytest

from pipeline.formats import native
from pipeline.readings import MessageError
from pipeline.vocabulary import CHANNELS
from tests.formats.native_messages import (
    decode,
    prepared,
    raw,
    reason_of,
    sensor,
    separate,
    without,
)


def text(message: dict[str, Any], old: str, new: str) -> bytes:
    """Return a message as JSON with a piece of its text replaced, to say what JSON cannot."""
    whole = json.dumps(message)
    assert old in whole
    return whole.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"v": 1} {"v": 1}',
        b'{"recording": "\xff"}',
        text(raw(), "9.71", "NaN"),
        text(raw(), "9.71", "Infinity"),
        text(raw(), "1698501144.4", "-Infinity"),
        text(prepared(), "0.7", "NaN"),
    ],
)
def test_not_json(payload: bytes) -> None:
    """Bytes that are not JSON, NaN and Infinity among them, are rejected as that."""
    assert "json" == reason_of(payload)


@pytest.mark.parametrize(
    "message",
    [
        raw(v=2),
        raw(v="1"),
        raw(start="now"),
        raw(start=None),
        raw(rate=0),
        raw(rate=-50),
        raw(rate=1001),
        raw(rate="50"),
        raw(acc=[["0.1", "0.2", "0.3"]]),
        raw(acc=[[0.1, 0.2]]),
        raw(acc=[[0.1, 0.2, 0.3, 0.4]]),
        raw(acc=[[0.1, 0.2, None]]),
        raw(acc=[0.1, 0.2, 0.3]),
        raw(acc={"x": 0.1}),
        raw(acc_unit="m/s^2"),
        raw(gyro_unit="rpm"),
        raw(time=[1698501144.4, 1698501144.41]),  # and start and rate
        raw(recording=7),
        raw(convention="windows"),
        raw(convention=1),
        without(raw(), "acc"),
        without(raw(), "gyro"),
        without(raw(), "acc_unit"),
        without(raw(), "gyro_unit"),
        without(raw(), "start"),
        without(raw(), "rate"),
        without(raw(), "start", "rate"),
        without(prepared(), "channels"),
        without(prepared(), "samples"),
        prepared(channels=[*CHANNELS[:8], "total_acc_y"]),
        prepared(channels=list(CHANNELS[:8])),
        prepared(channels=[*CHANNELS, "heart_rate"]),
        prepared(samples=[[0.1] * 8]),
        prepared(samples=[[0.1] * 10]),
        prepared(samples=[["a"] * 9]),
        prepared(acc=[[0.1, 0.2, 0.3]]),  # and samples
        raw(sensors={"gyroscope": sensor(unit="rad/s")}),
        prepared(sensors={"gyroscope": sensor(unit="rad/s")}),
        separate(),
        separate(gyroscope=None),
        separate(gyro=sensor(unit="rad/s")),
        separate(gyroscope=sensor(unit="m/s2")),
        separate(gravity=sensor(unit="rad/s")),
        separate(gravity=without(sensor(), "time")),
        separate(gravity=without(sensor(), "unit")),
        separate(gravity=sensor(values=[[0.1, 0.2]])),
        separate(gravity=sensor(values=[[0.1, 0.2, None]])),
        separate(gravity=sensor(), gyroscope=sensor(unit="rpm")),
        separate(gravity=sensor()) | {"start": 1698501144.4},
        separate(gravity=sensor()) | {"rate": 50.0},
        separate(gravity=sensor()) | {"time": [1698501144.4]},
    ],
    ids=lambda message: json.dumps(message)[:60],
)
def test_fields_that_do_not_fit(message: object) -> None:
    """Missing keys, other types, units, channels or versions are rejected as that."""
    assert "field" == reason_of(message)


@pytest.mark.parametrize(
    "message",
    [
        raw(acc_unit="📱" * 200_000),
        separate(gyroscope=sensor(unit="📱" * 200_000)),
    ],
    ids=["raw", "sensor"],
)
def test_a_unit_of_any_length(message: object) -> None:
    """What is no unit is told with its beginning alone."""
    with pytest.raises(MessageError, match=r"unit is '📱{20}', not") as rejected:
        native.decode(json.dumps(message).encode(), "phone-7")
    assert "field" == rejected.value.reason
    assert len(str(rejected.value)) < 100


@pytest.mark.parametrize(
    "message",
    [
        raw(gyro=[[0.0, 0.0, 0.0]]),
        raw(acc=[], gyro=[]),
        prepared(samples=[]),
        without(raw(time=[1698501144.4]), "start", "rate"),
        without(raw(time=[]), "start", "rate"),
        raw(acc=[[0, 0, 0]] * 10_001, gyro=[[0, 0, 0]] * 10_001),
        separate(gravity=sensor(time=[1698501144.4, 1698501144.5])),
        separate(gravity=sensor(time=[], values=[])),
        separate(gravity=sensor(), accelerometer=sensor(values=[])),
    ],
    ids=lambda message: json.dumps(message)[:60],
)
def test_lengths_that_do_not_fit(message: object) -> None:
    """Unequal lengths, no rows and too many rows are rejected as that."""
    assert "length" == reason_of(message)


def test_ten_thousand_rows_are_taken() -> None:
    """The bound itself is within the bounds."""
    assert 10_000 == len(decode(raw(acc=[[0, 0, 0]] * 10_000, gyro=[[0, 0, 0]] * 10_000)).times)


@pytest.mark.parametrize(
    "message",
    [
        raw(start=1698501144400),  # milliseconds
        raw(start=1698501144400000000),  # nanoseconds
        raw(start=-1.0),
        raw(rate=1e-300),
        raw(rate=5e-324),
        raw(start=1.7e308),
        without(raw(time=[1698501144.4, 1698501144410]), "start", "rate"),
        separate(gravity=sensor(time=[1698501144400])),
    ],
)
def test_times_that_are_not_epoch_seconds(message: object) -> None:
    """Times in milliseconds, before 1970 or beyond all bounds are rejected as that."""
    assert "time" == reason_of(message)


@pytest.mark.parametrize(
    "message",
    [
        raw(acc=[[0.0, 0.0, 0.0], [0.0, 0.0, 400.0]]),
        raw(acc=[[0.0, 0.0, 0.0], [0.0, 9.8, -1e300]]),
        raw(acc=[[0.0, 0.0, 0.0], [0.0, 9.8, 1.7e308]], acc_unit="g"),
        raw(acc=[[0.0, 9.8, 0.0], [0.0, 9.8, 50.0]], acc_unit="g"),  # m/s² called g
        raw(gyro=[[0.0, 0.0, 0.0], [150.0, 0.0, 0.0]]),  # deg/s called rad/s
        raw(gyro=[[0.0, 0.0, 0.0], [1.7e308, 0.0, 0.0]], gyro_unit="deg/s"),
        prepared(samples=[[0.0] * 8 + [41.0]]),
        prepared(samples=[[0.0] * 3 + [101.0] + [0.0] * 5]),
        separate(gravity=sensor(values=[[0.0, 0.0, 400.0]])),
        separate(gyroscope=sensor(values=[[1.7e308, 0.0, 0.0]], unit="deg/s")),
    ],
)
def test_magnitudes_that_no_phone_measures(message: object) -> None:
    """Absurd accelerations and angular velocities are rejected as that."""
    assert "magnitude" == reason_of(message)
