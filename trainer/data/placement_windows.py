"""Windows of placement sets, person by person: one person's are in memory at a time."""

from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from pipeline.recordings import person_file
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from trainer.data.kept_windows import kept_windows
from trainer.data.recorded_windows import RecordedWindows, windows_of


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
            arrays = kept_windows(
                f"{wearer.device}-hop{hop}",
                sha256(path.read_bytes()).hexdigest(),
                partial(_prepared, path, hop=hop),
                folder=cache,
            )
            if arrays:
                yield RecordedWindows(
                    wearer.person,
                    wearer.data_set,
                    wearer.worn_at,
                    PLACEMENT_ACTIVITIES,
                    **arrays,
                )


def _prepared(path: Path, *, hop: int) -> RecordedWindows | None:
    """Return the windows in a person's file, None if there is no recording to use."""
    recordings = person_file.read(path)
    if not recordings:
        return None
    originals = person_file.read(path, original_names=True)
    return windows_of(recordings, hop=hop, originals=originals)
