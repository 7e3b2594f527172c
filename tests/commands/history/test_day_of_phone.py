import json
from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.history.day_of_phone import DayOfPhone, Ongoing
from pipeline.commands.history.days import Day
from pipeline.commands.history.reading import KeptEpisode
from tests.commands.history.published import MONDAY

DAY = Day(date(2026, 11, 23), UTC)


def episode(start: float, end: float, activity: str = "WALKING") -> KeptEpisode:
    """Return an episode by minutes of Monday."""
    return KeptEpisode("p", MONDAY + 60 * start, MONDAY + 60 * end, activity, 0.9)


def ongoing(since: float, until: float, activity: str = "WALKING") -> Ongoing:
    """Return what goes on, by minutes of Monday."""
    return Ongoing(activity, MONDAY + 60 * since, MONDAY + 60 * until)


def minutes_of(day: DayOfPhone, of: Day = DAY) -> dict[str, float]:
    """Return the minutes that are published."""
    minutes: dict[str, float] = json.loads(day.publication(of).payload)["minutes"]
    return minutes


def test_what_is_published() -> None:
    """The phone, the date and midnight in the zone, and minutes by activity, retained."""
    day = DayOfPhone("p")
    day.add([episode(600, 612.34), episode(612.34, 613, "SITTING")])
    berlin = Day(date(2026, 11, 23), ZoneInfo("Europe/Berlin"))
    published = day.publication(berlin)
    assert ("har/p/today", True) == (published.topic, published.retain)
    assert {
        "device": "p",
        "date": "2026-11-23",
        "begin": MONDAY - 3600,
        "minutes": {"WALKING": 12.3, "SITTING": 0.7},
    } == json.loads(published.payload)


def test_a_clock_that_was_ahead() -> None:
    """An episode of a later hour keeps nothing of now from counting.

    An activity that is said to go on since before the last episode's end counts from that end.
    """
    day = DayOfPhone("p", ongoing(605, 640, "SITTING"))
    day.add([episode(1200, 1230), episode(600, 610)])
    day.goes_on(ongoing(605, 640, "SITTING"))
    assert {"SITTING": 30.0, "WALKING": 40.0} == minutes_of(day)


def test_only_today() -> None:
    """What was before midnight does not count; an activity of the last days has no minutes."""
    day = DayOfPhone("p")
    day.add([episode(-100, -50, "LAYING"), episode(-10, 5)])
    assert {"LAYING": 0.0, "WALKING": 5.0} == minutes_of(day)
    assert {"LAYING": 0.0, "WALKING": 0.0} == minutes_of(day, DAY.after(1))


def test_what_goes_on_counts() -> None:
    """It does from its beginning, or the end of the last episode, to when it was heard of last."""
    day = DayOfPhone("p")
    day.add([episode(600, 610)])
    day.goes_on(ongoing(609, 640, "SITTING"))
    assert {"WALKING": 10.0, "SITTING": 30.0} == minutes_of(day)


def test_an_episode_takes_the_place_of_what_went_on() -> None:
    """What is over counts once, as its episode says, until something else is known to go on."""
    day = DayOfPhone("p")
    day.goes_on(ongoing(600, 640))
    day.add([episode(600, 630)])
    assert {"WALKING": 30.0} == minutes_of(day)
    day.goes_on(ongoing(630, 640, "SITTING"))
    day.add([episode(600, 630)])  # again
    assert {"WALKING": 30.0, "SITTING": 10.0} == minutes_of(day)


def test_what_goes_on_since_yesterday() -> None:
    """It counts from midnight; tomorrow not beyond today's end."""
    day = DayOfPhone("p")
    day.goes_on(ongoing(-300, 60, "LAYING"))
    assert {"LAYING": 60.0} == minutes_of(day)
    assert {"LAYING": 0.0} == minutes_of(day, DAY.after(1))
    assert {"LAYING": 300.0} == minutes_of(day, DAY.after(-1))


@pytest.mark.parametrize(("days", "is_over"), [(0, False), (7, False), (8, True)])
def test_when_it_is_over(days: int, is_over: bool) -> None:
    """A phone of which nothing was seen for a week has no day any more."""
    day = DayOfPhone("p")
    assert day.is_over(DAY)
    day.add([episode(600, 610)])
    assert is_over == day.is_over(DAY.after(days))
    assert not DayOfPhone("p", ongoing(0, 1)).is_over(DAY)


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100), st.sampled_from("ABC"))),
    st.randoms(use_true_random=False),
)
def test_any_order_and_repetition(spans: list[tuple[int, int, str]], random: st.DataObject) -> None:
    """The minutes are the same in whatever order episodes come, and never more than have passed."""
    of_start = {start: episode(start, start + n, activity) for start, n, activity in spans}
    in_order, shuffled = [*of_start.values()], [*of_start.values()] * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    days = DayOfPhone("p"), DayOfPhone("p")
    days[0].add(in_order)
    for one in shuffled:
        days[1].add([one])
    minutes = [minutes_of(day) for day in days]
    assert minutes[0] == minutes[1]
    assert sum(minutes[0].values()) <= 1100.0
