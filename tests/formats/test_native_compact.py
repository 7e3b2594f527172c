import msgspec
import numpy as np
import pytest

from pipeline.formats import native
from pipeline.readings import MessageError, Readings
from pipeline.vocabulary import CHANNELS, STANDARD_GRAVITY
from tests.formats.native_messages import (
    as_bin,
    example,
    float32,
    float64,
    int16,
    messagepack,
    prepared,
    raw,
    reason_of,
    sensor,
    separate,
    without,
)

SCALE = 16 * STANDARD_GRAVITY / 32_768
NAN, INFINITY = float("nan"), float("inf")
SIGNALLING = {
    "float32": bytes.fromhex("0100807f") + bytes(20),
    "float64": bytes.fromhex("010000000000f07f") + bytes(8),
}
"""NaN at which arithmetic complains"""


def decoded(message: object) -> Readings:
    """Return the readings that a message of one sensor holds, as MessagePack."""
    (readings,) = native.decode(messagepack(message), "phone-7")
    return readings


def rejection_of(message: object) -> MessageError:
    """Return why a message is rejected."""
    payload = message if isinstance(message, bytes) else messagepack(message)
    with pytest.raises(MessageError) as rejected:
        native.decode(payload, "phone-7")
    return rejected.value


def test_float32_rows() -> None:
    """Rows of float32 are taken as they are, and brought to SI units."""
    acc, gyro = [[0.0, 0.5, 1.0], [0.25, -2, 0]], [[180.0, 90.0, 0.0], [0, 0, -45]]
    readings = decoded(raw(acc=float32(acc), acc_unit="g", gyro=float32(gyro), gyro_unit="deg/s"))
    assert ("phone-7", "motion", "") == (readings.device, readings.sensor, readings.recording)
    np.testing.assert_allclose(readings.times, [1698501144.4, 1698501144.42], rtol=0, atol=1e-6)
    expected = np.hstack([np.array(acc) * STANDARD_GRAVITY, np.array(gyro) * (np.pi / 180)])
    np.testing.assert_array_equal(expected, readings.values)


def test_int16_rows() -> None:
    """Integers are multiplied by their scale, in float64, and then brought to SI units."""
    acc, gyro = [[-32_768, 0, 32_767], [1, 2, 3]], [[100, -200, 300], [0, 0, 1]]
    readings = decoded(
        raw(acc=int16(acc), acc_scale=SCALE, gyro=int16(gyro), gyro_scale=0.01, gyro_unit="deg/s")
    )
    expected = np.hstack([np.array(acc) * SCALE, np.array(gyro) * 0.01 * (np.pi / 180)])
    np.testing.assert_array_equal(expected, readings.values)


@pytest.mark.parametrize("first", ["acc", "gyro"])
def test_each_sensor_in_its_own_way(first: str) -> None:
    """One sensor may come as integers or bytes, and the other as float32 or numbers."""
    values = {"acc": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "gyro": [[0.5, 0, 0], [0, 0.25, 0]]}
    expected = np.hstack([values["acc"], values["gyro"]])
    integers = {first: int16(np.array(values[first]) * 4), f"{first}_scale": 0.25}
    for other in (float32, list):
        message = raw(**{key: other(rows) for key, rows in values.items()}) | integers
        np.testing.assert_array_equal(expected, decoded(message).values)


def test_a_time_for_each_row() -> None:
    """Times are float64."""
    times = [1698501144.4, 1698501144.41]
    message = without(as_bin(raw(time=times)), "start", "rate")
    np.testing.assert_array_equal(times, decoded(message).times)


def test_prepared_samples() -> None:
    """Prepared rows are nine float32, in the order of the channels named."""
    message = prepared(channels=list(CHANNELS[::-1]), samples=float32([list(range(9))]))
    np.testing.assert_array_equal([list(range(8, -1, -1))], decoded(message).values)


def test_sensors_with_times_of_their_own() -> None:
    """Each sensor has its own times, rows, unit and scale."""
    message = separate(
        accelerometer=sensor(time=float64([1.5, 2.5]), values=float32([[1, 2, 3], [4, 5, 6]])),
        gyroscope=sensor(time=float64([2.0]), values=int16([[1, 2, 3]]), scale=0.5, unit="rad/s"),
    )
    acceleration, gyroscope = native.decode(messagepack(message), "phone-7")
    assert ("accelerometer", "gyroscope") == (acceleration.sensor, gyroscope.sensor)
    np.testing.assert_array_equal([1.5, 2.5], acceleration.times)
    np.testing.assert_array_equal([[1, 2, 3], [4, 5, 6]], acceleration.values)
    np.testing.assert_array_equal([2.0], gyroscope.times)
    np.testing.assert_array_equal([[0.5, 1, 1.5]], gyroscope.values)


