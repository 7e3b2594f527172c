"""The recordings in the files, folders and data sets that somebody names.

Strategy: each kind is recognised by its content or ending: a published data set, as zip or folder
(of UCI HAR the test subjects); a recording of har-record or har-import; a person's file of a
placement set; and whatever is none of those is offered to the apps' readers. A folder is searched
for all of them.

Rules: a file that cannot be used is an error in its place, and the others go on. Each file is read
once, however often it is named. One recording is in memory at a time, or the export that holds it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.commands.one_line import one_line
from pipeline.commands.timeline.exported import exported
from pipeline.commands.timeline.recorded_file import RecordedFile, in_android_sign
from pipeline.event_log import EventLog
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings import hapt, person_file, uci_har
from pipeline.recordings.dataset_files import open_zip
from pipeline.recordings.datasets import HAPT, UCI_HAR
from pipeline.recordings.exports.apps import exports_in, nothing_in
from pipeline.recordings.exports.files import MOST_FILES, TABLES, Source, sources
from pipeline.recordings.recording import DataError, Recording

DATA_SETS: Final = {"uci-har": UCI_HAR, "hapt": HAPT}
"""By the words that stand for them where ``HAR_DATA_DIR`` says where they are"""
PARQUET: Final = ".parquet"
MOST_NOTES: Final = 20
"""Lines on files that are passed over, of one zip or folder"""

logger = EventLog(__name__)

Found = RecordedFile | DataError


class Sources:
    """What was named, file by file."""

    def __init__(self, conventions: Conventions) -> None:
        """Begin; ``conventions`` are the user's settings of signs."""
        self._conventions = conventions
        self._done: set[Path] = set()

    def read(self, paths: Sequence[Path]) -> Iterator[Found]:
        """Yield every recording, and an error for each file that cannot be used."""
        tables: list[Path] = []  # of one folder are one recording
        for path in (path.expanduser() for path in paths):
            if self._is_done(path):
                logger.warning(
                    "file-named-twice",
                    "%(path)s: is named twice and shown once",
                    path=one_line(str(path)),
                )
            elif str(path) in DATA_SETS and not path.exists():
                yield from self._data_set(str(path), None)
            elif path.is_dir():
                yield from self._folder(path)
            elif path.suffix.lower() in TABLES:
                tables.append(path)
            else:
                yield from self._file(path)
        for source in sources(tables):
            yield from self._exports(source)

    def _is_done(self, path: Path) -> bool:
        """Return whether a file was there before, and note it."""
        place = Path(os.path.realpath(path))
        was_done = place in self._done
        self._done.add(place)
        return was_done

    def _file(self, path: Path) -> Iterator[Found]:
        """Yield what is in a file that is no table."""
        try:
            suffix = path.suffix.lower()
            if suffix == PARQUET:
                yield self._parquet(path)
            elif suffix == person_file.SUFFIX:
                yield from self._all(str(path), person_file.read(path))
            elif (word := _data_set_in(path)) is not None:
                yield from self._data_set(word, path)
            else:
                for source in sources([path]):
                    yield from self._exports(source)
        except DataError as error:
            yield error

    def _folder(self, folder: Path) -> Iterator[Found]:
        """Yield what is in a folder: data sets, recordings, people's files, then exports."""
        roots: list[Path] = []
        files: list[Path] = []
        n_files = 0
        for place, folders, names in os.walk(folder):
            if (word := _data_set_at(Path(place))) is not None:
                roots.append(Path(place))
                yield from self._data_set(word, Path(place))
                folders.clear()
                continue
            folders.sort()
            n_files += len(names)
            if n_files > MOST_FILES:
                yield DataError(f"{folder}: holds over {MOST_FILES} files: name those to show")
                return
            files += [Path(place) / name for name in sorted(names)]
        taken: set[Path] = set()
        for path in files:
            is_recording = path.suffix.lower() in (PARQUET, person_file.SUFFIX)
            if is_recording or _data_set_in(path) is not None:
                taken.add(path)
                if not self._is_done(path):
                    yield from self._file(path)
        for source in sources([folder]):
            if isinstance(source, DataError):
                yield source
            elif source.paths is None:
                path = Path(source.name)
                if path not in taken and not any(root in path.parents for root in roots):
                    if not self._is_done(path):
                        yield from self._exports(source)
            else:
                yield from self._loose(source, {*taken, *roots}, bool(roots or taken))

    def _loose(self, source: Source, taken: set[Path], has_others: bool) -> Iterator[Found]:
        """Yield the exports among a folder's single files, those ``taken`` left out.

        Where a folder ``has_others``, tables that no app wrote are only noted.
        """
        paths = {
            name: path
            for name, path in (source.paths or {}).items()
            if path not in taken and taken.isdisjoint(path.parents)
        }
        if not has_others or any(Path(name).suffix.lower() in TABLES for name in paths):
            for found in self._exports(replace(source, paths=paths)):
                if isinstance(found, DataError) and has_others:
                    _warn(str(found))
                else:
                    yield found

    def _exports(self, source: Source | DataError) -> Iterator[Found]:
        """Yield the recordings that apps wrote into a zip or folder."""
        if isinstance(source, DataError):
            yield source
            return
        notes: dict[str, str] = {}
        failures: list[str] = []
        n_exports = 0
        try:
            with source.opened() as folders:
                for files in folders:
                    found = exports_in(files, notes=notes, failures=failures)
                    for export in found:
                        n_exports += 1
                        name = files.origin(export.files, is_only=len(found) == 1)
                        recorded, lines = exported(name, export, self._conventions)
                        for line in lines[:MOST_NOTES]:
                            _warn(line)
                        yield recorded
        except DataError as error:
            failures.append(str(error))
        yield from map(DataError, failures)
        if n_exports:
            for where, why in list(notes.items())[:MOST_NOTES]:
                _warn(f"{where}: {why}")
            if len(notes) > MOST_NOTES:
                _warn(f"and {len(notes) - MOST_NOTES} more files are passed over")
        elif not failures:
            yield DataError(nothing_in(source.title, notes))

    def _parquet(self, path: Path) -> RecordedFile:
        """Return a recording of har-record or har-import.

        Raises:
            DataError: it cannot be read.
        """
        from pipeline.recordings import parquet  # pyarrow takes its time

        recording = parquet.read(path)
        assert recording.header is not None
        came = recording.header.convention
        return in_android_sign(
            str(path),
            recording,
            kept="android",
            came="android" if came == "auto" else came,
            came_from=recording.header.convention_from,
            conventions=self._conventions,
        )

    def _data_set(self, word: str, data: Path | None) -> Iterator[Found]:
        """Yield the subjects of a data set."""
        try:
            if word == "uci-har":
                recordings = uci_har.recordings(uci_har.load(data).test)
            else:
                recordings = hapt.recordings(data)
            yield from self._all(str(data or word), recordings)
        except DataError as error:
            yield error

    def _all(self, file: str, recordings: Sequence[Recording]) -> Iterator[Found]:
        """Yield the recordings of a data set, which are in Android's sign."""
        if not recordings:
            yield DataError(f"{file}: has nothing to show: all its recordings are marked as unfit")
        for number, recording in enumerate(recordings, 1):
            yield in_android_sign(
                file,
                recording.cut(ROWS) if recording.header is None else recording,
                kept="android",
                came="android",
                came_from="data set",
                conventions=self._conventions,
                number=number,
            )


ROWS: Final = 1_000
"""Samples of a message of a data set, which came in none"""


def _data_set_at(folder: Path) -> str | None:
    """Return the word for the data set whose root a folder is, None if it is none."""
    for word, published in DATA_SETS.items():
        if os.path.isfile(folder / published.marker):
            return word
    return None


def _data_set_in(path: Path) -> str | None:
    """Return the word for the data set in a zip, None if it is none, or no zip."""
    if path.suffix.lower() != ".zip":
        return None
    for word, published in DATA_SETS.items():
        try:
            files = open_zip(path, published)
        except DataError:
            return None  # whoever reads it as an export says why
        if files is not None:
            files.close()
            return word
    return None


def _warn(note: str) -> None:
    logger.warning("file-note", "%(note)s", note=one_line(note))
