"""The raw recordings of the training subjects, which are HAPT's, with the hash of its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.recordings import hapt
from pipeline.recordings.recording import Recording
from trainer.data.raw_windows import TRAINING_SUBJECTS


@dataclass(frozen=True, eq=False)
class RawRecordings:
    """The raw recordings of the training subjects; by default there are none."""

    recordings: Sequence[Recording] = ()
    data_hash: str = ""
    """Of HAPT's files"""


def load(data: Path | None) -> RawRecordings:
    """Return them, from wherever `datasets.opened` finds HAPT.

    Raises:
        DataError: the data set is missing, damaged, or not what its authors describe.
    """
    return RawRecordings(hapt.recordings(data, TRAINING_SUBJECTS), hapt.data_hash(data))
