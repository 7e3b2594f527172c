"""A recording's timeline as a picture: signals, probabilities as bands, ribbon, labels.

The only file of the pipeline that knows matplotlib, which the extra `plots` installs.
"""

from __future__ import annotations  # matplotlib's types may be missing

from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.ribbon import STEPS_S, cells
from pipeline.commands.display.times import DAY_S, Times, clock
from pipeline.commands.one_line import one_line
from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import STANDARD_GRAVITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS: Final = 1_500
"""Parts of the time, of each of which least and greatest value are drawn, or mean probabilities"""
WIDTH_IN: Final = 12.0
MOST_MARKS: Final = 10
"""On the axis of times, where no date is known"""
Horizontal = Callable[[Any], Any]
"""From times in seconds, one or an array, to places on the axis of times"""
AXES: Final = (("x", "#d55e00"), ("y", "#009e73"), ("z", "#0072b2"))
"""Names and colours of a phone's axes"""


class Span(NamedTuple):
    """A time of one activity."""

    activity: str
    start: float
    end: float


def require() -> None:
    """Return if pictures can be drawn.

    Raises:
        DataError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise DataError("--plot needs matplotlib: pip install 'har-stream[plots]'") from None


def draw(path: Path, recorded: RecordedFile, timeline: RecordedTimeline, legend: Legend) -> None:
    """Draw a recording and its timeline, with its predictions, into a .png, .svg or .pdf file.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    signals = [part for part in _signals(recorded) if part[1] is not None]
    rows = ["labels"] if recorded.has_labels else []
    heights = [2.0] * len(signals) + [2.0, 0.6 + 0.3 * len(rows)]
    figure = Figure(figsize=(WIDTH_IN, 1.2 + sum(heights)), layout="constrained")
    grid = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    panels: list[Axes] = grid[:, 0].tolist()
    x = _horizontal(recorded)
    for panel, (title, samples) in zip(panels, signals, strict=False):
        assert samples is not None
        _draw_signal(panel, x, title, *samples)
    _draw_probabilities(panels[-2], x, recorded, timeline, legend)
    _draw_ribbon(panels[-1], x, recorded, timeline, legend)
    _label_times(panels[-1], recorded)
    names = legend.of(_shown(recorded, timeline))
    figure.legend(
        handles=[
            Patch(color=legend[name].colour, label=f"{legend[name].letter} {name}")
            for name in names
        ],
        loc="outside lower center",
        ncols=5,
        frameon=False,
    )
    times = Times(recorded.first, recorded.last, is_dated=recorded.is_dated)
    name = one_line(Path(recorded.file).name)
    title = f"{name}: {recorded.recording.device}, {times.span()}"
    figure.suptitle(title, parse_math=False)
    figure.savefig(path, dpi=120)


def _horizontal(recorded: RecordedFile) -> Horizontal:
    """Return a function from times in seconds to places on the axis of times."""
    if recorded.is_dated:
        return lambda times: times / DAY_S  # as matplotlib counts dates
    return lambda times: times - recorded.first


def _signals(
    recorded: RecordedFile,
) -> list[tuple[str, tuple[NDArray[np.float64], NDArray[np.floating]] | None]]:
    """Return title, times and samples of acceleration and rotation, None for what is not there."""
    recording = recorded.recording
    acceleration: tuple[NDArray[np.float64], NDArray[np.floating]] | None = None
    rotation = None
    title = "acceleration (m/s²)"
    for sensor in recording.sensors:
        times, samples = recording.samples_of(sensor)
        if sensor == "motion":
            acceleration, rotation = (times, samples[:, :3]), (times, samples[:, 3:])
        elif sensor == "prepared":
            acceleration = times, samples[:, 6:] * STANDARD_GRAVITY
            rotation = times, samples[:, 3:6]
        elif sensor.startswith("gyroscope"):
            if rotation is None or sensor == "gyroscope":
                rotation = times, samples
        elif acceleration is None or sensor == "accelerometer":
            acceleration = times, samples
            title = f"{sensor.replace('_', ' ')} (m/s²)"
    return [(title, acceleration), ("rotation (rad/s)", rotation)]


def _draw_signal(
    panel: Axes,
    x: Horizontal,
    title: str,
    times: NDArray[np.float64],
    samples: NDArray[np.floating],
) -> None:
    order = np.argsort(times, kind="stable")
    times, samples = times[order], samples[order]
    edges = np.linspace(times[0], times[-1], BINS + 1)
    for column, (name, colour) in enumerate(AXES):
        values = samples[:, column]
        if len(times) <= 4 * BINS:
            panel.plot(x(times), values, color=colour, label=name, linewidth=0.7)
            continue
        begins = times.searchsorted(edges[:-1])
        begins, where = np.unique(np.minimum(begins, len(times) - 1), return_index=True)
        least = np.minimum.reduceat(values, begins)
        greatest = np.maximum.reduceat(values, begins)
        panel.fill_between(
            x(edges[:-1][where]),
            least,
            greatest,
            color=colour,
            label=name,
            alpha=0.6,
            linewidth=0.5,
        )
    panel.set_ylabel(title)
    panel.legend(loc="upper right", ncols=3)


