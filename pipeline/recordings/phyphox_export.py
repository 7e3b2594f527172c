"""What phyphox exports: a zip of CSV files, one a data set, with ``meta/time.csv`` beside them.

https://github.com/phyphox/phyphox-android: DataExport.java. Columns may be separated by comma,
semicolon or tabulator, and numbers have a decimal point or comma. The app turns the iPhone's signs
into Android's.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor
from pipeline.recordings.exports import Export, Files, Table, numbers, read_table, whole
from pipeline.recordings.recording import DataError

APP: Final = "phyphox"

_TIME: Final = re.compile(r".*\((s)\)")
_AXIS: Final = re.compile(
    r"(?:.*\s)?(?P<axis>[xyz])\s*\((?P<unit>m/s\^2|m/s²|rad/s)\)", re.IGNORECASE
)


def recognises(files: Files) -> bool:
    """Return whether these are files of phyphox."""
    return any(_heading(content) for content in files.contents.values())


def read(files: Files) -> Export:
    """Return the recording in these files.

    Raises:
        DataError: a file is damaged, or holds neither accelerometer nor gyroscope.
    """
    starts = _starts(files)
    sensors: dict[Sensor, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for name, content in files.contents.items():
        if not _heading(content):
            continue
        where = f"{files.source}: {name}"
        table = read_table(where, content)
        decimal = _decimal(table)
        times = numbers(where, [row[0] for row in table.rows], decimal=decimal)
        if not len(times):  # a sensor that the phone does not have
            continue
        for sensor, columns in _columns(name, table).items():
            values = np.column_stack(
                [
                    numbers(where, [row[column] for row in table.rows], decimal=decimal)
                    for column in columns
                ]
            )
            experiment_times, values = whole(where, times, values)
            sensors[sensor] = _dated(experiment_times, starts), values
    if not sensors:
        raise DataError(
            f"{files.source}: holds no samples of accelerometer or gyroscope; in phyphox choose "
            "an experiment with both, such as + / Add simple experiment"
        )
    device = _device(files)
    return Export(
        app=APP,
        device=device,
        recording=str(starts[0][1]) if starts else "",
        clock="epoch" if starts else "boot",
        convention="android",
        sensors=sensors,
    )


def _heading(content: bytes) -> bool:
    """Return whether a file begins as phyphox' tables do: a quoted name with the unit seconds."""
    return re.match(rb'"[^"]*\(s\)"[,;\t]', content) is not None


def _columns(name: str, table: Table) -> dict[Sensor, list[int]]:
    """Return which columns hold x, y and z of which sensors."""
    found: dict[Sensor, dict[str, int]] = {}
    for index, heading in enumerate(table.columns):
        match = _AXIS.fullmatch(heading.strip())
        if match is None:
            continue
        said = f"{PurePosixPath(name).stem} {heading}".lower()
        sensor: Sensor = "accelerometer"
        if match["unit"].lower() == "rad/s":
            sensor = "gyroscope"
        elif "gravity" in heading.lower():
            sensor = "gravity"
        elif "linear" in said or "without g" in said:
            sensor = "linear_acceleration"
        found.setdefault(sensor, {}).setdefault(match["axis"].lower(), index)
    return {
        sensor: [axes[axis] for axis in "xyz"] for sensor, axes in found.items() if len(axes) == 3
    }


def _decimal(table: Table) -> str:
    """Return the decimal sign."""
    return "," if any("," in text for text in (table.rows[0] if table.rows else ())) else "."


def _starts(files: Files) -> list[tuple[float, float]]:
    """Return when the experiment was started, and started again: its own time, and the epoch's."""
    content = files.named("meta/time.csv")
    if content is None:
        return []
    where = f"{files.source}: meta/time.csv"
    table = read_table(where, content)
    decimal = _decimal(Table(table.columns, [row[:3] for row in table.rows]))
    try:
        own = numbers(where, table.column("experiment time"), decimal=decimal)
        epoch = numbers(where, table.column("system time"), decimal=decimal)
        events = table.column("event")
    except ValueError as error:
        raise DataError(
            f"{where}: has not the columns event, experiment time, system time"
        ) from error
    return [(float(own[i]), float(epoch[i])) for i, event in enumerate(events) if event == "START"]


def _dated(
    times: NDArray[np.float64], starts: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return epoch seconds of the experiment's times, which stood still while it was paused."""
    if not starts:
        return times
    own, epoch = np.array(starts).T
    latest = np.maximum(np.searchsorted(own, times, side="right") - 1, 0)
    dated: NDArray[np.float64] = epoch[latest] + (times - own[latest])
    return dated


def _device(files: Files) -> str | None:
    """Return the phone's model, which is all that phyphox tells."""
    content = files.named("meta/device.csv")
    if content is None:
        return None
    table = read_table(f"{files.source}: meta/device.csv", content)
    return next((row[1] for row in table.rows if row[0] == "deviceModel" and row[1]), None)
