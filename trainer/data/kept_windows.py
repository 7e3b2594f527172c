"""Windows of recordings, kept on disk once they have been prepared.

The file that keeps a person's is named by the hash of what they are made of and of the code that
makes them, so that a change of either makes them anew; what was kept of that person before is
removed then.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

import pipeline
from pipeline.recordings.datasets import HASH_DIGITS, cached_arrays
from trainer.data import recorded_windows
from trainer.data.recorded_windows import RecordedWindows

_PREPARING: Final = (
    "models/gait.*",
    "readings.py",
    "vocabulary.py",
    "recognition/*.py",
    "recognition/placement/*.py",
    "recognition/preparation/*.py",
    "recognition/wearer/*.py",
    "recordings/person_file.py",
    "recordings/recording.py",
)
"""The files in `pipeline` that decide what windows are made of a person's samples"""

_KEPT: Final = (
    *("samples", "labels", "is_settled", "recordings", "starts"),
    *("is_stairs", "wearer_frames"),
)
"""The arrays of `RecordedWindows`."""


def cache_beside(out: Path) -> Path:
    """Return the folder for kept windows that is beside the folder ``out`` of a training."""
    place = out.expanduser().resolve()
    return place.with_name(f"{place.name}-windows")


def kept_windows(
    name: str, content: str, make: Callable[[], RecordedWindows | None], *, folder: Path
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a person's windows, from the disk if they are there.

    Args:
        name: begins the file's name, and is of that person, device and hop alone.
        content: the hash of what the windows are made of.
        make: makes them, None if there are none.
        folder: keeps them.

    Returns:
        The arrays of `RecordedWindows` by name, none if there are no windows.
    """
    key = sha256(f"{content} {_code_hash()}".encode()).hexdigest()[:HASH_DIGITS]
    kept = folder / f"{name}-{key}.npz"
    if not kept.exists():
        for other in folder.glob(f"{escape(name)}-{'[0-9a-f]' * HASH_DIGITS}.npz"):
            with suppress(OSError):  # costs room, nothing else
                other.unlink()
    return cached_arrays(kept, partial(_arrays, make))


def _arrays(make: Callable[[], RecordedWindows | None]) -> dict[str, NDArray[Any]]:
    windows = make()
    return {} if windows is None else {name: getattr(windows, name) for name in _KEPT}


@cache
def _code_hash() -> str:
    """Return the hash of the source files that decide what windows are made."""
    root = Path(pipeline.__file__).parent
    files = sorted(file for pattern in _PREPARING for file in root.glob(pattern))
    sources = [file.read_bytes() for file in (*files, Path(recorded_windows.__file__))]
    return sha256(b"".join(sha256(source).digest() for source in sources)).hexdigest()
