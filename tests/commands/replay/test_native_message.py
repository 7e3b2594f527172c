import msgspec
import numpy as np
import pytest

from pipeline.commands.replay.native_message import native_message
from pipeline.formats import native
from pipeline.readings import Readings, Sensor
from pipeline.vocabulary import CHANNELS

TIMES = np.array([1.6e9 + 0.1234567, 1.6e9 + 0.5])


def readings(sensor: Sensor, n_columns: int) -> Readings:
    """Return two samples that count from 0."""
    return Readings("phone", TIMES, np.arange(2.0 * n_columns).reshape(2, -1), sensor)


def test_samples_with_a_rate() -> None:
    """They are sent by the first one's time, to a microsecond, and the rate."""
    message = native_message([readings("motion", 6)], recording="r", rate_hz=50.0)
    assert (
        b'{"v":1,"start":1600000000.123457,"rate":50.0,"recording":"r",'
        b'"acc":[[0.0,1.0,2.0],[6.0,7.0,8.0]],"acc_unit":"m/s2",'
        b'"gyro":[[3.0,4.0,5.0],[9.0,10.0,11.0]],"gyro_unit":"rad/s"}'
    ) == message


def test_prepared_samples() -> None:
    """All nine channels are named."""
    message = native_message([readings("prepared", 9)], recording="r", rate_hz=50.0)
    names = ",".join(f'"{channel}"' for channel in CHANNELS)
    assert (
        '{"v":1,"start":1600000000.123457,"rate":50.0,"recording":"r",'
        f'"channels":[{names}],"samples":[[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0],'
        "[9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0]]}"
    ).encode() == message


def test_samples_with_times_of_their_own() -> None:
    """Each is sent with its time, to the last bit."""
    message = native_message([readings("motion", 6)], recording="r")
    assert (
        b'{"v":1,"recording":"r","time":[1600000000.1234567,1600000000.5],'
        b'"acc":[[0.0,1.0,2.0],[6.0,7.0,8.0]],"acc_unit":"m/s2",'
        b'"gyro":[[3.0,4.0,5.0],[9.0,10.0,11.0]],"gyro_unit":"rad/s"}'
    ) == message


def test_sensors_that_are_sampled_apart() -> None:
    """Each has its times, values and unit."""
    message = native_message([readings("gravity", 3), readings("gyroscope", 3)], recording="r")
    assert (
        b'{"v":1,"recording":"r","sensors":{'
        b'"gravity":{"time":[1600000000.1234567,1600000000.5],'
        b'"values":[[0.0,1.0,2.0],[3.0,4.0,5.0]],"unit":"m/s2"},'
        b'"gyroscope":{"time":[1600000000.1234567,1600000000.5],'
        b'"values":[[0.0,1.0,2.0],[3.0,4.0,5.0]],"unit":"rad/s"}}}'
    ) == message


def test_where_a_phone_is_worn() -> None:
    """It is stated where it is known, but of prepared samples, which are all of one place."""
    worn = [msgspec.structs.replace(readings("motion", 6), worn_at="waist")]
    assert "waist" == msgspec.json.decode(native_message(worn, recording="r"))["placement"]
    prepared = [msgspec.structs.replace(readings("prepared", 9), worn_at="waist")]
    assert "placement" not in msgspec.json.decode(native_message(prepared, recording="r"))


@pytest.mark.parametrize(
    ("sensors", "rate_hz"),
    [
        *((["motion"], None), (["motion"], 50.0), (["prepared"], 50.0)),
        (["gravity", "gyroscope"], None),
    ],
)
def test_the_compact_form_says_the_same(sensors: list[Sensor], rate_hz: float | None) -> None:
    """It is MessagePack of the same keys, whose rows are float32 and whose times are float64."""
    columns = {"motion": 6, "prepared": 9}
    sent = [readings(sensor, columns.get(sensor, 3)) for sensor in sensors]
    as_json, compact = (
        native_message(sent, recording="r", rate_hz=rate_hz, compact=is_compact)
        for is_compact in (False, True)
    )
    assert list(msgspec.json.decode(as_json)) == list(msgspec.msgpack.decode(compact))
    for one, other in zip(
        native.decode(as_json, "phone"), native.decode(compact, "phone"), strict=True
    ):
        assert one.times.tobytes() == other.times.tobytes()
        assert one.values.tobytes() == other.values.tobytes()
        assert (one.sensor, one.recording) == (other.sensor, other.recording)


def test_compact_rows_are_the_nearest_float32() -> None:
    """What float32 does not hold is rounded."""
    sent = msgspec.structs.replace(readings("motion", 6), values=np.full((2, 6), 0.1))
    (compact,) = native.decode(native_message([sent], recording="r", compact=True), "phone")
    assert {float(np.float32(0.1))} == set(compact.values.flat)
