"""What har-web costs: processor time a phone, bytes to a browser, memory, time to a phone page.

har-web runs as people run it, at a Mosquitto of its own. Phones and har-stream are made up: their
messages come at the pace of real ones, from this process, and so do the browsers.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from websockets.sync.client import ClientConnection, connect

from pipeline.mqtt.connection import Connection
from pipeline.recordings import simulated
from pipeline.settings import BrokerSettings
from pipeline.vocabulary import ACTIVITIES
from tests.benchmarks.commands import (
    START_TIMEOUT_S,
    await_text,
    command,
    cpu_s,
    memory_mib,
    mosquitto_process,
    start,
    stop,
)
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.brokers import find_free_port

PHONES: Final = 500
WATCHED: Final = 20
"""Cards in view on a dashboard"""
MESSAGE_S: Final = 0.5
HOP_S: Final = 1.28
HEARTBEAT_S: Final = 10.0
BROWSERS: Final = 10
COMING_S: Final = 30.0
FULL_COMING_S: Final = 3600.0
"""How long browsers come and go, and with ``--full``"""
FILLING_S: Final = 3.0
FULL_FILLING_S: Final = 660.0
"""How long they do so before memory is measured: with ``--full``, until the ten minutes that
har-web remembers are full"""
FULL_STAY_S: Final = 5.0
"""How long each of them stays and reads, with ``--full``; else it goes at once"""
ANSWERS: Final = 200

CPU_LIMIT_US: Final = 500.0
"""A phone and second: 500 phones then take a quarter of a core"""
BYTES_LIMIT: Final = 1_000.0
"""A phone and second"""
MEMORY_LIMIT_MIB: Final = 10.0
LATENCY_LIMIT_MS: Final = 50.0


def measure(options: Options) -> list[Figure]:
    """Return all figures.

    Raises:
        NotMeasuredError: Mosquitto is missing, or har-web does not start.
    """
    seconds = min(options.seconds, 15.0)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        more = ["max_queued_messages 0"]
        port, _ = stack.enter_context(mosquitto_process(folder, more))
        page_port = find_free_port()
        web = start(
            [
                *(*command("har-web"), "--broker", "127.0.0.1", "--port", str(port)),
                *("--listen", f"127.0.0.1:{page_port}", "--log-level", "info"),
            ],
            folder,
            log="web.log",
        )
        stack.callback(stop, web)
        await_text(folder / "web.log", "connected to", web, folder / "web.log")
        fleet = stack.enter_context(_fleet(port))
        figures = []
        with fleet.playing():
            time.sleep(3.0)
            alone_us = _cpu_us(web.pid, seconds)
            with Dashboard(page_port) as dashboard:
                time.sleep(2.0)
                before = dashboard.n_bytes
                looked_at_us = _cpu_us(web.pid, seconds)
                bytes_a_s = (dashboard.n_bytes - before) / seconds
            with ExitStack() as browsers:
                for _ in range(BROWSERS):
                    browsers.enter_context(Dashboard(page_port))
                time.sleep(2.0)
                crowd_us = _cpu_us(web.pid, seconds)
            memory_figure = _memory_figure(page_port, web.pid, full=options.full)
        figures += _cpu_figures(alone_us, looked_at_us, crowd_us, bytes_a_s)
        figures.append(memory_figure)
        figures.append(_latency_figure(page_port, fleet))
        return figures


class Fleet:
    """Phones, and har-stream's results for them."""

    def __init__(self, connection: Connection) -> None:
        """Begin with all of them known."""
        self._connection = connection
        self._stopped = threading.Event()
        [recording] = simulated.recordings(1, seconds=10, activity="WALKING")
        rows = recording.stretches[0].samples[:25]
        self._samples = json.dumps(
            {
                "rate": 50.0,
                "acc": [[round(x, 4) for x in row] for row in rows[:, :3].tolist()],
                "acc_unit": "m/s2",
                "gyro": [[round(x, 4) for x in row] for row in rows[:, 3:].tolist()],
                "gyro_unit": "rad/s",
            }
        )[1:]
        for number in range(PHONES):
            connection.publish(f"har/{name(number)}/availability", b"online", retain=True)
            info = {"device": name(number), "format": "native", "rates_hz": {"motion": 50}}
            connection.publish(f"har/{name(number)}/info", json.dumps(info), retain=True)

    def tell_activity(self, device: str, since: float) -> None:
        """Publish an activity now."""
        payload = {"device": device, "activity": "WALKING", "since": since, "probability": 0.99}
        self._connection.publish(f"har/{device}/activity", json.dumps(payload), retain=True)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Let all phones send, as long as the context lasts."""
        self._stopped.clear()
        thread = threading.Thread(target=self._play)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def _play(self) -> None:
        begun, epoch = time.monotonic(), time.time()
        due = [
            (offset + number / PHONES * period, period, kind, number)
            for number in range(PHONES)
            for offset, period, kind in ((0, MESSAGE_S, 0), (0, HOP_S, 1), (0, HEARTBEAT_S, 2))
        ]
        while not self._stopped.wait(0.02):
            now = time.monotonic() - begun
            for i, (at, period, kind, number) in enumerate(due):
                if at <= now:
                    self._send(kind, number, epoch + at)
                    due[i] = (at + period, period, kind, number)

    def _send(self, kind: int, number: int, now: float) -> None:
        device = name(number)
        if kind == 0:
            payload = f'{{"start": {now:.3f}, {self._samples}'
            self._connection.publish(f"har/{device}/samples", payload)
        elif kind == 1:
            probabilities = dict.fromkeys(ACTIVITIES, 0.0012345) | {"WALKING": 0.9938275}
            prediction = {
                "device": device, "start": now - 2.54, "end": now, "activity": "WALKING",
                "probability": 0.9938275, "probabilities": probabilities, "model": "m@1",
            }  # fmt: skip
            self._connection.publish(f"har/{device}/prediction", json.dumps(prediction))
        else:
            self.tell_activity(device, 1.7e9)


class Dashboard:
    """A browser that takes all that it gets."""

    def __init__(self, port: int, opened: int | None = None) -> None:
        """Connect, and watch some phones; one of them may be opened."""
        self.n_bytes = 0
        self.has_read = threading.Event()
        self._socket = _connected(port)
        watch = {"type": "watch", "devices": [name(number) for number in range(WATCHED)]}
        self._socket.send(json.dumps(watch if opened is None else watch | {"open": name(opened)}))
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Dashboard":
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave."""
        self._socket.close()
        self._thread.join()

    def _read(self) -> None:
        for frame in self._socket:
            self.n_bytes += len(frame)
            self.has_read.set()


