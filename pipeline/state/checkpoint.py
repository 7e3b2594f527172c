"""The state on disk: a checkpoint, written so that a crash leaves the old one or the new one.

A checkpoint is one file: a header with a checksum; the state as MessagePack, in which an array is
its type and shape; and behind it the bytes of all arrays, one after the other, as `byte_planes` has
them. So they go from the state to the disk without a copy, and other threads work meanwhile.
Its contents, and when it is written, are decided in `stream`.
"""

import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path
from struct import Struct
from typing import Any, Final, Self
from uuid import uuid4
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing, sync_folder
from pipeline.state.byte_planes import array_of, pieces_of

VERSION: Final = 11
"""Of what a checkpoint holds; to be raised whenever something in it changes its meaning"""

_MAGIC: Final = b"har-stream state"
_HEADER: Final = Struct("<16sIIQQ")
"""Magic, version, CRC-32 and length of what follows, and the length of the MessagePack in it"""

RESET: Final = "--reset-state begins anew, without what was under way"
"""What to do about a state that cannot be used"""

CHECKPOINT: Final = "checkpoint"
_CLIENT_ID: Final = "client-id"
_NAME: Final = re.compile(rb"[!-~]{1,100}")
"""A program's name with the broker; nobody else writes one"""
_LOCK: Final = "lock"
_MODE: Final = 0o600
"""Only the owner may read what a person was doing."""


class CheckpointError(Exception):
    """The folder or the checkpoint cannot be used; the program's operator can mend it."""


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    lengths: list[int]
    """Of its pieces in bytes, as `byte_planes` has them"""


_ARRAY: Final = 1
"""MessagePack's extension type for an array"""

_array_decoder = msgspec.msgpack.Decoder(_Array)


def encode(state: Mapping[str, Any], *, quick: bool = False) -> bytes:
    """Return a state as a checkpoint: values that MessagePack can hold, and arrays among them.

    With ``quick`` time counts for more than size.
    """
    return b"".join(_parts_of(state, quick=quick))


def _parts_of(state: Mapping[str, Any], *, quick: bool) -> list[bytes | memoryview]:
    """Return a state as a checkpoint, in parts that follow one another."""
    pieces: list[memoryview] = []

    def packed(array: object) -> msgspec.msgpack.Ext:
        if not isinstance(array, np.ndarray):
            raise NotImplementedError(f"a checkpoint cannot hold {type(array)}")
        of_array = pieces_of(array, quick=quick)
        pieces.extend(of_array)
        lengths = [len(piece) for piece in of_array]
        described = _Array(array.dtype.str, array.shape, lengths)
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode(described))

    document = msgspec.msgpack.encode(state, enc_hook=packed)
    checksum, n_bytes = crc32(document), len(document)
    for piece in pieces:
        checksum, n_bytes = crc32(piece, checksum), n_bytes + len(piece)
    return [_HEADER.pack(_MAGIC, VERSION, checksum, n_bytes, len(document)), document, *pieces]


def decode(data: bytes) -> dict[str, Any]:
    """Return the state that `encode` was given.

    Raises:
        CheckpointError: the data are something else, damaged, or of another version.
    """
    if len(data) < _HEADER.size:
        raise CheckpointError("is damaged: it is cut off")
    magic, version, checksum, length, n_document = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise CheckpointError("is no checkpoint of har-stream, or damaged")
    if version != VERSION:
        raise CheckpointError(f"is of version {version}, this har-stream's are of {VERSION}")
    contents = memoryview(data)[_HEADER.size :]
    if len(contents) != length or crc32(contents) != checksum:
        raise CheckpointError("is damaged: its checksum does not fit")
    begin = n_document  # of the next array's bytes: they are in the order of the arrays

    def unpacked(code: int, data: memoryview) -> NDArray[Any]:
        nonlocal begin
        described = _array_decoder.decode(data)
        pieces = []
        for n_bytes in described.lengths:
            pieces.append(contents[begin : begin + n_bytes])
            begin += n_bytes
        return array_of(pieces, np.dtype(described.dtype), described.shape)

    return msgspec.msgpack.decode(contents[:n_document], type=dict[str, Any], ext_hook=unpacked)


class StateFolder:
    """A folder with one program's checkpoint and its name with the broker."""

    def __init__(self, path: Path) -> None:
        """Take the folder for this program alone; it is made if need be.

        Raises:
            CheckpointError: it cannot be made or written to, is damaged, or another program has it.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = open(os.open(path / _LOCK, os.O_WRONLY | os.O_CREAT, _MODE), "wb")
            self.client_id = self._client_id()
            """The program's name with the broker"""
        except CheckpointError:
            self._lock.close()
            raise
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot keep the state here: {error.strerror}; "
                "give --state a folder that can be written to"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise CheckpointError(
                f"{path}: another har-stream keeps its state here; give --state another folder"
            ) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the folder for others."""
        self._lock.close()

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint is, if there is one."""
        return self.path / CHECKPOINT

    def load(self) -> dict[str, Any] | None:
        """Return the state as it was written last, None if it never was.

        Raises:
            CheckpointError: it cannot be read, or is damaged.
        """
        try:
            return decode(self.checkpoint.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"{self.checkpoint}: {error.strerror}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{self.checkpoint}: {error}; {RESET}") from error

    def discard(self) -> None:
        """Delete the checkpoint, if there is one.

        Raises:
            CheckpointError: it cannot be deleted.
        """
        try:
            self.checkpoint.unlink(missing_ok=True)
            sync_folder(self.path)
        except OSError as error:
            raise CheckpointError(f"{self.checkpoint}: {error.strerror}") from error

    def save(self, state: Mapping[str, Any]) -> int:
        """Return, with the checkpoint's size in bytes, when it is on the disk.

        Raises:
            OSError: it cannot be written; the one before stays.
        """
        parts = _parts_of(state, quick=True)  # it is done each second
        with replacing(self.checkpoint, mode=_MODE) as file:
            file.writelines(parts)
        return sum(len(part) for part in parts)

    def _client_id(self) -> str:
        file = self.path / _CLIENT_ID
        try:
            found = file.read_bytes()
        except FileNotFoundError:
            client_id = f"har-stream-{uuid4().hex[:8]}"
            with replacing(file, mode=_MODE) as new:
                new.write(client_id.encode())
            return client_id
        if not _NAME.fullmatch(found):
            raise CheckpointError(
                f"{file}: is damaged, and with another name the broker has nothing of what waits; "
                "put it back, or delete it to begin without that"
            )
        return found.decode()
