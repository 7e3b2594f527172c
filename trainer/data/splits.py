"""Windows of several sources, to train on together."""

from collections.abc import Sequence

import numpy as np

from pipeline.recordings.uci_har import Split


def joined(splits: Sequence[Split]) -> Split:
    """Return the windows of all splits, one behind the other."""
    return Split(
        np.concatenate([split.windows for split in splits]),
        np.concatenate([split.labels for split in splits]),
        np.concatenate([split.subjects for split in splits]),
    )
