from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Message, Publication
from pipeline.mqtt.outbox import Outbox
from pipeline.mqtt.packets import Splitter


def sent(packets: bytes, *, v5: bool = False) -> list[tuple[str, bytes, int, bool]]:
    """Return what an outbox's packets say."""
    result = []
    for one in Splitter(v5=v5, most_bytes=1 << 21).split(packets, 0.0):
        assert isinstance(one, Message)
        result.append((one.topic, one.payload, one.mid, one.dup))
    return result


@given(
    publications=st.lists(
        st.builds(Publication, st.text(min_size=1), st.binary(max_size=300), st.booleans())
    ),
    most=st.integers(1, 5),
    v5=st.booleans(),
    lost=st.lists(st.integers(0, 30)),
)
def test_an_outbox_loses_nothing(
    publications: list[Publication], most: int, v5: bool, lost: list[int]
) -> None:
    """Each publication is sent in order until it is confirmed, also over new connections."""
    outbox = Outbox(v5=v5)
    outbox.add(publications)
    assert publications == outbox.publications
    confirmed: list[bytes] = []
    on_the_way: list[tuple[str, bytes, int, bool]] = []
    step = 0
    while len(outbox):
        on_the_way += sent(outbox.packets(most), v5=v5)
        assert 1 <= len(on_the_way) <= most
        if step in lost:
            lost = [number for number in lost if number != step]
            first_again = [mid for _, _, mid, _ in on_the_way]
            outbox.begin_again()
            on_the_way = sent(outbox.packets(most), v5=v5)
            assert first_again == [mid for _, _, mid, dup in on_the_way if dup]
        _, payload, mid, _ = on_the_way.pop(0)
        assert outbox.confirm(mid)
        assert not outbox.confirm(mid)
        confirmed.append(payload)
        step += 1
    assert [one.payload for one in publications] == confirmed


def test_an_outbox_has_no_number_twice() -> None:
    """More publications than there are packet identifiers are told apart."""
    outbox = Outbox(v5=False)
    outbox.add(Publication("t", b"%d" % number) for number in range(70_000))
    first = sent(outbox.packets(1))
    seen = []
    for _ in range(69_999):
        [(_, payload, mid, _)] = sent(outbox.packets(2))
        assert mid != first[0][2]
        outbox.confirm(mid)
        seen.append(payload)
    assert [b"%d" % number for number in range(1, 70_000)] == seen


def test_a_confirmation_of_what_was_not_sent_again() -> None:
    """A publication that is confirmed before it is sent again is not, and nothing is raised."""
    outbox = Outbox(v5=False)
    outbox.add([Publication("t", b"1"), Publication("t", b"2")])
    [(_, _, mid, _), _] = sent(outbox.packets(2))
    outbox.begin_again()
    assert outbox.confirm(mid)
    assert [b"2"] == [payload for _, payload, _, _ in sent(outbox.packets(2))]


def test_what_is_too_large_is_dropped() -> None:
    """It is not sent, nor sent again under a smaller limit, and holds up nothing."""
    outbox = Outbox(v5=False)
    outbox.add([Publication("t", bytes(n)) for n in (1, 50, 2, 60, 3)])
    outbox.most_bytes = 60
    assert [1, 50, 2] == [len(payload) for _, payload, _, _ in sent(outbox.packets(3))]
    outbox.begin_again()
    outbox.most_bytes = 40
    assert [1, 2, 3] == [len(payload) for _, payload, _, _ in sent(outbox.packets(3))]
    assert [("t", 57), ("t", 67)] == list(outbox.dropped)
    assert 3 == len(outbox)


def test_the_largest_is_dropped() -> None:
    """Of what was sent, and nothing else; without any, nothing is learned from the end."""
    outbox = Outbox(v5=False)
    outbox.drop_largest()
    outbox.add([Publication("t", bytes(n)) for n in (1, 50, 2, 50, 60)])
    outbox.packets(4)
    outbox.drop_largest()
    assert [("t", 57)] * 2 == list(outbox.dropped)
    assert [1, 2, 60] == [len(one.payload) for one in outbox.publications]
    assert 56 == outbox.most_bytes
