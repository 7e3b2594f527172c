import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.formats import phyphox
from pipeline.readings import MessageError, Readings

EXAMPLES = Path(__file__).parent / "examples"
START = {"event": "START", "experimentTime": 0.0, "systemTime": 1698501000.0}


def example(name: str) -> bytes:
    """Return a message as the app sends it."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def message(**changes: object) -> dict[str, Any]:
    """Return a message of an accelerometer without dates, with some entries changed."""
    whole = {"t": [1.0, 1.01], "accX": [0.1, 0.2], "accY": [9.7, 9.8], "accZ": [1.0, 1.1]}
    return whole | changes


def times(*events: dict[str, object]) -> dict[str, object]:
    """Return what the app sends as its time."""
    return {"now": 1698501200.0, "events": list(events)}


def decode(payload: bytes | dict[str, Any]) -> dict[str, Readings]:
    """Return a message's readings by their sensor."""
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {one.sensor: one for one in phyphox.decode(payload, "phone-7")}


def reason_of(payload: object, device: str | None = "phone-7") -> str:
    """Return the reason for which a message is rejected."""
    with pytest.raises(MessageError) as rejected:
        phyphox.decode(json.dumps(payload).encode(), device)
    assert str(rejected.value)
    return rejected.value.reason


def test_both_sensors() -> None:
    """Each sensor has rows and times of its own, dated by when the experiment was started."""
    readings = decode(example("phyphox"))

    assert ["accelerometer", "gyroscope"] == list(readings)
    acceleration, gyroscope = readings["accelerometer"], readings["gyroscope"]
    expected = 1698501145.1 + np.array([12.301, 12.311])
    np.testing.assert_allclose(acceleration.times, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal([[0.31, 9.7, 1.1], [0.3, 9.72, 1.2]], acceleration.values)
    expected = 1698501145.1 + np.array([12.302, 12.307, 12.312])
    np.testing.assert_allclose(gyroscope.times, expected, rtol=0, atol=1e-6)
    expected = [[0.01, 0.0, 0.0], [0.02, 0.0, 0.1], [0.03, 0.0, 0.2]]
    np.testing.assert_array_equal(expected, gyroscope.values)
    for one in readings.values():
        assert ("phone-7", "1698501145.1") == (one.device, one.recording)
        assert ("epoch", "android") == (one.clock, one.convention)


def test_an_experiment_that_was_paused() -> None:
    """Samples are dated by the last start before them, and belong to one recording all the same."""
    readings = decode(example("phyphox-paused"))["accelerometer"]
    expected = [1698501009.99, 1698501100.01, 1698501200.02]
    np.testing.assert_allclose(readings.times, expected, rtol=0, atol=1e-6)
    assert "1698501000.0" == readings.recording


def test_numbers_instead_of_buffers() -> None:
    """A buffer sent as a number is one row; other ids, such as the phone's, are ignored."""
    readings = decode(example("phyphox-numbers"))
    np.testing.assert_array_equal([12.301], readings["accelerometer"].times)
    np.testing.assert_array_equal([[0.31, 9.7, 1.1]], readings["accelerometer"].values)
    np.testing.assert_array_equal([[0.01, 0.0, 0.0]], readings["gyroscope"].values)


def test_without_the_time() -> None:
    """Without the time there is no date: times count from an unknown beginning."""
    readings = decode(message())["accelerometer"]
    np.testing.assert_array_equal([1.0, 1.01], readings.times)
    assert ("boot", "") == (readings.clock, readings.recording)


@pytest.mark.parametrize("time_id", ["t", "T", "accT", "acc_t", "acc_time", "accTime"])
@pytest.mark.parametrize("prefix", ["acc", "acc_", "ACC"])
def test_ids_of_the_accelerometer(time_id: str, prefix: str) -> None:
    """The accelerometer's ids may be spelt in several ways."""
    sent = {time_id: [1.0], f"{prefix}X": [0.1], f"{prefix}y": [9.7], f"{prefix}Z": [1.0]}
    np.testing.assert_array_equal([[0.1, 9.7, 1.0]], decode(sent)["accelerometer"].values)


@pytest.mark.parametrize("time_id", ["gyrT", "gyr_time", "gyroT", "gyro_time"])
@pytest.mark.parametrize("prefix", ["gyr", "gyro", "gyro_"])
def test_ids_of_the_gyroscope(time_id: str, prefix: str) -> None:
    """The gyroscope's ids may be spelt in several ways; its time is never the plain t."""
    sent = {time_id: [1.0], f"{prefix}X": [0.1], f"{prefix}y": [0.2], f"{prefix}Z": [0.3]}
    np.testing.assert_array_equal([[0.1, 0.2, 0.3]], decode(sent)["gyroscope"].values)
    del sent[time_id]
    assert "field" == reason_of(sent | {"t": [1.0]})


def test_the_time_of_a_sensors_own_name_goes_first() -> None:
    """Where t is something else, the accelerometer's own time is taken."""
    readings = decode(message(t=[7.0], acc_time=[1.0, 1.01]))["accelerometer"]
    np.testing.assert_array_equal([1.0, 1.01], readings.times)


def test_rows_without_a_number_are_skipped() -> None:
    """A row with a null, which is how the app writes NaN, is left out."""
    readings = decode(message(accY=[None, 9.8]))["accelerometer"]
    np.testing.assert_array_equal([1.01], readings.times)
    np.testing.assert_array_equal([[0.2, 9.8, 1.1]], readings.values)
    assert {} == decode(message(t=[None, None]))
    assert {} == decode(message(t=None, accX=None, accY=None, accZ=None))


def test_empty_buffers() -> None:
    """Buffers that hold nothing yet are no error, with or without a start."""
    empty = message(t=[], accX=[], accY=[], accZ=[])
    assert {} == decode(empty)
    assert {} == decode(empty | {"time": times()})
    assert {} == decode(empty | {"time": times(START)})


def test_one_sensor_may_be_empty() -> None:
    """A sensor without rows does not keep the other from being read."""
    sent = message(gyr_time=[], gyrX=[], gyrY=[], gyrZ=[])
    assert ["accelerometer"] == list(decode(sent))


def test_rows_in_another_order() -> None:
    """Rows stay in the order in which they came, each dated by its own start."""
    again = {"event": "START", "experimentTime": 10.0, "systemTime": 1698501100.0}
    sent = message(t=[10.5, 9.5], time=times(again, START))
    np.testing.assert_array_equal([1698501100.5, 1698501009.5], decode(sent)["accelerometer"].times)


def test_a_topic_without_a_device() -> None:
    """Since nothing in a message names the phone, its topic must."""
    assert "device" == reason_of(message(), None)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"x": [0.1], "y": [9.7], "z": [1.0]},
        {"t": [1.0]},
        {"magX": [1.0], "time": times(START)},
        {"t": [1.0], "accX": [0.1], "accY": [9.7]},
        {"accX": [0.1], "accY": [9.7], "accZ": [1.0]},
        message(gyrX=[0.1, 0.2]),
        message(accX=["0.1", "0.2"]),
        message(accX=[True, False]),
        message(accX=[[0.1], [0.2]]),
        message(accX={"0": 0.1}),
        message(accX="0.1,0.2"),
        message(time=[1.0, 1.01]),
        message(time=None),
        message(time={"now": 1698501200.0}),
        message(time=times({"event": "START"})),
        message(time=times(START | {"systemTime": None})),
    ],
    ids=lambda sent: json.dumps(sent)[:70],
)
def test_fields_that_do_not_fit(sent: dict[str, Any]) -> None:
    """Missing ids and other types are rejected as that."""
    assert "field" == reason_of(sent)


