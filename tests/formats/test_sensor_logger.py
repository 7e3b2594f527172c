import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import sensor_logger
from pipeline.readings import MAX_ROWS, Label, MessageError, Readings
from pipeline.vocabulary import STANDARD_GRAVITY

EXAMPLES = Path(__file__).parent / "examples"
TIME_NS = 1698501144401773000
UP_IN_G = {"x": 0.02, "y": 0.01, "z": 0.99}
UP = {"x": 0.2, "y": 0.1, "z": 9.7}


def example(name: str) -> bytes:
    """Return a message as the app sends it."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def reading(name: str = "gyroscope", **changes: object) -> dict[str, Any]:
    """Return one reading, with some entries changed."""
    return {"name": name, "time": TIME_NS, "values": {"x": 0.1, "y": 0.2, "z": 0.3}} | changes


def message(*payload: object, **changes: object) -> bytes:
    """Return a message with these readings, with some entries changed."""
    whole = {"messageId": 0, "sessionId": "morning", "deviceId": "a41c", "payload": payload}
    return json.dumps(whole | changes).encode()


def decode(payload: bytes, device: str | None = None) -> dict[str, Readings]:
    """Return a message's readings by their sensor."""
    contents = sensor_logger.decode(payload, device)
    return {one.sensor: one for one in contents if isinstance(one, Readings)}


def reason_of(payload: bytes, device: str | None = None) -> str:
    """Return the reason for which a message is rejected."""
    with pytest.raises(MessageError) as rejected:
        sensor_logger.decode(payload, device)
    assert str(rejected.value)
    return rejected.value.reason


def test_an_android_phone() -> None:
    """The motion sensors of a message are told apart, each with its own times, whatever the order.

    Others, among them some with other keys, are ignored.
    """
    readings = decode(example("sensor-logger-android"))

    assert ["gyroscope", "linear_acceleration", "gravity"] == list(readings)
    gyroscope = readings["gyroscope"]
    expected = [1698501144.401773, 1698501144.404151, 1698501144.40653]
    np.testing.assert_array_equal(expected, gyroscope.times)
    expected = [[0.0121, -0.2034, 0.048], [0.013, -0.2011, 0.0491], [0.0142, -0.199, 0.0502]]
    np.testing.assert_array_equal(expected, gyroscope.values)
    acceleration, gravity = readings["linear_acceleration"], readings["gravity"]
    np.testing.assert_array_equal([1698501144.403112], acceleration.times)
    np.testing.assert_array_equal([[-0.312, 0.951, 0.104]], acceleration.values)
    np.testing.assert_array_equal([[0.21, 9.721, 1.27]], gravity.values)
    for one in readings.values():
        assert "a41c7d52-6f2c-4a0e-8f57-2d6a1f0e9b33" == one.device
        assert "0b6f2f0c-4b60-4b6e-9a1e-7c0a5a9c2b11" == one.recording
        assert ("epoch", "android") == (one.clock, one.convention)


def test_an_iphone() -> None:
    """Accelerations in g become m/s², keep their sign, and prove the convention of all others."""
    readings = decode(example("sensor-logger-ios"))

    assert {"linear_acceleration", "gravity", "accelerometer_uncalibrated"} == set(readings)
    expected = [
        [-0.382659912109375, -0.68988037109375, -0.60107421875],
        [-0.387420654296875, -0.6722259521484375, -0.6206207275390625],
    ]
    values = readings["accelerometer_uncalibrated"].values
    np.testing.assert_array_equal(np.array(expected) * STANDARD_GRAVITY, values)
    np.testing.assert_array_equal([[-3.378, -6.447, -6.331]], readings["gravity"].values)
    assert {"ios"} == {one.convention for one in readings.values()}


def test_a_message_of_2022() -> None:
    """Times that are strings, as older versions sent them, are read as well."""
    readings = decode(example("sensor-logger-2022"))["accelerometer_uncalibrated"]
    np.testing.assert_array_equal([1671406719721160400 / 10**9], readings.times)


