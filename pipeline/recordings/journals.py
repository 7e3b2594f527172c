"""Recordings while they are written: the journal that becomes a Parquet file.

A Parquet file can be read only when it is finished. So a recording is first a *journal*, an Arrow
stream to which every `Journal.flush` adds a record batch that is on the disk when it returns;
`seal` converts it to Parquet. After a crash `recover` does so with what was left, up to the first
record batch that is torn. Only sealing knows all labels and the convention, and applies them.
"""

from __future__ import annotations  # pyarrow's types may be missing

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing, sync_folder, unfinished_of
from pipeline.event_log import EventLog
from pipeline.readings import Readings, Sensor
from pipeline.recordings.header import Header
from pipeline.recordings.parquet import HEADER_KEY, SUFFIX, VALUE_COLUMNS, header_of, schema_of
from pipeline.recordings.recording import DataError

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError:  # `parquet.require` says what to do
    pa = pc = pq = None

logger = EventLog(__name__)

JOURNAL_SUFFIX: Final = ".arrows"

ACCELERATIONS: Final[tuple[Sensor, ...]] = (
    "motion",
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
)
"""Sensors whose first three columns are accelerations, whose sign is a matter of convention."""

_LABEL: Final = "label"  # in a journal the "sensor" of rows that label the samples from a time on
_CHECKSUM: Final = b"crc32"
_ROW_GROUP: Final = 1 << 16  # samples
_MOST_HELD: Final = 1_000  # record batches; one takes some kilobytes, however short it is


class Journal:
    """A recording that is being written."""

    def __init__(self, folder: Path, header: Header) -> None:
        """Begin a recording in ``folder``.

        Raises:
            OSError: the folder cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _create(folder, _stem(header))
        self.path = Path(self._file.name)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not for `recover` while it is open
        self._schema = _journal_schema(header)
        self._rows: list[pa.RecordBatch] = []
        self._n_held = 0  # samples and labels in them
        self._writer = pa.ipc.new_stream(self._file, self._schema)
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_folder(folder)

    def append(self, message: int, readings: Readings) -> None:
        """Add the samples of one sensor out of a message, counted from 0 in order of arrival.

        Raises:
            OSError: what has come together cannot be written.
        """
        n_samples = len(readings.times)
        columns = [
            pa.array(np.full(n_samples, message, np.int32)),
            pa.array([readings.sensor] * n_samples, pa.string()),
            pa.array(readings.times),
            *_value_arrays(readings.values),
            pa.nulls(n_samples, pa.string()),
            pa.array([readings.convention] * n_samples, pa.string()),
        ]
        self._add(pa.record_batch(columns, schema=self._schema))

    def label(self, time: float, activity: str | None) -> None:
        """Label the samples from a time of the device's clock on; None for no activity.

        Raises:
            OSError: what has come together cannot be written.
        """
        columns = [
            pa.array([-1], pa.int32()),
            pa.array([_LABEL], pa.string()),
            pa.array([time], pa.float64()),
            *(pa.nulls(1, pa.float64()) for _ in VALUE_COLUMNS),
            pa.array([activity], pa.string()),
            pa.nulls(1, pa.string()),
        ]
        self._add(pa.record_batch(columns, schema=self._schema))

    def _add(self, rows: pa.RecordBatch) -> None:
        """Hold rows, and write what is held before it takes much memory."""
        self._rows.append(rows)
        self._n_held += len(rows)
        if self._n_held >= _ROW_GROUP or len(self._rows) >= _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Return when all that was added is on the disk.

        Raises:
            OSError: it cannot be written; what was flushed before stays.
        """
        if not self._rows:
            return
        table = pa.Table.from_batches(self._rows, self._schema).combine_chunks()
        self._rows.clear()
        self._n_held = 0
        for batch in table.to_batches():
            self._writer.write_batch(batch, custom_metadata={_CHECKSUM: _checksum(batch)})
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> Path | None:
        """End the recording; return its Parquet file, None if it holds no samples.

        Raises:
            OSError: it cannot be written; what was flushed before stays.
        """
        self.flush()
        self._writer.close()
        self._file.flush()
        sealed = seal(self.path)
        self._file.close()
        return sealed

    def discard(self) -> None:
        """Take the journal back, as if it had not been begun."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def seal(journal: Path) -> Path | None:
    """Convert a journal to a Parquet file; return that, None if the journal holds no samples.

    The journal is there until the Parquet file is, whole.

    Raises:
        DataError: it is no journal.
        OSError: the file cannot be written.
    """
    header, label_times, label_names, convention = _survey(journal)
    if header.convention == "auto":
        header = msgspec.structs.replace(
            header,
            convention=convention or "android",
            convention_from="message" if convention else "assumption",
        )
    target = journal.with_suffix(SUFFIX)
    schema = schema_of(header)
    n_samples = 0
    with replacing(target) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _gathered(_batches(journal), _ROW_GROUP):
            samples = rows.filter(pc.not_equal(rows["sensor"], _LABEL))
            if not len(samples):
                continue
            n_samples += len(samples)
            event = np.searchsorted(label_times, samples["time"].to_numpy(), side="right") - 1
            labels = pa.array(label_names, pa.string()).take(pa.array(event, mask=event < 0))
            sensor = samples["sensor"].combine_chunks().dictionary_encode()
            table = pa.table(
                [
                    samples["message"],
                    sensor,
                    samples["time"],
                    *_signed(samples, flip=header.convention == "ios"),
                    labels.dictionary_encode(),
                ],
                schema=schema,
            )
            writer.write_table(table)
    if n_samples == 0:
        target.unlink()
    journal.unlink()
    sync_folder(journal.parent)
    return target if n_samples else None


def recover(folder: Path) -> list[Path]:
    """Convert the journals that a crash left in ``folder`` to Parquet files; return these.

    A journal that somebody is writing is left alone, one without its beginning is renamed, an empty
    one is removed. So is that of an import: it may lack samples, and the export has them all.

    Raises:
        OSError: a file cannot be written.
    """
    recovered = []
    for journal in sorted(folder.glob(f"*{JOURNAL_SUFFIX}")):
        if not journal.is_file():
            continue
        with journal.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            status = os.fstat(file.fileno())
            if not status.st_nlink:  # whoever wrote it has just finished
                continue
            if not status.st_size:  # nothing was flushed yet
                journal.unlink()
                continue
            try:
                if _header(journal).is_imported:
                    _remove_import(journal)
                    continue
                sealed = seal(journal)
            except DataError as error:  # as when the crash came while it was begun
                damaged = journal.rename(journal.with_suffix(".damaged"))
                logger.warning(
                    "journal-damaged",
                    "%(error)s; it is now %(file)s",
                    error=error,
                    file=damaged.name,
                )
                continue
            if sealed is not None:
                recovered.append(sealed)
    return recovered


def _remove_import(journal: Path) -> None:
    journal.unlink()
    unfinished_of(journal.with_suffix(SUFFIX)).unlink(missing_ok=True)
    logger.warning(
        "import-unfinished",
        "%(path)s: an import that did not finish; it is removed: import it again",
        path=journal,
    )


# Rows


def _journal_schema(header: Header) -> pa.Schema:
    return pa.schema(
        [
            ("message", pa.int32()),
            ("sensor", pa.string()),
            ("time", pa.float64()),
            *((name, pa.float64()) for name in VALUE_COLUMNS),
            ("label", pa.string()),
            ("convention", pa.string()),
        ],
        metadata={HEADER_KEY: msgspec.json.encode(header)},
    )


def _value_arrays(values: NDArray[np.float64]) -> list[pa.Array]:
    n_samples, n_columns = values.shape
    known = [pa.array(np.ascontiguousarray(column)) for column in values.T]
    return known + [pa.nulls(n_samples, pa.float64())] * (len(VALUE_COLUMNS) - n_columns)


def _signed(samples: pa.Table, *, flip: bool) -> list[pa.ChunkedArray]:
    """Return the value columns, with Android's sign of accelerations."""
    columns = [samples[name] for name in VALUE_COLUMNS]
    if flip:
        is_acceleration = pc.is_in(samples["sensor"], pa.array(ACCELERATIONS))
        columns[:3] = [
            pc.if_else(is_acceleration, pc.negate(column), column) for column in columns[:3]
        ]
    return columns


