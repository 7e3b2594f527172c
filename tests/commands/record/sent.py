"""What phones send in the tests of har-record, and a recorder that takes it."""

import time
from pathlib import Path

import msgspec
import numpy as np

from pipeline.commands.record.recorder import Recorder
from pipeline.commands.record.settings import RecordSettings
from pipeline.messages import Message
from pipeline.recordings import parquet
from pipeline.recordings.recording import Recording as KeptRecording
from pipeline.subscriptions import parse

EPOCH = 1.7e9


def samples(start: float, n_rows: int = 25, *, recording: str = "", **keys: object) -> bytes:
    """Return a native message of evenly spaced rows, from ``start`` seconds on."""
    return msgspec.json.encode(
        {
            "start": EPOCH + start,
            "rate": 50,
            "acc": [[0.1, 9.8, k / 100] for k in range(n_rows)],
            "acc_unit": "m/s2",
            "gyro": [[0.0, 0.1, 0.2]] * n_rows,
            "gyro_unit": "rad/s",
            "recording": recording,
            **keys,
        }
    )


def sensor_logger(start: float, *, text: str | None = None, accuracy: bool = False) -> bytes:
    """Return a message of Sensor Logger: ten readings of three sensors, and an annotation."""
    time_ns = round((EPOCH + start) * 1e9)
    payload: list[dict[str, object]] = [
        {"name": name, "time": time_ns + k * 10_000_000, "values": {"x": 0.1, "y": -9.8, "z": k}}
        | ({"accuracy": 3} if accuracy else {})
        for name in ("gyroscope", "accelerometer", "gravity")
        for k in range(10)
    ]
    if text is not None:
        payload.append(
            {"name": "annotation", "time": time_ns + 50_000_000, "values": {"text": text}}
        )
    return msgspec.json.encode({"sessionId": "s1", "deviceId": "phone-7", "payload": payload})


class Recording:
    """A recorder without a broker."""

    def __init__(self, folder: Path, *, label: str | None = None, **changes: object) -> None:
        """Record phone-7 into a folder."""
        settings = RecordSettings(
            _env_file=None,
            _cli_parse_args=False,
            **{"broker": "none", "device": "phone-7", "output": folder} | changes,
        )
        subscriptions = [
            parse(one)
            for one in (
                "har/+/samples=native",
                "sensor-logger=sensor-logger",
                "spot/+/#=sensorspot",
            )
        ]
        self.recorder = Recorder(settings, subscriptions, label)

    def take(self, topic: str, payload: bytes, *, now: float = EPOCH) -> None:
        """Let a message arrive."""
        self.recorder.take(Message(topic, payload, time.monotonic()), now=now)

    def results(self) -> list[KeptRecording]:
        """End and read what was recorded."""
        self.recorder.finish()
        return [parquet.read(path) for path in self.recorder.files]


def labels(recording: KeptRecording) -> list[str | None]:
    """Return what each sample of the first sensor is labelled."""
    numbers = np.concatenate([message[0].labels for message in recording.messages])
    return [None if number < 0 else recording.activities[number] for number in numbers]
