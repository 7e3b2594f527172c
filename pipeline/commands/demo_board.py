"""What har-demo shows in the terminal meanwhile: the activity of each phone, as it is predicted."""

from collections import Counter, defaultdict
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.replay.outgoing_messages import OutgoingMessage
from pipeline.commands.replay.replay import Replay
from pipeline.commands.replay.windows import ExpectedWindow
from pipeline.mqtt.connection import Connection
from pipeline.vocabulary import SAMPLING_RATE_HZ

BAR_CELLS: Final = 14


class ShownPrediction(msgspec.Struct):
    """The part of a prediction that the table shows."""

    device: str
    activity: str
    probability: float


class Board:
    """The activity of each phone, as har-stream predicts it."""

    def __init__(self, settings: DemoSettings, replay: Replay, connection: Connection) -> None:
        """Show what ``connection`` receives, with the latencies of ``replay``."""
        self._settings = settings
        self._replay = replay
        self._connection = connection
        self._latest: dict[str, ShownPrediction] = {}
        self._n_windows: Counter[str] = Counter()
        self._sent: defaultdict[str, list[ExpectedWindow]] = defaultdict(list)

    def add(self, message: OutgoingMessage) -> None:
        """Note the windows that were sent with a message."""
        for start, _ in message.completes:
            window = self._replay.windows.by_number[message.device, round(start * SAMPLING_RATE_HZ)]
            self._sent[message.device].append(window)

    def table(self) -> Table:
        """Return the table as of now."""
        self._receive()
        speed, duration = self._settings.speed, self._settings.duration
        table = Table(
            title=f"{self._replay.seconds:.0f} of {duration:g} s, {speed:g} times real time"
        )
        table.add_column("phone", no_wrap=True)
        table.add_column("activity", no_wrap=True, min_width=18)
        table.add_column("probability", no_wrap=True, min_width=BAR_CELLS + 5)
        table.add_column("windows", justify="right", no_wrap=True)
        table.add_column("latency", justify="right", no_wrap=True)
        for device in sorted(set(self._sent) | set(self._latest)):
            prediction = self._latest.get(device)
            latency_s = self._latency_s(device)
            table.add_row(
                Text(device),
                Text(prediction.activity if prediction else "-"),
                _bar(prediction.probability) if prediction else Text("-"),
                str(self._n_windows[device]),
                "-" if latency_s is None else f"{latency_s * 1000:.0f} ms",
            )
        return table

    def line(self) -> str:
        """Return a line as of now: how many phones do what."""
        self._receive()
        doing = Counter(prediction.activity for prediction in self._latest.values())
        latencies_s = [s for device in self._latest if (s := self._latency_s(device)) is not None]
        slowest = f"{max(latencies_s) * 1000:.0f} ms" if latencies_s else "-"
        return (
            f"{self._replay.seconds:4.0f} s  {self._n_windows.total()} windows, latency {slowest}; "
            + ", ".join(f"{activity} {n}" for activity, n in doing.most_common())
        )

    def _receive(self) -> None:
        for message in self._connection.take(timeout_s=0.0, gather_s=0.0):
            prediction = msgspec.json.decode(message.payload, type=ShownPrediction)
            self._latest[prediction.device] = prediction
            self._n_windows[prediction.device] += 1

    def _latency_s(self, device: str) -> float | None:
        """Return the latency of a phone's last window that has been answered."""
        answered = (w.latency_s for w in reversed(self._sent[device]) if w.latency_s is not None)
        return next(answered, None)


def _bar(probability: float) -> Text:
    filled = round(probability * BAR_CELLS)
    return Text.assemble(
        ("━" * filled, "green"),
        ("━" * (BAR_CELLS - filled), "bright_black"),
        f" {probability:.2f}",
    )
