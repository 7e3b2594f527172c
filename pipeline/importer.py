"""The command har-import: what phones' apps exported, turned into files like har-record's.

Which app wrote a file is told by its content. What its files mean is decided in
`recordings.sensor_logger_export` and `recordings.phyphox_export`. Whatever fails, the rest is
imported; and every file is read, or it is said why not.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.readings import Convention, MessageError, Readings, Sensor, check_device
from pipeline.recordings import parquet, phyphox_export, sensor_logger_export
from pipeline.recordings.exports import Export, Files, Samples, Source, checked, sources
from pipeline.recordings.labelled import (
    Evidence,
    Header,
    LabelledRecording,
    activity_name,
    missing_sensors,
    software,
)
from pipeline.recordings.recording import DataError
from pipeline.settings import ImportSettings, from_command_line

APPS: Final = (sensor_logger_export, phyphox_export)

MOST_NOTES: Final = 20
"""Lines on files that are passed over, of one zip or folder"""
MOST_FAILURES: Final = 50
"""Lines on what could not be imported"""

Labels = Sequence[tuple[float, str | None]]
"""What was done from when on, in seconds; None for no activity."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Recording:
    """An app's recording, as it is to be written."""

    source: str
    export: Export
    header: Header
    labels: Labels
    messages: Sequence[Sequence[Readings]]

    def write(self, folder: Path) -> Path:
        """Return its Parquet file in a folder.

        Raises:
            OSError: it cannot be written.
        """
        journal = parquet.Journal(folder, self.header)
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

    def is_of(self, recording: LabelledRecording) -> bool:
        """Return whether these are another recording's samples, whatever is said of them."""
        here, there = self.export.sensors, _by_sensor(recording)
        return here.keys() == there.keys() and all(
            np.array_equal(times, there[sensor][0])
            and np.array_equal(np.abs(values), np.abs(there[sensor][1]))  # of either convention
            for sensor, (times, values) in here.items()
        )

    def says_the_same(self, recording: LabelledRecording) -> bool:
        """Return whether another recording of these samples says the same of them."""
        one, other = self.header, recording.header
        if (one.device, one.convention) != (other.device, other.convention):
            return False
        begins, names = zip(*sorted(self.labels, key=lambda label: label[0]), strict=True)
        for times, _ in self.export.sensors.values():
            here = np.array(names, object)[np.searchsorted(begins, times, side="right") - 1]
            there = np.array([*recording.activities, None], object)[recording.labels_at(times)]
            if (here != there).any():
                return False
        return True


def recordings_in(
    files: Files, settings: ImportSettings, *, label: str | None, notes: dict[str, str]
) -> list[Recording]:
    """Return the recordings in a folder's files; there are none if no app is known to write such.

    Why files are passed over, and which rows of the others, is entered in ``notes`` by their names.

    Raises:
        DataError: a file is damaged, or two hold the same sensor, or the phone has no name.
    """
    exports: list[Export] = []
    why: dict[str, str] = {}
    for app in APPS:
        found = app.read(files)
        exports += found.exports
        why |= found.passed_over
    read = {name for export in exports for name in export.files}
    for name in files.contents:
        if name not in read:
            why.setdefault(name, _why_unknown(files, name))
    for name, reason in {**why, **files.passed_over}.items():
        notes[files.where(name)] = reason if name in read else f"passed over: {reason}"
    return [_recording(files.source, export, settings, label=label) for export in exports]


def _why_unknown(files: Files, name: str) -> str:
    try:
        columns = files.columns(name)
    except DataError as error:
        return str(error).removeprefix(f"{files.where(name)}: ")
    if not columns:
        return "empty, or no text"
    shown = ", ".join(columns)
    return f"neither Sensor Logger nor phyphox writes such columns ({shown[:60]!r})"


def _recording(
    source: str, export: Export, settings: ImportSettings, *, label: str | None
) -> Recording:
    device = settings.device or export.device
    if device is None:
        raise DataError(f"{source}: does not name the phone: give it a name by --device")
    try:
        check_device(device)
    except MessageError as error:
        raise DataError(f"{source}: {device!r}: {error}; use --device") from error
    messages = checked(source, lambda: export.messages(device))
    labels: list[tuple[float, str | None]] = [(-np.inf, label)]
    for time, text in export.labels:
        activity = None
        try:
            activity = activity_name(text)
        except MessageError as error:
            logger.warning("%s: %s; nothing is known from there on", source, error)
        labels.append((time, activity))
    return Recording(source, export, _header(source, export, device, settings), labels, messages)


def _header(source: str, export: Export, device: str, settings: ImportSettings) -> Header:
    first = min(float(times[0]) for times, _ in export.sensors.values())
    began = datetime.fromtimestamp(first, UTC) if export.clock == "epoch" else datetime.now(UTC)
    convention: Convention = "android"
    evidence: Evidence = "assumption"
    if settings.convention != "auto":
        convention, evidence = settings.convention, "setting"
    elif export.convention is not None:
        convention, evidence = export.convention, "export"
    else:
        logger.warning(
            "%s: the export does not say whether it is an iPhone's: if so, use --convention ios",
            source,
        )
    return Header(
        device=device,
        recording=export.recording,
        format=f"{export.app} export",
        clock=export.clock,
        convention=convention,
        convention_from=evidence,
        created=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        software=software(),
    )


