"""What phyphox exports: a zip of CSV files, one a data set, with ``meta/time.csv`` beside them.

https://github.com/phyphox/phyphox-android: DataExport.java. A table is recognised by its headings,
``Acceleration x (m/s^2)`` beside ``Time (s)``, also when a spreadsheet has written it anew. The app
changes the iPhone's signs to Android's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Clock, Sensor
from pipeline.recordings.exports.exports import (
    FIRST_EPOCH_S,
    AppExports,
    Export,
    Track,
    by_sensor,
    enter_left_out,
)
from pipeline.recordings.exports.files import ExportFiles
from pipeline.recordings.exports.gathered import Gathered, Samples, taken_out
from pipeline.recordings.exports.tables import number
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import STANDARD_GRAVITY

APP: Final = "phyphox"

TIME_UNITS: Final = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
ACCELERATION_UNITS: Final = {
    **dict.fromkeys(("m/s2", "ms-2", "m/s/s"), 1.0),
    "g": STANDARD_GRAVITY,
    "mg": STANDARD_GRAVITY / 1000,
}
ANGULAR_VELOCITY_UNITS: Final = {
    **dict.fromkeys(("rad/s", "rads-1"), 1.0),
    **dict.fromkeys(("deg/s", "°/s", "dps", "degs-1", "°s-1"), np.pi / 180),
}
"""What values are multiplied by, by their unit as `_unit` spells it."""

MOST_HEADING: Final = 200
"""Characters of a column's name that may be known"""

MOST_SAME_TIMES: Final = 0.1
"""Share of samples that may have the time of the one before"""

CHECKED: Final = 1 << 16
"""Samples whose times are compared at once"""

_DIGITS_OF_A_S: Final = 10
"""Digits that a time of the epoch must have been left to be right to a second"""
_META: Final = "meta/"
_IN_BRACKETS: Final = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")
_AXIS: Final = re.compile(
    r"(?:(?P<what>.*[\s_.-])|a|acc|g|gyr|gyro|w)?(?P<axis>[xyz])", re.IGNORECASE
)
# Without gravity, in the languages of the app: linear, lineare, linéaire, lineal, liniowe, ...
_LINEAR: Final = re.compile(
    r"\blin[eéií]|линейн|γραμμικ|线性|線性|線形|lineer"
    r"|\b(without|ohne|sans|sin|senza|sem|zonder|bez|без) (g\b|grav|schwer|grawi|gravi|грав)",
    re.IGNORECASE,
)
_LINEAR_FILE: Final = re.compile(r"\blin[eé]a[ilr]|\b(without|ohne|sans) g\b", re.IGNORECASE)
_GRAVITY: Final = re.compile(r"\bgrav|schwer|重力", re.IGNORECASE)


@dataclass(frozen=True)
class _Column:
    """The values of one axis: where they and their times are, and the factors to SI units."""

    index: int
    time: int
    """Index of the column with its times"""
    time_factor: float
    factor: float


def read(files: ExportFiles) -> AppExports:
    """Return the recordings in the files that are phyphox'.

    Tables that hold different sensors are one recording. Those that all hold the same, as when
    exports were renamed and put into one folder, are recordings of their own, and a damaged one
    spoils no other.

    Raises:
        DataError: two files of one recording hold the same, or one in ``meta`` is damaged.
    """
    passed_over: dict[str, str] = {}
    tracks: dict[str, list[Track]] = {}
    damaged: dict[str, DataError] = {}
    for name in files.contents:
        if name.lower().startswith(_META):
            continue
        try:
            in_file = _tracks(files, name, passed_over)
        except DataError as error:
            damaged[name] = error
            passed_over[name] = "damaged"
            continue
        if in_file:
            tracks[name] = in_file
        elif in_file is not None:
            passed_over.setdefault(name, "holds neither accelerometer nor gyroscope")
    if not tracks and not damaged:
        return AppExports((), passed_over)
    device, starts = _device(files), _starts(files)
    meta = [name for name in files.contents if name.lower().startswith(_META)]
    alternatives = not starts and _are_alternatives(tracks)
    failures = [str(error) for error in damaged.values()]
    if damaged and not alternatives:
        return AppExports((), passed_over, failures)
    if alternatives:
        exports = [
            _export(files, {name: one}, device, starts, recording=PurePosixPath(name).stem)
            for name, one in tracks.items()
        ]
    else:
        recording = str(starts[0][1]) if starts else ""
        exports = [_export(files, tracks, device, starts, recording=recording, meta=meta)]
    return AppExports(exports, passed_over, failures)


