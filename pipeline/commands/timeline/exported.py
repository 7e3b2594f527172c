"""An app's export as a recording, without the detour by a file of har-import.

Its samples come in messages of `MESSAGE_S`, which only saves work: results do not depend on it.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.timeline.recorded_file import RecordedFile, in_android_sign
from pipeline.readings import MAX_ROWS, is_device
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.exports.labels import ActivityChange, activity_changes
from pipeline.recordings.header import EXPORT, Header, software
from pipeline.recordings.recording import Recording, Stretch

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
        device, tuple(_stretches(export, changes, activities)), activities, header=header
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


def _stretches(
    export: Export, changes: list[ActivityChange], activities: tuple[str, ...]
) -> list[Stretch]:
    """Return an export's samples in the messages of a phone, in the order of time."""
    first = min(float(times[0]) for times, _ in export.sensors.values())
    messages: dict[int, list[Stretch]] = {}
    for sensor, (times, values) in export.sensors.items():
        labels = _labels(times, changes, activities)
        numbers = np.floor((times - first) / MESSAGE_S).astype(np.int64)
        begins = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
        for begin, end in zip(begins, [*begins[1:], len(times)], strict=True):
            message = messages.setdefault(int(numbers[begin]), [])
            for cut in range(begin, end, MAX_ROWS):
                rows = slice(cut, min(cut + MAX_ROWS, end))
                part = Stretch(times[rows], values[rows], labels[rows], sensor)
                message.append(replace(part, is_same_message=bool(message)))
    return [stretch for number in sorted(messages) for stretch in messages[number]]


def _labels(
    times: NDArray[np.float64], changes: list[ActivityChange], activities: tuple[str, ...]
) -> NDArray[np.int16]:
    """Return the labels ``(n,)`` at ``times`` ``(n,)``."""
    ordered = sorted(changes, key=lambda change: change[0])
    begins = np.array([time for time, _ in ordered])
    of_changes = [-1 if name is None else activities.index(name) for _, name in ordered]
    labels = np.array([-1, *of_changes], np.int16)
    return labels[begins.searchsorted(times, side="right")]
