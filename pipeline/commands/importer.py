"""The command har-import: converts what phones' apps exported to files like har-record's.

Strategy: the readers of all apps are offered each zip or folder (`recordings.exports.apps`); they
recognise their app's files by the content, and decide what these mean. Of each export a recording
is made (`imported_recording`), and written unless the output folder holds it.

Rules:

* Whatever fails, the rest is imported. The failures are printed at the end, and the exit code is 1.
* Each file is read, or a line says why it is passed over.
* Samples that are there already, with the same labels and convention, are not written again. With
  others they are a failure: nothing is overwritten.
* Names come from outside: whatever they hold, they are printed within one line.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.commands import log
from pipeline.commands.import_settings import ImportSettings
from pipeline.commands.imported_recording import ImportedRecording
from pipeline.commands.one_line import one_line
from pipeline.event_log import EventLog
from pipeline.readings import Convention, MessageError, check_device
from pipeline.recognition.preparation.choices import missing_sensors
from pipeline.recognition.preparation.filters import settled_after_s
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.recordings import journals, parquet
from pipeline.recordings.activity_names import activity_name
from pipeline.recordings.exports.apps import exports_in, nothing_in
from pipeline.recordings.exports.exports import Export, checked
from pipeline.recordings.exports.files import Source, sources
from pipeline.recordings.exports.labels import ActivityChange, activity_changes
from pipeline.recordings.header import EXPORT, ConventionSource, Header, software
from pipeline.recordings.recording import DataError, typical_rate_hz
from pipeline.recordings.uci_har import OVERLAP
from pipeline.settings import from_command_line

MOST_NOTES: Final = 20
"""Lines on files that are passed over, of one zip or folder"""
MOST_FAILURES: Final = 50
"""Lines on what could not be imported"""

TRAINABLE_S: Final = settled_after_s(OVERLAP)
"""How long all sensors must be on for a window that is trained on"""

logger = EventLog(__name__)


def as_recording(
    source: str, export: Export, settings: ImportSettings, *, label: str | None
) -> ImportedRecording:
    """Return an app's recording as it will be written; ``label`` holds until an annotation.

    Raises:
        DataError: the phone has no name that can be used, or a sample cannot be one.
    """
    device = settings.device or export.device
    if device is None:
        raise DataError(f"{source}: does not name the phone: give it a name by --device")
    try:
        check_device(device)
    except MessageError as error:
        raise DataError(f"{source}: {device!r}: {error}; use --device") from error
    if export.n_samples > parquet.MOST_RECORDED_SAMPLES:
        raise DataError(
            f"{source}: holds {export.n_samples} samples; "
            f"at most {parquet.MOST_RECORDED_SAMPLES} are taken"
        )
    messages = checked(source, lambda: export.messages(device))
    changes, no_activities = activity_changes(source, export)
    labels: list[ActivityChange] = [(-np.inf, label), *changes]
    for line in no_activities[:MOST_NOTES]:
        _warn(line)
    if len(no_activities) > MOST_NOTES:
        _warn(f"{source}: and {len(no_activities) - MOST_NOTES} more annotations are no activities")
    header = _header(source, export, device, settings)
    return ImportedRecording(source, export, header, labels, messages)


def _header(source: str, export: Export, device: str, settings: ImportSettings) -> Header:
    first = min(float(times[0]) for times, _ in export.sensors.values())
    began = datetime.fromtimestamp(first, UTC) if export.clock == "epoch" else datetime.now(UTC)
    convention: Convention = "android"
    evidence: ConventionSource = "assumption"
    if settings.convention != "auto":
        convention, evidence = settings.convention, "setting"
    elif export.convention is not None:
        convention, evidence = export.convention, "export"
    else:
        _warn(
            f"{source}: the export does not say whether it is an iPhone's: if so, use "
            "--convention ios"
        )
    return Header(
        device=device,
        recording=export.recording,
        format=f"{export.app}{EXPORT}",
        clock=export.clock,
        convention=convention,
        convention_from=evidence,
        created=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        software=software(),
    )


class Import:
    """One run of the command."""

    def __init__(self, settings: ImportSettings, *, label: str | None) -> None:
        """Begin with nothing imported; ``label`` holds until an annotation."""
        self._settings = settings
        self._label = label
        self._there = {path: _survey(path) for path in _files_in(settings.output)}
        self.failures: list[str] = []
        """What could not be imported, and why"""

    def take(self, source: Source) -> None:
        """Import what a zip or folder holds, and note what fails."""
        notes: dict[str, str] = {}
        n_exports, n_failures = 0, len(self.failures)
        try:
            with source.opened() as folders:
                for files in folders:
                    exports = exports_in(files, notes=notes, failures=self.failures)
                    n_exports += len(exports)
                    for export in exports:
                        origin = files.origin(export.files, is_only=len(exports) == 1)
                        self._keep(origin, export)
        except DataError as error:
            self.failures.append(str(error))
        if not n_exports and len(self.failures) == n_failures:
            self.failures.append(nothing_in(source.title, notes))
        elif n_exports:
            _print_notes(notes)

    def _keep(self, source: str, export: Export) -> None:
        """Write a recording unless it is there already."""
        try:
            recording = as_recording(source, export, self._settings, label=self._label)
        except DataError as error:
            self.failures.append(str(error))
            return
        try:
            path = self._same(recording)
            if path is None:
                path = recording.write(self._settings.output)
                self._there[path] = _survey(path)
                activities = ", ".join(recording.activities()) or "none"
                print(one_line(f"Wrote {path}: {export.n_samples} samples, labels {activities}"))
            else:
                print(one_line(f"Already there as {path}: {source}"))
        except (DataError, OSError) as error:
            self.failures.append(f"{source}: {error}")
            return
        missing = missing_sensors(export.sensors)
        rates = {sensor: typical_rate_hz(times) for sensor, (times, _) in export.sensors.items()}
        slow, slowest = min(rates.items(), key=lambda rate: rate[1])
        needed = _needed_rate(slowest)
        if needed is not None:
            _warn(
                f"{source}: its {slow.replace('_', ' ')} has {slowest:.0f} samples a second; "
                f"{needed}: let the app take more"
            )
        if missing:
            lack = "has no " + " and no ".join(missing).replace("_", " ")
            _warn(f"{source}: {lack}: there are no windows without, so it cannot be trained on")
        elif export.common_s < TRAINABLE_S:
            names = " and ".join(export.sensors).replace("_", " ")
            _warn(
                f"{source}: has only {export.common_s:.1f} s of {names} at once: windows count "
                f"from {TRAINABLE_S:.1f} s on, so it cannot be trained on"
            )

    def _same(self, recording: ImportedRecording) -> Path | None:
        """Return the file in the output folder that holds a recording, None if there is none.

        Raises:
            DataError: a file holds its samples with another name, label or convention.
        """
        for path, survey in self._there.items():
            if survey != (recording.header.format, recording.export.n_samples):
                continue
            other = parquet.read(path)
            if recording.has_samples_of(other):
                if recording.agrees_with(other):
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


def _needed_rate(rate_hz: float) -> str | None:
    """Return what is needed of the slowest sensor if it is too slow."""
    if rate_hz >= NEEDED_RATE_HZ:  # no model needs more
        return None
    from pipeline.commands.slow_sensors import default_cards, why_too_slow  # onnxruntime, too

    return why_too_slow(rate_hz, default_cards())


def _print_notes(notes: Mapping[str, str]) -> None:
    for where, why in list(notes.items())[:MOST_NOTES]:
        _warn(f"{where}: {why}")
    if len(notes) > MOST_NOTES:
        _warn(f"and {len(notes) - MOST_NOTES} more files are passed over, or rows of them")


def _warn(text: str) -> None:
    logger.warning("import-note", "%(note)s", note=one_line(text))


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(ImportSettings)
    log.configure(settings.log_format, logging.WARNING, "har-import: %(message)s", is_bounded=False)
    try:
        parquet.require()
        label = activity_name(settings.label or "")
        settings.output.mkdir(parents=True, exist_ok=True)
        for path in journals.recover(settings.output):
            print(one_line(f"Recovered {path}"))
        run = Import(settings, label=label)
    except (DataError, MessageError, OSError) as error:
        sys.exit(f"har-import: {error}")
    try:
        for source in sources(settings.files):
            if isinstance(source, DataError):
                run.failures.append(str(source))
            else:
                run.take(source)
    except KeyboardInterrupt:
        run.failures.append("stopped; what was written is whole")
    if run.failures:
        lines = [f"har-import: {one_line(failure)}" for failure in run.failures[:MOST_FAILURES]]
        if len(run.failures) > MOST_FAILURES:
            lines.append(f"har-import: and {len(run.failures) - MOST_FAILURES} more")
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