def _are_alternatives(tracks: Mapping[str, Sequence[Track]]) -> bool:
    """Return whether no two of several files can belong to one recording."""
    sensors = [{track.sensor for track in of_file} for of_file in tracks.values()]
    return len(sensors) > 1 and all(first & second for first, second in combinations(sensors, 2))


def _export(
    files: ExportFiles,
    tracks: Mapping[str, Sequence[Track]],
    device: str | None,
    starts: Sequence[tuple[float, float]],
    *,
    recording: str,
    meta: Sequence[str] = (),
) -> Export:
    sensors = by_sensor(files.source, [track for of_file in tracks.values() for track in of_file])
    if starts:
        sensors = {
            sensor: (_dated(times, starts), values) for sensor, (times, values) in sensors.items()
        }
    first = min(float(times[0]) for times, _ in sensors.values())
    clock: Clock = "epoch" if starts or first >= FIRST_EPOCH_S else "boot"
    return Export(
        app=APP,
        device=device,
        recording=recording,
        clock=clock,
        convention="android",
        sensors=sensors,
        files=(*tracks, *meta),
    )


def _tracks(files: ExportFiles, name: str, passed_over: dict[str, str]) -> list[Track] | None:
    """Return the sensors in a file; None if it is not phyphox'.

    Why it is passed over, or rows of it are, is entered in ``passed_over``.
    """
    columns_of = _columns(files.where(name), name, files.columns(name))
    if columns_of is None:
        return None
    tracks: list[Track] = []
    if not columns_of:
        return tracks
    lacking = {
        sensor: [axis for axis in "xyz" if axis not in axes]
        for sensor, axes in columns_of.items()
        if len(axes) < 3
    }
    if lacking:
        passed_over[name] = "; ".join(
            f"its {sensor.replace('_', ' ')} has no {', '.join(axes)}"
            for sensor, axes in lacking.items()
        )
    complete = {sensor: axes for sensor, axes in columns_of.items() if sensor not in lacking}
    if not complete:
        return tracks
    wanted = dict.fromkeys(
        index
        for axes in complete.values()
        for axis in "xyz"
        for index in (axes[axis].time, axes[axis].index)
    )
    at = {index: place for place, index in enumerate(wanted)}
    found = {sensor: Gathered(sensor) for sensor in complete}
    with files.table(name) as table:
        for numbers in table.blocks(dict.fromkeys(wanted, number)):
            for sensor, axes in complete.items():
                columns = [axes[axis] for axis in "xyz"]
                found[sensor].add(
                    np.column_stack(
                        [numbers[:, at[columns[0].time]] * columns[0].time_factor]
                        + [numbers[:, at[column.index]] * column.factor for column in columns]
                    )
                )
    n_partial = 0
    for sensor, gathered in found.items():
        samples, n_lacking = gathered.samples()
        n_partial += n_lacking
        _check_times(files.where(name), samples)
        if len(samples[0]):
            tracks.append(Track(name, sensor, samples))
    enter_left_out(passed_over, name, n_unfit=table.n_unfit, n_partial=n_partial)
    if not tracks:
        passed_over.setdefault(name, "holds no samples")
    return tracks


def _check_times(where: str, samples: Samples) -> None:
    """Reject times that a spreadsheet has rounded.

    Raises:
        DataError: many different samples have the same time.
    """
    n_same = 0
    for begin in range(0, len(samples[0]), CHECKED):
        times, values = (taken_out(part, slice(begin, begin + CHECKED + 1)) for part in samples)
        differ = (np.diff(values, axis=0) != 0).any(axis=1)
        n_same += int(((np.diff(times) == 0) & differ).sum())
    n = len(samples[0])
    if n_same > MOST_SAME_TIMES * n:
        raise DataError(
            f"{where}: {n_same} of {n} samples have the time of the one before, as when a "
            "spreadsheet has rounded them: export it anew, and do not edit it"
        )


