"""Windows of user recordings, to train on beside those of UCI HAR.

They pass the very stages that a live phone's samples do, with the phone worn as its calibration
or the settings say. A window counts if all its samples have one label and the filters had settled;
its subject is `NOBODY`: it is never held out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.event_log import EventLog
from pipeline.models.gait import shipped_gait
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.preparation.choices import missing_sensors
from pipeline.recognition.preparation.filters import SETTLING_ROWS, settled_after_s
from pipeline.recognition.preparation.pace import LOWEST_RATE_HZ
from pipeline.recognition.prepared import Windows
from pipeline.recordings import parquet
from pipeline.recordings.recording import DataError, Recording, activities_of, typical_rate_hz
from pipeline.recordings.uci_har import OVERLAP, Split
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH
from trainer.data.recorded_windows import RecordedWindows, windows_of

DATA_SET: Final = "user recordings"
NOBODY: Final = 0
"""Subject of all windows of user recordings; UCI HAR's begin with 1."""

MOST_NAMED_FILES: Final = 20
"""Files without windows that are named"""

logger = EventLog(__name__)


@dataclass(frozen=True)
class UserWindows:
    """The windows of user recordings."""

    split: Split
    """Labels are indices into `activities`"""
    wearer_frames: NDArray[np.float32]
    """``(n_windows, 10)``: the wearers' frames as learnt in each recording, in `frame.COLUMNS`"""
    recordings: tuple[Recording, ...]
    """Whole, with all that has no label"""
    activities: tuple[str, ...]
    """Those of UCI HAR, or of the parent, and then the new ones"""
    devices: tuple[str, ...]
    data_hash: str
    """16 hexadecimal digits of the SHA-256 of the files"""

    def counts(self) -> dict[str, int]:
        """Return how many windows there are of each activity that there is."""
        labels, counts = np.unique(self.split.labels, return_counts=True)
        return {
            self.activities[label]: count
            for label, count in zip(labels.tolist(), counts.tolist(), strict=True)
        }

    def people(self, activities: tuple[str, ...], *, hop: int) -> Iterator[RecordedWindows]:
        """Yield the windows of each device, as those of a person of its own.

        In the phones' own axes; of two sensors that are apart, also where they have no label.

        Args:
            activities: what labels stand for.
            hop: samples between the starts of neighbouring windows.
        """
        for device in self.devices:
            named = [
                replace(one, person=f"{DATA_SET}/{device}", data_set=DATA_SET, worn_at="")
                for one in self.recordings
                if one.device == device
            ]
            yield windows_of(named, hop=hop, activities=activities)

    def summary(self) -> str:
        """Return them in words, ``60 windows of 2 devices (JUMPING 60)``."""
        counts = ", ".join(f"{activity} {n}" for activity, n in self.counts().items())
        n_devices = len(self.devices)
        return (
            f"{len(self.split.labels)} windows of {n_devices} "
            f"device{'s' if n_devices > 1 else ''} ({counts})"
        )


def load(
    paths: Sequence[Path], placements: Placements, *, known: tuple[str, ...] = ACTIVITIES
) -> UserWindows:
    """Return the windows of the recordings in files and folders.

    Args:
        paths: Parquet files of har-record or har-import, or folders of them.
        placements: how the phones were worn that have no calibration.
        known: the activities that labels stand for so far; new names come behind them.

    A recording without one window is logged, with what it lacks.

    Raises:
        DataError: a file is missing or damaged, or there is not one window.
    """
    parquet.require()
    files = parquet.find(paths)
    recordings = [parquet.read(path) for path in files]
    activities = (*known, *(name for name in activities_of(recordings) if name not in known))
    windows: list[Windows] = []
    labels: list[int] = []
    without: list[str] = []
    for path, recording in zip(files, recordings, strict=True):
        new, names, settled = _windows(recording, placements)
        windows.append(new)
        labels += [activities.index(name) for name in names]
        if not names:
            without.append(f"{path}: {_why_without_windows(recording, settled)}")
    if len(without) > MOST_NAMED_FILES:
        without[MOST_NAMED_FILES:] = [
            f"and {len(without) - MOST_NAMED_FILES} more files without windows"
        ]
    if not labels:
        raise DataError("; ".join(without))
    for line in without:
        logger.warning("recording-without-windows", "%(note)s", note=line)
    together = Windows.joined(windows)
    split = Split(
        together.samples,
        np.array(labels, np.int8),
        np.full(len(labels), NOBODY, np.int8),
    )
    devices = tuple(sorted({recording.device for recording in recordings}))
    digest = sha256(b"".join(sha256(path.read_bytes()).digest() for path in files))
    return UserWindows(
        split,
        together.wearer_frames,
        tuple(recordings),
        activities,
        devices,
        digest.hexdigest()[:16],
    )


def _windows(
    recording: Recording, placements: Placements
) -> tuple[Windows, list[str], NDArray[np.bool_]]:
    """Return the windows with one label, and the activity of each.

    Returned is also ``(n_made,)``, whether the filters had settled, of every window that was made.
    """
    measured = recording.rotation
    rotation = placements.of(recording.device).rotation if measured is None else measured
    phone = RecordedPhone(hop=OVERLAP, rotation=rotation, gait=shipped_gait())
    passed = [phone.push([part.readings for part in message]) for message in recording.messages]
    windows = Windows.joined([*passed, phone.finish()])
    activities = recording.window_activities(windows.starts)
    is_known = np.array([activity is not None for activity in activities], np.bool_)
    chosen = is_known & ~windows.settling
    names = [activity for activity in np.array(activities, object)[chosen] if activity]
    return windows.chosen(chosen), names, ~windows.settling


def _why_without_windows(recording: Recording, settled: NDArray[np.bool_]) -> str:
    """Return what a recording lacks to be learnt from.

    ``settled`` ``(n_made,)`` says of its windows whether the filters had settled.
    """
    missing = missing_sensors(recording.sensors)
    if missing:
        names = " and no ".join(missing).replace("_", " ")
        return f"has no {names}: record or import it with all sensors on"
    for sensor in recording.sensors:
        rate = typical_rate_hz(np.sort(recording.samples_of(sensor)[0]))
        if rate < LOWEST_RATE_HZ:
            return (
                f"its {sensor.replace('_', ' ')} has {rate:.0f} samples a second; "
                f"{LOWEST_RATE_HZ:.0f} are needed: let the app take more"
            )
    if not settled.any():
        return (
            f"windows count only from {settled_after_s(OVERLAP):.1f} s of all its sensors at once "
            f"on, without a gap: it holds {_extents(recording)}"
        )
    return (
        f"no window of {WINDOW_LENGTH} samples (2.56 s) has one label throughout, once the filters "
        f"have settled ({SETTLING_ROWS / SAMPLING_RATE_HZ:.1f} s): record some seconds of an "
        "activity, with --label"
    )


def _extents(recording: Recording) -> str:
    """Return in words from when to when each sensor has samples."""
    times = {sensor: recording.samples_of(sensor)[0] for sensor in recording.sensors}
    first = min(float(of_sensor.min()) for of_sensor in times.values())
    return ", ".join(
        f"{sensor.replace('_', ' ')} from {of_sensor.min() - first:.1f} to "
        f"{of_sensor.max() - first:.1f} s"
        for sensor, of_sensor in times.items()
    )
