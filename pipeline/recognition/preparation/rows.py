"""The rows of a grid, made of the samples of several sensors."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor
from pipeline.recognition.preparation.choices import Choice, sensors_of
from pipeline.recognition.preparation.source import SensorSource
from pipeline.recognition.preparation.timing import ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

_NO_ROWS: Final = np.empty((0, 0))


def rows_until(
    choice: Choice,
    sources: Mapping[Sensor, SensorSource],
    ends: Sequence[int],
    origin: float,
    first: int,
    until: float | None,
) -> tuple[NDArray[np.float64], bool]:
    """Return the rows up to the first that one of the sensors cannot make yet.

    Also return whether these are all rows up to the time ``until``.

    Args:
        choice: what the rows are made of.
        sources: the sensors' samples.
        ends: for each sensor of the choice, where in its samples the section ends.
        origin: time of row 0.
        first: index of the first row.
        until: a time behind which no row is made, None for no such time.
    """
    sensors = sensors_of(choice)
    last_time = min(
        sources[sensor].times[end - 1] for sensor, end in zip(sensors, ends, strict=True)
    )
    last = int(np.floor((last_time - origin + ON_GRID_S) * SAMPLING_RATE_HZ))
    if until is not None:
        change = int(np.floor((until - origin + ON_GRID_S) * SAMPLING_RATE_HZ))
        last = min(last, change)
    if last < first:
        return _NO_ROWS, until is not None and first > change
    indices = np.arange(first, last + 1)
    of_sensors = {
        sensor: sources[sensor].at(origin, indices, end)
        for sensor, end in zip(sensors, ends, strict=True)
    }
    n_rows = min(map(len, of_sensors.values()))
    groups = [[of_sensors[sensor][:n_rows] for sensor in group] for group in choice]
    rows = np.hstack([sum(rest, start=first_of_group) for first_of_group, *rest in groups])
    return rows, until is not None and first + n_rows > change
