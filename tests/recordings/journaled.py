"""What is written into journals in the tests of recordings."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Convention, Readings, Sensor
from pipeline.recordings import parquet
from pipeline.recordings.header import Header

EPOCH = 1.7e9
HEADER = Header(
    device="phone-7",
    recording="one",
    format="native",
    clock="epoch",
    convention="auto",
    convention_from="assumption",
    created="2026-11-23T15:22:00.123Z",
    software="har-stream 0.1.0",
)


def header(**changes: object) -> Header:
    """Return a header with some fields changed."""
    return msgspec.structs.replace(HEADER, **changes)


def readings(
    start: float,
    n_samples: int = 25,
    *,
    sensor: Sensor = "motion",
    convention: Convention | None = None,
) -> Readings:
    """Return samples at 50 Hz that say where they are from."""
    times = EPOCH + start + np.arange(n_samples) / 50
    values = np.random.default_rng(round(start * 50)).normal(size=(n_samples, 6))
    values = values if sensor == "motion" else values[:, :3]
    return Readings("phone-7", times, values, sensor, "one", convention=convention)


def samples_of(path: Path) -> NDArray[np.float64]:
    """Return the times of all samples of a file."""
    messages = parquet.read(path).messages
    return np.concatenate([part.readings.times for message in messages for part in message])


def same(one: Readings, other: Readings) -> None:
    """Find two readings the same to the last bit."""
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.device, one.sensor) == (other.device, other.sensor)
    assert (one.recording, one.clock) == (other.recording, other.clock)
