import numpy as np
import pytest

from pipeline.formats.native import decode
from tests.benchmarks.load_messages import Messages
from tests.benchmarks.mqtt_packets import packets, publication


@pytest.mark.parametrize(
    ("form", "least", "most"), [("json", 1000, 3200), ("compact", 300, 700), ("uneven", 500, 800)]
)
def test_messages_are_as_long_as_phones_make_them(form: str, least: int, most: int) -> None:
    """Bytes of a payload by form; of the compact one all are equally long."""
    rows = np.random.default_rng(0).normal(size=(1, 500, 6)) * 9.81
    messages = Messages(rows, qos=0, form=form)
    lengths = set()
    for number in range(20):
        head, tail = messages.message(0, number)
        topic = b"\x00\x16har/load-00000/samples"
        stream = bytearray(head + topic + messages.start(1_700_000_000_123) + tail)
        ((first_byte, body),) = packets(stream)
        assert first_byte == 0x30
        assert not stream
        name, payload = publication(body)
        assert "har/load-00000/samples" == name
        lengths.add(len(payload))
    assert least <= min(lengths)
    assert max(lengths) <= most
    assert form == "json" or len(lengths) == 1


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
