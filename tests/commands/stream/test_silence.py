import pytest

from pipeline.commands.stream.silence import CATCH_UP_S, Silence


@pytest.fixture
def silence() -> Silence:
    """A silence over a connection that has been there since the second 100."""
    silence = Silence()
    silence.update(100.0, held_back=False, waiting={})
    return silence


def test_silence_is_since_the_last_message(silence: Silence) -> None:
    """While all comes, it is the time since then."""
    silence.update(130.0, held_back=False, waiting={"other": 110.0})
    assert 10.0 == silence.seconds("a", 120.0)


def test_it_begins_anew_with_a_connection(silence: Silence) -> None:
    """What a phone has sent before may be lost."""
    silence.disconnect()
    assert 0.0 == silence.seconds("a", 20.0)
    silence.update(130.0, held_back=False, waiting={})
    silence.update(135.0, held_back=False, waiting={})
    assert 5.0 == silence.seconds("a", 120.0)


def test_who_has_messages_waiting_is_not_silent(silence: Silence) -> None:
    """Up to the oldest of them the phone has been silent; what comes after is not known yet."""
    silence.update(130.0, held_back=False, waiting={"a": 123.0})
    assert 3.0 == silence.seconds("a", 120.0)
    assert 10.0 == silence.seconds("b", 120.0)


def test_what_the_broker_holds_back_may_be_anybodys(silence: Silence) -> None:
    """While it does, and a little longer, no silence grows; after that, all of it counts."""
    silence.update(121.0, held_back=False, waiting={})
    for now in (122.0, 130.0, 140.0):
        silence.update(now, held_back=True, waiting={})
        assert 1.0 == silence.seconds("a", 120.0)
    silence.update(140.0 + CATCH_UP_S / 2, held_back=False, waiting={})
    assert 1.0 == silence.seconds("a", 120.0)
    silence.update(140.0 + CATCH_UP_S, held_back=False, waiting={})
    assert 20.0 + CATCH_UP_S == silence.seconds("a", 120.0)
