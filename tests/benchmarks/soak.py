"""Whether har-stream holds out: phones come and go for half an hour, and one of them floods.

Phones play raw recordings at 20 times real time, with a message at QoS 1 every 25 ms. Every few
seconds one of them is gone for good and another comes; har-stream soon forgets the one that is
gone, and has room for far fewer phones than come in all. By turns, one more phone is silent and
floods: it sends a hundred times as many messages as the others, at QoS 0. More than har-stream
takes of one phone waits there, and of what waits the oldest are dropped, and counted.

Memory is that of the process, as the system counts it. Its mean over the last sixth of the time is
held against that over the second, after the first for warming up; each sixth has as much of the
flood. Latencies are of all but the first sixth, too: while the flood is on, and without it from
when what was left of it is gone. The limits are meant for the whole half hour: for the first ten
minutes or so, memory still grows to what the floods take.
"""

import argparse
import json
import math
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.commands import (
    START_TIMEOUT_S,
    await_end,
    await_text,
    command,
    cpu_s,
    last_lines,
    machine_cpu_s,
    memory_mib,
    mosquitto_process,
    start,
    stop,
)
from tests.benchmarks.figures import (
    FOLDER_VARIABLE,
    Figure,
    NotMeasuredError,
    conditions,
    print_conditions,
    show,
    write_figures,
)
from tests.benchmarks.load import (
    BROKER,
    HOP,
    Arrivals,
    arrivals,
    completing_message,
    n_windows,
    recorded_motion,
)
from tests.benchmarks.load_generator import (
    LONGEST_S,
    MOST_PHONES,
    RATE_HZ,
    ROWS,
    Bursts,
    Load,
    Relay,
    device,
)
from tests.benchmarks.mqtt_packets import PUBLISH, connected, packets, publication, subscribe

MODEL: Final = "cnn-lstm"
MINUTES: Final = 30.0
PHONES: Final = 30
SPEED: Final = 20.0
FLOOD: Final = 100
"""Times as many messages as any other phone"""
SHORTEST_S: Final = 12.0
TURN_S: Final = 2.0
"""About so often a phone is gone and another comes"""
LONGEST_BURST_S: Final = 60.0

LATENCY_LIMIT: Final = 1.2
"""Times the p99 without the flood"""
THROTTLE_LIMIT: Final = FLOOD / 2
"""Times as many windows as of any other phone: half of what the flooder sends"""
GROWTH_LIMIT_PERCENT: Final = 5.0
"""Some 5 MiB in the 20 min from the second sixth to the last, in which 600 phones come and 1.4
million messages of theirs. A leak of 9 KiB a phone or of 4 bytes a message would make more; what
the allocator keeps after a stall, in steps of 1 to 4 MiB, makes less"""

MAX_WAITING: Final = 5000
"""More than the others have unacknowledged in two periods of checkpoints, and than is left of a
flood for long"""
OFFLINE_AFTER_S: Final = 4.0
FORGET_AFTER_S: Final = 8.0
LEFT_S: Final = 20.0
"""How long something may be left of a flood"""

N_PARTS: Final = 6
"""Of the soak, the first of which is for warming up"""
LEAD_S: Final = 6.0
"""For the generators to encode what they are to send"""
SAMPLE_S: Final = 1.0
END_S: Final = 2.0
"""From the last message to the last prediction at the latest"""

FLOODER: Final = MOST_PHONES - 1
"""Number of the phone that floods"""
FLOODER_TOPIC: Final = f"har/{device(FLOODER)}/samples"
LOAD_TOPIC: Final = "har/load"
REPORT_TIMEOUT_S: Final = 20.0
"""Twice the time from one message there to the next"""
DROPPED: Final = re.compile(r"dropped \d+ messages at QoS 0\b.*")
"""In a line of har-stream's log, which names topics too"""
SAMPLES_TOPIC: Final = re.compile(r"har/[^/\s]+/samples")


