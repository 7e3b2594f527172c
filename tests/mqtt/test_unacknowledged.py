import threading
import time

import pytest

from pipeline.messages import Message
from pipeline.mqtt.packets import acknowledgements
from pipeline.mqtt.unacknowledged import Unacknowledged


def at_qos_1(*mids: int) -> list[Message]:
    """Return messages that have just come."""
    return [Message("a", b"", time.monotonic(), mid) for mid in mids]


@pytest.fixture
def room() -> threading.Event:
    """Room for more to be read."""
    room = threading.Event()
    room.set()
    return room


def test_at_once_while_few_wait(room: threading.Event) -> None:
    """Messages are acknowledged when they come, those at QoS 0 not at all."""
    some = Unacknowledged(3, room=room, by_caller=False)
    some.begin_again()
    assert acknowledgements([5, 6]) == some.arrived([*at_qos_1(5, 6), Message("a", b"", 0.0)])
    assert 0 == len(some)
    assert not some.was_held_back()


def test_when_they_are_taken_in_a_crowd(room: threading.Event) -> None:
    """Once too many wait they are acknowledged when they are taken, until none is left."""
    some = Unacknowledged(3, room=room, by_caller=False)
    some.begin_again()
    first, second, third = at_qos_1(1, 2, 3), at_qos_1(4), at_qos_1(5)
    assert acknowledgements([1, 2, 3]) == some.arrived(first)
    assert b"" == some.arrived(second)
    some.taken(first)
    assert b"" == some.arrived(third)  # behind one that is not acknowledged
    some.taken([*second, *third])
    assert acknowledgements([4, 5]) == some.allow(one.receipt for one in second + third)
    assert acknowledgements([6]) == some.arrived(at_qos_1(6))
    assert some.was_held_back()
    assert not some.was_held_back()


def test_in_the_order_of_arrival(room: threading.Event) -> None:
    """A message is acknowledged when it and all before it may be."""
    some = Unacknowledged(9, room=room, by_caller=True)
    some.begin_again()
    first, second, third = messages = at_qos_1(7, 3, 5)
    assert b"" == some.arrived(messages)
    assert b"" == some.allow([second.receipt])
    assert acknowledgements([7, 3]) == some.allow([first.receipt])
    assert acknowledgements([5]) == some.allow([third.receipt])


def test_not_over_another_connection(room: threading.Event) -> None:
    """A receipt of an earlier connection is for a message that comes again."""
    some = Unacknowledged(9, room=room, by_caller=True)
    some.begin_again()
    [before] = at_qos_1(7)
    some.arrived([before])
    some.begin_again()
    assert 0 == len(some)
    [again] = at_qos_1(7)
    some.arrived([again])
    assert b"" == some.allow([before.receipt])
    assert acknowledgements([7]) == some.allow([again.receipt])


def test_how_long_messages_waited_at_the_broker(
    room: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the start, without a connection, and while the broker may send no more for long."""
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    some = Unacknowledged(2, room=room, by_caller=True, away_s=100.0)
    now += 5
    some.begin_again()
    assert 105.0 == some.take_away_s()
    now += 60
    some.arrived(at_qos_1(1))  # nobody sent anything in between
    now += 60
    some.arrived([])
    assert 0.0 == some.take_away_s()
    some.arrived(at_qos_1(2))
    now += 1
    some.arrived(at_qos_1(3))
    assert 0.0 == some.take_away_s()
    now += 60
    some.arrived(at_qos_1(4))
    assert 60.0 == some.take_away_s()
    now += 2
    some.begin_again()
    assert (2.0, 0.0) == (some.take_away_s(), some.take_away_s())


def test_when_the_broker_holds_messages_back(room: threading.Event) -> None:
    """It does while as many as may be are unacknowledged, or while nobody reads."""
    some = Unacknowledged(2, room=room, by_caller=True)
    some.begin_again()
    some.arrived(at_qos_1(1))
    assert not some.was_held_back()
    some.arrived(at_qos_1(2))
    assert some.was_held_back()
    some.begin_again()
    assert not some.was_held_back()
    room.clear()
    assert some.was_held_back()