def name(number: int) -> str:
    """Return the name of a phone."""
    return f"phone-{number:03d}"


@contextmanager
def _fleet(port: int) -> Iterator[Fleet]:
    settings = BrokerSettings.model_validate({"broker": "127.0.0.1", "port": port})
    connection = Connection(settings, name="phones", subscriptions=[])
    connection.start(retry=False)
    try:
        yield Fleet(connection)
    finally:
        connection.close(timeout_s=2.0)


def _cpu_us(pid: int, seconds: float) -> float:
    """Return the processor time that a process takes a phone and second, in microseconds."""
    before = cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - before) / seconds / PHONES * 1e6


def _cpu_figures(
    alone_us: float, looked_at_us: float, crowd_us: float, bytes_a_s: float
) -> list[Figure]:
    a_browser_us = (crowd_us - alone_us) / BROWSERS
    return [
        Figure(
            "web", f"{PHONES} phones, nobody looks: CPU time", alone_us, "µs/s", limit=CPU_LIMIT_US,
            detail=f"a phone; {alone_us * PHONES / 1e6:.3f} of a core",
        ),
        Figure(
            "web", f"{PHONES} phones, one dashboard: CPU time", looked_at_us, "µs/s",
            limit=CPU_LIMIT_US,
            detail=f"a phone; {looked_at_us * PHONES / 1e6:.3f} of a core; {WATCHED} in view",
        ),
        Figure(
            "web", f"{PHONES} phones: each dashboard's CPU time", a_browser_us, "µs/s",
            detail=f"a phone; {BROWSERS} of them: {crowd_us * PHONES / 1e6:.3f} of a core in all",
        ),
        Figure(
            "web", f"{PHONES} phones: bytes to a browser", bytes_a_s / PHONES, "B/s",
            limit=BYTES_LIMIT,
            detail=f"a phone; {bytes_a_s / 1e3:.0f} kB/s in all; {WATCHED} in view",
        ),
    ]  # fmt: skip


def _memory_figure(port: int, pid: int, *, full: bool) -> Figure:
    """Return how much memory is left behind by browsers that come and go while phones send."""
    stay_s = FULL_STAY_S if full else 0.0
    _come_and_go(port, stay_s, FULL_FILLING_S if full else FILLING_S)
    before, _ = memory_mib(pid)
    seconds = FULL_COMING_S if full else COMING_S
    n_visits = _come_and_go(port, stay_s, seconds)
    after, highest = memory_mib(pid)
    how_long = f"an hour, {stay_s:.0f} s each" if full else f"{seconds:.0f} s; --full: an hour"
    return Figure(
        "web", f"memory left by {BROWSERS} browsers that come and go", after - before, "MiB",
        limit=MEMORY_LIMIT_MIB,
        detail=f"{n_visits:,} visits in {how_long}; {after:.1f} in all; "
        f"highest {highest:.1f}",
    )  # fmt: skip


def _come_and_go(port: int, stay_s: float, seconds: float) -> int:
    """Let browsers come and go for so long, and return how many came."""
    n_visits, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        with ExitStack() as browsers:
            for _ in range(BROWSERS):
                dashboard = browsers.enter_context(Dashboard(port, opened=0))
                dashboard.has_read.wait(START_TIMEOUT_S)
            time.sleep(stay_s)
        n_visits += BROWSERS
    return n_visits


def _latency_figure(port: int, fleet: Fleet) -> Figure:
    """Return how long an activity takes from har-stream's publication to the phone's page."""
    device, times_ms = name(0), []
    with _connected(port, f"?device={device}") as page:
        for number in range(ANSWERS):
            since = 1e9 + number
            begun = time.monotonic()
            fleet.tell_activity(device, since)
            while json.loads(page.recv(START_TIMEOUT_S)).get("since") != since:
                pass
            times_ms.append((time.monotonic() - begun) * 1000)
            time.sleep(0.05)
    p99 = quantiles(times_ms, n=100)[-1]
    return Figure(
        "web", "har-stream's word to the phone's page, p99", p99, "ms", limit=LATENCY_LIMIT_MS,
        detail=f"p50 {median(times_ms):.1f}; {ANSWERS} of them",
    )  # fmt: skip


def _connected(port: int, query: str = "") -> ClientConnection:
    try:
        return connect(
            f"ws://127.0.0.1:{port}/ws{query}",
            compression=None,
            max_size=None,
            proxy=None,
            open_timeout=START_TIMEOUT_S,
        )
    except OSError as error:
        raise NotMeasuredError(f"har-web does not answer: {error}") from error


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "har-web with Mosquitto")


if __name__ == "__main__":
    main()
