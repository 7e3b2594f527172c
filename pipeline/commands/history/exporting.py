"""har-history export: episodes and predictions as a table in a file, for other programs.

Columns and values are those of har-timeline's CSV, where a history has them. Rows are read and
written some at a time, so a year of many phones needs no more memory than a day. A file is there
completely or not at all, and its owner alone may read it.
"""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final, TextIO

from pipeline.atomic_file import replacing
from pipeline.commands.formulas import no_formula
from pipeline.commands.history.address import HistoryError
from pipeline.commands.history.days import Day, zone_of
from pipeline.commands.history.exported_row import ExportedRow
from pipeline.commands.history.opening import address_of
from pipeline.commands.history.reading import History, KeptEpisode, KeptPrediction
from pipeline.commands.history.settings import HistoryExportSettings
from pipeline.readings import LATEST_TIME_S

MODE: Final = 0o600
STANDARD_OUTPUT: Final = Path("-")
SQLITE_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""Of the files that make up a database of SQLite"""


def export(settings: HistoryExportSettings) -> None:
    """Write what is asked for into a file.

    Raises:
        HistoryError: there is nothing to write, or the file cannot be written.
    """
    zone = zone_of(settings.zone)
    begin = 0.0 if settings.from_ is None else Day(settings.from_, zone).begin
    end = LATEST_TIME_S if settings.to is None else Day(settings.to, zone).end
    address = address_of(settings)
    _check_target(settings.csv or settings.parquet, address.file)
    with History(address) as history:
        devices = settings.device or [phone.device for phone in history.phones()]
        if unknown := [name for name in devices if not history.knows(name)]:
            raise HistoryError(
                f"there is nothing of {unknown[0]}; har-history devices lists the phones"
            )
        rows = _rows(history, sorted(set(devices)), begin, end, zone, windows=settings.windows)
        n = 0
        try:
            if settings.csv is not None:
                n = write_csv(rows, settings.csv)
            elif settings.parquet is not None:
                from pipeline.commands.history.parquet_table import write_parquet

                n = write_parquet(rows, settings.parquet)
        except ModuleNotFoundError as error:
            raise HistoryError(
                f"Parquet needs {error.name}: pip install 'har-stream[record]'"
            ) from error
        except BrokenPipeError:  # who reads the standard output has seen enough
            raise
        except OSError as error:
            file = settings.csv or settings.parquet
            raise HistoryError(f"{file}: cannot be written: {error.strerror or error}") from error
    if n == 0:
        print("har-history export: there is nothing of these days", file=sys.stderr)


def _check_target(target: Path | None, database: Path | None) -> None:
    """Refuse to write over the history itself.

    Raises:
        HistoryError: the file is the database's, or one that SQLite keeps beside it.
    """
    if target is None or database is None:
        return
    own = [database.with_name(database.name + suffix) for suffix in SQLITE_SUFFIXES]
    if target.resolve() in [file.resolve() for file in own]:
        raise HistoryError(f"{target}: is the history itself; name another file")


def _rows(
    history: History,
    devices: Sequence[str],
    begin: float,
    end: float,
    zone: tzinfo | None,
    *,
    windows: bool,
) -> Iterator[ExportedRow]:
    """Yield each phone's episodes, and behind them its windows if they are asked for."""
    for device in devices:
        kinds: list[tuple[str, Iterable[KeptEpisode | KeptPrediction]]] = [
            ("episode", history.episodes(device, begin, end))
        ]
        if windows:
            kinds.append(("window", history.predictions(device, begin, end)))
        for kind, found in kinds:
            for one in found:
                start = datetime.fromtimestamp(one.start, UTC).astimezone(zone)
                yield ExportedRow(
                    device, kind, start, one.start, one.end, one.activity, one.probability
                )


def write_csv(rows: Iterable[ExportedRow], target: Path) -> int:
    """Write rows into a CSV file, or to the standard output, and return how many there were.

    Raises:
        OSError: it cannot be written.
    """
    n = 0
    with _text(target) as output:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(ExportedRow._fields)
        for row in rows:
            n += 1
            writer.writerow(
                (
                    no_formula(row.device),
                    row.kind,
                    row.time.isoformat(timespec="milliseconds"),
                    row.start,
                    row.end,
                    no_formula(row.activity),
                    row.probability,
                )
            )
        output.flush()
    return n


@contextmanager
def _text(target: Path) -> Iterator[TextIO]:
    """Give a file to write text into."""
    if target == STANDARD_OUTPUT:
        yield sys.stdout
        return
    with replacing(target, mode=MODE) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()
