import logging

import pytest

from pipeline.commands.stream.workload import REPORT_S, Load
from pipeline.messages import Message


def messages(n: int, received: float) -> list[Message]:
    """Return messages that came at a time."""
    return [Message("har/phone/samples", b"", received)] * n


def test_a_report() -> None:
    """Every ten seconds it tells how many messages came, and how old their results were."""
    load = Load(1000, 100.0)
    load.add(messages(99, 101.0), 101.02)
    load.add(messages(1, 101.0), 102.0)
    assert load.report(100.0 + REPORT_S - 0.1) is None
    report = load.report(100.0 + REPORT_S)
    assert report == {
        "messages_per_s": 10.0,
        "latency_ms": {"p50": 20.0, "p99": pytest.approx(29.8)},
        "overloaded": False,
    }
    idle = load.report(100.0 + 2 * REPORT_S)
    assert idle is not None
    assert (0.0, {"p50": 0.0, "p99": 0.0}) == (idle["messages_per_s"], idle["latency_ms"])


def test_overload_is_told_when_it_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Not in between, and not again while it goes up and down a little."""
    caplog.set_level(logging.INFO)
    load = Load(1000, 0.0)
    for waiting, too_much in [(500, False), (501, True), (400, True), (900, True), (100, False)]:
        load.watch(waiting)
        assert too_much is load.too_much
    assert ["overloaded: 501 messages wait; more waits at the broker, or is dropped at QoS 0",
            "caught up"] == [record.message for record in caplog.records]  # fmt: skip