def _by_sensor(recording: LabelledRecording) -> dict[Sensor, Samples]:
    parts: dict[Sensor, list[Readings]] = {}
    for message in recording.messages:
        for part in message:
            parts.setdefault(part.readings.sensor, []).append(part.readings)
    return {
        sensor: (
            np.concatenate([one.times for one in readings]),
            np.concatenate([one.values for one in readings]),
        )
        for sensor, readings in parts.items()
    }


class Import:
    """One run of the command."""

    def __init__(self, settings: ImportSettings, *, label: str | None) -> None:
        """Begin with nothing imported; ``label`` is done unless annotations say otherwise."""
        self._settings = settings
        self._label = label
        self._there = {path: _survey(path) for path in _files_in(settings.output)}
        self.failures: list[str] = []
        """What could not be imported, and why"""

    def take(self, source: Source) -> None:
        """Import what a zip or folder holds, and note what fails."""
        notes: dict[str, str] = {}
        n_found, n_failures = 0, len(self.failures)
        try:
            with source.opened() as folders:
                for files in folders:
                    try:
                        recordings = recordings_in(
                            files, self._settings, label=self._label, notes=notes
                        )
                    except DataError as error:
                        self.failures.append(str(error))
                        continue
                    n_found += len(recordings)
                    for recording in recordings:
                        self._keep(recording)
        except DataError as error:
            self.failures.append(str(error))
        if not n_found and len(self.failures) == n_failures:
            self.failures.append(_nothing_in(source, notes))
        else:
            _print_notes(notes)

    def _keep(self, recording: Recording) -> None:
        """Write a recording unless it is there already."""
        try:
            path = self._same(recording)
            if path is None:
                path = recording.write(self._settings.output)
                self._there[path] = _survey(path)
                kept = parquet.read(path)
                activities = ", ".join(kept.activities) or "none"
                print(f"Wrote {path}: {kept.n_samples} samples, labels {activities}")
            else:
                print(f"Already there as {path}: {recording.source}")
        except (DataError, OSError) as error:
            self.failures.append(f"{recording.source}: {error}")
            return
        missing = missing_sensors(recording.export.sensors)
        if missing:
            logger.warning(
                "%s: has no %s: there are no windows without, so it cannot be trained on",
                recording.source,
                " and no ".join(missing).replace("_", " "),
            )

    def _same(self, recording: Recording) -> Path | None:
        """Return the file in the output folder that holds a recording's samples, if any.

        Raises:
            DataError: it says something else of them.
        """
        for path, survey in self._there.items():
            if survey != (recording.header.format, recording.export.n_samples):
                continue
            other = parquet.read(path)
            if recording.is_of(other):
                if recording.says_the_same(other):
                    return path
                raise DataError(
                    f"is already there as {path}, by another name, with other labels or another "
                    "convention: remove that file to import it anew"
                )
        return None


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{parquet.SUFFIX}") if path.is_file())


def _survey(path: Path) -> tuple[str, int] | None:
    """Return a recording's format and number of samples, None if it is none."""
    try:
        header, n_samples = parquet.survey(path)
    except DataError:
        return None
    return header.format, n_samples


def _nothing_in(source: Source, notes: Mapping[str, str]) -> str:
    """Return in a line that nothing could be used, and the reasons of some files."""
    reasons = "".join(f"; {where}: {why}" for where, why in list(notes.items())[:3])
    return (
        f"{source.name}: neither Sensor Logger nor phyphox wrote this: give the zip as the app "
        f"exports it, or its CSV files{reasons}"
    )


def _print_notes(notes: Mapping[str, str]) -> None:
    for where, why in list(notes.items())[:MOST_NOTES]:
        logger.warning("%s: %s", where, why)
    if len(notes) > MOST_NOTES:
        logger.warning(
            "and %d more files are passed over, or rows of them", len(notes) - MOST_NOTES
        )


def main() -> None:
    """Run the command."""
    settings = from_command_line(ImportSettings)
    logging.basicConfig(level=logging.WARNING, format="har-import: %(message)s")
    try:
        parquet.require()
        run = Import(settings, label=activity_name(settings.label or ""))
        settings.output.mkdir(parents=True, exist_ok=True)
    except (DataError, MessageError, OSError) as error:
        sys.exit(f"har-import: {error}")
    for source in sources(settings.files):
        if isinstance(source, DataError):
            run.failures.append(str(source))
        else:
            run.take(source)
    if run.failures:
        lines = [f"har-import: {failure}" for failure in run.failures[:MOST_FAILURES]]
        if len(run.failures) > MOST_FAILURES:
            lines.append(f"har-import: and {len(run.failures) - MOST_FAILURES} more")
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
