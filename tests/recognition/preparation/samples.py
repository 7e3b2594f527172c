"""Samples of phones that are easy to follow through the resampler, and what becomes of them."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.pieces import Piece, joined_pieces
from pipeline.recognition.preparation.resampler import Resampler

EPOCH = 1698501144.4
"""Epoch seconds of the first sample: large, and not a whole number."""

WEIGHTS = np.array([1.0, -1.0, 0.5, 0.1, -0.1, 0.05])
"""What the six columns make of a sample's number: all different, none of them out of bounds."""

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` and rows ``(n, 6)``"""


def motion(times: NDArray[np.float64], rows: NDArray[np.float64]) -> Readings:
    """Return samples as the readings of accelerometer and gyroscope together."""
    return Readings("phone", times, rows)


def numbered(times: Sequence[float] | NDArray[np.float64], *, first: int = 0) -> Samples:
    """Return samples that hold their own number, so that a loss or a repetition shows."""
    numbers = np.arange(first, first + len(times), dtype=np.float64)
    return np.asarray(times, np.float64), np.outer(numbers, WEIGHTS)


def six(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows whose first column is ``values``."""
    return np.outer(np.asarray(values, np.float64), WEIGHTS)


def on_grid(n_samples: int, *, first: int = 0) -> Samples:
    """Return numbered samples at 50 Hz from `EPOCH` on."""
    return numbered(EPOCH + np.arange(first, first + n_samples) / 50, first=first)


def push_all(parts: Sequence[Samples]) -> tuple[list[Piece], int]:
    """Return all pieces of one phone's messages, and how many samples were dropped."""
    resampler = Resampler(1)
    pieces, dropped = [], Dropped()
    for times, rows in parts:
        if len(times):
            new, n_dropped = resampler.push(0, [motion(times, rows)])
            pieces += new
            dropped += n_dropped
    last, n_dropped = resampler.finish(0)
    dropped += n_dropped
    return pieces + last, dropped.repeated + dropped.late


def push_each(
    resampler: Resampler, slot: int, messages: Sequence[Readings]
) -> tuple[list[Piece], Dropped]:
    """Return the pieces, joined, and the losses of messages with one sensor's readings each."""
    pieces, dropped = [], Dropped()
    for message in messages:
        new, lost = resampler.push(slot, [message])
        pieces += new
        dropped += lost
    return joined_pieces(pieces), dropped


def stretches(pieces: Sequence[Piece]) -> list[tuple[float, NDArray[np.float64]]]:
    """Return the grids: time of the first row, and all rows."""
    grids: list[tuple[float, list[NDArray[np.float64]]]] = []
    for piece in pieces:
        if piece.origin is not None:
            grids.append((piece.origin, []))
        grids[-1][1].append(piece.rows)
    return [(origin, np.concatenate(rows)) for origin, rows in grids]


def numbers(pieces: Sequence[Piece]) -> list[list[float]]:
    """Return the sample numbers of each grid's rows."""
    return [rows[:, 0].tolist() for _, rows in stretches(pieces)]


def sensor(name: Sensor, times: NDArray[np.float64], *, scale: float = 1.0) -> Readings:
    """Return what a sensor says of a smooth motion, seconds after `EPOCH`."""
    angle = 2 * np.pi * times
    values = scale * np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle)], axis=1)
    return Readings("phone", EPOCH + times, values, name)


def expected_rows(n_rows: int, *, first_s: float, acc: float, gyro: float) -> NDArray[np.float64]:
    """Return the motion of `sensor` on the grid."""
    times = first_s + np.arange(n_rows) / 50
    parts = [sensor("gravity", times, scale=scale).values for scale in (acc, gyro)]
    return np.hstack(parts)


def cut(readings: Readings, size: int) -> list[Readings]:
    """Return readings cut into messages."""
    cuts = range(size, len(readings.times), size)
    return [
        replace(readings, times=times, values=values)
        for times, values in zip(
            np.split(readings.times, cuts), np.split(readings.values, cuts), strict=True
        )
    ]


def within(readings: Readings, first: float, last: float) -> Readings:
    """Return the samples between two times."""
    chosen = (readings.times >= first) & (readings.times <= last)
    return replace(readings, times=readings.times[chosen], values=readings.values[chosen])


def push_readings(readings: Sequence[Readings], *, size: int = 25) -> list[Piece]:
    """Return all pieces of one phone's sensors, each cut into messages, side by side."""
    resampler = Resampler(1)
    pieces = []
    for message in zip_longest(*(cut(one, size) for one in readings)):
        pieces += resampler.push(0, [one for one in message if one is not None])[0]
    return pieces + resampler.finish(0)[0]


def paced(rates_hz: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the times of samples at some rates one after the other, each for so many seconds."""
    parts, begin = [], 0.0
    for rate_hz, seconds in rates_hz:
        parts.append(begin + np.arange(round(rate_hz * seconds)) / rate_hz)
        begin += seconds
    return np.concatenate(parts)
