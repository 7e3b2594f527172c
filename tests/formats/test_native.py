import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import native
from pipeline.readings import MessageError, Readings
from pipeline.vocabulary import CHANNELS, STANDARD_GRAVITY

EXAMPLES = Path(__file__).parent / "examples"
REASONS = {"device", "size", "json", "field", "length", "time", "magnitude"}


def example(name: str) -> dict[str, Any]:
    """Return one of the example messages."""
    message: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_bytes())
    return message


def raw(**changes: object) -> dict[str, Any]:
    """Return a message of raw samples, with some entries changed."""
    return example("native") | changes


def prepared(**changes: object) -> dict[str, Any]:
    """Return a message of prepared samples, with some entries changed."""
    return example("native-prepared") | changes


def sensor(**changes: object) -> dict[str, Any]:
    """Return one sensor's samples at times of their own, with some entries changed."""
    whole = {"time": [1698501144.4], "values": [[0.1, 0.2, 0.3]], "unit": "m/s2"}
    return whole | changes


def separate(**sensors: object) -> dict[str, Any]:
    """Return a message of separate sensors."""
    return {"v": 1, "sensors": sensors}


def without(message: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a message that lacks some keys."""
    return {key: value for key, value in message.items() if key not in keys}


def decode(message: object) -> Readings:
    """Return the readings that a message of one sensor holds."""
    (readings,) = native.decode(json.dumps(message).encode(), "phone-7")
    return readings


def reason_of(message: object, device: str | None = "phone-7") -> str:
    """Return the reason for which a message is rejected."""
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    with pytest.raises(MessageError) as rejected:
        native.decode(payload, device)
    assert str(rejected.value)
    return rejected.value.reason


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


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-10, 10)
    | st.floats()
    | st.text(max_size=5)
    | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)

rows_of = {
    columns: st.lists(
        st.lists(st.floats() | st.integers(), min_size=columns, max_size=columns), max_size=4
    )
    for columns in (3, 9)
}


def sensors_of(units: list[str]) -> st.SearchStrategy[dict[str, object]]:
    """Return a strategy for one sensor that is nearly right."""
    return st.fixed_dictionaries(
        {},
        optional={
            "time": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
            "values": rows_of[3] | json_values,
            "unit": st.sampled_from(units) | json_values,
        },
    )


nearly_right = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | json_values,
        "start": st.floats() | st.integers() | json_values,
        "rate": st.floats() | st.integers() | json_values,
        "time": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
        "acc": rows_of[3] | json_values,
        "acc_unit": st.sampled_from(["m/s2", "g"]) | json_values,
        "gyro": rows_of[3] | json_values,
        "gyro_unit": st.sampled_from(["rad/s", "deg/s"]) | json_values,
        "sensors": st.fixed_dictionaries(
            {},
            optional={
                "gravity": sensors_of(["m/s2", "g"]) | json_values,
                "gyroscope": sensors_of(["rad/s", "deg/s"]) | json_values,
            },
        )
        | json_values,
        "channels": st.permutations(CHANNELS) | json_values,
        "samples": rows_of[9] | json_values,
        "recording": st.text(max_size=5) | json_values,
    },
)

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)


@st.composite
def right_but_for_the_numbers(draw: Callable[..., Any]) -> dict[str, Any]:
    """Return a message of the right form whose numbers are any JSON can write."""
    n_rows = draw(st.integers(1, 3))

    def rows(columns: int) -> list[list[float]]:
        return [[draw(numbers) for _ in range(columns)] for _ in range(n_rows)]

    times = [draw(numbers) for _ in range(n_rows)]
    units = {
        "acc_unit": draw(st.sampled_from(["m/s2", "g"])),
        "gyro_unit": draw(st.sampled_from(["rad/s", "deg/s"])),
    }
    start = {"start": draw(numbers), "rate": draw(st.floats(0, 1000, exclude_min=True))}
    dated = draw(st.sampled_from([start, {"time": times}]))
    match draw(st.sampled_from(["raw", "prepared", "sensors"])):
        case "raw":
            return dated | units | {"acc": rows(3), "gyro": rows(3)}
        case "prepared":
            return dated | {"channels": draw(st.permutations(CHANNELS)), "samples": rows(9)}
        case _:
            return separate(
                gravity=sensor(time=times, values=rows(3), unit=units["acc_unit"]),
                gyroscope=sensor(time=times, values=rows(3), unit=units["gyro_unit"]),
            )


def accepts_or_rejects(payload: bytes) -> None:
    """Decode a message that may be wrong in any way: finite readings, or a known reason."""
    try:
        contents = native.decode(payload, "phone-7")
    except MessageError as rejection:
        reason = rejection.reason
    else:
        for readings in contents:
            assert 1 <= len(readings.times) == len(readings.values)
            assert np.isfinite(readings.times).all()
            assert np.isfinite(readings.values).all()
        return
    assert reason in REASONS


@given(message=nearly_right)
@settings(max_examples=1000, deadline=None)
def test_nearly_right_messages(message: dict[str, object]) -> None:
    """Messages with the right keys and wrong values raise nothing but a MessageError."""
    accepts_or_rejects(json.dumps(message).encode())


@given(message=right_but_for_the_numbers())
@settings(max_examples=1000, deadline=None)
def test_any_numbers(message: dict[str, object]) -> None:
    """Messages of the right form with any numbers raise nothing but a MessageError."""
    accepts_or_rejects(json.dumps(message).encode())
