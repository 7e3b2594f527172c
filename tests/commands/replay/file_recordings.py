"""Made-up recordings of files, for the tests of har-replay."""

from collections import Counter

import numpy as np

from pipeline.readings import Clock, Readings, Sensor
from pipeline.recordings.labelled import Header, LabelledReadings, LabelledRecording
from pipeline.vocabulary import ACTIVITIES


def file_recording(
    messages: list[list[tuple[Sensor, int]]], *, begins: float, clock: Clock = "epoch"
) -> LabelledRecording:
    """Return messages of so many samples of each sensor, at times that nobody would choose."""
    rng = np.random.default_rng(len(messages))
    rates_hz: dict[str, float] = {"motion": 50.0, "accelerometer": 99.7, "gyroscope": 103.1}
    n_sent: Counter[Sensor] = Counter()
    made = []
    for message in messages:
        parts = []
        for sensor, n_samples in message:
            numbers = n_sent[sensor] + np.arange(n_samples)
            n_sent[sensor] += n_samples
            jitter = rng.uniform(-2e-3, 2e-3, n_samples)
            times = begins + numbers / rates_hz.get(sensor, 61.3) + jitter
            values = rng.normal(size=(n_samples, 6 if sensor == "motion" else 3))
            readings = Readings("phone", times, values, sensor, "before", clock)
            parts.append(LabelledReadings(readings, (numbers // 200 - 1).astype(np.int16)))
        made.append(tuple(parts))
    header = Header(
        device="phone", recording="before", format="native", clock=clock, convention="android",
        convention_from="setting", created="", software="",
    )  # fmt: skip
    return LabelledRecording(header, ("JUMPING", *ACTIVITIES), tuple(made))


def apart_recording(seconds: int, *, apart_s: float) -> LabelledRecording:
    """Return a recording whose accelerometer is behind, on a clock that began with the phone.

    Messages hold 50 samples of each sensor, at 50 Hz.
    """
    header = file_recording([[("motion", 1)]], begins=0.0, clock="boot").header
    labels = np.zeros(50, np.int16)
    return LabelledRecording(
        header,
        ("WALKING",),
        tuple(
            tuple(
                LabelledReadings(
                    Readings(
                        "phone", 3925.5 + after + second + np.arange(50) / 50,
                        np.tile(values, (50, 1)), sensor, "before", "boot",
                    ),
                    labels,
                )
                for sensor, after, values in (
                    ("accelerometer", apart_s, [0.1, 9.8, 0.1]),
                    ("gyroscope", 0.0, [0.1, 0.2, 0.3]),
                )
            )
            for second in range(seconds)
        ),
    )  # fmt: skip
