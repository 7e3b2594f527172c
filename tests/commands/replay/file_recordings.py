"""Made-up recordings of files, for the tests of har-replay."""

from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Clock, Sensor
from pipeline.recordings import journals
from pipeline.recordings.header import Header
from pipeline.recordings.recording import Recording, Stretch
from pipeline.vocabulary import ACTIVITIES

RATES_HZ: Final = {"motion": 50.0, "accelerometer": 99.7, "gyroscope": 103.1}
OTHER_RATE_HZ: Final = 61.3


def file_recording(
    messages: list[list[tuple[Sensor, int]]], *, begins: float, clock: Clock = "epoch"
) -> Recording:
    """Return messages of so many samples of each sensor, at times that nobody would choose."""
    rng = np.random.default_rng(len(messages))
    n_sent: Counter[Sensor] = Counter()
    stretches = []
    for message in messages:
        for part, (sensor, n_samples) in enumerate(message):
            numbers = n_sent[sensor] + np.arange(n_samples)
            n_sent[sensor] += n_samples
            jitter = rng.uniform(-2e-3, 2e-3, n_samples)
            times = begins + numbers / RATES_HZ.get(sensor, OTHER_RATE_HZ) + jitter
            values = rng.normal(size=(n_samples, 6 if sensor == "motion" else 3))
            labels = np.minimum(numbers // 200 - 1, 5).astype(np.int16)
            stretches.append(Stretch(times, values, labels, sensor, is_same_message=part > 0))
    header = header_of(clock)
    return Recording("phone", tuple(stretches), ("JUMPING", *ACTIVITIES), header=header)


def apart_recording(seconds: int, *, apart_s: float) -> Recording:
    """Return a recording whose accelerometer is behind, on a clock that began with the phone.

    Messages hold 50 samples of each sensor, at 50 Hz.
    """
    sensors: tuple[tuple[Sensor, float, list[float]], ...] = (
        ("accelerometer", apart_s, [0.1, 9.8, 0.1]),
        ("gyroscope", 0.0, [0.1, 0.2, 0.3]),
    )
    stretches = [
        Stretch(
            3925.5 + after + second + np.arange(50) / 50,
            np.tile(values, (50, 1)),
            np.zeros(50, np.int16),
            sensor,
            is_same_message=sensor == "gyroscope",
        )
        for second in range(seconds)
        for sensor, after, values in sensors
    ]
    return Recording("phone", tuple(stretches), ("WALKING",), header=header_of("boot"))


def header_of(clock: Clock) -> Header:
    """Return what the file of a phone with such a clock says of itself."""
    return Header(
        device="phone", recording="before", format="native", clock=clock, convention="android",
        convention_from="setting", created="", software="",
    )  # fmt: skip


def write_calibrated(
    folder: Path, device: str, rotation: NDArray[np.float64] | None, *, created: str = ""
) -> Path:
    """Write some seconds of a phone with a calibration, or without one, and return the file."""
    recording = file_recording([[("motion", 50)]] * 5, begins=1.4e9)
    header = msgspec.structs.replace(
        header_of("epoch"),
        device=device,
        created=created,
        rotation=None if rotation is None else rotation.tolist(),
    )
    journal = journals.Journal(folder, header)
    for number, message in enumerate(recording.messages):
        for part in message:
            journal.append(number, part.readings)
    path = journal.close()
    assert path is not None
    return path
