"""An app's export as a recording, without the detour by a file of har-import.

Its samples come in messages of `MESSAGE_S`, which only saves work: results do not depend on it.
They are read whenever they are asked for, so that a day of them is never in memory as a whole.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.timeline.recorded_file import RecordedFile, in_android_sign
from pipeline.readings import MAX_ROWS, Sensor, is_device
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.exports.gathered import taken_out
from pipeline.recordings.exports.labels import ActivityChange, activity_changes
from pipeline.recordings.header import EXPORT, Header, software
from pipeline.recordings.recording import Recording, Stretch, StretchesOnDemand

MESSAGE_S: Final = 20.0
UNNAMED: Final = "phone"
"""The device of an export that does not name it, or by a name that no device can have"""


def exported(
    source: str, export: Export, conventions: Conventions, *, number: int = 1
) -> tuple[RecordedFile, list[str]]:
    """Return a recording of an export, and lines on what of its annotations is no activity."""
    changes, no_activities = activity_changes(source, export)
    activities = tuple(sorted({name for _, name in changes if name is not None}))
    came = export.convention or "android"
    came_from = "assumption" if export.convention is None else "export"
    device = export.device if export.device and is_device(export.device) else UNNAMED
    header = Header(
        device=device,
        recording=export.recording,
        format=f"{export.app}{EXPORT}",
        clock=export.clock,
        convention=came,
        convention_from=came_from,  # type: ignore[arg-type]  # is one of its words
        created="",
        software=software(),
    )
    recording = Recording(
        device,
        _stretches(export, changes, activities),
        activities,
        header=header,
        known_changes=_known_changes(export, changes, activities),
    )
    return (
        in_android_sign(
            source,
            recording,
            kept=came,
            came=came,
            came_from=header.convention_from,
            conventions=conventions,
            number=number,
        ),
        no_activities,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the samples of a stretch are."""

    message: int
    sensor: Sensor
    rows: slice
    """Of those of the sensor"""


def _stretches(
    export: Export, changes: list[ActivityChange], activities: tuple[str, ...]
) -> StretchesOnDemand:
    """Return an export's samples in the messages of a phone, in the order of time."""
    places = _places(export)
    ordered = _ordered(changes, activities)

    def stretch(number: int) -> Stretch:
        place = places[number]
        times, values = (taken_out(part, place.rows) for part in export.sensors[place.sensor])
        is_same = number > 0 and places[number - 1].message == place.message
        return Stretch(times, values, _labels(times, *ordered), place.sensor, is_same)

    return StretchesOnDemand(len(places), stretch)


def _places(export: Export) -> list[_Place]:
    """Return where the stretches' samples are, in the order of messages."""
    first = min(float(times[0]) for times, _ in export.sensors.values())
    places: list[_Place] = []
    for sensor, (times, _) in export.sensors.items():
        begin = 0
        while begin < len(times):
            next_ones = taken_out(times, slice(begin, begin + MAX_ROWS))
            message = int((float(next_ones[0]) - first) // MESSAGE_S)
            later = int(next_ones.searchsorted(first + (message + 1) * MESSAGE_S))
            end = begin + max(later, 1)
            places.append(_Place(message, sensor, slice(begin, end)))
            begin = end
    return sorted(places, key=lambda place: place.message)  # those of a message stay in order


def _ordered(
    changes: list[ActivityChange], activities: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Return the times ``(n,)`` of changes, and the labels ``(n + 1,)`` before and after each."""
    ordered = sorted(changes, key=lambda change: change[0])
    of_changes = [-1 if name is None else activities.index(name) for _, name in ordered]
    return np.array([time for time, _ in ordered]), np.array([-1, *of_changes], np.int16)


def _labels(
    times: NDArray[np.float64], begins: NDArray[np.float64], labels: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return the labels ``(n,)`` at ``times`` ``(n,)``, of what `_ordered` returns."""
    return labels[begins.searchsorted(times, side="right")]


def _known_changes(
    export: Export, changes: list[ActivityChange], activities: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Return when samples have another label than the one before, as `Recording` keeps it."""
    begins, labels = _ordered(changes, activities)
    first = min(float(times[0]) for times, _ in export.sensors.values())
    at = [first]
    for begin in begins.tolist():
        rows = [(times, int(times.searchsorted(begin))) for times, _ in export.sensors.values()]
        at += [float(times[row]) for times, row in rows if row < len(times)]
    times = np.unique(at)
    found = _labels(times, begins, labels)
    changed = np.concatenate([[True], found[1:] != found[:-1]])
    return times[changed], found[changed]
