"""A ribbon: what was done when, as one line as wide as the terminal, with a scale of times.

Strategy: the time is divided into cells, and each shows the activity that it has longest. Where
there is colour, a character is two cells, each in its activity's colour, and a run of cells begins
with its letter; where there is none, each character is a cell and all are letters. So nothing is
said by colour alone.

A time of more than `LONGEST_S` has a ribbon for each day; days without periods are left out, and
how many is said.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from rich.style import Style
from rich.text import Text

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.period import ActivitySpan, Period
from pipeline.commands.display.times import DAY_S, Times

LONGEST_S: Final = 1.5 * DAY_S

STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S,
)  # fmt: skip
"""Between two marks of a scale"""
_MARK: Final = "|"
NOTHING: Final = "."
"""A cell without an activity, where there is no colour"""


def cells(periods: Sequence[ActivitySpan], first: float, last: float, n: int) -> list[str | None]:
    """Return the activity that there is longest in each of ``n`` equal parts of a time.

    None stands for a part without any: an activity is to be seen, however short it is beside a gap.
    """
    width_s = (last - first) / n
    parts: list[defaultdict[str, float]] = [defaultdict(float) for _ in range(n)]
    if width_s <= 0:
        return [None] * n
    for period in periods:
        start, end = max(period.start, first), min(period.end, last)
        if end <= start:
            continue
        begin = min(int((start - first) / width_s), n - 1)
        for number in range(begin, min(int((end - first) / width_s), n - 1) + 1):
            left = first + number * width_s
            overlap_s = min(end, left + width_s) - max(start, left)
            if overlap_s > 0:
                parts[number][period.activity] += overlap_s
    return [max(part, key=lambda activity: part[activity]) if part else None for part in parts]


def ribbon(
    periods: Sequence[Period],
    first: float,
    last: float,
    legend: Legend,
    *,
    width: int,
    coloured: bool,
) -> Text:
    """Return the ribbon of a time, ``width`` characters wide."""
    if not coloured:
        of_cells = cells(periods, first, last, width)
        return Text("".join(NOTHING if one is None else legend[one].letter for one in of_cells))
    of_cells = cells(periods, first, last, 2 * width)
    text = Text()
    named: str | None = None  # the activity of the run, if its letter stands already
    for left, right in zip(of_cells[::2], of_cells[1::2], strict=True):
        if left == right:
            symbol = None if left is None else legend[left]
            shown = " " if symbol is None or left == named else symbol.letter
            named = left
            style = None if symbol is None else Style(color=symbol.on_it, bgcolor=symbol.colour)
            text.append(shown, style)
            continue
        named = named if right == named else None
        if left is None and right is not None:
            text.append("▐", Style(color=legend[right].colour))
        elif left is not None:
            behind = None if right is None else legend[right].colour
            text.append("▌", Style(color=legend[left].colour, bgcolor=behind))
    return text


def scale(times: Times, first: float, last: float, *, width: int) -> str:
    """Return the line beneath a ribbon: a mark and its time at each round step."""
    length_s = last - first
    if length_s <= 0:
        return ""
    origin = times.round_origin()
    for step_s in STEPS_S:
        marks = _marks(times, origin, first, last, step_s)
        if len(marks) > width:
            continue
        line = ""
        for time, label in marks:
            column = min(int((time - first) / length_s * width), width - 1)
            if line and column <= len(line):
                break
            if column + len(label) < width:
                line = line.ljust(column) + _MARK + label
        else:
            if line:
                return line
            break
    return _MARK + times.tick(first, 1)


def _marks(
    times: Times, origin: float, first: float, last: float, step_s: float
) -> list[tuple[float, str]]:
    begin = int(-((origin - first) // step_s)) if first > origin else 0
    if (last - first) / step_s > 1_000:
        return [(first, "")] * 1_001
    return [
        (time, times.tick(time, step_s))
        for time in (origin + k * step_s for k in range(begin, begin + 1_002))
        if first <= time < last
    ]


def ribbons(
    periods: Sequence[Period], times: Times, legend: Legend, *, width: int, coloured: bool
) -> Iterator[Text]:
    """Yield the lines of a time's ribbons, each with its scale."""
    for first, last, n_left_out in _parts(periods, times):
        if n_left_out:
            days = "1 day" if n_left_out == 1 else f"{n_left_out} days"
            yield Text(f"({days} with nothing)")
        yield ribbon(periods, first, last, legend, width=width, coloured=coloured)
        yield Text(scale(times, first, last, width=width))


def _parts(periods: Sequence[Period], times: Times) -> Iterator[tuple[float, float, int]]:
    """Yield begin and end of each ribbon, and how many days before it are left out."""
    if times.last - times.first <= LONGEST_S:
        yield times.first, times.last, 0
        return
    origin = times.round_origin()
    days: set[int] = set()
    for period in periods:
        days.update(
            range(int((period.start - origin) // DAY_S), int((period.end - origin) // DAY_S) + 1)
        )
    before = -1
    for day in sorted(days):
        yield origin + day * DAY_S, origin + (day + 1) * DAY_S, day - before - 1
        before = day