def _columns(
    where: str, name: str, headings: Sequence[str]
) -> dict[Sensor, dict[str, _Column]] | None:
    """Return which columns hold x, y and z of which sensors; None without a column of times.

    The times of a column are in the last one before it that is named as the first of them is, or in
    the first.

    Raises:
        DataError: two columns hold the same.
    """
    matches = [
        _IN_BRACKETS.fullmatch(heading) if len(heading) <= MOST_HEADING else None
        for heading in headings
    ]
    units = ["" if match is None else _unit(match["unit"]) for match in matches]
    first = next((index for index, unit in enumerate(units) if unit in TIME_UNITS), None)
    if first is None:
        return None
    columns_of: dict[Sensor, dict[str, _Column]] = {}
    time = first
    for index, (heading, match, unit) in enumerate(zip(headings, matches, units, strict=True)):
        if heading == headings[first]:
            time = index
        axis = None if match is None else _AXIS.fullmatch(match["name"])
        factor = ACCELERATION_UNITS.get(unit, ANGULAR_VELOCITY_UNITS.get(unit))
        if axis is None or factor is None:
            continue
        sensor = _sensor(PurePosixPath(name).stem, axis["what"] or "", unit)
        axes = columns_of.setdefault(sensor, {})
        letter = axis["axis"].lower()
        if letter in axes:
            raise DataError(
                f"{where}: {headings[axes[letter].index]!r} and {heading!r} both are the "
                f"{sensor.replace('_', ' ')}'s {letter}: take one of them out"
            )
        axes[letter] = _Column(index, time, TIME_UNITS[units[time]], factor)
    return columns_of


def _sensor(stem: str, what: str, unit: str) -> Sensor:
    """Return the sensor that a heading is of, in a file of this name."""
    if unit in ANGULAR_VELOCITY_UNITS:
        return "gyroscope"
    if _LINEAR.search(what) or _LINEAR_FILE.search(stem):
        return "linear_acceleration"
    return "gravity" if _GRAVITY.search(what or stem) else "accelerometer"


def _unit(text: str) -> str:
    """Return a unit in one spelling: ``m/s2`` for ``m/s^2``, and for ``m/s²`` read amiss."""
    unit = re.sub(r"[\s^*·â]", "", text.lower())
    for spelling, ours in (("º", "°"), ("μ", "µ"), ("²", "2"), ("⁻", "-"), ("¹", "1")):
        unit = unit.replace(spelling, ours)
    return re.sub("degrees?", "deg", re.sub(r"sec(ond)?s?\b", "s", unit))


def _starts(files: ExportFiles) -> list[tuple[float, float]]:
    """Return when the experiment was started, and started again: its own time, and the epoch's."""
    name = files.named("meta/time.csv")
    if name is None:
        return []
    with files.table(name) as table:
        columns = [table.column(heading) for heading in ("event", "experiment time", "system time")]
        event, experiment, system = columns
        if event is None or experiment is None or system is None:
            raise DataError(
                f"{files.where(name)}: has not the columns event, experiment time, system time"
            )
        begins = []
        for row in table.rows():
            if row[event].strip().upper() == "START":
                try:
                    begins.append((number(row[experiment]), _epoch(row[system])))
                except ValueError as error:
                    raise DataError(f"{files.where(name)}: {error}: export it anew") from error
    return sorted(begins)


def _epoch(text: str) -> float:
    """Return seconds of the epoch.

    Raises:
        ValueError: it is no number, or a spreadsheet has left too few of its digits.
    """
    seconds = number(text)
    digits = re.sub(r"[eE].*|[^\d]", "", text)
    if seconds >= FIRST_EPOCH_S and len(digits) < _DIGITS_OF_A_S:
        raise ValueError(f"time is not whole seconds ({text.strip()[:40]})")
    return seconds


def _dated(
    times: NDArray[np.float64], starts: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return epoch seconds of the experiment's times, which stood still while it was paused."""
    experiment, epoch = np.array(starts).T
    latest = np.maximum(np.searchsorted(experiment, times, side="right") - 1, 0)
    dated: NDArray[np.float64] = epoch[latest] + (times - experiment[latest])
    return dated


def _device(files: ExportFiles) -> str | None:
    """Return the phone's model, the only name that phyphox exports."""
    name = files.named("meta/device.csv")
    if name is None:
        return None
    with files.table(name) as table:
        properties = {row[0]: row[1] for row in table.rows() if len(row) > 1}
    return properties.get("deviceModel") or None
