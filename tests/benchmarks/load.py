"""How many phones har-stream serves on this machine, with broker, generator and probe beside it.

A load is held if every prediction comes, and 99 of 100 within 250 ms of the message that completes
their windows. The largest that is held is looked for, for each model and each quality of service of
the phones' messages; then what it costs is held against the least that any consumer costs, and
against the program that one writes first (`plain_consumer.py`).

Phones join over a ramp; latency and cost are of the time after, losses of all the time.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.stream.settings import StreamSettings
from pipeline.recordings import hapt, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.vocabulary import AUTO_FAMILY
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone
from tests.benchmarks.load_plan import RATE_HZ, Load
from tests.benchmarks.load_trial import (
    HAR_STREAM,
    LATENCY_LIMIT_MS,
    PLAIN,
    TIMED,
    Consumer,
    Trial,
    least_consumer,
    run,
    windows_per_s,
)
from tests.benchmarks.stage_clock import REST
from tests.benchmarks.stage_times import NETWORK, STAGES, StageError, between

PHONES_LIMITS: Final = {"cnn-lstm": 3000, "lstm": 2000, "conv-lstm": 2000}
MEMORY_LIMIT_KIB: Final = 20.0
LEAST_LIMIT: Final = 2.0
PLAIN_LIMIT: Final = 10.0
FEW: Final = 100
"""Phones of the smallest load, from which the growth of memory is counted"""
MOST: Final = 8000
PLAIN_FIRST: Final = 400
"""Phones that are tried first with the plain consumer"""
SUBJECTS: Final = (1, 3, 5, 6)
MOTION_S: Final = 120.0


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


SHORT: Final = Effort(hold_s=10.0, ramp_s=5.0, precision=1.25)
FULL: Final = Effort(hold_s=10.0, ramp_s=5.0, precision=1.1, confirm_s=60.0)
SMALLER: Final = 0.93
"""A load that is not held long is followed by one so many times as large"""


def largest_held(
    held: Callable[[int], bool],
    *,
    first: int,
    growth: float,
    precision: float,
    known: int = 0,
    most: int = MOST,
) -> int:
    """Return the largest number of phones for which ``held`` says so; 0 if there is none.

    ``first`` is tried first; then more, ``growth`` times each, until one is not held; then what
    lies between, until a load not held is at most ``precision`` times one held. ``known`` is held.
    """
    low, high, guess = known, most + 1, min(first, most)
    while low < guess < high:
        if held(guess):
            low = guess
        else:
            high = guess
        if high > most:
            guess = min(_round(low * growth), most)
        elif low == 0:
            guess = high // 2
        elif high <= low * precision:
            break
        else:
            guess = _round(math.sqrt(low * high))
    return low


def _round(phones: float) -> int:
    step = 10 if phones < 1000 else 50
    return round(phones / step) * step


def _batch(timed: Trial) -> int:
    """Return how many windows har-stream has classified in one call of the model, on average."""
    before, after = (int(note["calls"].get("infer", 0)) for note in timed.notes)
    windows = windows_per_s(timed.load) * timed.seconds
    most = int(StreamSettings.model_fields["batch_size"].default)
    return max(1, min(round(windows / max(after - before, 1)), most))


def measure(options: Options) -> list[Figure]:
    """Return the figures of each model and each QoS.

    The short form holds loads for 10 s; the full form looks closer, and holds what it finds for
    60 s. The plain consumer is tried with the first model, in the short form at QoS 1 alone.

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
        for i, (model, path) in enumerate(models):
            for qos in (1, 0):
                bench = _Bench(model, path, motion, qos, effort)
                figures += bench.figures(whole=i == 0 and (options.full or qos == 1))
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


