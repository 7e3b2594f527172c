"""Episodes as lines, and how long each activity took."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.style import Style
from rich.text import Text

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.period import Period
from pipeline.commands.display.times import Times, duration

BAR: Final = 24
"""Characters of the bar of an activity that took all the time"""


def legend_line(legend: Legend, activities: Iterable[str], *, coloured: bool) -> Text:
    """Return what the letters and colours of a ribbon mean."""
    text = Text()
    for activity in legend.of(activities):
        text.append("  " if text else "")
        text.append_text(_letter(legend, activity, coloured=coloured))
        text.append(f" {activity}")
    return text


def episode_lines(
    periods: Sequence[Period], times: Times, legend: Legend, *, coloured: bool
) -> Iterator[Text]:
    """Yield a heading and a line for each period: start, end, duration, activity, probability."""
    rows = [
        (times.moment(period.start), times.moment(period.end), duration(period.end - period.start))
        for period in periods
    ]
    heads = ("start", "end", "duration")
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    name_width = max((len(period.activity) for period in periods), default=0)
    yield Text(
        "  ".join(head.rjust(width) for head, width in zip(heads, widths, strict=True))
        + "    "
        + "activity".ljust(name_width)
        + "  probability"
    )
    for row, period in zip(rows, periods, strict=True):
        text = Text("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
        text.append("  ")
        text.append_text(_letter(legend, period.activity, coloured=coloured))
        text.append(f" {period.activity.ljust(name_width)}  {period.probability:11.2f}")
        yield text


def durations_s(periods: Iterable[Period]) -> dict[str, float]:
    """Return the seconds of each activity, those without any left out."""
    totals: defaultdict[str, float] = defaultdict(float)
    for period in periods:
        totals[period.activity] += period.end - period.start
    return dict(totals)


def minute_lines(
    periods: Sequence[Period], legend: Legend, *, whole_s: float, coloured: bool
) -> Iterator[Text]:
    """Yield a line for each activity: minutes, share of the recognised time, a bar.

    ``whole_s`` is the length of all that there is; what of it has no activity is the last line.
    """
    totals = durations_s(periods)
    recognised_s = sum(totals.values())
    names = legend.of(totals)
    width = max(map(len, [*names, "not recognised"]))
    for activity in names:
        seconds = totals[activity]
        share = seconds / recognised_s if recognised_s else 0.0
        text = Text("").append_text(_letter(legend, activity, coloured=coloured))
        text.append(f" {activity.ljust(width)}  {seconds / 60:8.1f} min  {share:6.1%}")
        symbol, bar = legend[activity], round(share * BAR)
        if bar and coloured:
            text.append("  ").append(" " * bar, Style(bgcolor=symbol.colour))
        elif bar:
            text.append("  " + symbol.letter * bar)
        yield text
    rest_s = whole_s - recognised_s
    if rest_s >= 0.05:
        yield Text(f"  {'not recognised'.ljust(width)}  {rest_s / 60:8.1f} min")


def _letter(legend: Legend, activity: str, *, coloured: bool) -> Text:
    symbol = legend[activity]
    style = Style(color=symbol.on_it, bgcolor=symbol.colour) if coloured else Style()
    return Text(symbol.letter, style)
