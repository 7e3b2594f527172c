"""Files that are written completely or not at all, whatever crashes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(target: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of ``target`` when the context ends without an error.

    It is on the disk then. ``mode`` is its permissions, less what the process' mask takes away.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    unfinished = unfinished_of(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with open(os.open(unfinished, flags, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)


@contextmanager
def replacing_path(target: Path) -> Iterator[Path]:
    """Give the path of a file to write in place of ``target``: for libraries that open it anew.

    It has the same name, in a separate folder beside ``target``, and is on the disk when the
    context has ended without an error.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        unfinished = Path(folder) / target.name
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    sync_folder(target.parent)


def unfinished_of(target: Path) -> Path:
    """Return the file that `replacing` writes, which a crash may leave."""
    return target.with_name(f".{target.name}.unfinished")


def sync_folder(folder: Path) -> None:
    """Put on the disk which files a folder has.

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
