from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks import mqtt_packets


@given(
    bodies=st.lists(st.binary(max_size=300), max_size=8),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=8),
)
@settings(max_examples=50)
def test_packets_come_out_whole_however_they_were_cut(bodies: list[bytes], cuts: list[int]) -> None:
    """First bytes and bodies are those that went in, in their order."""
    stream = b"".join(
        bytes([mqtt_packets.PUBLISH]) + mqtt_packets.remaining_length(len(body)) + body
        for body in bodies
    )
    buffer, position = bytearray(), 0
    found: list[tuple[int, bytes]] = []
    while position < len(stream):
        size = cuts[len(found) % len(cuts)]
        buffer += stream[position : position + size]
        position += size
        found += mqtt_packets.packets(buffer)
    assert found == [(mqtt_packets.PUBLISH, body) for body in bodies]
    assert b"" == buffer
