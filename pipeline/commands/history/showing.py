"""har-history show: a phone's day or week in a terminal, as har-timeline shows a recording."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.ribbon import ribbon, scale
from pipeline.commands.display.tables import (
    durations_s,
    episode_lines,
    legend_line,
    minute_lines,
)
from pipeline.commands.display.terminal import Terminal
from pipeline.commands.display.times import Times, duration
from pipeline.commands.history.address import HistoryError
from pipeline.commands.history.days import Day, today, zone_of
from pipeline.commands.history.opening import address_of
from pipeline.commands.history.reading import History, KeptEpisode
from pipeline.commands.history.settings import HistoryDevicesSettings, HistoryShowSettings

LEAST_WIDTH: Final = 20
MOST_WIDTH: Final = 400
"""Characters of a ribbon"""
_INSTANT_S: Final = 0.001
"""So that a day does not end on the next day's date"""


def show(settings: HistoryShowSettings) -> None:
    """Print a phone's day or week.

    Raises:
        HistoryError: there is no such zone, phone or history.
    """
    now = time.time()
    zone = zone_of(settings.zone)
    day = today(zone, now) if settings.day is None else Day(settings.day, zone)
    terminal = Terminal(settings.color)
    width = min(max(terminal.width, LEAST_WIDTH), MOST_WIDTH)
    with History(address_of(settings)) as history:
        if not history.knows(settings.device):
            raise HistoryError(
                f"there is nothing of {settings.device}; har-history devices lists the phones"
            )
        days = day.week() if settings.week else [day]
        of_days = [history.episodes(settings.device, d.begin, d.end) for d in days]
    legend = Legend([episode.activity for episodes in of_days for episode in episodes])
    coloured = terminal.is_coloured
    lines = (
        week_lines(settings.device, days, of_days, legend, now=now, width=width, coloured=coloured)
        if settings.week
        else day_lines(
            settings.device, day, of_days[0], legend, now=now, width=width, coloured=coloured
        )
    )
    for line in lines:
        terminal.print(line)


def day_lines(
    device: str,
    day: Day,
    episodes: Sequence[KeptEpisode],
    legend: Legend,
    *,
    now: float,
    width: int,
    coloured: bool,
) -> Iterator[Text]:
    """Yield the lines that show a phone's day."""
    times = Times(day.begin, day.end - _INSTANT_S, is_dated=True, zone=day.zone)
    yield Text(f"{device}, {_title(day)}")
    if not episodes:
        yield Text("  no data")
        return
    yield Text()
    yield ribbon(episodes, day.begin, day.end, legend, width=width, coloured=coloured)
    yield Text(scale(times, day.begin, day.end, width=width))
    yield legend_line(legend, durations_s(episodes), coloured=coloured)
    yield Text()
    yield from episode_lines(episodes, times, legend, coloured=coloured)
    yield Text()
    yield from minute_lines(episodes, legend, whole_s=_length_s([day], now), coloured=coloured)


def week_lines(
    device: str,
    days: Sequence[Day],
    of_days: Sequence[Sequence[KeptEpisode]],
    legend: Legend,
    *,
    now: float,
    width: int,
    coloured: bool,
) -> Iterator[Text]:
    """Yield the lines that show a phone's week: a ribbon for each day, and the minutes of all."""
    yield Text(f"{device}, {days[0].date:%a %Y-%m-%d} to {days[-1].date:%a %Y-%m-%d}")
    episodes = [episode for of_day in of_days for episode in of_day]
    if not episodes:
        yield Text("  no data")
        return
    yield Text()
    for day, of_day in zip(days, of_days, strict=True):
        times = Times(day.begin, day.end - _INSTANT_S, is_dated=True, zone=day.zone)
        head = f"{day.date:%a %m-%d}  "
        if not of_day:
            yield Text(f"{head}no data")
            continue
        rest = width - len(head)
        line = ribbon(of_day, day.begin, day.end, legend, width=rest, coloured=coloured)
        yield Text(head).append_text(line)
        yield Text(" " * len(head) + scale(times, day.begin, day.end, width=rest))
    yield legend_line(legend, durations_s(episodes), coloured=coloured)
    yield Text()
    yield from minute_lines(episodes, legend, whole_s=_length_s(days, now), coloured=coloured)


def _title(day: Day) -> str:
    """Return the day's date, its zone and, unless it is 24 hours, how long it is."""
    zone = " and ".join(day.zone_names)
    length_s = day.end - day.begin
    unusual = "" if length_s == 86_400 else f", {duration(length_s)}: the clocks are set"
    return f"{day.date:%a %Y-%m-%d} {zone}{unusual}"


def _length_s(days: Sequence[Day], now: float) -> float:
    """Return how long days are, without what is still to come of them."""
    return sum(max(0.0, min(day.end, max(now, day.begin)) - day.begin) for day in days)


def list_devices(settings: HistoryDevicesSettings) -> None:
    """Print the phones of which there is a history, and from when to when.

    Raises:
        HistoryError: there is none.
    """
    with History(address_of(settings)) as history:
        phones = history.phones()
    if not phones:
        print("No phone yet.")
        return
    width = max(len("phone"), *(len(phone.device) for phone in phones))
    print(f"{'phone'.ljust(width)}  {'first':<19}  last")
    for phone in phones:
        times = Times(phone.first, max(phone.last, phone.first + 86_401), is_dated=True)
        print(
            f"{phone.device.ljust(width)}  {times.moment(phone.first)}  {times.moment(phone.last)}"
        )
