"""Draws the figures that a chart shows better than a table, as SVG beside the pages."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import figure as drawing

from tests.benchmarks.figures import Figure

mpl.rcParams["svg.hashsalt"] = "har-stream"  # the same figures give the same file
mpl.rcParams["svg.fonttype"] = "none"  # text stays text

_RESAMPLED: Final = re.compile(
    r"(?P<rate>[\d.]+) Hz, jitter (?P<jitter>[\d.]+) ms, lost (?P<lost>\d+)%: error"
)
_STAGE: Final = re.compile(r"(?P<run>[\w-]+, QoS [01](?:, compact)?): CPU time, (?P<stage>\w+)")
# Colours that the colour-blind can tell apart (Okabe and Ito, 2008).
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73")


def draw_resampling(figures: Sequence[Figure], file: Path) -> None:
    """Draw the error of the nine channels by the phone's rate.

    A line is a jitter: solid where no sample is lost, dashed where some are.
    """
    lines: dict[tuple[float, int], list[tuple[float, float]]] = {}
    for one in figures:
        if (found := _RESAMPLED.fullmatch(one.name)) is not None:
            line = (float(found["jitter"]), int(found["lost"]))
            lines.setdefault(line, []).append((float(found["rate"]), one.value))
    jitters = sorted({jitter for jitter, _ in lines})
    picture = drawing.Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = picture.add_subplot()
    for (jitter, lost), points in sorted(lines.items()):
        rates, errors = zip(*sorted(points), strict=True)
        axes.plot(
            rates,
            errors,
            marker="o" if lost else "s",
            linestyle="--" if lost else "-",
            color=_COLOURS[jitters.index(jitter)],
            label=f"jitter {jitter:g} ms, {lost} % lost",
        )
    axes.set_xscale("log")
    ticks = sorted({rate for points in lines.values() for rate, _ in points})
    axes.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("rate of the phone (Hz)")
    axes.set_ylabel("error (% of the signal's RMS)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    picture.savefig(file, metadata={"Date": None})


def draw_stages(figures: Sequence[Figure], file: Path) -> None:
    """Draw what each stage costs a message: a bar for each model, quality of service and form."""
    costs_us: dict[str, dict[str, float]] = {}
    for one in figures:
        if (found := _STAGE.fullmatch(one.name)) is not None:
            costs_us.setdefault(found["run"], {})[found["stage"]] = one.parts["message_us"]
    runs = list(costs_us)
    picture = drawing.Figure(figsize=(7.0, 1.2 + 0.45 * len(runs)), layout="constrained")
    axes = picture.add_subplot()
    colours = mpl.colormaps["cividis"]  # also for the colour-blind
    stages = list(dict.fromkeys(stage for of_run in costs_us.values() for stage in of_run))
    ends_us = dict.fromkeys(runs, 0.0)
    for number, stage in enumerate(stages):
        widths_us = [costs_us[run].get(stage, 0.0) for run in runs]
        axes.barh(
            runs,
            widths_us,
            left=list(ends_us.values()),
            color=colours(number / max(len(stages) - 1, 1)),
            edgecolor="white",
            label=stage,
        )
        for run, width_us in zip(runs, widths_us, strict=True):
            ends_us[run] += width_us
    axes.invert_yaxis()  # the first run on top
    axes.set_xlabel("processor time (µs a message)")
    picture.legend(loc="outside lower center", ncols=5, fontsize="small", frameon=False)
    picture.savefig(file, metadata={"Date": None})
