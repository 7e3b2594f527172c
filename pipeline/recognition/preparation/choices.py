"""The sensors that can make up a row, and which of them a phone still lacks."""

from collections.abc import Collection
from typing import Final

from pipeline.readings import Sensor

Choice = tuple[tuple[Sensor, ...], ...]
"""The sensors of a row: for each group of columns those whose sum it is."""

_ACCELERATIONS: Final[tuple[tuple[Sensor, ...], ...]] = (
    ("accelerometer",),
    ("accelerometer_uncalibrated",),
    ("linear_acceleration", "gravity"),
)
_ANGULAR_VELOCITIES: Final[tuple[tuple[Sensor, ...], ...]] = (
    ("gyroscope",),
    ("gyroscope_uncalibrated",),
)
CHOICES: Final[tuple[Choice, ...]] = (
    (("prepared",),),
    (("motion",),),
    *((acc, gyro) for acc in _ACCELERATIONS for gyro in _ANGULAR_VELOCITIES),
)
"""The sensors that a row can be made of, the best first."""


def sensors_of(choice: Choice) -> list[Sensor]:
    """Return the sensors of a choice, in the order of a row's columns."""
    return [sensor for group in choice for sensor in group]


def best_choice(sensors: Collection[Sensor]) -> Choice | None:
    """Return the best choice that these sensors can make up, None if they can make up no row."""
    sending = set(sensors)
    return next((choice for choice in CHOICES if sending.issuperset(sensors_of(choice))), None)


def missing_sensors(sensors: Collection[Sensor]) -> list[Sensor]:
    """Return the sensors still missing for rows when a phone sends these, none if it has all."""
    sending = set(sensors)
    needs = [set(sensors_of(choice)) for choice in CHOICES]
    begun = [need for need in needs if need & sending] or needs
    nearest = min(begun, key=lambda need: (len(need - sending), -len(need)))
    return sorted(nearest - sending)
