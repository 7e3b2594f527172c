import pytest

from pipeline.messages import Message
from pipeline.readings import MessageError
from pipeline.serving.rejections import (
    LASTS_S,
    MOST_PHONES,
    PUBLISH_INTERVAL_S,
    Rejections,
    RejectionsOfPhones,
)


def test_counted_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Each reason is logged at once, then at most every ten seconds, and counted."""
    rejections = Rejections()
    for received, reason in [(0.0, "json"), (1.0, "json"), (2.0, "unit"), (11.0, "json")]:
        rejections.add(
            Message("har/phone/samples", b"", received), MessageError(reason, "why"), None
        )
    assert 4 == rejections.total
    assert "4 rejected messages (json 3, unit 1)" == str(rejections)
    assert ["json, 1", "unit, 1", "json, 3"] == [
        record.message.split("(")[1].split(" so far")[0] for record in caplog.records
    ]
    assert "0 rejected messages" == str(Rejections())


def reject(
    rejections: RejectionsOfPhones, device: str, reason: str = "time", *, now: float = 0.0
) -> bool:
    """Reject a message of a phone."""
    error = MessageError(reason, f"no such {reason}")
    return rejections.add(device, error, topic=f"har/{device}/samples", format="native", now=now)


def test_what_was_rejected_of_each_phone() -> None:
    """Each phone's are counted by reason, with the last one explained; others are not touched."""
    rejections = RejectionsOfPhones()
    assert reject(rejections, "a")
    assert not reject(rejections, "a")
    assert not reject(rejections, "a", "field")
    assert reject(rejections, "b", "size")
    found = rejections.of("a")
    assert found is not None
    assert {"time": 2, "field": 1} == dict(found.counts)
    assert "no such field" == found.explanation
    assert rejections.of("c") is None


def test_news_are_told_once() -> None:
    """Phones are published when something more of theirs was rejected, but not every second."""
    rejections = RejectionsOfPhones()
    reject(rejections, "a")
    assert ["a"] == [device for device, _ in rejections.unpublished(1.0)]
    assert [] == rejections.unpublished(100.0)
    reject(rejections, "a")
    assert ["a"] == [device for device, _ in rejections.unpublished(101.0)]
    reject(rejections, "a")
    assert [] == rejections.unpublished(101.0 + PUBLISH_INTERVAL_S / 2)
    assert ["a"] == [device for device, _ in rejections.unpublished(101.0 + PUBLISH_INTERVAL_S)]


def test_they_expire() -> None:
    """What was rejected long ago is no reason any more."""
    rejections = RejectionsOfPhones()
    reject(rejections, "a", now=0.0)
    reject(rejections, "b", now=LASTS_S / 2)
    assert ["a"] == rejections.expire(LASTS_S + 1)
    assert rejections.of("a") is None
    assert rejections.of("b") is not None


def test_invented_names_are_bounded() -> None:
    """Of so many phones at most something is known; those that gave way can be cleared."""
    rejections = RejectionsOfPhones()
    for number in range(MOST_PHONES + 10):
        reject(rejections, f"phone-{number}", now=number / 1000)
    assert [f"phone-{number}" for number in range(10)] == rejections.expire(1.0)
    assert MOST_PHONES == len(rejections.unpublished(1.0))
