import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readings import (
    HARMLESS_PAYLOAD_BYTES,
    LATEST_TIME_S,
    MAX_EXTREME_NUMBERS,
    MAX_GYRO_RAD_S,
    MAX_NAME,
    MAX_OBJECTS,
    MAX_PAYLOAD_BYTES,
    MAX_RECORDING,
    MAX_ROWS,
    MAX_TOTAL_ACC_G,
    MAX_VALUES,
    Label,
    MessageError,
    Readings,
    Sensor,
    check_device,
    check_payload,
    is_messagepack,
    plain,
)
from pipeline.vocabulary import CHANNELS, STANDARD_GRAVITY

ACC = MAX_TOTAL_ACC_G * STANDARD_GRAVITY
LIMITS: dict[Sensor, list[float]] = {
    "motion": [ACC] * 3 + [MAX_GYRO_RAD_S] * 3,
    "prepared": [MAX_GYRO_RAD_S if "gyro" in name else MAX_TOTAL_ACC_G for name in CHANNELS],
    "accelerometer": [ACC] * 3,
    "accelerometer_uncalibrated": [ACC] * 3,
    "linear_acceleration": [ACC] * 3,
    "gravity": [ACC] * 3,
    "gyroscope": [MAX_GYRO_RAD_S] * 3,
    "gyroscope_uncalibrated": [MAX_GYRO_RAD_S] * 3,
}
"""The largest value of each sensor's columns, in its unit."""


def readings(
    *,
    device: str = "phone-7",
    times: list[float] | None = None,
    values: list[list[float]] | None = None,
    sensor: Sensor = "gyroscope",
) -> Readings:
    """Return the readings of a phone at rest, with some things changed."""
    times = [1698501144.4] if times is None else times
    values = [[0.0] * len(LIMITS[sensor])] * len(times) if values is None else values
    return Readings(device, np.array(times), np.array(values, np.float64), sensor)


def rejection_of(**changes: object) -> MessageError:
    """Return the error with which readings with some things changed are refused."""
    with pytest.raises(MessageError) as rejected:
        readings(**changes)
    return rejected.value


def test_an_error_keeps_its_reason() -> None:
    """A MessageError holds the word by which it is counted and the text that explains it."""
    error = MessageError("length", "no rows")
    assert ("length", "no rows") == (error.reason, str(error))


@given(st.text(max_size=30), st.integers(1, 50))
def test_what_an_error_quotes(text: str, times: int) -> None:
    """Whatever a sender's words are, the explanation is one line of printable characters.

    Printable words stay as they are, up to a length.
    """
    explanation = str(MessageError("field", f"no such field: {text * times}"))
    assert explanation.isprintable()
    assert len(explanation) <= 500 * len(r"\U0010ffff")
    if text.isprintable():
        assert f"no such field: {text * times}"[:500] == explanation


def test_what_is_not_said() -> None:
    """Readings are of both sensors, dated, of no named recording and no known convention."""
    plain = Readings("phone-7", np.array([1698501144.4]), np.zeros((1, 6)))
    assert ("motion", "") == (plain.sensor, plain.recording)
    assert ("epoch", None) == (plain.clock, plain.convention)