@pytest.mark.parametrize("payload", [example("sensor-logger-test-push"), message()])
def test_messages_without_samples(payload: bytes) -> None:
    """The app's test message, and one without readings, hold nothing and are no error."""
    assert [] == sensor_logger.decode(payload, None)


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("accelerometer", "linear_acceleration"),
        ("gravity", "gravity"),
        ("totalacceleration", "accelerometer"),
        ("accelerometeruncalibrated", "accelerometer_uncalibrated"),
        ("gyroscope", "gyroscope"),
        ("gyroscopeuncalibrated", "gyroscope_uncalibrated"),
    ],
)
def test_names(name: str, sensor: str) -> None:
    """Each motion sensor is known by its name, however its words are told apart."""
    values = {"x": 7.0, "y": 2.0, "z": 1.0}
    spelt = [name, name.upper(), name.replace("un", "Un"), name.replace("un", "_un") + " "]
    readings = decode(message(*(reading(one, values=values) for one in spelt)))
    assert [sensor] == list(readings)
    np.testing.assert_array_equal([[7.0, 2.0, 1.0]] * 4, readings[sensor].values)


def test_other_sensors_are_not_read() -> None:
    """Nothing is expected of a reading with another name, not even a time."""
    others = [
        {"name": "location"},
        {"name": "magnetometer", "time": None, "values": {"x": "a", "y": [], "z": {}}},
        {"name": "camera", "time": "now", "values": "aGVsbG8="},
        {"name": "", "time": -(10**400), "values": None, "accuracy": "high"},
        {"name": "watchaccelerometer", "time": TIME_NS, "values": UP},
    ]
    readings = decode(message(*others, reading()))
    assert ["gyroscope"] == list(readings)
    assert readings["gyroscope"].convention is None


AXIS = st.one_of(st.floats(-1, 1), st.integers(-2, 2), st.none())
TIMES = st.one_of(
    st.integers(TIME_NS, TIME_NS + 10**9), st.just(str(TIME_NS)), st.just(10**30), st.none()
)
READINGS = st.fixed_dictionaries(
    {"name": st.sampled_from(["gyroscope", "Gravity", "accelerometerUncalibrated", "pressure"])},
    optional={
        "time": st.one_of(*[st.just(TIME_NS + i * 10**7) for i in range(9)], TIMES),
        "values": st.one_of(
            *[st.fixed_dictionaries({axis: AXIS for axis in "xyz"})] * 5,
            st.dictionaries(st.sampled_from("xyz"), st.one_of(AXIS, st.just("0"))),
            st.just([0.1, 0.2, 0.3]),
        ),
        "accuracy": st.just(3),
    },
)


@given(payload=st.lists(READINGS, max_size=4))
@settings(max_examples=300)
def test_all_in_one_go_is_as_part_by_part(payload: list[dict[str, Any]]) -> None:
    """Another sensor, because of which a message is read part by part, changes nothing."""
    unusual = {"name": "magnetometer", "values": {"x": "a"}}

    def read(*readings: object) -> list[tuple[str, bytes, bytes, str | None]] | str:
        try:
            contents = decode(message(*readings))
        except MessageError as error:
            return error.reason
        return [
            (sensor, one.times.tobytes(), one.values.tobytes(), one.convention)
            for sensor, one in contents.items()
        ]

    assert read(*payload, unusual) == read(*payload)


@given(time_ns=st.integers(0, 10**20 - 10**13))
@settings(deadline=None)
def test_nanoseconds(time_ns: int) -> None:
    """A time becomes the float64 that is nearest to it."""
    readings = decode(message(reading(time=time_ns)))["gyroscope"]
    assert float(Fraction(time_ns, 10**9)) == readings.times[0]


def test_the_order_is_kept() -> None:
    """Samples stay in the order in which they came; to sort them is for others."""
    times_ns = [TIME_NS + step for step in (20_000_000, 0, 10_000_000)]
    readings = decode(message(*(reading(time=time_ns) for time_ns in times_ns)))["gyroscope"]
    np.testing.assert_array_equal([one / 10**9 for one in times_ns], readings.times)


