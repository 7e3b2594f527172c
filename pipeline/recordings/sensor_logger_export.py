"""What Sensor Logger exports: a zip of CSV files, one a sensor.

https://github.com/tszheichoi/awesome-sensor-logger: UNITS.md, CROSSPLATFORM.md. ``Metadata.csv``
tells the platform, and whether *Standardise Units & Frames* was on: without it an iPhone's
accelerations have the opposite sign, and uncalibrated ones are in g.
"""

from pathlib import PurePosixPath
from typing import Final

import numpy as np

from pipeline.formats.sensor_logger import SENSORS, is_in_g
from pipeline.readings import Convention, Sensor
from pipeline.recordings.exports import Export, Files, Table, numbers, read_table, whole
from pipeline.recordings.recording import DataError
from pipeline.signals import STANDARD_GRAVITY

APP: Final = "sensor-logger"

_COLUMNS: Final = {"time", "seconds_elapsed", "x", "y", "z"}
_NS_PER_S: Final = 1_000_000_000  # an integer: int / int is rounded once


def recognises(files: Files) -> bool:
    """Return whether these are files of Sensor Logger: time in nanoseconds is its own."""
    return any(
        _sensor(name) is not None
        and content[:200].lower().startswith((b"time,", b"\xef\xbb\xbftime,"))
        for name, content in files.contents.items()
    )


def read(files: Files) -> Export:
    """Return the recording in these files.

    Raises:
        DataError: a file is damaged, or not what Sensor Logger writes.
    """
    metadata = _metadata(files)
    convention = _convention(metadata)
    sensors = {}
    for name, content in files.contents.items():
        sensor = _sensor(name)
        if sensor is None:
            continue
        where = f"{files.source}: {name}"
        table = read_table(where, content)
        if not table.rows:  # a sensor that the phone does not have
            continue
        if not {column.strip().lower() for column in table.columns} >= _COLUMNS:
            raise DataError(f"{where}: has not the columns {', '.join(sorted(_COLUMNS))}")
        values = np.column_stack([numbers(where, table.column(axis)) for axis in "xyz"])
        sensors[sensor] = whole(where, np.array(_times(where, table)), values)
    uncalibrated = sensors.get("accelerometer_uncalibrated")
    if uncalibrated is not None and is_in_g(uncalibrated[1]):  # an iPhone, not standardised
        convention = convention or "ios"
        sensors["accelerometer_uncalibrated"] = uncalibrated[0], uncalibrated[1] * STANDARD_GRAVITY
    if not sensors:
        raise DataError(f"{files.source}: holds no samples of accelerometer or gyroscope")
    return Export(
        app=APP,
        device=metadata.get("device id") or metadata.get("device name") or None,
        recording=metadata.get("recording time", ""),
        clock="epoch",
        convention=convention,
        sensors=sensors,
        labels=_labels(files),
    )


def _sensor(name: str) -> Sensor | None:
    path = PurePosixPath(name)
    return SENSORS.get(path.stem.lower()) if path.suffix.lower() == ".csv" else None


def _metadata(files: Files) -> dict[str, str]:
    content = files.named("metadata.csv")
    if content is None:
        return {}
    table = read_table(f"{files.source}: Metadata.csv", content)
    names = [column.strip().lower() for column in table.columns]
    return dict(zip(names, table.rows[0], strict=True)) if table.rows else {}


def _convention(metadata: dict[str, str]) -> Convention | None:
    platform = metadata.get("platform", "").lower()
    if platform == "ios":
        return "android" if metadata.get("standardisation", "").lower() == "true" else "ios"
    return "android" if platform == "android" else None


def _times(where: str, table: Table) -> list[float]:
    """Return seconds, the float64 that is nearest to each time in nanoseconds."""
    try:
        return [int(text) / _NS_PER_S if text else np.nan for text in table.column("time")]
    except ValueError as error:
        raise DataError(
            f"{where}: time is not whole nanoseconds ({error}): export it anew, and do not edit it"
        ) from error


def _labels(files: Files) -> list[tuple[float, str]]:
    """Return the annotations and their times."""
    content = files.named("annotation.csv")
    if not content:
        return []
    where = f"{files.source}: Annotation.csv"
    table = read_table(where, content)
    try:
        texts = table.column("text")
        times = _times(where, table)
    except ValueError as error:
        raise DataError(f"{where}: has not the columns time and text") from error
    return [(time, text) for time, text in zip(times, texts, strict=True) if text]