@pytest.mark.parametrize("sensor", LIMITS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_values(sensor: Sensor, sign: int) -> None:
    """Each column takes values up to its limit, and none beyond."""
    limits = LIMITS[sensor]
    at_limit = [sign * limit for limit in limits]
    np.testing.assert_array_equal([at_limit], readings(sensor=sensor, values=[at_limit]).values)
    for column in range(len(limits)):
        beyond = list(at_limit)
        beyond[column] *= 1.001
        assert "magnitude" == rejection_of(sensor=sensor, values=[beyond]).reason


@pytest.mark.parametrize("sensor", LIMITS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(sensor: Sensor, value: float) -> None:
    """Neither NaN nor an infinity passes, in whatever column and row."""
    n_columns = len(LIMITS[sensor])
    for column in range(n_columns):
        values = np.zeros((2, n_columns))
        values[1, column] = value
        rejection = rejection_of(sensor=sensor, times=[1.0, 2.0], values=values.tolist())
        assert "magnitude" == rejection.reason


@pytest.mark.parametrize(
    ("sensor", "column", "value", "said"),
    [
        ("gyroscope", 1, -150.0, "an angular velocity of 150 rad/s (at most 100)"),
        ("accelerometer", 2, 50 * STANDARD_GRAVITY, "an acceleration of 50 g (at most 40)"),
        ("motion", 0, 50 * STANDARD_GRAVITY, "an acceleration of 50 g (at most 40)"),
        ("motion", 3, 150.0, "an angular velocity of 150 rad/s (at most 100)"),
        ("prepared", 8, 50.0, "an acceleration of 50 g (at most 40)"),
        ("prepared", 4, 150.0, "an angular velocity of 150 rad/s (at most 100)"),
    ],
)
def test_what_is_said_of_a_magnitude(sensor: Sensor, column: int, value: float, said: str) -> None:
    """The explanation tells what was too large, and how large, in the unit of the limit."""
    values = [0.0] * len(LIMITS[sensor])
    values[column] = value
    assert said in str(rejection_of(sensor=sensor, values=[values]))


@pytest.mark.parametrize("time", [0.0, 3925657.5, 1698501144.4, np.nextafter(LATEST_TIME_S, 0)])
def test_good_times(time: float) -> None:
    """Times may be seconds since the phone was switched on, or since 1970."""
    np.testing.assert_array_equal([time, 1.0], readings(times=[time, 1.0]).times)


@pytest.mark.parametrize(
    "time",
    [-1e-9, -1.0, LATEST_TIME_S, 1698501144400.0, 1.698501144e18, np.inf, -np.inf, np.nan],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_bad_times(time: float, place: int) -> None:
    """Times in milliseconds, before 1970 or beyond all bounds are refused, and named."""
    times = [1698501144.4] * 3
    times[place] = time
    rejection = rejection_of(times=times)
    assert "time" == rejection.reason
    assert f"{time:g}" in str(rejection)


@pytest.mark.parametrize("n_rows", [1, MAX_ROWS])
def test_good_lengths(n_rows: int) -> None:
    """From one row to the bound, which is within the bounds, all is taken."""
    assert len(readings(times=[1.0] * n_rows).times) == n_rows


@pytest.mark.parametrize(
    ("n_times", "shape"),
    [
        (0, (0, 3)),
        (MAX_ROWS + 1, (MAX_ROWS + 1, 3)),
        (2, (1, 3)),
        (1, (2, 3)),
        (2, (2, 2)),
        (2, (2, 6)),
        (3, (3,)),
    ],
)
def test_bad_lengths(n_times: int, shape: tuple[int, ...]) -> None:
    """No rows, too many, or values that do not fit the times or the sensor are refused."""
    with pytest.raises(MessageError) as rejected:
        Readings("phone-7", np.ones(n_times), np.zeros(shape), "gyroscope")
    assert "length" == rejected.value.reason


@pytest.mark.parametrize(
    "device", ["phone-7", "a", "Anna's phone", "Telefön", "手机 📱", "x" * 64, "a$b", " "]
)
def test_good_device_names(device: str) -> None:
    """A device may be called by up to 64 characters of any language."""
    check_device(device)
    assert readings(device=device).device == device


@pytest.mark.parametrize(
    "device",
    ["", "$SYS", "a\nb", "a\x00b", "x" * 65, "+", "#", "a+b", "a/b", "\x7f", "\x85", "a\n"],
)
def test_bad_device_names(device: str) -> None:
    """Names that could not be used in the results' topics are refused."""
    with pytest.raises(MessageError) as rejected:
        check_device(device)
    assert "device" == rejected.value.reason
    assert "device" == rejection_of(device=device).reason


@given(device=st.text(max_size=70))
@settings(max_examples=500, deadline=None)
def test_any_device_name(device: str) -> None:
    """What is accepted is one level of a topic, and no filter."""
    try:
        check_device(device)
    except MessageError:
        return
    assert 1 <= len(device) <= 64
    assert not set(device) & set("/+#\x00")
    assert not device.startswith("$")


def test_a_recordings_name_is_bounded() -> None:
    """It is kept for long, so a sender cannot make it long."""
    times, values = np.array([1.0]), np.zeros((1, 6))
    Readings("phone", times, values, "motion", "x" * MAX_RECORDING)
    with pytest.raises(MessageError) as error:
        Readings("phone", times, values, "motion", "x" * (MAX_RECORDING + 1))
    assert "length" == error.value.reason


def test_labels_compare_by_what_they_say() -> None:
    """Two labels are equal if device, time and text are."""
    label = Label("phone-7", 1698501144.4, "walking")
    assert Label("phone-7", 1698501144.4, "walking") == label
    assert Label("phone-7", 1698501144.5, "walking") != label


@pytest.mark.parametrize(
    "fill", [b"1,", b"[],", b"{},", b"1e308,", b"5e-324,", b'"x":0,', b"1" * 300]
)
def test_small_payloads_are_not_checked(fill: bytes) -> None:
    """Whatever a payload holds that is too small to do harm, it is left to its format."""
    check_payload((fill * HARMLESS_PAYLOAD_BYTES)[:HARMLESS_PAYLOAD_BYTES])


@pytest.mark.parametrize(
    ("fill", "most", "reason"),
    [
        (b"1,", MAX_VALUES, "length"),
        (b"[],", MAX_VALUES // 2, "length"),
        (b"{},", MAX_OBJECTS, "length"),
        (b"1e308,", MAX_EXTREME_NUMBERS, "magnitude"),
        (b"1E+010,", MAX_EXTREME_NUMBERS, "magnitude"),
        (b"5e-324,", MAX_EXTREME_NUMBERS, "magnitude"),
        (b"1e-0100,", MAX_EXTREME_NUMBERS, "magnitude"),
        (b"0." + b"0" * 100 + b"1e-99,", MAX_EXTREME_NUMBERS, "magnitude"),
        (b"1234567890" * 10 + b",", MAX_EXTREME_NUMBERS, "magnitude"),
    ],
)
def test_payloads_that_would_cost_too_much(fill: bytes, most: int, reason: str) -> None:
    """As many values, objects and extreme numbers as are taken pass, one more does not."""
    check_payload((fill * most).ljust(MAX_PAYLOAD_BYTES))
    with pytest.raises(MessageError) as rejected:
        check_payload((fill * (most + 1)).ljust(MAX_PAYLOAD_BYTES))
    assert reason == rejected.value.reason


@pytest.mark.parametrize(
    "fill",
    [
        b"1.1920929e-07,",
        b"6.1e-17,",
        b"1.234560e+00,",
        b"-9.81E+01,",
        b'"4e83-3e10",',
        b"0.1234567,",
    ],
)
def test_payloads_of_usual_numbers(fill: bytes) -> None:
    """Numbers that phones send, and texts that look like large ones, are no extreme numbers."""
    check_payload(fill * (MAX_PAYLOAD_BYTES // len(fill) // 2))


def test_names_without_separators() -> None:
    """A name is compared by its letters and digits, unless it is longer than any that is known."""
    assert "totalacceleration2" == plain("Total_Accel-eration 2")
    assert "x" == plain("_" * (MAX_NAME - 1) + "X")
    assert "" == plain("_" * MAX_NAME + "X")


def test_how_messagepack_is_told_from_json() -> None:
    """A map of MessagePack begins as no JSON and no text does."""
    maps = {b"\x80", b"\x8f", b"\xde", b"\xdf"}
    others = {b"\x7f", b"\x90", b"\xdd", b"\xe0", b"{", b"[", b" ", b"\xef", b""}
    assert maps == {first for first in maps | others if is_messagepack(first + b"...")}
    assert not is_messagepack(b"")


def test_messagepack_is_not_counted_as_json() -> None:
    """Numbers in it may be bytes that are commas in JSON, in any number; its size is bounded."""
    check_payload(b"\x81" + b",{1" * (MAX_PAYLOAD_BYTES // 4))
    with pytest.raises(MessageError, match="at most"):
        check_payload(b"\x81" * (MAX_PAYLOAD_BYTES + 1))
