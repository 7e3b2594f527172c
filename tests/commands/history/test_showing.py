from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from pipeline.commands.display.legend import Legend
from pipeline.commands.history.days import Day
from pipeline.commands.history.reading import KeptEpisode
from pipeline.commands.history.showing import day_lines, week_lines
from tests.commands.history.published import MONDAY

HOUR_S = 3600.0
LATER = MONDAY + 1e7
WIDTH = 48


def episodes(*spans: tuple[str, float, float], begin: float = MONDAY) -> list[KeptEpisode]:
    """Return episodes of an activity, from hour to hour."""
    return [
        KeptEpisode("phone-7", begin + start * HOUR_S, begin + end * HOUR_S, activity, 0.875)
        for activity, start, end in spans
    ]


def shown(day: Day, of_day: list[KeptEpisode], now: float = LATER) -> list[str]:
    """Return the lines of a day, without colours."""
    legend = Legend(one.activity for one in of_day)
    lines = day_lines("phone-7", day, of_day, legend, now=now, width=WIDTH, coloured=False)
    return [line.plain for line in lines]


def test_a_day() -> None:
    """Ribbon with a scale, episodes, minutes of each activity and of nothing."""
    day = Day(date(2026, 11, 23), UTC)
    assert [
        "phone-7, Mon 2026-11-23 UTC",
        "",
        "." * 12 + "W" * 4 + "S" * 12 + "." * 20,
        "|00:00      |06:00      |12:00      |18:00",
        "W WALKING  S SITTING",
        "",
        "   start       end    duration    activity  probability",
        "06:00:00  08:00:00  2 h 00 min  W WALKING         0.88",
        "08:00:00  14:00:00  6 h 00 min  S SITTING         0.88",
        "",
        "W WALKING            120.0 min   25.0%  WWWWWW",
        "S SITTING            360.0 min   75.0%  SSSSSSSSSSSSSSSSSS",
        "  not recognised     960.0 min",
    ] == shown(day, episodes(("WALKING", 6, 8), ("SITTING", 8, 14)))


@pytest.mark.parametrize(
    ("day", "hours", "title"),
    [
        (
            date(2026, 3, 29),
            23,
            "phone-7, Sun 2026-03-29 CET and CEST, 23 h 00 min: the clocks are set",
        ),
        (
            date(2026, 10, 25),
            25,
            "phone-7, Sun 2026-10-25 CEST and CET, 25 h 00 min: the clocks are set",
        ),
        (date(2026, 11, 23), 24, "phone-7, Mon 2026-11-23 CET"),
    ],
)
def test_a_day_on_which_clocks_are_set(day: date, hours: int, title: str) -> None:
    """It is as long as it is, and all of it is shown."""
    one = Day(day, ZoneInfo("Europe/Berlin"))
    lines = shown(one, episodes(("LAYING", 0, hours), begin=one.begin))
    assert title == lines[0]
    assert "L" * WIDTH == lines[2]
    assert f"L LAYING          {hours * 60:8.1f} min  100.0%  {'L' * 24}" == lines[-1]


def test_of_today_what_is_to_come_is_not_missing() -> None:
    """What is not recognised is counted up to now."""
    lines = shown(Day(date(2026, 11, 23), UTC), episodes(("LAYING", 0, 5)), now=MONDAY + 6 * HOUR_S)
    assert f"  not recognised  {60:8.1f} min" == lines[-1]


def test_a_day_without_data() -> None:
    """That is said."""
    assert ["phone-7, Mon 2026-11-23 UTC", "  no data"] == shown(Day(date(2026, 11, 23), UTC), [])


def test_a_week() -> None:
    """A ribbon for each day that has any, and the minutes of all."""
    days = Day(date(2026, 11, 25), UTC).week()
    of_days: list[list[KeptEpisode]] = [[] for _ in days]
    of_days[0] = episodes(("WALKING", 0, 12))
    of_days[6] = episodes(("WALKING", 12, 24), begin=days[6].begin)
    lines = week_lines(
        "phone-7", days, of_days, Legend(["WALKING"]), now=LATER, width=59, coloured=False
    )
    assert [
        "phone-7, Mon 2026-11-23 to Sun 2026-11-29",
        "",
        "Mon 11-23  " + "W" * 24 + "." * 24,
        "           |00:00      |06:00      |12:00      |18:00",
        *(f"{name}  no data" for name in ("Tue 11-24", "Wed 11-25", "Thu 11-26")),
        *(f"{name}  no data" for name in ("Fri 11-27", "Sat 11-28")),
        "Sun 11-29  " + "." * 24 + "W" * 24,
        "           |00:00      |06:00      |12:00      |18:00",
        "W WALKING",
        "",
        "W WALKING           1440.0 min  100.0%  " + "W" * 24,
        "  not recognised    8640.0 min",
    ] == [line.plain for line in lines]


def test_a_week_without_data() -> None:
    """That is said once."""
    days = Day(date(2026, 11, 25), UTC).week()
    lines = week_lines(
        "phone-7", days, [[]] * 7, Legend([]), now=LATER, width=WIDTH, coloured=False
    )
    assert ["phone-7, Mon 2026-11-23 to Sun 2026-11-29", "  no data"] == [
        line.plain for line in lines
    ]
