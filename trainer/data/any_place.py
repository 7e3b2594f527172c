"""The people whom models for any place on the body learn from, each with their windows.

They are the subjects of raw recordings at the waist, as HAPT's are, and the people of placement
sets. All have windows of one form, with the same activities, made as live and kept on disk; one
person's are in memory at a time.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import Recording
from trainer.data.kept_windows import kept_windows
from trainer.data.placement_windows import windows_by_person
from trainer.data.recorded_windows import RecordedWindows, windows_of


def people(
    sets: Iterable[PlacementSet], recordings: Iterable[Recording], *, hop: int, cache: Path
) -> Iterator[RecordedWindows]:
    """Yield the windows of each raw recording's person, then of each person in each set.

    Args:
        sets: placement sets.
        recordings: raw ones, each of another person.
        hop: samples between the starts of neighbouring windows.
        cache: folder that keeps the windows.

    Raises:
        DataError: a file is damaged, or not as it should be.
    """
    for recording in recordings:
        arrays = kept_windows(
            f"{recording.data_set}-{recording.device}-hop{hop}",
            _content_hash(recording),
            partial(windows_of, [recording], hop=hop),
            folder=cache,
        )
        yield RecordedWindows(
            recording.person,
            recording.data_set,
            recording.worn_at,
            PLACEMENT_ACTIVITIES,
            **arrays,
        )
    yield from windows_by_person(sets, hop=hop, cache=cache)


def _content_hash(recording: Recording) -> str:
    """Return the hash of all that windows are made of."""
    digest = sha256(repr(recording.activities).encode())
    for stretch in recording.stretches:
        for array in (stretch.times, stretch.samples, stretch.labels):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