def _draw_probabilities(
    panel: Axes,
    x: Horizontal,
    recorded: RecordedFile,
    timeline: RecordedTimeline,
    legend: Legend,
) -> None:
    """Draw the mean probabilities in each part of the time, one on the other."""
    predictions = timeline.predictions
    panel.set_ylabel("probability")
    panel.set_ylim(0, 1)
    if not predictions:
        return
    names = legend.of({name for prediction in predictions for name in prediction.activities})
    middles = np.array([(window.start + window.end) / 2 for window in predictions])
    hop_s = float(np.median(np.diff(middles))) if len(middles) > 1 else 1.0
    length_s = recorded.last - recorded.first
    n_bins = int(np.clip(length_s / max(hop_s, 0.02), 1, BINS))
    edges = np.linspace(recorded.first, recorded.last, n_bins + 1)
    places = np.clip(edges.searchsorted(middles, side="right") - 1, 0, n_bins - 1)
    sums, counts = np.zeros((n_bins, len(names))), np.zeros(n_bins)
    np.add.at(counts, places, 1)
    for place, prediction in zip(places, predictions, strict=True):
        for name, probability in zip(
            prediction.activities, prediction.probabilities.tolist(), strict=True
        ):
            sums[place, names.index(name)] += probability
    means = sums / np.maximum(counts, 1)[:, np.newaxis]
    tops = np.cumsum(means, axis=1)
    for number, name in enumerate(names):
        panel.bar(
            x(edges[:-1]),
            means[:, number],
            x(edges[1:]) - x(edges[:-1]),
            tops[:, number] - means[:, number],
            align="edge",
            color=legend[name].colour,
            linewidth=0,
        )


def _draw_ribbon(
    panel: Axes,
    x: Horizontal,
    recorded: RecordedFile,
    timeline: RecordedTimeline,
    legend: Legend,
) -> None:
    """Draw the episodes as a ribbon, and the labels as one beneath."""
    rows = {"activity": [Span(e.activity, e.start, e.end) for e in timeline.episodes]}
    if recorded.has_labels:
        rows["label"] = _labelled(recorded)
    for number, (name, exact) in enumerate(rows.items()):
        spans = visible(exact, recorded.first, recorded.last)
        for activity in legend.of({span.activity for span in spans}):
            panel.broken_barh(
                [(x(s), x(e) - x(s)) for one, s, e in spans if one == activity],
                (-number - 0.4, 0.8),
                color=legend[activity].colour,
                label=name,
                linewidth=0,  # else whatever is drawn last hides what is short beside it
            )
        shortest_s = (recorded.last - recorded.first) / 60
        for activity, start, end in spans:
            if end - start > shortest_s:
                symbol = legend[activity]
                panel.text(
                    x((start + end) / 2), -number, symbol.letter,
                    color=symbol.on_it, ha="center", va="center",
                )  # fmt: skip
    panel.set_yticks([-number for number in range(len(rows))], list(rows))
    panel.set_ylim(-len(rows) + 0.4, 0.6)
    panel.set_xlim(x(recorded.first), x(recorded.last) if recorded.last > recorded.first else None)


def visible(spans: list[Span], first: float, last: float) -> list[Span]:
    """Return what is to be drawn of spans between two times.

    Where some are too short to be seen, it is in each of `BINS` parts what there is longest.
    """
    bin_s = (last - first) / BINS
    if all(span.end - span.start >= bin_s for span in spans):
        return spans
    in_bins = enumerate(cells(spans, first, last, BINS))
    runs = [(one, [n for n, _ in run]) for one, run in groupby(in_bins, key=itemgetter(1))]
    return [
        Span(one, first + numbers[0] * bin_s, first + (numbers[-1] + 1) * bin_s)
        for one, numbers in runs
        if one is not None
    ]


def _labelled(recorded: RecordedFile) -> list[Span]:
    """Return the activities that the labels name, each with its start and end."""
    recording = recorded.recording
    times = np.concatenate([stretch.times for stretch in recording.stretches])
    labels = np.concatenate([stretch.labels for stretch in recording.stretches])
    order = np.argsort(times, kind="stable")
    times, labels = times[order], labels[order]
    breaks = np.flatnonzero((np.diff(labels) != 0) | (np.diff(times) > 1.0)) + 1
    return [
        Span(recording.activities[labels[run[0]]], float(times[run[0]]), float(times[run[-1]]))
        for run in np.split(np.arange(len(times)), breaks)
        if labels[run[0]] >= 0
    ]


def _shown(recorded: RecordedFile, timeline: RecordedTimeline) -> set[str]:
    names = {episode.activity for episode in timeline.episodes}
    names |= {name for window in timeline.predictions[:1] for name in window.activities}
    if recorded.has_labels:
        names |= {span.activity for span in _labelled(recorded)}
    return names


def _label_times(panel: Axes, recorded: RecordedFile) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    if not recorded.is_dated:
        length_s = recorded.last - recorded.first
        step_s = next((step for step in STEPS_S if length_s / step <= MOST_MARKS), DAY_S)
        panel.xaxis.set_major_locator(MultipleLocator(step_s))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        return
    zone = datetime.fromtimestamp(recorded.first).astimezone().tzinfo
    locator = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]
    )