@pytest.mark.parametrize(
    ("values", "accuracy", "factor", "convention"),
    [
        ([UP_IN_G] * 3, None, STANDARD_GRAVITY, "ios"),
        ([UP] * 3, None, 1.0, None),  # Android without accuracy, or iOS standardised
        ([UP] * 3, 3, 1.0, "android"),
        ([UP_IN_G] * 3, 0, 1.0, "android"),  # a phone that falls
        ([UP_IN_G, UP_IN_G, {"x": 0.0, "y": 0.0, "z": 8.0}], None, STANDARD_GRAVITY, "ios"),
        ([UP, UP, {"x": 0.0, "y": 0.0, "z": 0.5}], None, 1.0, None),
    ],
)
def test_the_unit_of_uncalibrated_accelerations(
    values: list[dict[str, float]], accuracy: int | None, factor: float, convention: str | None
) -> None:
    """They are in g if most are no longer than a few g, unless the phone is known for Android's."""
    accuracies = {} if accuracy is None else {"accuracy": accuracy}
    payload = [reading("accelerometeruncalibrated", values=one, **accuracies) for one in values]
    readings = decode(message(*payload, reading()))
    expected = np.array([[one["x"], one["y"], one["z"]] for one in values]) * factor
    np.testing.assert_array_equal(expected, readings["accelerometer_uncalibrated"].values)
    assert [convention] * 2 == [one.convention for one in readings.values()]


def test_the_accuracy_of_one_sensor_tells_of_all() -> None:
    """One motion sensor's accuracy proves that the phone is an Android; null proves nothing."""
    android = decode(message(reading(accuracy=3), reading("gravity", values=UP)))
    unknown = decode(message(reading(accuracy=None), reading("magnetometer", accuracy=3)))
    assert ["android", "android"] == [one.convention for one in android.values()]
    assert [None] == [one.convention for one in unknown.values()]


@pytest.mark.parametrize("accuracy", [3, 0, -1.5, "high", [3], {}, True])
def test_any_accuracy_is_an_android_phones(accuracy: object) -> None:
    """Whatever an accuracy is, the phone is an Android; null is none."""
    of_android = decode(message(reading("gravity", accuracy=accuracy, values=UP)))
    assert "android" == of_android["gravity"].convention
    unknown = decode(message(reading("gravity", accuracy=None, values=UP)))
    assert unknown["gravity"].convention is None


def test_samples_without_a_number_are_skipped() -> None:
    """A sample one of whose values is null is left out, and with it perhaps the whole sensor."""
    lacking = {"x": 0.1, "y": None, "z": 0.3}
    readings = decode(
        message(reading(values=lacking), reading(time=TIME_NS + 1_000_000), reading("gravity"))
    )
    assert {"gyroscope", "gravity"} == set(readings)
    np.testing.assert_array_equal([(TIME_NS + 1_000_000) / 10**9], readings["gyroscope"].times)
    assert {} == decode(message(reading(values=lacking)))


def test_annotations_are_labels() -> None:
    """An annotation says what the wearer does from its time on; one without words, of nothing."""
    silent = [reading("annotation", values=values) for values in ({}, {"text": ""})]
    said = reading("annotation", values={"text": "Treppe rauf 🏃", "more": [1]})
    contents = sensor_logger.decode(message(*silent, said, reading(), said), "phone-7")
    label = Label("phone-7", TIME_NS / 10**9, "Treppe rauf 🏃")
    silence = Label("phone-7", TIME_NS / 10**9, "")
    assert [silence, silence, label, label] == [one for one in contents if isinstance(one, Label)]
    assert 5 == len(contents)


def test_the_topic_names_the_device_first() -> None:
    """The name in the topic, which a broker can police, goes before the one in the payload."""
    assert "phone-7" == decode(message(reading()), "phone-7")["gyroscope"].device
    assert "a41c" == decode(message(reading()))["gyroscope"].device
    assert "手机" == decode(message(reading(), deviceId="手机"))["gyroscope"].device
    assert "phone-7" == decode(message(reading(), deviceId=None), "phone-7")["gyroscope"].device