def _batches(journal: Path) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a journal up to its end, or to the first that is torn."""
    with pa.OSFile(str(journal)) as file:
        reader = pa.ipc.open_stream(file)
        while True:
            try:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
                whole = metadata is not None and metadata[_CHECKSUM] == _checksum(batch)
            except (StopIteration, OSError, pa.ArrowException, KeyError):
                return
            if not whole:  # a power cut can leave zeros where its end should be
                return
            yield batch


def _header(journal: Path) -> Header:
    """Return a journal's header.

    Raises:
        DataError: it is no journal.
    """
    try:
        with pa.OSFile(str(journal)) as file:
            schema = pa.ipc.open_stream(file).schema
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{journal}: is no journal of har-record: {error}") from error
    return header_of(journal, schema)


def _survey(journal: Path) -> tuple[Header, NDArray[np.float64], list[str | None], str | None]:
    """Return a journal's header, when which label begins, and the convention that was proved.

    Raises:
        DataError: it is no journal.
    """
    header = _header(journal)
    times: list[float] = []
    names: list[str | None] = []
    convention = None
    for batch in _batches(journal):
        events = batch.filter(pc.equal(batch["sensor"], _LABEL))
        times += events["time"].to_pylist()
        names += events["label"].to_pylist()
        proofs = batch["convention"].drop_null()
        if convention is None and len(proofs):
            convention = proofs[0].as_py()
    order = np.argsort(times, kind="stable")
    return header, np.array(times)[order], [names[i] for i in order], convention


def _gathered(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.Table]:
    """Yield the rows of record batches as tables of at least ``n_rows``, and one of the rest."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= n_rows:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _checksum(batch: pa.RecordBatch) -> bytes:
    return b"%08x" % crc32(batch.serialize())


# Files


def _stem(header: Header) -> str:
    """Return the beginning of a file's name: device and time, ``phone-7_20261123T152200Z``."""
    device = re.sub(r"[^A-Za-z0-9._-]", "_", header.device).lstrip(".") or "device"
    created = re.sub(r"[-:]|\.\d+", "", header.created)
    return f"{device}_{created}"


def _create(folder: Path, stem: str) -> IO[bytes]:
    """Create a journal whose Parquet file is not there yet."""
    number = 1
    while True:
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{JOURNAL_SUFFIX}"
        number += 1
        if path.with_suffix(SUFFIX).exists():
            continue
        try:
            return path.open("xb")
        except FileExistsError:
            continue
