"""Looks for the largest load that a consumer holds.

Strategy: try a number of phones, go up until a load is not held, then halve what lies between. On a
machine that others use a trial may fail by chance: what may be chance is tried again once others
rest, and only what fails each time bounds the search. Each step is printed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.commands import machine_cpu_s
from tests.benchmarks.load_consumers import Consumer
from tests.benchmarks.load_plan import JSON, MOST_PHONES, Load
from tests.benchmarks.load_trial import OTHERS_CORES, Trial, run

FEW: Final = 100
"""Phones of the smallest load, from which the growth of memory is counted"""
FIRST: Final = 6000
"""Phones that are tried first"""
GROWTH: Final = 1.4
"""From one load to the next while all are held, or none"""
TRIES: Final = 3
"""Trials of a load that is not held, as long as that may be chance"""
QUIET_S: Final = 2.0
"""For so long others rest before a load is tried again"""
QUIET_TIMEOUT_S: Final = 60.0
"""How long it is waited for that"""
SMALLER: Final = 0.95
"""A load that is not held long is followed by one so many times as large"""


@dataclass(frozen=True)
class Effort:
    """How long and how closely it is looked."""

    hold_s: float
    ramp_s: float
    """A multiple of the half second between messages, so that those are spread evenly"""
    precision: float
    """A larger load than so many times the largest held was tried, and not held"""
    confirm_s: float | None = None
    """The largest load found, or else one a little smaller, is also held for so long"""


SHORT: Final = Effort(hold_s=10.0, ramp_s=5.0, precision=1.1)
FULL: Final = Effort(hold_s=10.0, ramp_s=5.0, precision=1.05, confirm_s=60.0)


@dataclass(frozen=True)
class Bench:
    """Loads of one QoS and form, on consumers with one model."""

    name: str
    """Of the model"""
    model: Path
    motion: Path
    """What the phones play"""
    qos: int
    form: str
    effort: Effort

    def __str__(self) -> str:
        """Return what figures of it are named by."""
        return f"{self.name}, QoS {self.qos}" + (f", {self.form}" if self.form != JSON else "")

    def load(self, phones: int) -> Load:
        """Return a load of so many phones for as long as the effort says."""
        return Load(phones, self.qos, self.effort.hold_s, self.effort.ramp_s, form=self.form)

    def trial(self, consumer: Consumer, load: Load) -> Trial:
        """Put a load on a consumer, and print what came of it.

        Raises:
            NotMeasuredError: Mosquitto is missing, or one of the programs failed.
        """
        trial = run(consumer, self.model, load, self.motion)
        if consumer.predicts:
            print(f"    {self}, {consumer.name}, {trial}", flush=True)
        return trial

    def verdict(self, consumer: Consumer, load: Load) -> Trial:
        """Put a load on a consumer again as long as it is not held and that may be chance.

        Before it is tried again, others on the machine may finish what they do.

        Raises:
            NotMeasuredError: Mosquitto is missing, or one of the programs failed.
        """
        trial = self.trial(consumer, load)
        for _ in range(TRIES - 1):
            if not (trial.shortfall and trial.may_be_chance):
                break
            _await_quiet()
            trial = self.trial(consumer, load)
        return trial


@dataclass
class Search:
    """What a search for the largest load came to."""

    held: Trial | None = None
    """The largest load that was held"""
    misses: dict[int, str] = field(default_factory=dict)
    """Why each number of phones that was not held was not"""

    @property
    def why_no_more(self) -> str:
        """Why no larger load was held."""
        smallest = min(self.misses, default=None)
        return "no more tried" if smallest is None else f"{smallest:,} not: {self.misses[smallest]}"


def search(
    bench: Bench, consumer: Consumer, *, few: Trial | None = None, first: int = FIRST
) -> Search:
    """Return the largest load that a consumer holds; ``few`` is a trial that may be one held.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    found = Search()
    trials = {} if few is None or few.shortfall else {few.load.phones: few}

    def is_held(load: Load) -> bool:
        trial = bench.verdict(consumer, load)
        if trial.shortfall:
            found.misses[load.phones] = trial.shortfall + _others(trial)
        else:
            trials[load.phones] = trial
        return not trial.shortfall

    phones = largest_held(
        lambda phones: is_held(bench.load(phones)),
        first=first,
        precision=bench.effort.precision,
        known=max(trials, default=0),
    )
    confirm_s = bench.effort.confirm_s
    while confirm_s is not None and phones > FEW:
        if is_held(replace(bench.load(phones), hold_s=confirm_s)):
            break
        phones = _round(phones * SMALLER)
    found.held = trials.get(phones)
    return found


def largest_held(
    held: Callable[[int], bool],
    *,
    first: int,
    growth: float = GROWTH,
    precision: float,
    known: int = 0,
    most: int = MOST_PHONES,
) -> int:
    """Return the largest number of phones for which ``held`` says so; 0 if there is none.

    ``first`` is tried first; then more, ``growth`` times each, until one is not held, or fewer
    until one is; then what lies between, until a load not held is at most ``precision`` times one
    held. ``known`` is held.
    """
    low, high, guess = known, most + 1, min(first, most)
    while low < guess < high:
        if held(guess):
            low = guess
        else:
            high = guess
        if high > most:
            guess = min(_round(low * growth), most)
        elif high <= low * precision:
            break
        else:
            guess = _round(max(math.sqrt(low * high), high / growth**2))
    return low


def _others(trial: Trial) -> str:
    """Return what others took, if that may be why a load was not held."""
    cores = trial.others_cpu_s / trial.seconds
    return f" while others took {cores:.2f} of a core" if cores > OTHERS_CORES else ""


def _await_quiet() -> None:
    """Return when others rest, or do not rest for long."""
    give_up = time.monotonic() + QUIET_TIMEOUT_S
    while time.monotonic() < give_up:
        before_s = machine_cpu_s()
        time.sleep(QUIET_S)
        if machine_cpu_s() - before_s <= OTHERS_CORES * QUIET_S:
            return


def _round(phones: float) -> int:
    step = 10 if phones < 1000 else 50
    return round(phones / step) * step
