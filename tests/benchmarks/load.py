"""How many phones har-stream serves on this machine, with broker, generator and probe beside it.

A load is held if every prediction comes, and 99 of 100 within 250 ms of the message that completes
their windows. The largest that is held is looked for, for each model and each quality of service of
the phones' messages; then what it costs is held against the least that any consumer costs, and
against the program that one writes first (`plain_consumer.py`).

A raw window is complete one sample after its last, as the filters' median looks one sample ahead.
Phones join over a ramp; latency and cost are of the time after, losses of all the time. Mosquitto
keeps what a consumer has not taken yet up to a bound far beyond the latency that is asked for:
nothing is lost on the way to one that keeps up.
"""

import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.stream.settings import StreamSettings
from pipeline.recordings import hapt, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.vocabulary import WINDOW_LENGTH
from tests.benchmarks.commands import (
    await_text,
    command,
    cpu_s,
    last_lines,
    memory_mib,
    mosquitto_process,
    start,
    stop,
)
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone
from tests.benchmarks.load_generator import RATE_HZ, ROWS, Load, device
from tests.benchmarks.stage_times import NETWORK, REST, STAGES, StageError, between

HOP: Final = 64
LATENCY_LIMIT_MS: Final = 250.0
PHONES_LIMITS: Final = {"cnn-lstm": 3000, "lstm": 2000, "conv-lstm": 2000}
MEMORY_LIMIT_KIB: Final = 20.0
LEAST_LIMIT: Final = 2.0
PLAIN_LIMIT: Final = 10.0

FEW: Final = 100
"""Phones of the smallest load, from which the growth of memory is counted"""
MOST: Final = 8000
PLAIN_FIRST: Final = 400
"""Phones that are tried first with the plain consumer"""
LATE_MS: Final = 100.0
"""If the generator is later than this once in a hundred times, the load was not what it says"""
NEAR: Final = 2.0
"""A load that misses only the latency, and by no more than this, is tried once more; so is one
for which the generator was late"""

START_TIMEOUT_S: Final = 30.0
DRAIN_S: Final = 8.0
"""How long after the last message predictions are awaited"""
POLL_S: Final = 0.02

BROKER: Final = (
    "persistence false",
    "log_type error",
    "log_type warning",
    "log_type notice",
    "log_type subscribe",  # tells when a consumer is there
    "set_tcp_nodelay true",
    "max_inflight_messages 0",  # no bound
    "max_queued_messages 100000",  # more than 15 s of the largest load: 150 MB
)

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


@dataclass(frozen=True)
class Consumer:
    """A program that reads the samples."""

    name: str
    arguments: Callable[[int, Path, Path], Sequence[str]]
    """From the broker's port, the model's path, and where to write notes"""
    predicts: bool = True
    marked: bool = False
    """Wants SIGUSR1 at the beginning and at the end of the hold"""


def _har_stream(port: int, model: Path) -> list[str]:
    broker = ["--broker", "127.0.0.1", "--port", str(port)]
    return [*broker, "--model", str(model), "--hop", str(HOP), "--log-level", "warning"]


