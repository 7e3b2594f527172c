from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.replay.sending_pace import SendingPace
from pipeline.mqtt.allowances import MOST_PER_S, SendingAllowances


def test_a_phone_is_not_played_like_a_flood() -> None:
    """However long a recording is: as fast as can be it is sent in no less than its time."""
    pace, allowances, now = SendingPace(), SendingAllowances(), 0.0
    n_messages = 40_000
    for _ in range(n_messages):
        pause_s = pace.pause_s("a", now)
        now += pause_s
        allowances.advance({"a": 1}, pause_s, away_s=0.0)
        assert not allowances.is_busy("a")
    assert now > n_messages / MOST_PER_S - 0.1


def test_phones_do_not_wait_for_one_another() -> None:
    """Very many may send very much together."""
    pace = SendingPace()
    assert not any(pace.pause_s(str(phone), 0.0) for phone in range(10_000) for _ in range(100))


@given(st.lists(st.floats(0.002, 1.0), max_size=50))
def test_a_phone_that_is_not_that_fast_never_waits(gaps_s: list[float]) -> None:
    """At 500 messages a second and less."""
    pace, now = SendingPace(), 0.0
    for gap_s in gaps_s:
        assert 0.0 == pace.pause_s("a", now)
        now += gap_s