@pytest.mark.parametrize("name", ["native", "native-prepared", "native-sensors"])
def test_what_a_library_makes_of_the_json_document(name: str) -> None:
    """Lists of numbers are taken like JSON's."""
    message = example(name)
    as_json = native.decode(msgspec.json.encode(message), "phone-7")
    as_compact = native.decode(messagepack(message), "phone-7")
    assert len(as_json) == len(as_compact)
    for one, other in zip(as_json, as_compact, strict=True):
        assert one.values.tobytes() == other.values.tobytes()
        assert one.times.tobytes() == other.times.tobytes()
        assert (one.sensor, one.recording) == (other.sensor, other.recording)


def test_keys_in_any_order_unknown_ones_and_nil() -> None:
    """The order of keys is free, unknown keys are ignored, and nil is as if left out."""
    message = as_bin(raw(placement="waist", recording="morning", convention="ios"))
    changed = {"battery": {"deep": [1, None, msgspec.msgpack.Ext(7, b"x")]}, "samples": None}
    turned = dict(reversed((message | changed).items()))
    expected, readings = decoded(message), decoded(turned)
    np.testing.assert_array_equal(expected.values, readings.values)
    assert ("waist", "morning") == (readings.worn_at, readings.recording)
    assert "ios" == readings.convention


@pytest.mark.parametrize(
    ("n_rows", "int16_bytes", "float32_bytes"), [(25, 450, 700), (50, 750, 1300)]
)
def test_how_short_a_message_is(n_rows: int, int16_bytes: int, float32_bytes: int) -> None:
    """It is as long as the page on the wire says, with integers a third of JSON."""
    rows = np.random.default_rng(0).normal(size=(n_rows, 3)).round(4).tolist()
    whole = raw(acc=rows, gyro=rows)
    integers = dict.fromkeys(["acc", "gyro"], int16(rows)) | {
        "acc_scale": SCALE,
        "gyro_scale": 1e-3,
    }
    assert int16_bytes - 50 < len(messagepack(whole | integers)) < int16_bytes
    assert float32_bytes - 50 < len(messagepack(as_bin(whole))) < float32_bytes
    assert 3 * len(messagepack(whole | integers)) < len(msgspec.json.encode(whole))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x81",
        messagepack(as_bin(raw()))[:-1],
        messagepack(as_bin(raw())) + b"\x00",
        b"\x81\xa3acc\xc1",
        b"\x81\xa9recording\xa1\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa3acc\xdd\xff\xff\xff\xff",
        b"\x81\xa3acc\xc6\xff\xff\xff\xff",
        b"\x81\xa1x" + b"\x91" * 100_000,
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_no_messagepack(payload: bytes) -> None:
    """What begins as a map of MessagePack and is none is rejected as that."""
    error = rejection_of(payload)
    assert "format" == error.reason
    assert str(error).startswith("not MessagePack: ")