class _Bench:
    """One model with one QoS."""

    def __init__(self, model: str, path: Path, motion: Path, qos: int, effort: Effort) -> None:
        self._path = path
        self._motion = motion
        self._qos = qos
        self._effort = effort
        self._limit = PHONES_LIMITS.get(model)
        self._what = f"{model}, QoS {qos}"

    def figures(self, *, whole: bool) -> list[Figure]:
        """Return what there is to say; with ``whole`` also of the plain consumer."""
        few = self._trial(HAR_STREAM, FEW)
        held, why = self._largest(HAR_STREAM, few, first=self._limit or FEW, growth=1.25)
        figures = [self._phones_figure(HAR_STREAM, held, why, limit=self._limit)]
        if held is None:
            return figures
        figures += self._cost_figures(held, few)
        timed = self._timed(held.load.phones)
        figures += self._stage_figures(timed)
        figures.append(self._least_figure(held, batch=_batch(timed)))
        if whole:
            plain, why = self._largest(PLAIN, None, first=PLAIN_FIRST, growth=2.0)
            figures.append(self._phones_figure(PLAIN, plain, why, limit=None))
            if plain is not None:
                figures.append(self._plain_figure(held, plain))
        return figures

    def _load(self, phones: int, hold_s: float | None = None) -> Load:
        return Load(phones, self._qos, hold_s or self._effort.hold_s, self._effort.ramp_s)

    def _trial(self, consumer: Consumer, phones: int, hold_s: float | None = None) -> Trial:
        trial = run(consumer, self._path, self._load(phones, hold_s), self._motion)
        if consumer.predicts:
            verdict = f"not held: {trial.shortfall}" if trial.shortfall else "held"
            print(
                f"    {self._what}, {consumer.name}, {phones:,} phones, "
                f"{trial.load.hold_s:g} s: "
                f"p99 {trial.arrived.percentile_ms(99):.0f} ms, "
                f"{trial.consumer_cpu_s / trial.seconds:.2f} of a core, {verdict}",
                flush=True,
            )
        return trial

    def _largest(
        self, consumer: Consumer, few: Trial | None, *, first: int, growth: float
    ) -> tuple[Trial | None, str]:
        """Return the trial of the largest load held, and why the smallest not held was not."""
        trials: dict[int, Trial] = {}
        misses: dict[int, str] = {}
        if few is not None and not few.shortfall:
            trials[FEW] = few

        def held(phones: int) -> bool:
            trial = self._trial(consumer, phones)
            if trial.shortfall and trial.near:
                trial = self._trial(consumer, phones)
            if trial.shortfall:
                misses[phones] = trial.shortfall
            else:
                trials[phones] = trial
            return not trial.shortfall

        phones = largest_held(
            held,
            first=first,
            growth=growth,
            precision=self._effort.precision,
            known=max(trials, default=0),
        )
        while self._effort.confirm_s is not None and phones > FEW:
            trial = self._trial(consumer, phones, self._effort.confirm_s)
            if not trial.shortfall:
                trials[phones] = trial
                break
            misses[phones] = trial.shortfall
            phones = _round(phones * SMALLER)
        why = f"{min(misses):,} not: {misses[min(misses)]}" if misses else "no more tried"
        return trials.get(phones), why

    def _phones_figure(
        self, consumer: Consumer, held: Trial | None, why: str, *, limit: int | None
    ) -> Figure:
        late = "" if held is None else f", generator late p99 {held.late_ms:.0f} ms"
        return Figure(
            "load",
            f"{self._what}: {consumer.name}",
            0 if held is None else held.load.phones,
            "phones",
            limit=limit,
            at_least=True,
            detail=f"held {0 if held is None else held.load.hold_s:g} s{late}; {why}",
        )

    def _cost_figures(self, held: Trial, few: Trial) -> list[Figure]:
        p50, p95, p99 = (held.arrived.percentile_ms(percent) for percent in (50, 95, 99))
        cores, broker_cores = held.consumer_cpu_s / held.seconds, held.broker_cpu_s / held.seconds
        figures = [
            Figure(
                "load",
                f"{self._what}: latency p99",
                p99,
                "ms",
                limit=LATENCY_LIMIT_MS,
                detail=f"p50 {p50:.0f}, p95 {p95:.0f}; {held.load.phones:,} phones; "
                f"all {held.arrived.n_expected:,} predictions came",
                parts={"p50": p50, "p95": p95, "p99": p99},
            ),
            Figure(
                "load",
                f"{self._what}: CPU time a phone-hour",
                held.consumer_cpu_s / held.phone_hours,
                "s",
                detail=f"{cores:.2f} of a core",
                parts={"cores": cores},
            ),
            Figure(
                "load",
                f"{self._what}: the broker's",
                held.broker_cpu_s / held.phone_hours,
                "s",
                detail=f"{broker_cores:.2f} of a core; generator and probe "
                f"{held.beside_cpu_s / held.seconds:.2f}",
                parts={"cores": broker_cores, "beside": held.beside_cpu_s / held.seconds},
            ),
        ]
        more = held.load.phones - few.load.phones
        if more > 0:
            growth_mib = held.resident_mib - few.resident_mib
            figures.append(
                Figure(
                    "load",
                    f"{self._what}: memory a phone",
                    growth_mib * 1024 / more,
                    "KiB",
                    limit=MEMORY_LIMIT_KIB,
                    detail=f"{few.resident_mib:.0f} MiB with {few.load.phones} phones, "
                    f"{held.resident_mib:.0f} with {held.load.phones:,}",
                    parts={"all_mib": held.resident_mib},
                )
            )
        return figures

    def _least_figure(self, held: Trial, *, batch: int) -> Figure:
        """Hold the cost of a message against that of receiving it, and of inference."""
        least = self._trial(least_consumer(held.load, batch=batch), held.load.phones)
        due_windows_per_s = windows_per_s(held.load)
        if least.notes is None:
            raise NotMeasuredError("bare paho and onnxruntime did not end in time")
        if least.notes["windows"] < 0.9 * due_windows_per_s * least.notes["seconds"]:
            raise NotMeasuredError("the bare onnxruntime does not keep up with the load")
        window_us = least.notes["inference_cpu_s"] / least.notes["windows"] * 1e6
        windows_a_message = due_windows_per_s * least.seconds / least.n_messages
        least_us = least.consumer_cpu_s / least.n_messages * 1e6
        paho_us = least_us - window_us * windows_a_message
        message_us = held.consumer_cpu_s / held.n_messages * 1e6
        return Figure(
            "load",
            f"{self._what}: CPU time against the least",
            message_us / least_us,
            "times",
            limit=LEAST_LIMIT,
            detail=f"{message_us:.0f} µs a message; paho alone {paho_us:.0f}, onnxruntime alone "
            f"{window_us:.0f} a window, batch {batch}, in all {least_us:.0f}",
            parts={
                "message_us": message_us,
                "paho_us": paho_us,
                "window_us": window_us,
                "least_us": least_us,
            },
        )

    def _timed(self, phones: int) -> Trial:
        timed = self._trial(TIMED, phones)
        if timed.notes is None or len(timed.notes) != 2:
            raise NotMeasuredError("har-stream with timers did not end in time")
        return timed

    def _stage_figures(self, timed: Trial) -> list[Figure]:
        """Return the processor time of each stage."""
        try:
            seconds = between(*timed.notes)
        except StageError as error:
            raise NotMeasuredError(str(error)) from error
        total = sum(seconds.values())
        return [
            Figure(
                "load",
                f"{self._what}: CPU time, {stage}",
                seconds[stage] / timed.phone_hours,
                "s",
                detail=f"a phone-hour; {seconds[stage] / timed.n_messages * 1e6:.1f} µs a message, "
                f"{seconds[stage] / total:.0%}",
                parts={"message_us": seconds[stage] / timed.n_messages * 1e6},
            )
            for stage in (NETWORK, *STAGES, REST)
        ]

    def _plain_figure(self, held: Trial, plain: Trial) -> Figure:
        ours = held.load.phones * held.seconds / held.consumer_cpu_s
        theirs = plain.load.phones * plain.seconds / plain.consumer_cpu_s
        return Figure(
            "load",
            f"{self._what}: phones a CPU second, against plain",
            ours / theirs,
            "times",
            limit=PLAIN_LIMIT,
            at_least=True,
            detail=f"{ours:,.0f} with {held.load.phones:,} phones; "
            f"plain {theirs:,.0f} with {plain.load.phones:,}",
            parts={"ours": ours, "plain": theirs},
        )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "how many phones har-stream serves on this machine")


if __name__ == "__main__":
    main()
