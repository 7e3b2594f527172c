from hypothesis import given
from hypothesis import strategies as st

from pipeline.mqtt.allowances import (
    BACKLOG,
    BACKLOG_S,
    BUSY_S,
    MOST_AWAY_S,
    MOST_PER_S,
    SendingAllowances,
)

TICK_S = 0.02


def sent(
    allowances: SendingAllowances, n: int, *, elapsed_s: float = TICK_S, away_s: float = 0.0
) -> None:
    """Let an owner send so many messages in a while."""
    allowances.advance({"a": n}, elapsed_s, away_s=away_s)


def test_who_sends_like_a_phone_is_not_busy() -> None:
    """As many as the fastest phones send, for any time, fill no more than passes."""
    allowances = SendingAllowances()
    for _ in range(10_000):
        sent(allowances, round(MOST_PER_S * TICK_S))
        assert not allowances.is_busy("a")
    assert not allowances.floods("a")
    allowances.advance({}, TICK_S, away_s=0.0)
    assert not allowances.any_known


def test_a_backlog() -> None:
    """So many at once are no flood; one more is."""
    allowances = SendingAllowances()
    sent(allowances, BACKLOG)
    assert (True, False) == (allowances.is_busy("a"), allowances.floods("a"))
    sent(allowances, 1, elapsed_s=0.0)
    assert allowances.floods("a")
    assert not allowances.floods("b")


def test_a_backlog_is_made_up_for() -> None:
    """By sending less than one may for as long as it fills."""
    allowances = SendingAllowances()
    sent(allowances, BACKLOG)
    sent(allowances, 0, elapsed_s=BACKLOG_S - BUSY_S / 2)
    assert allowances.knows("a")
    assert not allowances.is_busy("a")
    sent(allowances, 0, elapsed_s=BUSY_S)
    sent(allowances, BACKLOG)
    assert not allowances.floods("a")


def test_a_flood_is_over_soon() -> None:
    """A second after its end, however long it was."""
    allowances = SendingAllowances()
    for _ in range(1000):
        sent(allowances, 1000)
    assert allowances.floods("a")
    sent(allowances, 0, elapsed_s=0.9)
    assert allowances.floods("a")
    sent(allowances, 0, elapsed_s=0.2)
    assert not allowances.floods("a")


def test_while_we_were_away() -> None:
    """What a phone sent in that time comes at once, and is none of its backlog."""
    allowances = SendingAllowances()
    allowances.advance({}, 1000.0, away_s=0.0)
    n_waiting = round(100 * MOST_PER_S)
    sent(allowances, 1000, elapsed_s=100.0, away_s=100.0)
    for _ in range(n_waiting // 1000 - 1):
        sent(allowances, 1000)
    assert not allowances.is_busy("a")
    sent(allowances, BACKLOG)
    assert not allowances.floods("a")


def test_what_waited_has_come_after_as_long_again() -> None:
    """From then on there is no more room than ever."""
    allowances = SendingAllowances()
    sent(allowances, 1, away_s=100.0)
    sent(allowances, 1, elapsed_s=99.0)
    sent(allowances, BACKLOG + 1)
    assert not allowances.floods("a")
    sent(allowances, 1, elapsed_s=2.0 + BACKLOG_S)
    sent(allowances, BACKLOG + 1)
    assert allowances.floods("a")


def test_away_twice() -> None:
    """What waited the first time may not have come yet when the connection is lost again."""
    allowances = SendingAllowances()
    sent(allowances, 1, away_s=100.0)
    sent(allowances, 1, elapsed_s=1.0, away_s=1.0)
    sent(allowances, 90 * MOST_PER_S)
    assert not allowances.floods("a")


def test_a_long_absence_is_not_a_licence() -> None:
    """A flood that goes on when we come back is one soon."""
    allowances = SendingAllowances()
    sent(allowances, 0, away_s=1e6)
    seconds = 0.0
    while not allowances.floods("a"):
        sent(allowances, round(4 * MOST_PER_S * TICK_S))
        seconds += TICK_S
    assert seconds < (MOST_AWAY_S + BACKLOG_S + 1) / 3


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.floats(0.0, 2.0)), max_size=30),
    st.integers(1, 5),
)
def test_cut_into_any_ticks(steps: list[tuple[int, float]], parts: int) -> None:
    """How often it is asked changes nothing, and who has sent less than it may never floods."""
    at_once, in_parts = SendingAllowances(), SendingAllowances()
    n_sent, seconds = 0, 0.0
    for n, elapsed_s in steps:
        sent(at_once, parts * n, elapsed_s=elapsed_s)
        sent(in_parts, n, elapsed_s=elapsed_s)
        for _ in range(parts - 1):
            sent(in_parts, n, elapsed_s=0.0)
        n_sent, seconds = n_sent + parts * n, seconds + elapsed_s
        if n_sent <= BACKLOG:
            assert not at_once.floods("a")
        assert at_once.floods("a") == in_parts.floods("a")
        assert at_once.is_busy("a") == in_parts.is_busy("a")
