from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from pipeline.commands.history.address import HistoryError
from pipeline.commands.history.days import Day, today, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 23), 24)],
)
def test_a_day_is_as_long_as_it_is(day: date, hours: int) -> None:
    """From midnight to midnight, also when the clocks are set."""
    one = Day(day, BERLIN)
    assert hours * 3600 == one.end - one.begin


def test_a_midnight_that_there_is_not() -> None:
    """Where clocks are set at midnight, the day begins at one; none is left out or twice."""
    lebanon = ZoneInfo("Asia/Beirut")
    day = Day(date(2026, 3, 29), lebanon)
    assert 23 * 3600 == day.end - day.begin
    assert day.begin == Day(date(2026, 3, 28), lebanon).end


def test_a_week_is_from_monday_to_sunday() -> None:
    """It has the day in it."""
    week = Day(date(2026, 11, 25), UTC).week()
    assert date(2026, 11, 23) == week[0].date
    assert date(2026, 11, 29) == week[-1].date
    assert 7 == len(week)


def test_today_depends_on_the_zone() -> None:
    """Shortly before midnight in Berlin it is the next day there already for Tokyo."""
    now = Day(date(2026, 11, 23), BERLIN).end - 60
    assert date(2026, 11, 23) == today(BERLIN, now).date
    assert date(2026, 11, 24) == today(ZoneInfo("Asia/Tokyo"), now).date
    assert now < today(None, now).end


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "\0"])
def test_no_such_zone(name: str) -> None:
    """A name that is no zone is reported."""
    with pytest.raises(HistoryError, match="there is no such time zone here"):
        zone_of(name)


def test_the_calendar_ends() -> None:
    """The last day that there is has no end."""
    with pytest.raises(HistoryError, match="the calendar ends there"):
        Day(date.max, UTC).week()


def test_the_calendar_begins() -> None:
    """Of the first day there is no midnight in this machine's zone, and that is said."""
    with pytest.raises(HistoryError, match="day = '0001-01-01': the calendar ends there"):
        _ = Day(date.min).begin
