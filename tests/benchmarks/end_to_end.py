"""What har-stream reaches with a real Mosquitto: rate, latency, memory, start-up, processor time.

har-stream and har-replay run as people run them; every run has a broker of its own. A client that
listens to the results notes when har-stream came online and when its first and last result came. It
is not the tests' client, which keeps and confirms all that comes: that would cost more beside what
is measured.
"""

import json
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.commands.replay.outgoing_messages import messages_of
from pipeline.recordings import uci_har
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import WINDOW_LENGTH
from tests.benchmarks.commands import command, cpu_s, last_lines, memory_mib, mosquitto, start, stop
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone

LATENCY_LIMIT_MS: Final = 150.0
MEMORY_LIMIT_MIB: Final = 150.0
START_UP_LIMIT_S: Final = 1.0
REPEATS: Final = 3
HOP: Final = WINDOW_LENGTH // 2
ROWS: Final = 25
"""Samples a message, half a second"""
AUTO: Final = "auto"
"""Of the two default models, that which each phone needs"""
START_TIMEOUT_S: Final = 30.0
REPLAY_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True)
class Run:
    """What one run of har-stream and har-replay came to."""

    start_up_s: float
    """From starting the process to its ``online``"""
    seconds: float
    """From har-stream's first word on a phone to its last prediction"""
    stream_cpu_s: float
    """Processor time of har-stream, start-up left out"""
    resident_mib: float
    """Resident memory of har-stream after the replay"""
    highest_mib: float
    """Highest resident memory of har-stream"""
    report: dict[str, Any]
    """What har-replay says"""


