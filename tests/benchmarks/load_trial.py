"""One load on one consumer, with a broker of its own, generator and probe beside it.

Mosquitto keeps what a consumer has not taken yet up to a bound far beyond the latency that is
asked for: nothing is lost on the way to one that keeps up.
"""

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.arrivals import Arrivals, arrivals, n_windows, windows_per_s
from tests.benchmarks.commands import (
    await_text,
    cpu_s,
    last_lines,
    machine_cpu_s,
    memory_mib,
    mosquitto_process,
    start,
    stop,
    tool,
)
from tests.benchmarks.figures import NotMeasuredError
from tests.benchmarks.load_consumers import Consumer
from tests.benchmarks.load_plan import Load

LATENCY_LIMIT_MS: Final = 250.0
LATE_MS: Final = 100.0
"""If the generator is later than this once in a hundred times, the load was not what it says"""
NEAR: Final = 2.0
"""What misses only the latency, and by no more than this, may be chance"""
OTHERS_CORES: Final = 0.15
"""Whatever is missed while others on the machine take more of a core than this may be chance"""
START_TIMEOUT_S: Final = 30.0
DRAIN_S: Final = 8.0
"""How long after the last message predictions are awaited"""

BROKER: Final = (
    "persistence false",
    "log_type error",
    "log_type warning",
    "log_type notice",
    "log_type subscribe",  # tells when a consumer is there
    "set_tcp_nodelay true",
    "max_inflight_messages 0",  # no bound
    "max_queued_messages 100000",  # 3 s of the largest load, 130 MB
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
    generator_cpu_s: float
    probe_cpu_s: float
    others_cpu_s: float
    """Of all else on the machine"""
    resident_mib: float
    """Of the consumer at the end"""
    n_messages: int
    message_bytes: float
    """Of an MQTT packet of samples, with topic and head"""
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
    def may_be_chance(self) -> bool:
        """Whether another trial of a load that was not held is worth it.

        It is if little but the latency was missed, if the generator was late, or if others on the
        machine were busy.
        """
        if self.others_cpu_s > OTHERS_CORES * self.seconds:
            return True
        only_late = not self.arrived.n_lost and not self.arrived.n_strange
        p99_ms = self.arrived.percentile_ms(99)
        return only_late and (self.late_ms > LATE_MS or p99_ms <= NEAR * LATENCY_LIMIT_MS)

    @property
    def message_us(self) -> float:
        """Microseconds of processor time that the consumer took for a message."""
        return self.consumer_cpu_s / self.n_messages * 1e6

    @property
    def windows_a_message(self) -> float:
        """Windows that a message completes on average."""
        return windows_per_s(self.load) * self.seconds / self.n_messages

    @property
    def phones_a_cpu_second(self) -> float:
        """Phones that a second of the consumer's processor time serves for a second."""
        return self.load.phones * self.seconds / self.consumer_cpu_s

    def __str__(self) -> str:
        """Return what a step of a search came to."""
        shares = {
            "broker": self.broker_cpu_s,
            "generator": self.generator_cpu_s,
            "probe": self.probe_cpu_s,
            "others": self.others_cpu_s,
        }
        beside = ", ".join(f"{who} {cpu_s / self.seconds:.2f}" for who, cpu_s in shares.items())
        verdict = f"not held: {self.shortfall}" if self.shortfall else "held"
        return (
            f"{self.load.phones:,} phones, {self.load.hold_s:g} s: "
            f"p99 {self.arrived.percentile_ms(99):.0f} ms, "
            f"{self.consumer_cpu_s / self.seconds:.2f} of a core, {self.message_us:.1f} µs a "
            f"message ({beside}), {verdict}"
        )

    @property
    def phone_hours(self) -> float:
        """How long all phones were served, added up."""
        return self.load.phones * self.seconds / 3600


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
        if len(sent["due"]) != load.n_messages.sum():
            raise NotMeasuredError("the generator sent another load")
        came = dict(np.load(folder / "came.npz"))
        seconds = after[0] - before[0]
        eaten, brokered, generated, probed, machine = np.subtract(after[1], before[1]).tolist()
        in_hold = sent["due"] >= begun + load.ramp_s
        return Trial(
            load,
            arrivals(load, sent, came),
            late_ms=float(np.percentile(sent["sent"] - sent["due"], 99)) * 1000,
            seconds=seconds,
            consumer_cpu_s=eaten,
            broker_cpu_s=brokered,
            generator_cpu_s=generated,
            probe_cpu_s=probed,
            others_cpu_s=max(machine - eaten - brokered - generated - probed, 0.0),
            resident_mib=resident_mib,
            n_messages=round(float(in_hold.sum()) * seconds / load.hold_s),
            message_bytes=float(sent["bytes"]) / len(sent["due"]),
            notes=json.loads(notes.read_bytes()) if notes.exists() else None,
        )


def _probe_arguments(port: int, load: Load, consumer: Consumer, folder: Path) -> list[str]:
    expected = int(n_windows(load.n_messages).sum()) if consumer.predicts else 1
    seconds = START_TIMEOUT_S + load.duration_s + DRAIN_S
    return [
        *tool("load_probe"),
        *("--port", str(port), "--expected", str(expected), "--seconds", f"{seconds:g}"),
        *("--report", str(folder / "came.npz")),
    ]


def _generator_arguments(port: int, load: Load, motion: Path, folder: Path) -> list[str]:
    return [
        *tool("load_generator"),
        *("--port", str(port), "--phones", str(load.phones), "--qos", str(load.qos)),
        *("--form", load.form, "--speed", repr(load.speed)),
        *("--hold", repr(load.hold_s), "--ramp", repr(load.ramp_s)),
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
    """Return the monotonic time, and the processor times of each process and of the machine."""
    for process in processes[:2]:
        if process.poll() is not None:
            logs = "\n".join(
                last_lines(folder / f"{name}.log") for name in ("consumer", "mosquitto")
            )
            raise NotMeasuredError(f"{consumer.name} or Mosquitto ended under the load: {logs}")
    if consumer.marked:
        processes[0].send_signal(signal.SIGUSR1)
    cpu_times_s = [cpu_s(process.pid) for process in processes]
    return time.monotonic(), [*cpu_times_s, machine_cpu_s()]


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
