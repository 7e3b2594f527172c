import logging

import pytest

from pipeline.commands.stream.workload import MOST_NAMED_TOPICS, REPORT_S, Load
from pipeline.messages import Message


def messages(n: int, received: float, topic: str = "har/phone/samples") -> list[Message]:
    """Return messages that came at a time."""
    return [Message(topic, b"", received)] * n


def test_a_report() -> None:
    """Every ten seconds it tells how many messages came, and how old their results were."""
    load = Load(1000, 100.0)
    load.add(messages(99, 101.0), 101.02, busy=())
    load.add(messages(1, 101.0), 102.0, busy=())
    assert (False, True) == (load.is_due(100.0 + REPORT_S - 0.1), load.is_due(100.0 + REPORT_S))
    report = load.report(100.0 + REPORT_S, limited=())
    assert report == {
        "messages_per_s": 10.0,
        "latency_ms": {"p50": 20.0, "p99": pytest.approx(29.8)},
        "overloaded": False,
        "dropped_topics": 0,
        "dropped_most": {},
    }
    idle = load.report(100.0 + 2 * REPORT_S, limited=())
    assert (0.0, {"p50": 0.0, "p99": 0.0}) == (idle["messages_per_s"], idle["latency_ms"])


def test_a_flood_is_left_out_of_the_latency() -> None:
    """All that its owner sent since the last report, also before it was limited; not a backlog."""
    load = Load(1000, 100.0)
    load.add(messages(10, 101.0), 101.02, busy=())
    load.add(messages(90, 101.0, "har/flood/samples"), 106.0, busy={"har/flood/samples"})
    load.add(messages(90, 107.0, "har/flood/samples"), 107.5, busy={"har/flood/samples"})
    load.add(messages(10, 108.0), 108.02, busy={"har/flood/samples"})
    report = load.report(110.0, limited={"har/flood/samples"})
    assert (20.0, {"p50": 20.0, "p99": 20.0}) == (report["messages_per_s"], report["latency_ms"])

    load.add(messages(90, 111.0, "har/back/samples"), 112.0, busy={"har/back/samples"})
    load.add(messages(10, 111.0), 111.02, busy={"har/back/samples"})
    report = load.report(120.0, limited={"har/flood/samples"})
    assert (10.0, {"p50": 1000.0, "p99": 1000.0}) == (
        report["messages_per_s"],
        report["latency_ms"],
    )


def test_what_was_dropped_is_told_by_topic() -> None:
    """How many topics lost messages since the last report, and which most."""
    load = Load(1000, 100.0)
    load.drop({"a": 3, "b": 1})
    load.drop({"a": 2} | {f"c{number}": 2 for number in range(MOST_NAMED_TOPICS)})
    report = load.report(110.0, limited=())
    assert MOST_NAMED_TOPICS + 2 == report["dropped_topics"]
    named = report["dropped_most"]
    assert isinstance(named, dict)
    assert (5, MOST_NAMED_TOPICS) == (named["a"], len(named))
    assert "b" not in named
    assert 0 == load.report(120.0, limited=())["dropped_topics"]


def test_overload_is_told_when_it_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Not in between, and not again while it goes up and down a little."""
    caplog.set_level(logging.INFO)
    load = Load(1000, 0.0)
    for waiting, too_much in [(500, False), (501, True), (400, True), (900, True), (100, False)]:
        load.watch(waiting)
        assert too_much is load.too_much
    assert ["overloaded: 501 messages wait; more waits at the broker, or is dropped at QoS 0",
            "caught up"] == [record.message for record in caplog.records]  # fmt: skip