@pytest.mark.parametrize("device_id", [None, "", "a/b", "#", "x" * 65])
def test_bad_devices(device_id: str | None) -> None:
    """A device without a name, or with one that topics cannot hold, is rejected as that.

    So it is where the message holds a label only, or nothing.
    """
    assert "device" == reason_of(message(reading(), deviceId=device_id))
    assert "device" == reason_of(message(deviceId=device_id))


def test_a_message_without_a_session() -> None:
    """Without a session's name the recording has none."""
    payload = json.dumps({"payload": [reading()]}).encode()
    assert "" == decode(payload, "phone-7")["gyroscope"].recording


@pytest.mark.parametrize(
    "payload",
    [
        message(payload=None),
        message(payload={}),
        message("gyroscope"),
        message(reading(name=None)),
        message({"time": TIME_NS, "values": UP}),
        message({"name": "gyroscope", "values": UP}),
        message({"name": "gyroscope", "time": TIME_NS}),
        message(reading(time=None)),
        message(reading(time="now")),
        message(reading(time=1698501144.4)),
        message(reading(time=True)),
        message(reading(values=[])),
        message(reading(values=[0.1, 0.2, 0.3])),
        message(reading(values={"x": 0.1, "y": 0.2})),
        message(reading(values={"x": 0.1, "y": 0.2, "z": "0.3"})),
        message(reading(values={"x": 0.1, "y": 0.2, "z": True})),
        message(reading(), sessionId=7),
        message(reading(), deviceId=7),
        message(reading("annotation", values={"text": 7})),
        message(reading("annotation", values=None)),
    ],
    ids=lambda payload: payload.decode()[60:120],
)
def test_fields_that_do_not_fit(payload: bytes) -> None:
    """Motion sensors' readings that lack something or have other types are rejected as that."""
    assert "field" == reason_of(payload, "phone-7")


def test_the_explanation_names_the_sensor() -> None:
    """Whoever wrote a wrong message learns which sensor's which value is wrong."""
    wrong = message(reading(), reading("gravity", values={"x": 0.1, "y": 0.2, "z": "0.3"}))
    with pytest.raises(MessageError, match=r"gravity: .*z"):
        sensor_logger.decode(wrong, None)


@pytest.mark.parametrize("time_ns", [-1, 10**20, 10**300, 10**400, "9" * 400])
@pytest.mark.parametrize("name", ["gyroscope", "annotation"])
def test_times_that_are_not_epoch_nanoseconds(time_ns: int | str, name: str) -> None:
    """Times before 1970 or beyond all bounds are rejected as that, however long they are."""
    values = {"x": 0.1, "y": 0.2, "z": 0.3, "text": "walking"}
    assert "time" == reason_of(message(reading(name, time=time_ns, values=values)))


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("accelerometer", 400.0),
        ("accelerometeruncalibrated", -1.7e308),
        ("gyroscope", 150.0),
    ],
)
def test_magnitudes_that_no_phone_measures(name: str, x: float) -> None:
    """Absurd accelerations and angular velocities are rejected as that."""
    values = {"x": x, "y": 0.0, "z": 0.0}
    assert "magnitude" == reason_of(message(reading(name, values=values)))
    spike = [reading(name), reading(name), reading(name, values=values)]
    assert "magnitude" == reason_of(message(*spike))


def test_too_many_samples() -> None:
    """A message with more samples of a sensor than are taken is rejected for its length."""
    assert "length" == reason_of(message(*[reading()] * (MAX_ROWS + 1)))


def test_too_many_sensors() -> None:
    """A message of more sensors than a phone can have is rejected for its length."""
    others = [reading(f"other {i}") for i in range(1_000)]
    assert {"gyroscope"} == set(decode(message(*others[1:], reading())))
    assert "length" == reason_of(message(*others, reading()))


def test_too_many_annotations() -> None:
    """A message of more annotations than anybody makes is rejected for its length."""
    said = reading("annotation", values={"text": "walking"})
    assert 1_000 == len(sensor_logger.decode(message(*[said] * 1_000), None))
    assert "length" == reason_of(message(*[said] * 1_001))
