import numpy as np
import pytest

from pipeline.formats import sensor_logger
from pipeline.formats.native import decode
from pipeline.readings import Readings
from tests.benchmarks.load_messages import Messages, topic
from tests.benchmarks.mqtt_packets import packets, publication


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        ("json", 1000, 3200),
        ("compact", 300, 700),
        ("uneven", 500, 800),
        ("sensor-logger", 4500, 5500),
    ],
)
def test_messages_are_as_long_as_phones_make_them(form: str, least: int, most: int) -> None:
    """Bytes of a payload by form; of the compact one all are equally long."""
    rows = np.random.default_rng(0).normal(size=(1, 500, 6)) * 9.81
    messages = Messages(rows, qos=0, form=form)
    lengths = set()
    for number in range(20):
        head, tail = messages.message(0, number)
        payload = messages.payload(tail, 1_700_000_000_123)
        stream = bytearray(b"".join([head, topic(7, form), *payload]))
        ((first_byte, body),) = packets(stream)
        assert first_byte == 0x30
        assert not stream
        name, whole = publication(body)
        place = "sensor-logger/{}" if form == "sensor-logger" else "har/{}/samples"
        assert place.format("load-00007") == name
        assert b"".join(payload) == whole
        lengths.add(len(whole))
    assert least <= min(lengths)
    assert max(lengths) <= most
    assert form in ("json", "sensor-logger") or len(lengths) == 1


def test_an_uneven_message_is_one_of_har_streams() -> None:
    """Its samples are those of the recording, near to where 50 Hz has them, and not sharp there."""
    rows = np.random.default_rng(0).normal(size=(1, 500, 6))
    messages = Messages(rows, qos=1, form="uneven")
    _, tail = messages.message(0, 1)
    [readings] = decode(messages.start(1_700_000_000_123) + tail, "phone")
    off_s = readings.times - (1_700_000_000.123 + np.arange(25) / 50)
    assert np.abs(off_s).max() < 0.0081
    assert (np.abs(off_s) > 0.0005).sum() > 15
    np.testing.assert_allclose(readings.values, rows[0, 25:50], atol=0.003)


def test_a_message_of_sensor_logger() -> None:
    """Each of its two sensors measures near to where 50 Hz has it, and the other not with it."""
    rows = np.random.default_rng(0).normal(size=(1, 500, 6))
    messages = Messages(rows, qos=1, form="sensor-logger")
    _, tail = messages.message(0, 1)
    payload = b"".join(messages.payload(tail, 1_700_000_000_123))
    acc, gyro = sensor_logger.decode(payload, "phone")
    assert isinstance(acc, Readings)
    assert isinstance(gyro, Readings)
    assert ("accelerometer", "gyroscope") == (acc.sensor, gyro.sensor)
    for one, columns in ((acc, slice(0, 3)), (gyro, slice(3, 6))):
        off_s = one.times - (1_700_000_000.123 + np.arange(25) / 50)
        assert np.abs(off_s).max() < 0.0081
        assert (np.abs(off_s) > 0.0005).sum() > 15
        np.testing.assert_allclose(one.values, rows[0, 25:50, columns], atol=0.0001)
    assert (np.abs(acc.times - gyro.times) > 0.0005).sum() > 15
