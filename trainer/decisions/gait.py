"""Learns to tell walking, on the level or up, from going down and running.

    python -m trainer.decisions.gait --placements DIR

A wearer's forward is learnt from walking alone (`pipeline.recognition.wearer`). The looks at gaits
of HAPT's training subjects and of the placement sets serve, as a live phone would have them. Each
activity of each set has the same number of looks, drawn at random, so that no set and no activity
counts more for its length.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing
from pipeline.models.gait import GAIT_FILE
from pipeline.recognition.network import Network
from pipeline.recognition.wearer.wearers import LOOK_EVERY, gait_features
from pipeline.recordings import hapt, placement_sets
from pipeline.recordings.person_file import RUNNING
from trainer.data.any_place import people
from trainer.data.kept_windows import cache_beside
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.data.recorded_windows import RecordedWindows
from trainer.decisions.networks import fit_network

WALKING: Final = ("WALKING", "WALKING_UPSTAIRS")
OTHER_GAITS: Final = ("WALKING_DOWNSTAIRS", RUNNING)

_N_LOOKS: Final = 1_500
"""Looks drawn of each activity of each set"""
_UNITS: Final = 12
_DECAY: Final = 1e-3
"""Weight of the squares of all weights in the loss"""


def learn(persons: Iterable[RecordedWindows], *, seed: int) -> Network:
    """Return the network that gives log probabilities of `OTHER_GAITS` and of `WALKING`.

    Args:
        persons: their windows, `LOOK_EVERY` samples apart.
        seed: draws looks and initial weights.

    Raises:
        ValueError: of one of the two kinds there is no gait.
    """
    rng = np.random.default_rng(seed)
    by_set: defaultdict[tuple[str, str], list[NDArray[np.float64]]] = defaultdict(list)
    for windows in persons:
        in_gait, features = gait_features(windows.samples)
        labels = windows.labels[in_gait]
        for label, activity in enumerate(windows.activities):
            if activity in (*WALKING, *OTHER_GAITS) and (labels == label).any():
                by_set[windows.data_set, activity].append(features[labels == label])
    if not by_set or len({activity in WALKING for _, activity in by_set}) < 2:
        raise ValueError(f"there are no gaits of {WALKING}, or none of {OTHER_GAITS}")
    drawn, kinds = [], []
    for (_, activity), several in sorted(by_set.items()):
        features = np.concatenate(several)
        drawn.append(features[rng.integers(0, len(features), _N_LOOKS)])
        kinds.append(np.full(_N_LOOKS, int(activity in WALKING)))
    return fit_network(
        np.concatenate(drawn),
        np.concatenate(kinds),
        n_units=_UNITS,
        decay=_DECAY,
        rng=rng,
        balanced=True,
    )


def main() -> None:
    """Learn from HAPT's training subjects and placement sets, and write what ships."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="HAPT's zip or folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--placements", type=Path, required=True, help="folder of placement sets")
    parser.add_argument("--without", nargs="*", default=[], help="placement sets to leave out")
    parser.add_argument("--out", type=Path, default=Path(str(files("pipeline"))) / "models")
    options = parser.parse_args()
    sets = placement_sets.find(options.placements, without=options.without)
    recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
    everybody = people(sets, recordings, hop=LOOK_EVERY, cache=cache_beside(Path("out")))
    network = learn(everybody, seed=1)
    with replacing(options.out / GAIT_FILE) as file:
        file.write(network.encode() + b"\n")


if __name__ == "__main__":
    main()