def _tool(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.benchmarks.{name}"]


HAR_STREAM: Final = Consumer(
    "har-stream", lambda port, model, notes: [*command("har-stream"), *_har_stream(port, model)]
)
TIMED: Final = Consumer(
    "har-stream with timers",
    lambda port, model, notes: [*_tool("stage_times"), str(notes), *_har_stream(port, model)],
    marked=True,
)
PLAIN: Final = Consumer(
    "plain consumer",
    lambda port, model, notes: [
        *_tool("plain_consumer"),
        *("--port", str(port), "--model", str(model)),
    ],
)


def _least(load: Load, *, batch: int) -> Consumer:
    flags = ["--windows", f"{_windows_per_s(load):.3f}", "--batch", str(batch)]
    return Consumer(
        "bare paho and onnxruntime",
        lambda port, model, notes: [
            *_tool("least_consumer"),
            *("--port", str(port), "--model", str(model), "--report", str(notes), *flags),
        ],
        predicts=False,
    )


def _windows_per_s(load: Load) -> float:
    return load.phones * RATE_HZ / HOP


# What is expected, and what came


@dataclass(frozen=True)
class Arrivals:
    """What came of the predictions that were expected."""

    n_expected: int
    n_lost: int
    n_repeated: int
    n_strange: int
    """Of windows that there are not"""
    latencies_ms: NDArray[np.float64] = field(repr=False)
    """``(n,)``: of the windows completed during the hold; infinite for what did not come"""

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latencies, infinite if nothing was expected."""
        if len(self.latencies_ms) == 0:
            return math.inf
        return float(np.percentile(self.latencies_ms, percent, method="higher"))


def n_windows(n_messages: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many windows so many messages of a phone complete."""
    prepared = n_messages * ROWS - 1  # the median keeps one back
    return np.maximum((prepared - WINDOW_LENGTH) // HOP + 1, 0)


def completing_message(window: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the message that completes a phone's windows, by their numbers."""
    return (window * HOP + WINDOW_LENGTH) // ROWS


def arrivals(load: Load, sent: dict[str, NDArray[Any]], came: dict[str, NDArray[Any]]) -> Arrivals:
    """Hold what the probe saw against what the generator sent; both are their reports."""
    counts = n_windows(load.n_messages)  # (phones,)
    sent_at = np.full((load.phones, int(load.n_messages.max())), np.inf)
    sent_at[sent["phone"], sent["number"]] = sent["sent"]
    number_of = {device(phone): phone for phone in range(load.phones)}
    phone = np.array([number_of.get(name, -1) for name in came["device"].tolist()], np.int64)
    since_s = came["start"] - sent["first_samples_ms"][phone] / 1000
    place = since_s * RATE_HZ / HOP
    window = np.rint(place).astype(np.int64)
    known = (phone >= 0) & (window >= 0) & (window < counts[phone]) & (abs(place - window) < 1e-3)

    received = np.full((load.phones, max(int(counts.max()), 1)), np.inf)
    np.minimum.at(received, (phone[known], window[known]), came["received"][known])
    numbers = np.arange(received.shape[1])
    expected = numbers < counts[:, None]  # (phones, windows)
    completing = np.minimum(completing_message(numbers), sent_at.shape[1] - 1)
    completed = sent_at[:, completing]
    begin = float((sent["due"] - load.joins_s[sent["phone"]] - sent["number"] * ROWS / RATE_HZ)[0])
    in_hold = expected & (completed >= begin + load.ramp_s)
    n_came = int((expected & np.isfinite(received)).sum())
    return Arrivals(
        n_expected=int(expected.sum()),
        n_lost=int(expected.sum()) - n_came,
        n_repeated=int(known.sum()) - n_came,
        n_strange=int((~known).sum()),
        latencies_ms=(received[in_hold] - completed[in_hold]) * 1000,
    )


@dataclass(frozen=True)
class Trial:
    """What a load came to; times and counts are of the hold."""

    load: Load
    arrived: Arrivals
    late_ms: float
    """By how much the generator was late, the 99th percentile"""
    seconds: float
    consumer_cpu_s: float
    broker_cpu_s: float
    beside_cpu_s: float
    """Of generator and probe"""
    resident_mib: float
    """Of the consumer at the end"""
    n_messages: int
    notes: Any
    """What the consumer wrote down, if anything"""

    @property
    def shortfall(self) -> str:
        """Why the load was not held; empty if it was."""
        if self.arrived.n_lost or self.arrived.n_strange:
            strange = f", {self.arrived.n_strange:,} strange" if self.arrived.n_strange else ""
            return f"{self.arrived.n_lost:,} of {self.arrived.n_expected:,} lost{strange}"
        if self.late_ms > LATE_MS:
            return f"the generator itself was {self.late_ms:.0f} ms late"
        p99_ms = self.arrived.percentile_ms(99)
        return f"p99 {p99_ms:.0f} ms" if p99_ms > LATENCY_LIMIT_MS else ""

    @property
    def near(self) -> bool:
        """Whether it missed nothing but the latency, and that by little or not by its own fault."""
        only_late = not self.arrived.n_lost and not self.arrived.n_strange
        p99_ms = self.arrived.percentile_ms(99)
        return only_late and (self.late_ms > LATE_MS or p99_ms <= NEAR * LATENCY_LIMIT_MS)

    @property
    def phone_hours(self) -> float:
        """How long all phones were served, added up."""
        return self.load.phones * self.seconds / 3600


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
    windows = _windows_per_s(timed.load) * timed.seconds
    most = int(StreamSettings.model_fields["batch_size"].default)
    return max(1, min(round(windows / max(after - before, 1)), most))


# One load


def run(consumer: Consumer, model: Path, load: Load, motion: Path) -> Trial:
    """Put a load on a consumer with a broker of its own, and return what came of it.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        mosquitto_process(Path(name), BROKER) as (port, broker),
    ):
        folder = Path(name)
        broker_log = folder / "mosquitto.log"
        started: list[subprocess.Popen[bytes]] = []

        def begin(arguments: Sequence[str], log: str) -> subprocess.Popen[bytes]:
            started.append(start(list(arguments), folder, log=log))
            return started[-1]

        try:
            notes = folder / "notes.json"
            eater = begin(consumer.arguments(port, model.resolve(), notes), "consumer.log")
            await_text(broker_log, "har/+/samples", eater, folder / "consumer.log")
            probe = begin(_probe_arguments(port, load, consumer, folder), "probe.log")
            await_text(broker_log, "har/+/prediction", probe, folder / "probe.log")
            generator = begin(_generator_arguments(port, load, motion, folder), "generator.log")
            begun = _begin(generator, folder / "generator.log")

            processes = [eater, broker, generator, probe]
            _sleep_until(begun + load.ramp_s)
            before = _cpu_times(consumer, processes, folder)
            _sleep_until(begun + load.duration_s - 0.05)  # the generator ends soon after
            after = _cpu_times(consumer, processes, folder)
            resident_mib, _ = memory_mib(eater.pid)
            _await_end(generator, folder / "generator.log")
            if consumer.predicts:
                _await_end(probe, folder / "probe.log", patience_s=DRAIN_S)
        finally:
            for process in started:
                stop(process)
        sent = dict(np.load(folder / "sent.npz"))
        came = dict(np.load(folder / "came.npz"))
        seconds = after[0] - before[0]
        eaten, brokered, generated, probed = np.subtract(after[1], before[1]).tolist()
        in_hold = sent["due"] >= begun + load.ramp_s
        return Trial(
            load,
            arrivals(load, sent, came),
            late_ms=float(np.percentile(sent["sent"] - sent["due"], 99)) * 1000,
            seconds=seconds,
            consumer_cpu_s=eaten,
            broker_cpu_s=brokered,
            beside_cpu_s=generated + probed,
            resident_mib=resident_mib,
            n_messages=round(float(in_hold.sum()) * seconds / load.hold_s),
            notes=json.loads(notes.read_bytes()) if notes.exists() else None,
        )


def _probe_arguments(port: int, load: Load, consumer: Consumer, folder: Path) -> list[str]:
    expected = int(n_windows(load.n_messages).sum()) if consumer.predicts else 1
    seconds = START_TIMEOUT_S + load.duration_s + DRAIN_S
    return [
        *_tool("load_probe"),
        *("--port", str(port), "--expected", str(expected), "--seconds", f"{seconds:g}"),
        *("--report", str(folder / "came.npz")),
    ]


def _generator_arguments(port: int, load: Load, motion: Path, folder: Path) -> list[str]:
    return [
        *_tool("load_generator"),
        *("--port", str(port), "--phones", str(load.phones), "--qos", str(load.qos)),
        *("--hold", f"{load.hold_s:g}", "--ramp", f"{load.ramp_s:g}"),
        *("--motion", str(motion), "--report", str(folder / "sent.npz")),
    ]


def _begin(generator: subprocess.Popen[bytes], log: Path) -> float:
    """Return when the first message is due, in monotonic seconds."""
    line = await_text(log, "\n", generator, log)
    if not line.startswith("begin "):
        raise NotMeasuredError(f"the generator does not start: {line}")
    return float(line.split()[1])


def _sleep_until(monotonic_s: float) -> None:
    time.sleep(max(monotonic_s - time.monotonic(), 0.0))


def _cpu_times(
    consumer: Consumer, processes: Sequence[subprocess.Popen[bytes]], folder: Path
) -> tuple[float, list[float]]:
    """Return the monotonic time and the processor time of each process."""
    for process in processes[:2]:
        if process.poll() is not None:
            logs = "\n".join(
                last_lines(folder / f"{name}.log") for name in ("consumer", "mosquitto")
            )
            raise NotMeasuredError(f"{consumer.name} or Mosquitto ended under the load: {logs}")
    if consumer.marked:
        processes[0].send_signal(signal.SIGUSR1)
    return time.monotonic(), [cpu_s(process.pid) for process in processes]


def _await_end(
    process: subprocess.Popen[bytes], log: Path, *, patience_s: float = START_TIMEOUT_S
) -> None:
    """Wait until a process ends by itself; one that was waiting for others may be told to."""
    try:
        exit_code = process.wait(patience_s)
    except subprocess.TimeoutExpired:
        exit_code = stop(process)
    if exit_code != 0:
        raise NotMeasuredError(f"{log.stem} ended with {exit_code}: {last_lines(log)}")


# The figures


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
        models.sort(key=lambda model: model[0] != StreamSettings.model_fields["model"].default)
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
        least = self._trial(_least(held.load, batch=batch), held.load.phones)
        windows_per_s = _windows_per_s(held.load)
        if least.notes is None:
            raise NotMeasuredError("bare paho and onnxruntime did not end in time")
        if least.notes["windows"] < 0.9 * windows_per_s * least.notes["seconds"]:
            raise NotMeasuredError("the bare onnxruntime does not keep up with the load")
        window_us = least.notes["inference_cpu_s"] / least.notes["windows"] * 1e6
        windows_a_message = windows_per_s * least.seconds / least.n_messages
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
