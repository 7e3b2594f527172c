"""One soak: its programs are started, watched every second, and ended."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.arrivals import HOP, arrivals
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
    tool,
)
from tests.benchmarks.figures import NotMeasuredError
from tests.benchmarks.load_plan import Bursts, Load, Relay, device
from tests.benchmarks.load_trial import BROKER
from tests.benchmarks.mqtt_packets import PUBLISH, connected, packets, publication, subscribe
from tests.benchmarks.soak_outcome import Outcome, Sample, completed_at, dropped_topics
from tests.benchmarks.soak_plan import FLOODER, FORGET_AFTER_S, LOAD_TOPIC, OFFLINE_AFTER_S, Soak

MODEL: Final = "cnn-lstm"
LEAD_S: Final = 6.0
"""For the generators to encode what they are to send"""
SAMPLE_S: Final = 1.0
END_S: Final = 2.0
"""From the last message to the last prediction at the latest"""
REPORT_TIMEOUT_S: Final = 20.0
"""Twice the time from one message there to the next"""


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


def _probe(port: int, soak: Soak) -> list[str]:
    seconds = soak.seconds + LEAD_S + 4 * START_TIMEOUT_S
    return [
        *tool("load_probe"),
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
    return [*tool("load_generator"), *flags]


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
