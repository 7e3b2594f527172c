"""What a message costs har-stream with few phones and with many: does the cost grow linearly?

Where more phones are than it serves on this machine, each sends more seldom, so that the load is
one that is held: what many phones cost is measured, not what being overloaded costs.
"""

import math
from dataclasses import replace
from typing import Final

from tests.benchmarks.figures import Figure
from tests.benchmarks.load_consumers import HAR_STREAM
from tests.benchmarks.load_plan import COMPACT, SENSOR_LOGGER, UNEVEN, Load
from tests.benchmarks.load_search import FEW, Bench
from tests.benchmarks.load_trial import Trial

SIZES: Final = (FEW, 1000, 3000, 10_000)
"""Phones"""
UNEVEN_SIZES: Final = (1000, 3000)
"""Phones whose samples lie between the points of 50 Hz"""
BASE: Final = 1000
"""Phones with which the most are compared: fewer share a tick with nobody"""
SHARE: Final = 0.8
"""Of the largest load's messages a second: so many come where the phones are too many"""
SPEED_STEP: Final = 0.05


def scaling_figures(bench: Bench, held: Trial, few: Trial) -> list[Figure]:
    """Return the cost of a message at each number of phones, and how the cost grows.

    Raises:
        NotMeasuredError: one of the programs failed.
    """
    trials = {}
    for phones in SIZES:
        load = _bearable(bench.load(phones), held.load.phones)
        trials[phones] = few if phones == FEW else bench.verdict(HAR_STREAM, load)
    most = max(SIZES)
    growth = Figure(
        "load",
        f"scaling, {bench}: {most:,} phones to {BASE:,}",
        trials[most].message_us / trials[BASE].message_us,
        "times",
        detail="a message's CPU time; 1 if the whole grows linearly with the messages",
    )
    return [*(_figure(bench, trial) for trial in trials.values()), growth]


def uneven_figures(bench: Bench, held: Trial) -> list[Figure]:
    """Return the cost of a message of phones that do not sample at 50 Hz sharp.

    Raises:
        NotMeasuredError: one of the programs failed.
    """
    sharp, uneven = (replace(bench, form=form) for form in (COMPACT, UNEVEN))
    figures = []
    for phones in UNEVEN_SIZES:
        of_sharp, trial = (
            each.verdict(HAR_STREAM, _bearable(each.load(phones), held.load.phones))
            for each in (sharp, uneven)
        )
        figure = _figure(uneven, trial)
        figures.append(replace(figure, peer="sharp 50 Hz, compact", peer_value=of_sharp.message_us))
    return figures


def separate_figures(bench: Bench, held: Trial) -> list[Figure]:
    """Return the cost of a message of phones whose sensors each have times of their own.

    Raises:
        NotMeasuredError: the programs failed.
    """
    separate = replace(bench, form=SENSOR_LOGGER)
    loads = [_bearable(separate.load(phones), held.load.phones) for phones in UNEVEN_SIZES]
    return [_figure(separate, separate.verdict(HAR_STREAM, load)) for load in loads]


def _bearable(load: Load, most: int) -> Load:
    """Return a load, with fewer messages if it has more than ``most`` phones."""
    if load.phones <= most:
        return load
    speed = max(math.floor(SHARE * most / load.phones / SPEED_STEP), 1) * SPEED_STEP
    slow = replace(load, speed=speed)
    n_intervals = math.ceil(load.ramp_s / slow.interval_s)
    return replace(slow, ramp_s=n_intervals * slow.interval_s)


def _figure(bench: Bench, trial: Trial) -> Figure:
    load = trial.load
    verdict = f"; not held: {trial.shortfall}" if trial.shortfall else ""
    return Figure(
        "load",
        f"scaling, {bench}: {load.phones:,} phones",
        trial.message_us,
        "µs a msg",
        detail=f"{trial.consumer_cpu_s / trial.seconds:.2f} of a core, p99 "
        f"{trial.arrived.percentile_ms(99):.0f} ms; each sends every {load.interval_s:.2g} s"
        f"{verdict}",
        parts={
            "cores": trial.consumer_cpu_s / trial.seconds,
            "p99": trial.arrived.percentile_ms(99),
            "interval_s": load.interval_s,
        },
    )
