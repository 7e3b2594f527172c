from pipeline.commands.stream.refusals import LASTS_S, MOST_PHONES, NEWS_S, Refusals
from pipeline.readings import MessageError


def refuse(refusals: Refusals, device: str, reason: str = "time", *, now: float = 0.0) -> bool:
    """Refuse a message of a phone."""
    error = MessageError(reason, f"no such {reason}")
    return refusals.add(device, error, topic=f"har/{device}/samples", format="native", now=now)


def test_what_was_refused_of_each_phone() -> None:
    """Each phone's are counted by reason, with the last one explained; others are not touched."""
    refusals = Refusals()
    assert refuse(refusals, "a")
    assert not refuse(refusals, "a")
    assert not refuse(refusals, "a", "field")
    assert refuse(refusals, "b", "size")
    found = refusals.of("a")
    assert found is not None
    assert {"time": 2, "field": 1} == dict(found.counts)
    assert "no such field" == found.explanation
    assert refusals.of("c") is None


def test_news_are_told_once() -> None:
    """Phones are news when something more of theirs was refused, but not every second."""
    refusals = Refusals()
    refuse(refusals, "a")
    assert ["a"] == [device for device, _ in refusals.news(1.0)]
    assert [] == refusals.news(100.0)
    refuse(refusals, "a")
    assert ["a"] == [device for device, _ in refusals.news(101.0)]
    refuse(refusals, "a")
    assert [] == refusals.news(101.0 + NEWS_S / 2)
    assert ["a"] == [device for device, _ in refusals.news(101.0 + NEWS_S)]


def test_they_expire() -> None:
    """What was refused long ago is no reason any more."""
    refusals = Refusals()
    refuse(refusals, "a", now=0.0)
    refuse(refusals, "b", now=LASTS_S / 2)
    assert ["a"] == refusals.expire(LASTS_S + 1)
    assert refusals.of("a") is None
    assert refusals.of("b") is not None


def test_invented_names_are_bounded() -> None:
    """Of so many phones at most something is known; those that gave way can be cleared."""
    refusals = Refusals()
    for number in range(MOST_PHONES + 10):
        refuse(refusals, f"phone-{number}", now=number / 1000)
    assert [f"phone-{number}" for number in range(10)] == refusals.expire(1.0)
    assert MOST_PHONES == len(refusals.news(1.0))
