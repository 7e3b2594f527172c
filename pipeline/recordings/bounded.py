"""Opening files and zips that anybody may have made, without hanging and in bounded memory.

A name may be that of a pipe or a device, and a zip of a megabyte may hold gigabytes or list
millions of files. What the files mean is decided by their readers.
"""

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Final

from pipeline.recordings.recording import DataError

MOST_LISTED_BYTES: Final = 4 << 20
"""Of a zip's list of its files: some forty thousand."""

MOST_COMPRESSION: Final = 100
"""How many times smaller a zip makes tables of measurements, with a wide margin: five is usual."""
HARMLESS_ZIP_BYTES: Final = 16 << 20
"""A zip may hold so much however small it is."""
READ: Final = (".csv", ".tsv", ".txt", ".json", ".zip")
"""Ends of the names of files that are read; silence beside them may be as long as it likes."""

ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # encrypted
    OSError,
    ValueError,
)
"""What zipfile and zlib raise for a damaged or an encrypted file."""

_BLOCK_BYTES: Final = 1 << 20
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, for which nothing ever has to be waited.

    Raises:
        DataError: it is missing, is no regular file, or may not be read.
    """
    try:
        mode = path.stat().st_mode
        for is_kind, kind in _KINDS:
            if is_kind(mode):
                raise DataError(f"{path}: is {kind}, not a file")
        # Should it have become a pipe meanwhile, opening it must not wait either.
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or folder") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def read_all(file: IO[bytes], where: str, *, most_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: it is longer than ``most_bytes``.
    """
    blocks, n_bytes = [], 0
    while block := file.read(_BLOCK_BYTES):
        n_bytes += len(block)
        if n_bytes > most_bytes:
            raise DataError(f"{where}: holds over {most_bytes >> 20} MiB, which is too much")
        blocks.append(block)
    return b"".join(blocks)


class Zip(zipfile.ZipFile):
    """A zip in a file, which is closed with it."""

    def __init__(self, file: io.RawIOBase | BinaryIO) -> None:
        """Read the zip's list of files.

        Raises:
            zipfile.BadZipFile: it is none, lists too many files, or would be larger than
                measurements can be; see `ZIP_ERRORS` for more.
        """
        self._parts = _InParts(file)  # type: ignore[arg-type]  # any file will do
        try:
            super().__init__(self._parts)
            n_packed = self._parts.seek(0, io.SEEK_END)
            n_bytes = sum(
                member.file_size
                for member in self.infolist()
                if member.filename.lower().endswith(READ)
            )
            if n_bytes > max(HARMLESS_ZIP_BYTES, MOST_COMPRESSION * n_packed):
                raise zipfile.BadZipFile(
                    f"would be {n_bytes >> 20} MiB of {n_packed >> 10} KiB: no measurements are"
                )
        except BaseException:
            self._parts.close()
            raise

    def close(self) -> None:
        """Close the zip and the file."""
        super().close()
        self._parts.close()


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """Open a file in a zip. It ends where the zip says, though it may hold more.

    Raises:
        zipfile.BadZipFile: it is compressed in a way whose memory has no bound; see `ZIP_ERRORS`
            for more.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("is compressed in an unusual way")
    return archive.open(member)


class _InParts(io.BufferedReader):
    """A file that is read in parts of at most `MOST_LISTED_BYTES`.

    zipfile reads a zip's list of files as one part, however long the zip says that it is.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_LISTED_BYTES:
            raise zipfile.BadZipFile("lists too many files")
        return super().read(MOST_LISTED_BYTES if size is None or size < 0 else size)
