"""Exported rows as a Parquet file."""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from pipeline.atomic_file import replacing_path
from pipeline.commands.history.exported_row import ExportedRow

AT_ONCE: Final = 50_000
"""Rows in a group of the file, which are in memory while it is written"""
MODE: Final = 0o600
_NAMES: Final = pa.dictionary(pa.int32(), pa.string())
SCHEMA: Final = pa.schema(
    {
        "device": _NAMES,
        "kind": _NAMES,
        "time": pa.timestamp("us", tz="UTC"),
        "start": pa.float64(),
        "end": pa.float64(),
        "activity": _NAMES,
        "probability": pa.float64(),
    }
)


def write_parquet(rows: Iterable[ExportedRow], target: Path) -> int:
    """Write rows into a Parquet file and return how many there were.

    Raises:
        OSError: it cannot be written.
    """
    n = 0
    remaining = iter(rows)
    with replacing_path(target) as file:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, MODE))
        with parquet.ParquetWriter(file, SCHEMA) as writer:
            while group := list(islice(remaining, AT_ONCE)):
                n += len(group)
                columns = [
                    pa.array(values, SCHEMA.field(name).type)
                    for name, values in zip(group[0]._fields, zip(*group, strict=True), strict=True)
                ]
                writer.write_table(pa.table(columns, schema=SCHEMA))
    return n
