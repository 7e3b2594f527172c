"""How many phones har-stream serves on this machine, with broker, generator and probe beside it.

A load is held if every prediction comes, and 99 of 100 within 250 ms of the message that completes
their windows. For each model and each quality of service of the phones' messages the largest that
is held is looked for, for the default model with messages in the compact form, too. What it costs
is held against the least that any consumer costs, and against the physical floor.

The default model is also held against the program that one writes first (`plain_consumer`) and the
same with today's libraries (`quick_consumer`); a table sums up what was reached of its goals.

Phones join over a ramp; latency and cost are of the time after, losses of all the time.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import hapt, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.vocabulary import AUTO_FAMILY
from tests.benchmarks.figures import Figure, Options, present_models, run_alone
from tests.benchmarks.load_consumers import HAR_STREAM, PLAIN, QUICK, Consumer
from tests.benchmarks.load_costs import (
    floor_figure,
    least_figure,
    memory_figure,
    stage_figures,
    timed_trial,
    use_figures,
)
from tests.benchmarks.load_plan import COMPACT, FORMS, JSON, RATE_HZ
from tests.benchmarks.load_reach import Case, Reached, reach_figures
from tests.benchmarks.load_scaling import scaling_figures, separate_figures, uneven_figures
from tests.benchmarks.load_search import FEW, FULL, SHORT, Bench, Effort, Search, search
from tests.benchmarks.load_trial import Trial

PHONES_LIMITS: Final = {"cnn-lstm": 3000, "lstm": 2000, "conv-lstm": 2000}
PEER_FIRST: Final = 1500
"""Phones that are tried first with a peer"""
SUBJECTS: Final = (1, 3, 5, 6)
MOTION_S: Final = 120.0


def measure(options: Options) -> list[Figure]:
    """Return the figures of each model and each QoS.

    The short form holds loads for 10 s; the full form looks closer, and holds what it finds of
    har-stream for 60 s. The peers are tried with the first model, at QoS 1 for 10 s.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    effort = FULL if options.full else SHORT
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        motion = Path(name) / "motion.npy"
        np.save(motion, recorded_motion(options.data))
        models = present_models(options.models)
        # The default model first.
        models.sort(key=lambda model: model[0] != AUTO_FAMILY)
        for i, model in enumerate(models):
            if i == 0:
                figures += _figures_of_first(model, motion, effort)
                continue
            for qos in (1, 0):
                figures += _Case(Bench(*model, motion, qos, JSON, effort)).figures()
    return figures


def recorded_motion(data: Path | None) -> NDArray[np.float64]:
    """Return ``(n, n_samples, 6)``: raw recordings, or simulated motion where there are none."""
    found: Sequence[Recording]
    try:
        found = hapt.recordings(data, SUBJECTS, download=False)
    except DataError:
        print("  simulated motion: the raw recordings (HAPT) are not at hand")
        found = simulated.recordings(seconds=MOTION_S)
    n_samples = round(MOTION_S * RATE_HZ)
    stretches = [stretch.samples for one in found for stretch in one.stretches]
    return np.stack([samples[:n_samples] for samples in stretches if len(samples) >= n_samples])


def _figures_of_first(model: tuple[str, Path], motion: Path, effort: Effort) -> list[Figure]:
    """Return the figures of a model in both forms, of its peers, and what it reached."""
    figures, scaling = [], []
    reached: dict[Case, Reached] = {}
    peers: dict[tuple[str, int], Trial] = {}
    for qos in (1, 0):
        for form in FORMS:
            case = _Case(Bench(*model, motion, qos, form, effort))
            figures += case.figures()
            if case.reached is not None:
                reached[qos, form] = case.reached
                if qos == 1:
                    scaling += scaling_figures(case.bench, case.reached.held, case.few)
                if (qos, form) == (1, COMPACT):
                    scaling += uneven_figures(case.bench, case.reached.held)
                    scaling += separate_figures(case.bench, case.reached.held)
    bench = Bench(*model, motion, 1, JSON, SHORT)
    for peer in (PLAIN, QUICK):
        found = search(bench, peer, first=PEER_FIRST)
        figures.append(_phones_figure(bench, peer, found, limit=None))
        if found.held is not None:
            peers[peer.name, 1] = found.held
    return [*figures, *scaling, *reach_figures(reached, peers)]


class _Case:
    """One model with one QoS and form."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.few = bench.verdict(HAR_STREAM, bench.load(FEW))
        self.reached: Reached | None = None
        """What it came to, once there are figures; None if no load was held"""

    def figures(self) -> list[Figure]:
        """Return all figures of har-stream, and of what bounds it from below."""
        found = search(self.bench, HAR_STREAM, few=self.few)
        limit = PHONES_LIMITS.get(self.bench.name)
        phones = _phones_figure(self.bench, HAR_STREAM, found, limit=limit)
        if found.held is None:
            return [phones]
        held = found.held
        memory = memory_figure(self.bench, held, self.few)
        timed = timed_trial(self.bench, held)
        least = least_figure(self.bench, held, timed)
        floor = floor_figure(self.bench, held)
        self.reached = Reached(
            held,
            memory_kib=None if memory is None else memory.value,
            least_us=least.parts["least_us"],
            floor_us=floor.parts["floor_us"],
        )
        return [
            phones,
            *use_figures(self.bench, held),
            *([] if memory is None else [memory]),
            *stage_figures(self.bench, timed),
            least,
            floor,
        ]


def _phones_figure(bench: Bench, consumer: Consumer, found: Search, *, limit: int | None) -> Figure:
    held = found.held
    late = "" if held is None else f", generator late p99 {held.late_ms:.0f} ms"
    return Figure(
        "load",
        f"{bench}: {consumer.name}",
        0 if held is None else held.load.phones,
        "phones",
        limit=limit,
        at_least=True,
        detail=f"held {0 if held is None else held.load.hold_s:g} s{late}; {found.why_no_more}",
    )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "how many phones har-stream serves on this machine")


if __name__ == "__main__":
    main()