@pytest.mark.parametrize(
    "message",
    [
        as_bin(raw(v=2)),
        as_bin(raw(rate=NAN)),
        as_bin(raw(rate=0)),
        as_bin(raw(acc_unit="rpm")),
        raw(acc="text"),
        raw(acc=1.0),
        raw(acc=[[0.1, 0.2]]),
        raw(acc=[["0.1", "0.2", "0.3"]]),
        raw(acc=msgspec.msgpack.Ext(1, bytes(12))),
        raw(acc_scale=1.0),  # and lists
        as_bin(without(raw(), "acc")) | {"acc_scale": 1.0},
        raw(acc=int16([[1, 2, 3]] * 2), acc_scale=0.0),
        raw(acc=int16([[1, 2, 3]] * 2), acc_scale=-1.0),
        raw(acc=int16([[1, 2, 3]] * 2), acc_scale=NAN),
        raw(acc=int16([[1, 2, 3]] * 2), acc_scale=INFINITY),
        raw(acc=int16([[1, 2, 3]] * 2), acc_scale="1"),
        as_bin(without(raw(), "gyro")),
        as_bin(without(raw(), "rate")),
        as_bin(raw(time=[1.0, 2.0])),  # and start and rate
        as_bin(prepared(acc=[[0.1, 0.2, 0.3]])),  # and samples
        as_bin(prepared(channels=[*CHANNELS[:8], "total_acc_y"])),
        prepared(samples=[[0.1] * 8]),
        separate(),
        separate(gyro=sensor(unit="rad/s")),
        separate(gravity=sensor(scale=1.0)),  # and lists
        separate(gravity=sensor(time=None)),
        separate(gravity=sensor(values=None)),
        separate(gravity=as_bin(sensor(unit="rad/s"))),
        {1: 2},
        {b"acc": b""},
    ],
    ids=lambda message: repr(message)[:60],
)
def test_fields_that_do_not_fit(message: object) -> None:
    """Missing keys, other types, units, channels, versions and scales are rejected as that."""
    assert "field" == rejection_of(message).reason


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (raw(acc=bytes(25)), r"^acc has 25 bytes; a row is 3 float32, 12 bytes$"),
        (raw(gyro=bytes(7), gyro_scale=1.0), r"^gyro has 7 bytes; a row is 3 int16, 6 bytes$"),
        (prepared(samples=bytes(35)), "a row is 9 float32, 36 bytes"),
        (without(raw(time=bytes(15)), "start", "rate"), "^time has 15 bytes; .* 1 float64"),
        (separate(gravity=sensor(values=bytes(3))), "^gravity.values has 3 bytes"),
        (raw(acc=float32([[0, 0, 0]])), "acc has 1 rows, gyro 2"),
        (raw(acc=b"", gyro=b""), "0 rows"),
        (prepared(samples=b""), "0 rows"),
        (without(as_bin(raw(time=[1.0])), "start", "rate"), "1 entries for 2 rows"),
        (separate(gravity=as_bin(sensor(time=[1.0, 2.0]))), "2 times, 1 rows"),
        (raw(acc=bytes(12 * 10_001), gyro=bytes(12 * 10_001)), "10001 rows"),
        (raw(acc=[[0, 0, 0]] * 10_001), "acc has 10001 rows; 1 to 10000 are taken"),
        (
            separate(
                **dict.fromkeys(
                    ["gravity", "accelerometer", "linear_acceleration"],
                    sensor(time=[1] * 10_000, values=[[0, 0, 0]] * 10_000),
                )
            ),
            "150000 values; at most 120000",
        ),
        (raw(acc=[[0, 0, 0]] * 70_000), "acc has 70000 rows; 1 to 10000 are taken"),
    ],
)
def test_lengths_that_do_not_fit(message: object, said: str) -> None:
    """Bytes of no whole row, unequal lengths, no rows and too many are rejected as that."""
    error = rejection_of(message)
    assert "length" == error.reason
    with pytest.raises(MessageError, match=said):
        raise error


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (as_bin(raw(acc=[[0, 0, NAN], [0, 0, 0]])), "magnitude"),
        (as_bin(raw(gyro=[[0, 0, INFINITY], [0, 0, 0]])), "magnitude"),
        (raw(acc=[[0, 0, NAN], [0, 0, 0]]), "magnitude"),
        (raw(acc=SIGNALLING["float32"]), "magnitude"),
        (raw(acc=int16([[1, 1, 9]] * 2), acc_scale=1e308, acc_unit="g"), "magnitude"),
        (as_bin(prepared(samples=[[NAN] * 9])), "magnitude"),
        (as_bin(raw(start=NAN)), "time"),
        (as_bin(raw(start=-INFINITY)), "time"),
        (as_bin(raw(start=-INFINITY, rate=5e-324)), "time"),
        (as_bin(raw(start=1698501144400)), "time"),
        (without(raw(time=SIGNALLING["float64"]), "start", "rate"), "time"),
        (without(as_bin(raw(time=[1.0, NAN])), "start", "rate"), "time"),
    ],
)
def test_numbers_that_no_phone_measures(message: object, reason: str) -> None:
    """NaN, infinities and absurd numbers are rejected as that, and nothing is printed."""
    assert reason == rejection_of(message).reason


@pytest.mark.parametrize("unit", ["m/s2", "g"])
def test_a_signalling_nan_in_a_list(unit: str) -> None:
    """It is rejected like any other NaN, and nothing is printed."""
    payload = messagepack(raw(acc=[[0.0, 0.0, 1e200], [0.0, 0.0, 0.0]], acc_unit=unit))
    written = bytes.fromhex("cb") + np.array(1e200, ">f8").tobytes()
    assert 1 == payload.count(written)
    error = rejection_of(payload.replace(written, bytes.fromhex("cb7ff0000000000001")))
    assert "an acceleration is no number (NaN)" == str(error)


def test_what_is_said_of_nan() -> None:
    """A value that is no number is called that."""
    error = rejection_of(as_bin(raw(acc=[[0, 0, NAN], [0, 0, 0]])))
    assert "an acceleration is no number (NaN)" == str(error)


def test_the_device_comes_from_the_topic() -> None:
    """A message cannot name its device itself."""
    assert "device" == reason_of(messagepack(as_bin(raw(device="phone-8"))), None)


def test_json_has_no_scale() -> None:
    """A scale beside JSON's numbers would be passed over in silence, so it is rejected."""
    for message in (raw(acc_scale=0.1), raw(gyro_scale=0.1), separate(gravity=sensor(scale=0.1))):
        assert "field" == reason_of(message)
