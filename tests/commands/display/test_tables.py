from pipeline.commands.display.legend import Legend
from pipeline.commands.display.tables import (
    durations_s,
    episode_lines,
    legend_line,
    minute_lines,
)
from pipeline.commands.display.times import Times
from tests.commands.display.periods import periods

LEGEND = Legend([])
DAY = periods(("WALKING", 0.0, 90.0), ("SITTING", 90.0, 120.0), ("WALKING", 150.0, 180.0))


def test_episodes() -> None:
    """Each episode has a line with start, end, duration, activity and probability."""
    times = Times(0.0, 180.0, is_dated=False)
    lines = [text.plain for text in episode_lines(DAY, times, LEGEND, coloured=False)]
    assert [
        "  start      end    duration    activity  probability",
        "0:00:00  0:01:30  1 min 30 s  W WALKING         0.90",
        "0:01:30  0:02:00        30 s  S SITTING         0.90",
        "0:02:30  0:03:00        30 s  W WALKING         0.90",
    ] == lines


def test_minutes() -> None:
    """Each activity has its minutes and share of the recognised time; the rest is said too."""
    lines = minute_lines(DAY, LEGEND, whole_s=180.0, coloured=False)
    assert [
        "W WALKING              2.0 min   80.0%  " + 19 * "W",
        "S SITTING              0.5 min   20.0%  SSSSS",
        "  not recognised       0.5 min",
    ] == [text.plain for text in lines]
    assert {"WALKING": 120.0, "SITTING": 30.0} == durations_s(DAY)


def test_the_legend() -> None:
    """The legend has the activities that there are, in its order."""
    line = legend_line(LEGEND, ["SITTING", "WALKING"], coloured=True)
    assert "W WALKING  S SITTING" == line.plain
