from zoneinfo import ZoneInfo

import pytest

from pipeline.commands.display.times import Times, clock, duration

BERLIN = ZoneInfo("Europe/Berlin")
T0 = 1_698_501_144.0  # 2023-10-28 15:52:24 in Berlin, the day before its clocks go back


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (192.0, "3 min 12 s"),
        (3600.0, "1 h 00 min"),
        (86_400.0, "24 h 00 min"),
        (200_000.0, "2 days 7 h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    """A duration is as exact as one wants to know it."""
    assert expected == duration(seconds)


def test_times_of_one_day() -> None:
    """Within a day times are without a date, which stands once."""
    times = Times(T0, T0 + 60, is_dated=True, zone=BERLIN)
    assert "2023-10-28 15:52:24 to 15:53:24 CEST" == times.span()
    assert "15:52:34" == times.moment(T0 + 10)


def test_times_over_midnight() -> None:
    """Where there are several days each time has its date, on either side of a change of clocks."""
    times = Times(T0, T0 + 86_400, is_dated=True, zone=BERLIN)
    assert "2023-10-28 15:52:24 CEST to 2023-10-29 14:52:24 CET" == times.span()
    assert "2023-10-29 02:52:24" == times.moment(T0 + 12 * 3600)


def test_times_while_clocks_are_changed() -> None:
    """Where an hour comes twice, the zone of either time says which is meant."""
    times = Times(T0 + 11 * 3600, T0 + 11.25 * 3600, is_dated=True, zone=BERLIN)
    assert "2023-10-29 02:52:24 CEST to 02:07:24 CET" == times.span()


def test_times_without_a_date() -> None:
    """Where no date is known times count from the start."""
    times = Times(17.0, 4000.0, is_dated=False)
    assert ("date unknown", "0:00:03") == (times.span(), times.moment(20.0))
    assert "1:00:01" == clock(3600.6)
