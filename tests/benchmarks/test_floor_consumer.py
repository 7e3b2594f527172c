import numpy as np
import pytest

from tests.benchmarks import floor_consumer
from tests.benchmarks.load_messages import Messages, topic


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("form", ["json", "compact"])
def test_all_messages_are_taken_and_acknowledged_however_they_come(qos: int, form: str) -> None:
    """Packets cut anywhere: none is lost or taken twice."""
    rng = np.random.default_rng(0)
    messages = Messages(rng.normal(size=(2, 250, 6)), qos=qos, form=form)
    stream = b""
    ids = [number.to_bytes(2, "big") if qos else b"" for number in range(1, 31)]
    for number, packet_id in enumerate(ids):
        head, tail = messages.message(number % 3, number)
        stream += head + topic(number % 3) + packet_id + messages.start(1_700_000_000_000) + tail
    take = floor_consumer.parser_of(form, qos)
    received, acknowledged, n_taken = b"", b"", 0
    cuts = np.sort(rng.integers(0, len(stream), 40)).tolist()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += stream[begin:end]
        n_bytes, n_messages, acknowledgements = take(received)
        received = received[n_bytes:]
        n_taken += n_messages
        acknowledged += acknowledgements
    assert (30, b"") == (n_taken, received)
    assert b"".join(b"\x40\x02" + one for one in ids if qos) == acknowledged


@pytest.mark.parametrize("form", ["json", "compact"])
def test_what_is_no_message_of_the_load_is_named(form: str) -> None:
    """Else the floor would be that of something else."""
    messages = Messages(np.zeros((1, 25, 6)), qos=0, form=form)
    head, tail = messages.message(0, 0)
    packet = head + topic(0) + messages.start(1_700_000_000_000) + tail
    wrong = packet.replace(b"[0.0,0.0,0.0],", b"", 1) + b" " * 14
    if form == "compact":
        wrong = packet + packet[:1] + b"\x00" + packet[2:]
    with pytest.raises(ValueError, match=r"^not "):
        floor_consumer.parser_of(form, 0)(wrong)
