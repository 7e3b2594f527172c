"""What Sensor Logger exports: a zip of CSV files, one a sensor, or all sensors in one JSON file.

https://github.com/tszheichoi/awesome-sensor-logger: README.md, UNITS.md, CROSSPLATFORM.md. The
metadata name the platform, and whether *Standardise Units & Frames* was on: without it an iPhone's
accelerations have the opposite sign, and uncalibrated ones are in g.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec
import numpy as np

from pipeline.formats.sensor_logger import SENSORS, is_in_g
from pipeline.readings import Convention, Sensor, plain
from pipeline.recordings.exports.annotations import (
    MOST_ANNOTATIONS,
    AnnotatedLabels,
    Annotation,
    annotations_in,
    epoch_seconds,
    labels_of,
    too_many,
)
from pipeline.recordings.exports.exports import (
    FIRST_EPOCH_S,
    AppExports,
    Export,
    Track,
    by_sensor,
    enter_left_out,
)
from pipeline.recordings.exports.files import ExportFiles, both_hold
from pipeline.recordings.exports.gathered import Samples, gathered
from pipeline.recordings.exports.tables import NoTableError, number
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import STANDARD_GRAVITY

APP: Final = "sensor-logger"

MOST_JSON_BYTES: Final = 256 << 20


_TIME: Final = "time"
_AXES: Final = ("x", "y", "z")
_METADATA: Final = "metadata"
_ANNOTATION: Final = "annotation"
_OTHERS: Final = {
    *("magnetometer", "magnetometeruncalibrated", "orientation", "location", "barometer"),
    *("pedometer", "activity", "battery", "batterytemp", "microphone", "brightness", "light"),
    *("compass", "network", "wifi", "bluetooth", "bluetoothmetadata", "headphone", "heartrate"),
    *("wristmotion", "watchaccelerometer", "watchgyroscope", "watchbarometer", "watchlocation"),
    *("watchmagnetometer", "watchcompass", "watchmicrophone", "watchorientation", "camera"),
}
"""Tables of the app that hold no motion of the phone"""

_JSON_START: Final = re.compile(rb'\s*\[\s*\{\s*"')


class _Record(msgspec.Struct):
    """A row of any table, in the JSON export."""

    sensor: str
    time: int | float | str | None = None
    x: float | str | None = None
    y: float | str | None = None
    z: float | str | None = None
    text: str | None = None
    device_name: str | None = msgspec.field(default=None, name="device name")
    device_id: str | None = msgspec.field(default=None, name="device id")
    recording_time: str | None = msgspec.field(default=None, name="recording time")
    platform: str | None = None
    standardisation: str | bool | None = None


_records: Final = msgspec.json.Decoder(list[_Record])


def read(files: ExportFiles) -> AppExports:
    """Return the recordings in the files that are Sensor Logger's.

    The tables are one recording, each JSON file is one, and a damaged one spoils no other.
    """
    passed_over: dict[str, str] = {}
    exports: list[Export] = []
    failures: list[str] = []
    tables = _Tables(files, passed_over)
    for name in files.contents:
        try:
            if PurePosixPath(name).suffix.lower() == ".json":
                exports += _json_exports(files, name, passed_over)
            else:
                tables.read(name)
        except DataError as error:
            failures.append(str(error))
            passed_over[name] = "damaged"
            tables.are_damaged |= PurePosixPath(name).suffix.lower() != ".json"
    try:
        export = tables.export()
    except DataError as error:
        failures.append(str(error))
    else:
        exports[:0] = [] if export is None else [export]
    return AppExports(exports, passed_over, failures)


class _Tables:
    """The tables of a folder, which are one recording."""

    def __init__(self, files: ExportFiles, passed_over: dict[str, str]) -> None:
        """Begin with none; why one is passed over will be entered in ``passed_over``."""
        self._files = files
        self._passed_over = passed_over
        self._tracks: list[Track] = []
        self.annotations_in: list[Annotation] = []
        self._metadata: dict[str, str] = {}
        self._used: list[str] = []
        self._only: dict[str, str] = {}  # by kinds of table of which there is one at most
        self.are_damaged = False
        """Whether one could not be read, so that the others are no whole recording"""

    def read(self, name: str) -> None:
        """Read a table, if it is one of Sensor Logger's.

        Raises:
            DataError: it is damaged, or another one before claimed to be the same.
        """
        table = plain(PurePosixPath(name).stem)
        headings = [heading.lower() for heading in self._files.columns(name)]
        if table == _METADATA and headings:
            self._claim(name, "metadata")
            self._metadata = _metadata(self._files, name)
        elif _TIME not in headings:
            return
        elif table in SENSORS:
            track = _track(self._files, name, SENSORS[table], self._passed_over)
            if track is None:
                return
            self._tracks.append(track)
        elif table == _ANNOTATION and "text" in headings:
            self._claim(name, "annotations")
            self.annotations_in = annotations_in(self._files, name)
        else:
            if table in _OTHERS:
                self._passed_over[name] = "holds neither accelerometer nor gyroscope"
            elif {*_AXES} <= set(headings):
                self._passed_over[name] = (
                    "its name is none that Sensor Logger gives, such as TotalAcceleration.csv"
                )
            return
        self._used.append(name)

    def _claim(self, name: str, what: str) -> None:
        if what in self._only:
            raise both_hold(self._files.source, self._only[what], name, what)
        self._only[what] = name

    def export(self) -> Export | None:
        """Return the recording, None if there is none or a part of it is damaged.

        Raises:
            DataError: two files hold the same sensor.
        """
        if not self._tracks:
            self._passed_over |= dict.fromkeys(self._used, "there are no samples beside it")
            return None
        sensors = by_sensor(self._files.source, self._tracks)
        if self.are_damaged:
            return None
        name = self._only.get("annotations", "")
        labels = labels_of(name, self.annotations_in, sensors, self._passed_over)
        return _export(sensors, labels, self._metadata, self._used)


def _export(
    sensors: dict[Sensor, Samples],
    labels: AnnotatedLabels,
    metadata: Mapping[str, str],
    used: Sequence[str],
) -> Export:
    convention = _convention(metadata)
    uncalibrated = sensors.get("accelerometer_uncalibrated")
    if uncalibrated is not None and is_in_g(uncalibrated[1]):  # an iPhone, not standardised
        convention = convention or "ios"
        sensors["accelerometer_uncalibrated"] = uncalibrated[0], uncalibrated[1] * STANDARD_GRAVITY
    return Export(
        app=APP,
        device=metadata.get("device id") or metadata.get("device name") or None,
        recording=metadata.get("recording time", ""),
        clock="epoch",
        convention=convention,
        sensors=sensors,
        labels=labels,
        files=used,
    )


def _convention(metadata: Mapping[str, str]) -> Convention | None:
    """Return the sign of accelerations, None where the metadata do not show it.

    They do not where a spreadsheet has put its own language's word for true or false.
    """
    platform = metadata.get("platform", "").lower()
    if platform == "android":
        return "android"
    signs: dict[str, Convention] = {"true": "android", "false": "ios", "": "ios"}
    standardised = metadata.get("standardisation", "").lower()
    return signs.get(standardised) if platform == "ios" else None


def _track(
    files: ExportFiles, name: str, sensor: Sensor, passed_over: dict[str, str]
) -> Track | None:
    """Return the samples in a sensor's file, None if there are none.

    Why it is passed over, or rows of it are, is entered in ``passed_over``.
    """
    with files.table(name) as table:
        columns = [table.column(heading) for heading in (_TIME, *_AXES)]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            raise DataError(f"{files.where(name)}: has not the columns time, x, y, z")
        blocks = table.blocks({known[0]: epoch_seconds} | dict.fromkeys(known[1:], number))
        samples, n_partial = gathered(sensor, blocks)
    enter_left_out(passed_over, name, n_unfit=table.n_unfit, n_partial=n_partial)
    track = Track(name, sensor, samples) if len(samples[0]) else None
    if track is None:
        passed_over.setdefault(name, "holds no samples")
    elif track.samples[0][0] < FIRST_EPOCH_S:
        raise DataError(
            f"{files.where(name)}: times must be nanoseconds since 1970: export it anew"
        )
    return track


def _metadata(files: ExportFiles, name: str) -> dict[str, str]:
    with files.table(name) as table:
        names = [column.lower() for column in table.columns]
        return dict(zip(names, next(table.rows(), []), strict=False))


# The JSON file


def _json_exports(files: ExportFiles, name: str, passed_over: dict[str, str]) -> list[Export]:
    """Return the recording in a JSON file, none if it is another app's."""
    where = files.where(name)
    try:
        content = files.content(name, most_bytes=MOST_JSON_BYTES)
    except NoTableError:
        return []
    if not _JSON_START.match(content):
        return []
    try:
        records = _records.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        passed_over[name] = f"is not what Sensor Logger exports as JSON: {error}"
        return []
    tables: defaultdict[str, list[_Record]] = defaultdict(list)
    for record in records:
        tables[plain(record.sensor)].append(record)
    if len(tables[_ANNOTATION]) > MOST_ANNOTATIONS:
        raise DataError(too_many(where))
    try:
        tracks = [
            _json_track(name, sensor, tables[table], passed_over)
            for table, sensor in SENSORS.items()
            if table in tables
        ]
        annotations = [
            Annotation(
                epoch_seconds(str(record.time)),
                record.text or "",
                f"annotation {n}",
                str(record.time),
            )
            for n, record in enumerate(tables[_ANNOTATION], 1)
        ]
    except ValueError as error:
        raise DataError(f"{where}: {error}: export it anew, and do not edit it") from error
    sensors = by_sensor(files.source, [track for track in tracks if track is not None])
    if not sensors:
        passed_over[name] = "holds no samples of accelerometer or gyroscope"
        return []
    labels = labels_of(name, annotations, sensors, passed_over)
    metadata = {}
    for record in tables[_METADATA]:
        metadata = {
            key.replace("_", " "): str(value)
            for key, value in msgspec.structs.asdict(record).items()
            if value is not None
        }
    return [_export(sensors, labels, metadata, [name])]


def _json_track(
    name: str, sensor: Sensor, records: Sequence[_Record], passed_over: dict[str, str]
) -> Track | None:
    rows = [
        (
            epoch_seconds("" if record.time is None else str(record.time)),
            *(
                number("" if value is None else str(value))
                for value in (record.x, record.y, record.z)
            ),
        )
        for record in records
    ]
    samples, n_partial = gathered(sensor, [np.array(rows)])
    enter_left_out(passed_over, name, n_unfit=0, n_partial=n_partial)
    return Track(name, sensor, samples) if len(samples[0]) else None