def test_the_explanation_names_the_id() -> None:
    """Whoever wrote the experiment learns which id is wrong or missing."""
    for wrong, name in ((message(accX="0.1"), "accx"), ({"accX": [0.1]}, "acctime or t")):
        with pytest.raises(MessageError, match=name):
            decode(wrong)


@pytest.mark.parametrize(
    "sent",
    [
        message(t=[1.0]),
        message(accZ=[1.0, 1.1, 1.2]),
        message(accX=0.1),
        message(accX=[]),
        message(accX=None),
    ],
)
def test_columns_of_different_lengths(sent: dict[str, Any]) -> None:
    """A sensor's buffers must be equally long."""
    assert "length" == reason_of(sent)


@pytest.mark.parametrize(
    "sent",
    [
        message(time=times()),  # samples of an experiment that was never started
        message(time=times({"event": "PAUSE", "experimentTime": 0.0, "systemTime": 1698501000.0})),
        message(t=[-1.0, 1.0]),
        message(t=[1.0, 1e12]),
        message(time=times(START | {"systemTime": 1698501000000.0})),
        message(time=times(START | {"systemTime": 1.7e308, "experimentTime": -1.7e308})),
    ],
)
def test_impossible_times(sent: dict[str, Any]) -> None:
    """Samples that cannot be dated, or lie beyond all bounds, are rejected as that."""
    assert "time" == reason_of(sent)


def test_too_many_keys() -> None:
    """A message of more keys than an experiment can have is rejected for its length."""
    assert "length" == reason_of(message(**{f"x{i}": 0 for i in range(10_000)}))


def test_magnitudes_that_no_phone_measures() -> None:
    """Absurd accelerations are rejected as that."""
    assert "magnitude" == reason_of(message(accX=[0.1, 400.0]))
