"""The command har-import: what phones' apps exported, turned into files like har-record's.

Which app wrote an export is told by its content. What its files mean is decided in
`recordings.sensor_logger_export` and `recordings.phyphox_export`.
"""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.readings import Convention, MessageError, check_device
from pipeline.recordings import parquet, phyphox_export, sensor_logger_export
from pipeline.recordings.exports import Export, Files, checked, files_in
from pipeline.recordings.labelled import Evidence, Header, activity_name, software
from pipeline.recordings.recording import DataError
from pipeline.settings import ImportSettings, from_command_line

APPS: Final = (sensor_logger_export, phyphox_export)

logger = logging.getLogger(__name__)


def import_export(files: Files, settings: ImportSettings, *, label: str | None) -> Path:
    """Write the recording in an app's files as a Parquet file and return that.

    Raises:
        DataError: no app is known to write such files, or they are damaged.
        OSError: the file cannot be written.
    """
    app = next((app for app in APPS if app.recognises(files)), None)
    if app is None:
        raise DataError(
            f"{files.source}: neither Sensor Logger nor phyphox wrote this: "
            "give the zip as the app exports it, or its CSV files"
        )
    export = app.read(files)
    device = settings.device or export.device
    if device is None:
        raise DataError(f"{files.source}: does not name the phone: give it a name by --device")
    try:
        check_device(device)
    except MessageError as error:
        raise DataError(f"{files.source}: {device!r}: {error}; use --device") from error
    messages = checked(files.source, lambda: export.messages(device))
    journal = parquet.Journal(settings.output, _header(export, device, settings))
    journal.label(-np.inf, label)
    for time, text in export.labels:
        try:
            journal.label(time, activity_name(text))
        except MessageError as error:
            logger.warning("%s: %s; it is left out", files.source, error)
    for number, message in enumerate(messages):
        for readings in message:
            journal.append(number, readings)
    path = journal.close()
    assert path is not None  # there are samples
    return path


def _header(export: Export, device: str, settings: ImportSettings) -> Header:
    first = min(float(times.min()) for times, _ in export.sensors.values())
    began = datetime.fromtimestamp(first, UTC) if export.clock == "epoch" else datetime.now(UTC)
    convention: Convention = "android"
    source: Evidence = "assumption"
    if settings.convention != "auto":
        convention, source = settings.convention, "setting"
    elif export.convention is not None:
        convention, source = export.convention, "export"
    else:
        logger.warning(
            "the export does not say whether it is an iPhone's: if so, use --convention ios"
        )
    return Header(
        device=device,
        recording=export.recording,
        format=f"{export.app} export",
        clock=export.clock,
        convention=convention,
        convention_from=source,
        created=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        software=software(),
    )


def main() -> None:
    """Run the command."""
    settings = from_command_line(ImportSettings)
    logging.basicConfig(level=logging.WARNING, format="har-import: %(message)s")
    try:
        parquet.require()
        label = activity_name(settings.label or "")
        for files in files_in(settings.files):
            path = import_export(files, settings, label=label)
            recording = parquet.read(path)
            activities = ", ".join(recording.activities) or "none"
            print(f"Wrote {path}: {recording.n_samples} samples, labels {activities}")
    except (DataError, MessageError, OSError) as error:
        sys.exit(f"har-import: {error}")


if __name__ == "__main__":
    main()
