import logging
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from pipeline.mqtt import link
from pipeline.mqtt.link import Link, LinkState

STEPS = (LinkState.ANSWERED, LinkState.LOGGED_IN, LinkState.READY)


@pytest.fixture
def new_link() -> Link:
    """A link that has not been opened yet."""
    return Link("host:1883", threading.Condition())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that lets so many seconds pass; without it none do, and waits have no jitter."""
    now = [1000.0]
    monkeypatch.setattr(link.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(link.random, "uniform", lambda low, high: high)

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def bring_up(one: Link, until: LinkState = LinkState.READY) -> None:
    """Open a link and take the steps to a state."""
    one.open()
    for state in STEPS:
        if one.state is not until:
            assert one.advance(state)
    assert until is one.state


def test_a_connection_comes_up_step_by_step(new_link: Link) -> None:
    """No step can be left out or taken twice, and only the last makes it ready."""
    new_link.open()
    for i, state in enumerate(STEPS):
        for other in (*STEPS[:i], *STEPS[i + 1 :]):
            assert not new_link.advance(other)
        assert not new_link.ready.is_set()
        assert new_link.advance(state)
        assert (i > 0) == new_link.is_logged_in
    assert new_link.ready.is_set()
    assert 1 == new_link.n_ready
    assert not new_link.was_ready_before


@pytest.mark.parametrize("until", [LinkState.OPENED, *STEPS])
def test_a_failure_closes(new_link: Link, until: LinkState) -> None:
    """From every state of a connection; then another one may come up."""
    bring_up(new_link, until)
    assert new_link.fail("no luck") is not None
    assert (LinkState.CLOSED, "no luck") == (new_link.state, new_link.failure)
    assert not new_link.ready.is_set()
    assert not new_link.advance(LinkState.READY)
    bring_up(new_link)
    assert (until is LinkState.READY) == new_link.was_ready_before


@pytest.mark.parametrize(("retry", "lasting"), [(False, False), (True, True), (False, True)])
def test_the_first_connection_may_be_the_last(new_link: Link, retry: bool, lasting: bool) -> None:
    """What cannot be mended ends the link, but only until it was ready for the first time."""
    new_link.retry = retry
    bring_up(new_link)
    assert new_link.fail("it is gone", lasting=lasting) is not None
    assert LinkState.CLOSED is new_link.state
    other = Link("host:1883", threading.Condition())
    other.retry = retry
    other.open()
    assert other.fail("it never was", lasting=lasting) is None
    assert LinkState.ENDED is other.state
    with pytest.raises(ConnectionError, match="no connection to host:1883: it never was"):
        other.check()


def test_the_end_is_the_end(new_link: Link) -> None:
    """Nothing leads away from it, and the error is raised from then on."""
    bring_up(new_link)
    new_link.end(ZeroDivisionError())
    new_link.open()
    new_link.close()
    assert new_link.fail("more") is None
    assert not any(new_link.advance(state) for state in STEPS)
    assert LinkState.ENDED is new_link.state
    assert new_link.failure is None
    with pytest.raises(ZeroDivisionError):
        new_link.check()


def test_who_waits_hears_of_the_end() -> None:
    """A wait for something that cannot come any more is over."""
    lock = threading.Condition()
    one = Link("host:1883", lock)
    threading.Timer(0.05, one.end, [ConnectionError()]).start()
    with lock:
        assert lock.wait_for(lambda: one.error is not None, timeout=20.0)


def test_the_wait_grows(new_link: Link, clock: Callable[[float], None]) -> None:
    """It doubles with each attempt that fails, up to a bound."""
    waits = [new_link.fail("no luck") for _ in range(8)]
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == waits


@pytest.mark.parametrize(("lasted_s", "grows"), [(1.0, True), (link.PROVEN_S, False)])
def test_a_connection_that_lasts_ends_the_series(
    new_link: Link,
    clock: Callable[[float], None],
    caplog: pytest.LogCaptureFixture,
    lasted_s: float,
    grows: bool,
) -> None:
    """After a good one the wait is short; after one that was lost at once it grows."""
    waits = []
    for _ in range(3):
        bring_up(new_link)
        clock(lasted_s)
        waits.append(new_link.fail("it is gone") or 0.0)
    assert all(grows == (before < after) for before, after in pairwise(waits))
    assert grows == ("soon after the login" in caplog.text)
    assert {logging.WARNING} == {record.levelno for record in caplog.records}
