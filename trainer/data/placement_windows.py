"""Windows of placement sets, person by person, kept on disk once they have been prepared.

Rules: one person's windows are in memory at a time; the file that keeps them is named by the hash
of the person's file and of the code that prepares, so that a change of either prepares anew; and
what was kept of that person before is removed then.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, partial
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

import pipeline
from pipeline.recordings import person_file
from pipeline.recordings.datasets import HASH_DIGITS, cached_arrays
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES, Wearer
from pipeline.recordings.placement_sets import PlacementSet
from trainer.data import recorded_windows
from trainer.data.recorded_windows import RecordedWindows, windows_of

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
"""The files in `pipeline` that decide what windows are made of a person's file"""

_KEPT: Final = (
    *("samples", "labels", "is_settled", "recordings", "starts"),
    *("is_stairs", "wearer_frames"),
)
"""The arrays of `RecordedWindows`."""


def cache_beside(out: Path) -> Path:
    """Return the folder for kept windows that is beside the folder ``out`` of a training."""
    place = out.expanduser().resolve()
    return place.with_name(f"{place.name}-windows")


def windows_by_person(
    sets: Iterable[PlacementSet], *, hop: int, cache: Path
) -> Iterator[RecordedWindows]:
    """Yield the windows of each person in each set; of who is in two sets, once in each.

    People without a recording to use are passed over.

    Args:
        sets: where they are.
        hop: samples between the starts of neighbouring windows.
        cache: folder that keeps them.

    Raises:
        DataError: a file is damaged, or not as it should be.
    """
    for one in sets:
        for path, wearer in one.wearers:
            arrays = _kept_arrays(path, wearer, hop=hop, folder=cache)
            if arrays:
                yield RecordedWindows(
                    wearer.person,
                    wearer.data_set,
                    wearer.worn_at,
                    PLACEMENT_ACTIVITIES,
                    **arrays,
                )


def _kept_arrays(path: Path, wearer: Wearer, *, hop: int, folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a person's windows, none if there is no recording to use."""
    content = sha256(path.read_bytes()).hexdigest()
    key = sha256(f"{content} {_code_hash()}".encode()).hexdigest()[:HASH_DIGITS]
    name = f"{wearer.device}-hop{hop}"
    kept = folder / f"{name}-{key}.npz"
    if not kept.exists():
        for other in folder.glob(f"{escape(name)}-{'[0-9a-f]' * HASH_DIGITS}.npz"):
            with suppress(OSError):  # costs room, nothing else
                other.unlink()
    return cached_arrays(kept, partial(_prepared, path, hop=hop))


def _prepared(path: Path, *, hop: int) -> dict[str, NDArray[Any]]:
    recordings = person_file.read(path)
    if not recordings:
        return {}
    originals = person_file.read(path, original_names=True)
    windows = windows_of(recordings, hop=hop, originals=originals)
    return {name: getattr(windows, name) for name in _KEPT}


@cache
def _code_hash() -> str:
    """Return the hash of the source files that decide what windows are made."""
    root = Path(pipeline.__file__).parent
    files = sorted(file for pattern in _PREPARING for file in root.glob(pattern))
    sources = [file.read_bytes() for file in (*files, Path(recorded_windows.__file__))]
    return sha256(b"".join(sha256(source).digest() for source in sources)).hexdigest()