class Listener:
    """A client that notes when har-stream's results arrive."""

    def __init__(self, port: int) -> None:
        """Connect and subscribe."""
        self.online = threading.Event()
        self.online_at = 0.0  # all three in monotonic seconds
        self.first_at = 0.0
        self.last_at = 0.0
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._note
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("har/status", 1), ("har/+/prediction", 0)])
        self._client.loop_start()
        if not subscribed.wait(START_TIMEOUT_S):
            raise NotMeasuredError("Mosquitto does not answer")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _note(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        now = time.monotonic()
        if message.topic.endswith("/prediction"):
            self.first_at = self.first_at or now
            self.last_at = now
        elif message.payload == b"online":
            self.online_at = now
            self.online.set()


def measure(options: Options) -> list[Figure]:
    """Return the figures of each model, and of the default ones, from repeats interleaved.

    Raises:
        NotMeasuredError: Mosquitto or the data set is missing, or a command failed.
    """
    try:
        data = uci_har.load(options.data)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    recordings = uci_har.recordings(data.test)
    n_messages = sum(len(list(messages_of(r, rows=ROWS, hop=HOP, epoch=0.0))) for r in recordings)
    models = [(AUTO, AUTO), *((name, str(path)) for name, path in present_models(options.models))]
    fast: dict[str, list[Run]] = {name: [] for name, _ in models}
    for _ in range(REPEATS):
        for name, path in models:
            fast[name].append(_run(path, data.source, ["--speed", "max"]))
    figures = []
    for name, path in models:
        live = _run(path, data.source, ["--speed", "1", "--duration", f"{options.seconds:g}"])
        figures += _rate_figures(name, fast[name], n_messages)
        figures += _live_figures(name, live, len(recordings))
        figures.append(_start_up_figure(name, [*fast[name], live]))
    return figures


def _run(model: str, data: Path, replay_arguments: Sequence[str]) -> Run:
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as port:
        folder = Path(name)
        listener = Listener(port)
        broker = ["--broker", "127.0.0.1", "--port", str(port), "--hop", str(HOP)]
        started_at = time.monotonic()
        stream = start(
            [*command("har-stream"), *broker, "--model", model],
            folder,
            log="stream.log",
        )
        try:
            while not listener.online.wait(0.1):
                if stream.poll() is not None or time.monotonic() - started_at > START_TIMEOUT_S:
                    raise NotMeasuredError(
                        f"har-stream did not come online: {last_lines(folder / 'stream.log')}"
                    )
            cpu_before_s = cpu_s(stream.pid)
            report = _replay([*broker, "--data", str(data.resolve()), *replay_arguments], folder)
            if stream.poll() is not None:
                raise NotMeasuredError(f"har-stream ended: {last_lines(folder / 'stream.log')}")
            stream_cpu_s = cpu_s(stream.pid) - cpu_before_s
            resident_mib, highest_mib = memory_mib(stream.pid)
        finally:
            exit_code = stop(stream)
            listener.close()
        if exit_code != 0:
            raise NotMeasuredError(
                f"har-stream ended with {exit_code}: {last_lines(folder / 'stream.log')}"
            )
        return Run(
            start_up_s=listener.online_at - started_at,
            seconds=listener.last_at - listener.first_at,
            stream_cpu_s=stream_cpu_s,
            resident_mib=resident_mib,
            highest_mib=highest_mib,
            report=report,
        )


def _replay(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run har-replay and return its report."""
    file, log = folder / "report.json", "replay.log"
    replay = start(
        [*command("har-replay"), *arguments, "--rows", str(ROWS), "--wait", "--report", str(file)],
        folder,
        log=log,
    )
    try:
        exit_code = replay.wait(REPLAY_TIMEOUT_S)
    finally:
        stop(replay)
    if exit_code != 0:
        raise NotMeasuredError(f"har-replay ended with {exit_code}: {last_lines(folder / log)}")
    report: dict[str, Any] = json.loads(file.read_bytes())
    if report["windows_received"] != report["windows_expected"]:
        raise NotMeasuredError(
            f"{report['windows_received']} of {report['windows_expected']} predictions came"
        )
    return report


def _rate_figures(name: str, runs: Sequence[Run], n_messages: int) -> list[Figure]:
    """Return what ``--speed max`` came to: medians over the runs."""
    n_samples, n_windows = runs[0].report["samples"], runs[0].report["windows_received"]
    seconds = median(run.seconds for run in runs)
    spread = ", ".join(f"{run.seconds:.2f}" for run in runs)
    cpu = median(run.stream_cpu_s for run in runs)
    return [
        Figure(
            "end_to_end",
            f"{name}: --speed max",
            n_samples / seconds,
            "samples/s",
            detail=f"{n_samples:,} samples in {n_messages:,} messages; "
            f"first prediction to last {spread} s",
        ),
        Figure(
            "end_to_end",
            f"{name}: --speed max",
            n_windows / seconds,
            "windows/s",
            detail=f"all {n_windows:,} predictions came",
        ),
        Figure(
            "end_to_end",
            f"{name}: CPU time a 1,000 messages",
            cpu / n_messages * 1000,
            "s",
            detail=f"{cpu:.2f} s in all, {cpu / seconds:.2f} of a core",
            parts={"cores": cpu / seconds},
        ),
        Figure(
            "end_to_end",
            f"{name}: memory at --speed max",
            max(run.highest_mib for run in runs),
            "MiB",
            detail="highest",
        ),
    ]


def _live_figures(name: str, run: Run, n_phones: int) -> list[Figure]:
    """Return what ``--speed 1`` came to."""
    latency_ms = run.report["latency_ms"]
    return [
        Figure(
            "end_to_end",
            f"{name}: latency p99, {n_phones} phones live",
            latency_ms["p99"],
            "ms",
            limit=LATENCY_LIMIT_MS,
            detail=f"p50 {latency_ms['p50']:.1f}, p95 {latency_ms['p95']:.1f}; "
            f"{run.report['windows_received']} windows in {run.seconds:.0f} s",
            parts={**latency_ms, "windows": run.report["windows_received"]},
        ),
        Figure(
            "end_to_end",
            f"{name}: memory, {n_phones} phones live",
            run.highest_mib,
            "MiB",
            limit=MEMORY_LIMIT_MIB,
            detail=f"highest; {run.resident_mib:.0f} at the end; "
            f"{run.stream_cpu_s / run.seconds:.3f} of a core",
            parts={"at_the_end": run.resident_mib, "cores": run.stream_cpu_s / run.seconds},
        ),
    ]


def _start_up_figure(name: str, runs: Sequence[Run]) -> Figure:
    times_s = [run.start_up_s for run in runs]
    return Figure(
        "end_to_end",
        f"{name}: start to online",
        median(times_s),
        "s",
        limit=START_UP_LIMIT_S,
        detail=f"process to har/status online; median of {len(runs)}, "
        f"{min(times_s):.2f} to {max(times_s):.2f}",
    )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "har-stream and har-replay with Mosquitto")


if __name__ == "__main__":
    main()
