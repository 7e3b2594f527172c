"""A recording that an app exported, as it will be written, and whether a file holds it already."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings
from pipeline.recordings import journals
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.exports.labels import ActivityChange
from pipeline.recordings.header import Header
from pipeline.recordings.recording import Recording


@dataclass(frozen=True, eq=False)
class ImportedRecording:
    """An app's recording, as it will be written."""

    source: str
    export: Export
    header: Header
    labels: Sequence[ActivityChange]
    messages: Sequence[Sequence[Readings]]

    def write(self, folder: Path) -> Path:
        """Return its Parquet file in a folder.

        Raises:
            OSError: it cannot be written.
        """
        journal = journals.Journal(folder, self.header)
        try:
            for time, activity in self.labels:
                journal.label(time, activity)
            for number, message in enumerate(self.messages):
                for readings in message:
                    journal.append(number, readings)
            path = journal.close()
        except BaseException:
            journal.discard()  # the export is still there to be imported again
            raise
        assert path is not None  # there are samples
        return path

    def activities(self) -> list[str]:
        """Return the activities while there are samples, in alphabetical order."""
        begins, names = self._changes()
        done: set[str | None] = set()
        for times, _ in self.export.sensors.values():
            done.update(names[np.unique(np.searchsorted(begins, times, side="right") - 1)])
        return sorted(name for name in done if name is not None)

    def _changes(self) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
        """Return the times ``(n,)`` from which activities hold, ascending, and the activities."""
        begins, names = zip(*sorted(self.labels, key=lambda label: label[0]), strict=True)
        return np.array(begins), np.array(names, object)

    def has_samples_of(self, recording: Recording) -> bool:
        """Return whether another recording has these samples, of whatever label or sign."""
        if sorted(self.export.sensors) != recording.sensors:
            return False
        for sensor, (times, values) in self.export.sensors.items():
            other_times, other_values = recording.samples_of(sensor)
            if not np.array_equal(times, other_times):
                return False
            if not np.array_equal(np.abs(values), np.abs(other_values)):  # of either convention
                return False
        return True

    def agrees_with(self, recording: Recording) -> bool:
        """Return whether another recording of these samples agrees in device, sign and labels."""
        one, other = self.header, recording.header
        if other is None or (one.device, one.convention) != (other.device, other.convention):
            return False
        begins, names = self._changes()
        for times, _ in self.export.sensors.values():
            here = names[np.searchsorted(begins, times, side="right") - 1]
            there = np.array([*recording.activities, None], object)[recording.labels_at(times)]
            if (here != there).any():
                return False
        return True
