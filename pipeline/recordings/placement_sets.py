"""Placement sets: data sets of people who wore a phone, or the like, in other places.

Each is a folder with one ``.npz`` a person (`person_file`) and a ``README.txt``, in which a line
begins with ``LICENCE``. Rules: a set has the name that its files hold; and it is read person by
person, as all of them may be more than fits into memory.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pipeline.recordings import person_file
from pipeline.recordings.dataset_files import FolderFiles
from pipeline.recordings.datasets import FOLDER_VARIABLE, cache_folder, data_hash
from pipeline.recordings.person_file import SUFFIX, Wearer
from pipeline.recordings.recording import DataError, Recording

FOLDER: Final = "placements"
"""Name of the folder of sets beside other data sets"""
README: Final = "README.txt"
LICENCE: Final = "LICENCE"
"""With this the line of the README begins that says what the licence is."""

ALIKE: Final = (
    frozenset({"PDIoT/pdiot_s54", "PDIoT/pdiot_s68"}),
    frozenset({"PDIoT/pdiot_s60", "PDIoT/pdiot_s65"}),
)
"""People who share recordings by a fault of their set (its README), so that one of them never
judges what was learnt from the other"""


@dataclass(frozen=True)
class PlacementSet:
    """A data set of people who wore a device in one place."""

    folder: Path
    name: str
    wearers: tuple[tuple[Path, Wearer], ...]
    """Each person's file, in alphabetical order, and who wore what"""

    @property
    def study(self) -> str:
        """Name of the study that it is of: sets of one study may have the same people."""
        return self.wearers[0][1].study

    @property
    def people(self) -> frozenset[str]:
        """Names of its people."""
        return frozenset(wearer.person for _, wearer in self.wearers)

    @cached_property
    def licence(self) -> str:
        """What the README says of the licence, in one line.

        Raises:
            DataError: there is no README, or it does not say.
        """
        text = FolderFiles(self.folder).read(README).decode("utf-8", "replace")
        for line in text.splitlines():
            if line.startswith(LICENCE) and (licence := line.removeprefix(LICENCE).strip(" :\t")):
                return licence
        raise DataError(
            f"{self.folder / README}: no line says what the licence is: add one, "
            f"'{LICENCE} CC BY 4.0' or the like"
        )

    @cached_property
    def data_hash(self) -> str:
        """16 hexadecimal digits of its people's files, as `datasets.data_hash` makes them."""
        return data_hash(FolderFiles(self.folder), (path.name for path, _ in self.wearers))

    def recordings(self) -> Iterator[list[Recording]]:
        """Yield each person's recordings, read when they are asked for.

        Raises:
            DataError: a file is damaged, or not as it should be.
        """
        for path, _ in self.wearers:
            yield person_file.read(path)


def is_set(folder: Path) -> bool:
    """Return whether a folder holds people's files."""
    return any(folder.glob(f"*{SUFFIX}"))


def holds_sets(folder: Path) -> bool:
    """Return whether `find` looks for sets in a folder, because of the names in it."""
    return is_set(folder) or any(folder.glob(f"*/*{SUFFIX}"))


def folder_beside(data: Path | None = None) -> Path | None:
    """Return the folder `FOLDER` with sets that is beside the other data sets.

    It is looked for in ``data``, if that is a folder, in the one that ``HAR_DATA_DIR`` names, and
    in the user's cache folder.

    Returns:
        The first there is, None if there is none.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    for place in (data, Path(named) if named else None, cache_folder()):
        if place is not None and holds_sets(folder := place.expanduser() / FOLDER):
            return folder
    return None


def open_set(folder: Path) -> PlacementSet:
    """Return the set in a folder; of its files only the names of people are read.

    Raises:
        DataError: there is no such folder, or it holds none, or files of several sets, or a file
            is damaged.
    """
    place = folder.expanduser()
    if not place.is_dir():
        raise DataError(f"{folder}: {'is no folder' if place.exists() else 'no such folder'}")
    files = sorted(place.glob(f"*{SUFFIX}"))
    if not files:
        raise DataError(f"{folder}: holds no placement set (one {SUFFIX} a person)")
    wearers = tuple((path, person_file.wearer_in(path)) for path in files)
    (first, wearer), *others = wearers
    for path, other in others:
        if other.data_set != wearer.data_set:
            raise DataError(
                f"{path}: is of the set {other.data_set}, but {first.name} beside it of "
                f"{wearer.data_set}: give each set a folder of its own"
            )
    return PlacementSet(place, wearer.data_set, wearers)


def find(folder: Path, *, without: Collection[str] = ()) -> list[PlacementSet]:
    """Return the sets in the folders in a folder, or the one in the folder itself.

    Args:
        folder: where they are.
        without: names of sets, or of studies, to leave out.

    Raises:
        DataError: there is no such folder, or nothing is left in it, or two sets of one name, or
            one to leave out is not there, or a file is damaged.
    """
    place = folder.expanduser()
    if not place.is_dir():
        raise DataError(f"{folder}: {'is no folder' if place.exists() else 'no such folder'}")
    folders = [place] if is_set(place) else sorted(inside for inside in place.iterdir())
    sets = [open_set(inside) for inside in folders if inside.is_dir() and is_set(inside)]
    if not sets:
        raise DataError(
            f"{folder}: holds no placement sets (folders with one {SUFFIX} a person each)"
        )
    _check_names(sets, without)
    left = [one for one in sets if not {one.name, one.study} & set(without)]
    if not left:
        raise DataError(f"{folder}: without {', '.join(without)} there is no set left")
    return left


def _check_names(sets: Sequence[PlacementSet], without: Collection[str]) -> None:
    """Refuse two sets of one name, and a name to leave out that none has.

    Raises:
        DataError: which.
    """
    by_name: dict[str, PlacementSet] = {}
    for one in sets:
        other = by_name.setdefault(one.name, one)
        if other is not one:
            raise DataError(f"{one.folder}: has the name {one.name}, as {other.folder} has")
    studies = sorted({one.study for one in sets} - set(by_name))
    missing = [name for name in without if name not in by_name and name not in studies]
    if missing:
        raise DataError(
            f"there is no set {', '.join(missing)} to leave out; there are {', '.join(by_name)}"
            + (f", or all sets of a study: {', '.join(studies)}" if studies else "")
        )
