"""Recordings as Parquet files: what is in them, where they are, and how they are read.

How they are written, by way of journals, is decided in `journals`; these two know pyarrow.
"""

from __future__ import annotations  # pyarrow's types may be missing

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import msgspec
import numpy as np

from pipeline.readings import MessageError, Sensor
from pipeline.recordings import bounded
from pipeline.recordings.header import Header
from pipeline.recordings.recording import DataError, Recording, Stretch

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError:  # `require` says what to do
    pa = pc = pq = None

SUFFIX: Final = ".parquet"

HEADER_KEY: Final = "har_recording"
"""Name of the entry in a file's schema metadata that holds the header as JSON."""

VALUE_COLUMNS: Final = ("x", "y", "z", "gyro_x", "gyro_y", "gyro_z")
"""A sensor's values; the last three are those of ``motion`` alone."""

MOST_RECORDED_SAMPLES: Final = 40_000_000
"""Of a recording that can be read: a day of four sensors at 100 Hz, in some 6 GB of memory"""


def require() -> None:
    """Return if recordings can be read and written.

    Raises:
        DataError: pyarrow is not installed.
    """
    if pa is None:
        raise DataError("recordings in Parquet need pyarrow: pip install 'har-stream[record]'")


def schema_of(header: Header) -> pa.Schema:
    """Return the columns of a recording's file, and its header beside them."""
    names = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            pa.field("message", pa.int32(), nullable=False),
            pa.field("sensor", names, nullable=False),
            pa.field("time", pa.float64(), nullable=False),
            *((name, pa.float64()) for name in VALUE_COLUMNS),
            ("label", names),
        ],
        metadata={HEADER_KEY: msgspec.json.encode(header)},
    )


def header_of(path: Path, schema: pa.Schema) -> Header:
    """Return the header of the recording or journal ``path``, which is beside its columns.

    Raises:
        DataError: there is none, or it is of another version.
    """
    entry = (schema.metadata or {}).get(HEADER_KEY.encode())
    if entry is None:
        raise DataError(f"{path}: is no recording of har-record or har-import")
    try:
        return msgspec.json.decode(entry, type=Header)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path}: its header cannot be read: {error}") from error


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the recordings among files and folders, those of a folder in alphabetical order.

    Raises:
        DataError: there is no such file or folder, or the folder holds none.
    """
    files: list[Path] = []
    for path in paths:
        place = path.expanduser()
        if place.is_dir():
            inside = [file for file in sorted(place.glob(f"*{SUFFIX}")) if file.is_file()]
            if not inside and any(place.glob(f"*/*{SUFFIX}")):
                raise DataError(f"{path}: holds folders of recordings: name these, {path}/*")
            if not inside:
                raise DataError(
                    f"{path}: holds no recordings (*{SUFFIX}): make some with har-record"
                )
            files += inside
        elif place.is_file() and place.suffix.lower() in bounded.READ:
            raise DataError(f"{path}: is an app's export: convert it to a recording by har-import")
        elif place.exists():  # and no file, perhaps, as opening it says
            files.append(place)
        else:
            raise DataError(f"{path}: no such recording or folder")
    return list(dict.fromkeys(files))


def survey(path: Path) -> tuple[Header, int]:
    """Return a recording's header and number of samples, at little cost.

    Raises:
        DataError: the file is missing, damaged, or no recording.
    """
    require()
    with _opened(path) as file:
        return header_of(path, file.schema_arrow), file.metadata.num_rows


def read(path: Path) -> Recording:
    """Return a recording, as it was sent but in Android's convention.

    Raises:
        DataError: the file is missing, damaged, too large, or no recording.
    """
    require()
    with _opened(path) as file:
        header, n_samples = header_of(path, file.schema_arrow), file.metadata.num_rows
        if not file.schema_arrow.equals(schema_of(header), check_metadata=False):
            raise DataError(f"{path}: has not the columns of a recording: record or import it anew")
        if not n_samples:
            raise DataError(f"{path}: holds no samples")
        if n_samples > MOST_RECORDED_SAMPLES:
            raise DataError(
                f"{path}: holds {n_samples} samples; at most {MOST_RECORDED_SAMPLES} are taken"
            )
        table = file.read(use_threads=False)
    try:
        recording = _as_recording(table, header)
        _ = recording.messages  # rejects what no phone can have sent
    except MessageError as error:
        raise DataError(f"{path}: {error}") from error
    return recording


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; errors until it is closed become DataError."""
    if not os.path.lexists(path):
        raise DataError(f"{path}: no such recording")
    try:
        bounded.open_file(path).close()  # it is a file
        with pa.OSFile(str(path)) as content, pq.ParquetFile(content, pre_buffer=False) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _as_recording(table: pa.Table, header: Header) -> Recording:
    """Return what a file's rows hold: every run of one sensor within a message is a stretch."""
    table = table.unify_dictionaries().combine_chunks()
    activities = tuple(sorted(set(table["label"].drop_null().to_pylist())))
    index = pc.index_in(table["label"].cast(pa.string()), pa.array(activities, pa.string()))
    labels = index.fill_null(-1).to_numpy().astype(np.int16)
    numbers, times = table["message"].to_numpy(), table["time"].to_numpy()
    sensors = table["sensor"].cast(pa.string()).to_numpy()
    values = np.column_stack([table[name].to_numpy() for name in VALUE_COLUMNS])
    new_message = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    new_stretch = new_message | np.concatenate([[True], sensors[1:] != sensors[:-1]])
    firsts = np.flatnonzero(new_stretch)
    stretches: list[Stretch] = []
    for first, last in zip(firsts, [*firsts[1:], len(times)], strict=True):
        sensor: Sensor = sensors[first]
        if sensor not in get_args(Sensor) or sensor == "prepared":
            raise MessageError("field", f"there is no sensor {sensor!r}")
        n_columns = 6 if sensor == "motion" else 3
        stretches.append(
            Stretch(
                times[first:last],
                values[first:last, :n_columns],
                labels[first:last],
                sensor,
                is_same_message=not new_message[first],
            )
        )
    return Recording(
        header.device,
        tuple(stretches),
        activities,
        worn_at=header.placement or "",
        header=header,
    )