@dataclass(frozen=True)
class Soak:
    """So many phones for so long."""

    seconds: float
    phones: int
    """At any time, beside the one that floods"""
    state: bool = True
    """har-stream keeps its state on the disk"""
    max_waiting: int = MAX_WAITING
    """Messages that may wait in har-stream"""

    @property
    def part_s(self) -> float:
        """Seconds of a part of the soak."""
        return self.seconds / N_PARTS

    @property
    def burst_s(self) -> float:
        """Seconds of a burst of the flood, and of the silence before; each part has whole ones."""
        return self.part_s / 2 / math.ceil(self.part_s / 2 / LONGEST_BURST_S)

    @property
    def relay(self) -> Relay:
        """The phones that come and go."""
        n_turns = max(int(self.seconds / TURN_S), 1)
        ramp_s = self.seconds / n_turns / 2
        return Relay(
            self.phones + n_turns - 1,
            1,
            self.seconds - ramp_s,
            ramp_s,
            speed=SPEED,
            at_once=self.phones,
        )

    @property
    def flood(self) -> Bursts:
        """The phone that floods."""
        ramp_s = ROWS / RATE_HZ
        return Bursts(
            1,
            0,
            self.seconds - ramp_s,
            ramp_s,
            speed=SPEED * FLOOD,
            first=FLOODER,
            burst_s=self.burst_s,
        )

    @property
    def max_devices(self) -> int:
        """Phones that har-stream has room for: twice those that it may know of at once."""
        gone = (self.burst_s + LEFT_S + FORGET_AFTER_S) / self.relay.turn_s
        return 2 * (self.phones + 1 + math.ceil(gone))

    def flooded(self, since_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return at which times, in seconds since the beginning, the flood is on."""
        return (since_s >= self.part_s) & (since_s % (2 * self.burst_s) >= self.burst_s)

    def calm(self, since_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return at which times nothing is left of a flood either."""
        place_s = since_s % (2 * self.burst_s)
        left_s = min(LEFT_S, self.burst_s / 2)
        return (since_s >= self.part_s) & (place_s >= left_s) & (place_s < self.burst_s)


@dataclass(frozen=True)
class Sample:
    """What the processes are like at a time."""

    since_s: float
    """Seconds since the beginning"""
    resident_mib: float
    """Of har-stream"""
    broker_mib: float
    checkpoint_kib: float
    """0 while there is none"""
    cpu_s: float
    """Processor time that har-stream has taken"""
    all_cpu_s: float
    """That all processes of the soak have taken, this one too"""
    machine_cpu_s: float
    """That everything on the machine has taken"""


@dataclass(frozen=True)
class Outcome:
    """What a soak came to."""

    soak: Soak
    arrived: Arrivals
    """Of the phones that come and go"""
    completed_s: NDArray[np.float64]
    """``(n,)``: when what completes each window of `arrived` was sent, since the beginning"""
    late_ms: float
    """By how much the generators were late, the 99th percentile"""
    samples: Sequence[Sample] = field(repr=False)
    loads: Sequence[dict[str, Any]] = field(repr=False)
    """What har-stream told of how busy it is"""
    n_flood_windows: int
    """Of the phone that floods, predicted"""
    dropped_topics: frozenset[str]
    """Whose messages were dropped, according to the log"""

    def percentiles_ms(self, *, flooded: bool, percents: Sequence[float]) -> list[float]:
        """Return percentiles of the latencies with or without the flood.

        Raises:
            NotMeasuredError: there are none.
        """
        within = (self.soak.flooded if flooded else self.soak.calm)(self.completed_s)
        return _percentiles(self.arrived.latencies_ms[within], percents)

    def usual_p99_ms(self, *, flooded: bool) -> float:
        """Return the median of the p99 of each burst of the flood, or of each silence.

        Raises:
            NotMeasuredError: there are none.
        """
        within = (self.soak.flooded if flooded else self.soak.calm)(self.completed_s)
        latencies_ms = self.arrived.latencies_ms[within]
        turn = (self.completed_s[within] / (2 * self.soak.burst_s)).astype(np.int64)
        each = [_percentiles(latencies_ms[turn == one], [99])[0] for one in np.unique(turn)]
        return median(each)

    def cores(self, name: str, *, flooded: bool) -> float:
        """Return how many cores a quantity of `Sample` takes with or without the flood."""
        since_s = np.array([sample.since_s for sample in self.samples])
        taken_s = np.array([getattr(sample, name) for sample in self.samples])
        middles_s = (since_s[1:] + since_s[:-1]) / 2
        within = (self.soak.flooded if flooded else self.soak.calm)(middles_s)
        seconds = float(np.diff(since_s)[within].sum())
        return float(np.diff(taken_s)[within].sum()) / seconds if seconds else math.nan


def _percentiles(values: NDArray[np.float64], percents: Sequence[float]) -> list[float]:
    if len(values) == 0:
        raise NotMeasuredError("no window was completed while it was to be measured")
    found: list[float] = np.percentile(values, percents, method="higher").tolist()
    return found


def growth(soak: Soak, samples: Sequence[Sample], name: str) -> tuple[float, float, float]:
    """Return a quantity's mean over the second part and the last, and its slope an hour.

    Raises:
        NotMeasuredError: a part has no sample.
    """
    since_s = np.array([sample.since_s for sample in samples])
    values = np.array([getattr(sample, name) for sample in samples])
    part = (since_s / soak.part_s).astype(np.int64)
    second, last = values[part == 1], values[part == N_PARTS - 1]
    if len(second) == 0 or len(last) == 0:
        raise NotMeasuredError("it was too short, or the machine too busy, to look at the memory")
    warm = (part >= 1) & (part < N_PARTS)
    slope_a_s = np.polyfit(since_s[warm], values[warm], 1)[0] if warm.sum() > 1 else 0.0
    return float(second.mean()), float(last.mean()), float(slope_a_s) * 3600


def completed_at(relay: Relay, sent: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return when what completes each window was sent, since the beginning.

    Windows are those whose latencies `arrivals` gives, in its order: phone by phone.
    """
    counts = n_windows(relay.n_messages)  # (phones,)
    phone = np.repeat(np.arange(relay.phones), counts)
    window = np.arange(len(phone)) - np.repeat(np.cumsum(counts) - counts, counts)
    sent_at = np.full((relay.phones, int(relay.n_messages.max())), np.inf)
    sent_at[sent["phone"], sent["number"]] = sent["sent"]
    completed = sent_at[phone, completing_message(window)]
    begin = float(sent["due"][0])
    in_hold: NDArray[np.float64] = completed[completed >= begin + relay.ramp_s] - begin
    return in_hold


def dropped_topics(log: str) -> frozenset[str]:
    """Return the topics of which har-stream's log says that messages were dropped."""
    return frozenset(
        topic for line in DROPPED.findall(log) for topic in SAMPLES_TOPIC.findall(line)
    )


# One soak


class _LoadReports:
    """What har-stream tells of how busy it is."""

    def __init__(self, port: int) -> None:
        self._link = connected(port, "soak")
        subscribe(self._link, LOAD_TOPIC)
        self._link.setblocking(False)
        self._received = bytearray()
        self.found: list[dict[str, Any]] = []

    def read(self) -> int:
        """Return how many there are by now.

        Raises:
            NotMeasuredError: the broker hung up.
        """
        try:
            chunk = self._link.recv(1 << 16)
        except BlockingIOError:
            return len(self.found)
        if not chunk:
            raise NotMeasuredError("Mosquitto hung up")
        self._received += chunk
        self.found += [
            json.loads(publication(body)[1])
            for first, body in packets(self._received)
            if first & 0xF0 == PUBLISH
        ]
        return len(self.found)

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def run(soak: Soak, motion: Path) -> Outcome:
    """Let phones come and go, and one flood, and return what came of it.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        mosquitto_process(Path(name), BROKER) as (port, broker),
    ):
        folder = Path(name)
        broker_log = folder / "mosquitto.log"
        processes = {"mosquitto": broker}
        reports = _LoadReports(port)

        def begin(arguments: Sequence[str], name: str) -> subprocess.Popen[bytes]:
            processes[name] = start(list(arguments), folder, log=f"{name}.log")
            return processes[name]

        try:
            stream = begin(_har_stream(port, soak), "har-stream")
            await_text(broker_log, "har/+/samples", stream, folder / "har-stream.log")
            probe = begin(_probe(port, soak), "probe")
            await_text(broker_log, "har/+/prediction", probe, folder / "probe.log")
            beginning = time.monotonic() + LEAD_S
            for load, name in ((soak.relay, "phones"), (soak.flood, "flooder")):
                begin(_generator(port, load, motion, beginning, name), name)
            samples = _watch(soak, processes, folder, reports, beginning)
            for name in ("phones", "flooder"):
                await_end(processes[name], folder / f"{name}.log", timeout_s=START_TIMEOUT_S)
            _await_last_report(reports)
            stop(probe)
            await_end(probe, folder / "probe.log", timeout_s=START_TIMEOUT_S)
            log = (folder / "har-stream.log").read_text(errors="replace")
        finally:
            reports.close()
            for process in processes.values():
                stop(process)
        return _outcome(soak, folder, samples, reports.found, log)


def _har_stream(port: int, soak: Soak) -> list[str]:
    return [
        *command("har-stream"),
        *("--broker", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        *("--model", MODEL, "--hop", str(HOP), "--max-devices", str(soak.max_devices)),
        *("--max-waiting", str(soak.max_waiting)),
        *("--offline-after", f"{OFFLINE_AFTER_S:g}", "--forget-after", f"{FORGET_AFTER_S:g}"),
        *(("--state", "state") if soak.state else ()),
    ]


def _tool(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.benchmarks.{name}"]


def _probe(port: int, soak: Soak) -> list[str]:
    seconds = soak.seconds + LEAD_S + 4 * START_TIMEOUT_S
    return [
        *_tool("load_probe"),
        *("--port", str(port), "--expected", str(sys.maxsize), "--seconds", f"{seconds:g}"),
        *("--report", "came.npz"),
    ]


def _generator(port: int, load: Load, motion: Path, begin: float, name: str) -> list[str]:
    flags = [
        *("--port", str(port), "--motion", str(motion), "--report", f"{name}.npz"),
        *("--begin", f"{begin:.6f}", "--phones", str(load.phones), "--qos", str(load.qos)),
        *("--hold", repr(load.hold_s), "--ramp", repr(load.ramp_s), "--speed", f"{load.speed:g}"),
        *("--first", str(load.first)),
    ]
    if isinstance(load, Relay):
        flags += ["--at-once", str(load.at_once)]
    if isinstance(load, Bursts):
        flags += ["--burst", repr(load.burst_s)]
    return [*_tool("load_generator"), *flags]


def _watch(
    soak: Soak,
    processes: dict[str, subprocess.Popen[bytes]],
    folder: Path,
    reports: _LoadReports,
    begin: float,
) -> list[Sample]:
    """Return what the processes are like every second of the soak."""
    samples: list[Sample] = []
    due, end = begin, begin + soak.seconds
    while (now := time.monotonic()) < end:
        ended = [name for name, process in processes.items() if process.poll() is not None]
        if ended and now < end - SAMPLE_S:
            raise NotMeasuredError(f"{ended[0]} ended: {last_lines(folder / f'{ended[0]}.log')}")
        if ended:
            break
        if now >= due:
            due += SAMPLE_S
            samples.append(_sample(processes, folder, now - begin))
        reports.read()
        time.sleep(max(min(due, end) - time.monotonic(), 0.0))
    return samples


def _sample(processes: dict[str, subprocess.Popen[bytes]], folder: Path, since_s: float) -> Sample:
    stream, broker = processes["har-stream"].pid, processes["mosquitto"].pid
    checkpoint = folder / "state" / "checkpoint"
    own = [cpu_s(process.pid) for process in processes.values()]
    return Sample(
        since_s,
        resident_mib=memory_mib(stream)[0],
        broker_mib=memory_mib(broker)[0],
        checkpoint_kib=checkpoint.stat().st_size / 1024 if checkpoint.exists() else 0.0,
        cpu_s=cpu_s(stream),
        all_cpu_s=sum(own) + time.process_time(),
        machine_cpu_s=machine_cpu_s(),
    )


def _await_last_report(reports: _LoadReports) -> None:
    """Wait until har-stream has told of the time after the last message, and all has arrived."""
    time.sleep(END_S)
    n_before = reports.read()
    give_up = time.monotonic() + REPORT_TIMEOUT_S
    while reports.read() == n_before:
        if time.monotonic() > give_up:
            raise NotMeasuredError(f"har-stream tells nothing any more on {LOAD_TOPIC}")
        time.sleep(0.1)


def _outcome(
    soak: Soak, folder: Path, samples: list[Sample], loads: list[dict[str, Any]], log: str
) -> Outcome:
    sent, flood = dict(np.load(folder / "phones.npz")), dict(np.load(folder / "flooder.npz"))
    came = dict(np.load(folder / "came.npz"))
    of_flooder = came["device"] == device(FLOODER)
    arrived = arrivals(soak.relay, sent, {key: value[~of_flooder] for key, value in came.items()})
    late_s = np.concatenate([one["sent"] - one["due"] for one in (sent, flood)])
    return Outcome(
        soak,
        arrived,
        completed_at(soak.relay, sent),
        late_ms=float(np.percentile(late_s, 99)) * 1000,
        samples=samples,
        loads=loads,
        n_flood_windows=int(of_flooder.sum()),
        dropped_topics=dropped_topics(log),
    )


# The figures


def figures(outcome: Outcome) -> list[Figure]:
    """Return what there is to say of a soak.

    Raises:
        NotMeasuredError: it was too short.
    """
    return [
        *_latency_figures(outcome),
        _came_figure(outcome),
        *_flood_figures(outcome),
        *_memory_figures(outcome),
    ]


def _latency_figures(outcome: Outcome) -> list[Figure]:
    found, usual, details = {}, {}, {}
    for flooded in (False, True):
        p50, found[flooded] = outcome.percentiles_ms(flooded=flooded, percents=(50, 99))
        usual[flooded] = outcome.usual_p99_ms(flooded=flooded)
        cores, of_all, of_machine = (
            outcome.cores(name, flooded=flooded) for name in ("cpu_s", "all_cpu_s", "machine_cpu_s")
        )
        details[flooded] = (
            f"p50 {p50:.0f}; har-stream takes {cores:.2f} of a core, all of the soak {of_all:.2f}, "
            f"others {max(of_machine - of_all, 0):.2f}"
        )
    return [
        Figure("soak", "latency p99, no flood", found[False], "ms", detail=details[False]),
        Figure("soak", "latency p99, flood", found[True], "ms", detail=details[True]),
        Figure(
            "soak",
            "latency p99, flood against no flood",
            found[True] / found[False],
            "times",
            limit=LATENCY_LIMIT,
            detail=f"median of each burst's and each silence's own {usual[True]:.0f} and "
            f"{usual[False]:.0f} ms; {outcome.soak.phones} phones, generators late p99 "
            f"{outcome.late_ms:.0f} ms",
        ),
    ]


def _came_figure(outcome: Outcome) -> Figure:
    soak, arrived = outcome.soak, outcome.arrived
    n_came = arrived.n_expected - arrived.n_lost
    known = max((load["phones"] for load in outcome.loads), default=0)
    return Figure(
        "soak",
        "predictions of those that do not flood",
        100 * n_came / arrived.n_expected,
        "%",
        limit=100.0,
        at_least=True,
        detail=f"{n_came:,} of {arrived.n_expected:,} came, {arrived.n_repeated:,} of them again, "
        f"{arrived.n_strange:,} strange; {soak.relay.phones:,} phones came and went, "
        f"room for {soak.max_devices}, known at once {known}",
    )


def _flood_figures(outcome: Outcome) -> list[Figure]:
    if not outcome.loads:
        raise NotMeasuredError(f"har-stream told nothing on {LOAD_TOPIC}")
    soak = outcome.soak
    n_sent = int(soak.flood.n_messages.sum())
    per_s = soak.flood.speed * RATE_HZ / ROWS
    others = sorted(outcome.dropped_topics - {FLOODER_TOPIC})
    named = "named in the log" if FLOODER_TOPIC in outcome.dropped_topics else "NOT IN THE LOG"
    a_phone = soak.relay.speed * RATE_HZ / HOP
    served = outcome.n_flood_windows / (n_sent / per_s) / a_phone
    return [
        Figure(
            "soak",
            "messages of the flooder dropped",
            outcome.loads[-1]["dropped"],
            "messages",
            limit=1.0,
            at_least=True,
            detail=f"counted on {LOAD_TOPIC}, {named}; of {n_sent:,} sent, {per_s:,.0f} a second"
            + (f"; BUT ALSO OF {', '.join(others)}" if others else ""),
        ),
        Figure(
            "soak",
            "windows of the flooder predicted",
            served,
            "times",
            limit=THROTTLE_LIMIT,
            detail=f"as many as of another phone, for {FLOOD} times as many messages",
        ),
    ]


def _memory_figures(outcome: Outcome) -> list[Figure]:
    soak = outcome.soak
    before, after, slope = growth(soak, outcome.samples, "resident_mib")
    broker_before, broker_after, broker_slope = growth(soak, outcome.samples, "broker_mib")
    hours = f"{soak.seconds / 60:g} min, {soak.seconds * SPEED / 3600:.1f} h of sample time"
    found = [
        Figure(
            "soak",
            "memory of har-stream, growth",
            100 * (after - before) / before,
            "%",
            limit=GROWTH_LIMIT_PERCENT,
            detail=f"{before:.1f} MiB over the second sixth, {after:.1f} over the last; {hours}",
            parts={"before_mib": before, "after_mib": after},
        ),
        Figure(
            "soak",
            "memory of har-stream, slope",
            slope,
            "MiB/h",
            detail=f"growth {after - before:+.2f} MiB",
        ),
        Figure(
            "soak",
            "memory of the broker, slope",
            broker_slope,
            "MiB/h",
            detail=f"{broker_before:.1f} MiB, then {broker_after:.1f}: "
            "it keeps what is retained of phones that are gone",
        ),
    ]
    if soak.state:
        before, after, _ = growth(soak, outcome.samples, "checkpoint_kib")
        largest = max(sample.checkpoint_kib for sample in outcome.samples)
        found.append(
            Figure(
                "soak",
                "checkpoint, the largest",
                largest,
                "KiB",
                detail=f"on average {before:.0f} over the second sixth, {after:.0f} over the last",
            )
        )
    return found


def measure(soak: Soak, data: Path | None) -> list[Figure]:
    """Return the figures of a soak.

    Raises:
        NotMeasuredError: Mosquitto is missing, or one of the programs failed.
    """
    with tempfile.TemporaryDirectory() as name:
        motion = Path(name) / "motion.npy"
        np.save(motion, recorded_motion(data))
        return figures(run(soak, motion))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="whether har-stream holds out for long")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--phones", type=int, default=PHONES, help="at any time")
    parser.add_argument("--no-state", action="store_true", help="without har-stream's --state")
    parser.add_argument("--data", type=Path, help=f"data set's zip or folder; {FOLDER_VARIABLE}")
    parser.add_argument("--json", type=Path, help="file for all figures")
    flags = parser.parse_args()
    longest, most = LONGEST_S / 60, _most_phones()
    if not SHORTEST_S / 60 <= flags.minutes <= longest or not 1 <= flags.phones <= most:
        parser.error(f"{SHORTEST_S / 60:g} to {longest:g} minutes, 1 to {most} phones")
    signal.signal(signal.SIGTERM, _exit)  # so that the processes started are stopped
    found = conditions()
    print_conditions(found)
    soak = Soak(flags.minutes * 60, flags.phones, state=not flags.no_state)
    try:
        figures = measure(soak, flags.data)
    except NotMeasuredError as error:
        sys.exit(f"  not measured: {error}")
    show(figures)
    if flags.json is not None:
        write_figures(flags.json, found, figures)


def _most_phones() -> int:
    """Return how many phones' messages may be unacknowledged until the second checkpoint."""
    return int(MAX_WAITING / 2 / (SPEED * RATE_HZ / ROWS))


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
