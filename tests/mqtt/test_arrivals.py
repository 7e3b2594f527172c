import time

from pipeline.messages import Message
from pipeline.mqtt.allowances import UNIT_BYTES
from pipeline.mqtt.arrivals import Arrivals
from pipeline.mqtt.inbox import Owner

MOST_WAITING = 100


def messages(n: int, *, units: int = 1, qos: int = 1) -> list[Message]:
    """Return messages that count as so many units each, of a topic each."""
    payload = b"x" * (UNIT_BYTES * (units - 1))
    return [Message(f"a/{i}", payload, time.monotonic(), mid=qos * (i + 1)) for i in range(n)]


def test_reading_pauses_while_the_caller_takes_its_time() -> None:
    """Twice what may wait is read beside a slow tick, long messages or many; then no more."""
    for n, units in ((200, 1), (20, 10)):
        arrivals = Arrivals(MOST_WAITING, Owner)
        arrivals.put(messages(n, units=units))
        assert arrivals.room.is_set()
        arrivals.put(messages(1))
        assert not arrivals.room.is_set()
        while len(arrivals):
            assert arrivals.wait(1.0, 0.0)
            arrivals.take(away_s=0.0)
        assert arrivals.room.is_set()


def test_reading_goes_on_at_qos_0() -> None:
    """Or what others have sent would come only behind a flood, which is dropped here instead."""
    arrivals = Arrivals(MOST_WAITING, Owner)
    arrivals.put(messages(1000, qos=0))
    assert arrivals.room.is_set()


def test_reading_goes_on_to_an_answer_of_the_broker() -> None:
    """It comes behind whatever waits; without that, nothing would ever come."""
    arrivals = Arrivals(MOST_WAITING, None)
    arrivals.put(messages(300))
    assert not arrivals.room.is_set()
    arrivals.await_answer(awaited=True)
    assert arrivals.room.is_set()
    arrivals.put(messages(300))
    assert arrivals.room.is_set()
    arrivals.await_answer(awaited=False)
    arrivals.put(messages(1))
    assert not arrivals.room.is_set()
