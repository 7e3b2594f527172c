"""Messages of phones in the tests of durability: simulated ones, and recordings."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipeline.commands.replay.native_message import native_message
from pipeline.readings import Readings, Sensor
from pipeline.recordings import hapt, simulated, uci_har
from pipeline.recordings.recording import Recording, Stretch
from pipeline.vocabulary import SAMPLING_RATE_HZ

EPOCH: Final = 1698501144.4
RECORDING: Final = "of-the-proof"
"""Name that every message of a phone has in it."""


@dataclass(frozen=True)
class Sent:
    """A message of a phone."""

    device: str
    payload: bytes


def messages_of(
    recordings: Iterable[Recording],
    rng: np.random.Generator,
    *,
    rows: tuple[int, int],
    separate: Collection[str] = (),
) -> list[Sent]:
    """Return recordings as messages of so many rows, all phones' together from begin to end.

    The two sensors of the devices in ``separate`` have times of their own, a little uneven.
    """
    placed: list[tuple[float, Sent]] = []
    for recording in recordings:
        device, payloads = recording.device, []
        for stretch in recording.moved(EPOCH).stretches:
            first = 0
            while first < len(stretch.samples):
                part = stretch.part(first, first + int(rng.integers(*rows)))
                if device in separate:
                    readings, rate_hz = _apart(device, part, rng), None
                else:
                    readings, rate_hz = (recording.readings(part),), SAMPLING_RATE_HZ
                payloads.append(native_message(readings, recording=RECORDING, rate_hz=rate_hz))
                first += len(part.samples)
        for number, payload in enumerate(payloads):
            placed.append((number / len(payloads), Sent(device, payload)))
    return [message for _, message in sorted(placed, key=lambda one: one[0])]


def _apart(device: str, part: Stretch, rng: np.random.Generator) -> tuple[Readings, ...]:
    """Return raw samples as what two sensors measured, at times of their own."""
    sensors: tuple[Sensor, Sensor] = ("accelerometer", "gyroscope")
    readings = []
    for number, sensor in enumerate(sensors):
        times = part.times + rng.uniform(-4e-3, 4e-3, len(part.times)) + 3e-3 * number
        values = part.samples[:, 3 * number : 3 * number + 3].astype(np.float64)
        readings.append(Readings(device, times, values, sensor, RECORDING))
    return tuple(readings)


def simulated_messages(
    phones: int = 3, *, seconds: float = 30.0, rows: tuple[int, int] = (26, 60)
) -> list[Sent]:
    """Return what simulated phones send; each message lost is a gap."""
    recordings = simulated.recordings(phones, seconds=seconds)
    return messages_of(recordings, np.random.default_rng(phones), rows=rows)


def real_recordings(*, most_samples: int | None = None) -> list[Recording]:
    """Return the test split of UCI HAR, and raw recordings of three others; simulated without."""
    if "HAR_DATA_DIR" not in os.environ:
        seconds = 420.0 if most_samples is None else most_samples / SAMPLING_RATE_HZ
        return simulated.recordings(12, seconds=seconds)
    prepared = uci_har.recordings(uci_har.load(download=False).test)
    tested = {recording.device for recording in prepared}
    raw = [one for one in hapt.recordings(download=False) if one.device not in tested]
    if most_samples is None:
        return [*prepared, *(replace(one, stretches=one.stretches[:1]) for one in raw[:3])]
    return [
        replace(one, stretches=tuple(_first(one.stretches, most_samples)))
        for one in [*prepared[:2], *raw[:2]]
    ]


def _first(stretches: Iterable[Stretch], n_samples: int) -> Iterator[Stretch]:
    for stretch in stretches:
        if n_samples > 0:
            yield stretch.part(0, n_samples)
        n_samples -= len(stretch.samples)
