"""The tracks of people who wore a phone anywhere, judged by models that do not know them.

The models are those of `left_out_sets`. Rules:

* Windows are a live phone's, each with its wearer's frame as known at its last sample
  (`recorded_windows`); those with walking come first in time.
* A track is one section, if that lasts for `LEAST_S`. What follows a gap counts as settling anew.
* Samples have no label before a phone that begins with them can have decided, at any of the hops.
* Of each placement set so many people serve that none takes more time than is worth it.
* HAPT's recordings are rotated at random, all of a person's alike. They alone have transitions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import States
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recordings import person_file
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH
from trainer.data.raw_windows import cut
from trainer.data.recorded_windows import RecordedWindows
from trainer.decisions.labelled import with_transitions
from trainer.decisions.labelled_windows import HOP
from trainer.decisions.novel import random_rotation
from trainer.evaluation import tempered
from trainer.selection.decision_tracks import FILTER_ROWS, NO_LABEL, HeldOutTrack
from trainer.selection.decision_weights import HOPS
from trainer.training.processes import quiet_tensorflow

STATES: Final = States(PLACEMENT_ACTIVITIES)
LEAST_S: Final = 15.0
MOST_PEOPLE: Final = 12
"""Of a placement set, as evenly as can be among all"""

_FIRST_DECISION: Final = (
    -(-SETTLING_ROWS // max(HOPS)) * max(HOPS) + WINDOW_LENGTH - 1 + FILTER_ROWS
)
"""Sample from which something can be shown at all hops"""
_WITHIN_S: Final = 0.25 / SAMPLING_RATE_HZ
"""So far before a recorded sample a time still counts as the sample's"""


@dataclass(frozen=True, eq=False)
class Section:
    """What a person's phone sent from one gap to the next."""

    person: str
    data_set: str
    samples: NDArray[np.float32]
    """``(n_samples, 9)``"""
    labels: NDArray[np.int8]
    """``(n_samples,)``: index into the labels of `STATES`, or -1"""
    wearer_frames: NDArray[np.float32]
    """``(n_windows, 10)``, of the windows `HOP` samples apart"""


def rotated_at_random(
    recordings: Iterable[Recording], segments: NDArray[np.int64], *, seed: int
) -> Iterator[Recording]:
    """Yield HAPT's recordings as of phones worn in some random frame each, with all their labels.

    Args:
        recordings: raw ones.
        segments: those of `hapt.label_segments`.
        seed: draws the rotations.
    """
    rng = np.random.default_rng(seed)
    for recording in recordings:
        rotation = random_rotation(rng)
        labelled = with_transitions(recording, segments)
        yield replace(
            labelled,
            stretches=tuple(
                replace(
                    stretch, samples=(stretch.samples.reshape(-1, 3) @ rotation.T).reshape(-1, 6)
                )
                for stretch in labelled.stretches
            ),
        )


def recordings_in(sets: Iterable[PlacementSet]) -> Iterator[list[Recording]]:
    """Yield the recordings of up to `MOST_PEOPLE` in each set, person by person.

    Raises:
        DataError: a file is damaged, or not as it should be.
    """
    for one in sets:
        n = len(one.wearers)
        for number in np.unique(np.arange(MOST_PEOPLE) * n // MOST_PEOPLE).tolist():
            path, _ = one.wearers[number]
            if recordings := person_file.read(path):
                yield recordings


def sections_of(recordings: Sequence[Recording], windows: RecordedWindows) -> Iterator[Section]:
    """Yield the sections of one person with samples to be judged by.

    Args:
        recordings: the person's.
        windows: theirs, `HOP` samples apart.
    """
    for places in windows.sections(hop=HOP):
        n_samples = WINDOW_LENGTH + HOP * (len(places) - 1)
        if n_samples < LEAST_S * SAMPLING_RATE_HZ:
            continue
        times = windows.starts[places[0]] + np.arange(n_samples) / SAMPLING_RATE_HZ
        labels = _labels(recordings[windows.recordings[places[0]]], times)
        labels[:_FIRST_DECISION] = NO_LABEL
        if (labels != NO_LABEL).any():
            yield Section(
                windows.person,
                windows.data_set,
                windows.signal(places, hop=HOP),
                labels,
                windows.wearer_frames[places],
            )


def tracks_by_set(
    sections: Iterable[Section],
    held_out: Mapping[str, frozenset[str]],
    model_files: Mapping[str, Path],
    *,
    temperature: float,
) -> dict[str, list[HeldOutTrack]]:
    """Return the tracks of each data set, by its name.

    Args:
        sections: of people who are each in one of ``held_out``.
        held_out: people who were left out of a training together, by its name.
        model_files: the model of each such training.
        temperature: divides the models' logits, as those of what ships.
    """
    with quiet_tensorflow():
        import keras

        from trainer.training.fitted import probabilities

    by_training: dict[int, list[Section]] = {}
    for section in sections:
        (group,) = (i for i, some in enumerate(held_out.values()) if section.person in some)
        by_training.setdefault(group, []).append(section)
    names = list(held_out)
    tracks: dict[str, list[HeldOutTrack]] = {}
    for group, several in sorted(by_training.items()):
        model = keras.saving.load_model(model_files[names[group]], compile=False)
        windows = np.concatenate([cut(section.samples, hop=HOP) for section in several])
        frames = np.concatenate([section.wearer_frames for section in several])
        judged = tempered(probabilities(model, windows, frames), temperature).astype(np.float32)
        ends = np.cumsum([len(section.wearer_frames) for section in several])
        for section, of_section in zip(several, np.split(judged, ends[:-1]), strict=True):
            track = HeldOutTrack(group, section.samples, section.labels, HOP, of_section)
            tracks.setdefault(section.data_set, []).append(track)
    return tracks


def _labels(recording: Recording, times: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the labels ``(n,)`` among those of `STATES` at ``times`` ``(n,)``, or `NO_LABEL`."""
    names = recording.activities
    ours = [STATES.labels.index(name) if name in STATES.labels else NO_LABEL for name in names]
    labels: NDArray[np.int8] = np.array([*ours, NO_LABEL], np.int8)[
        recording.labels_at(times + _WITHIN_S)
    ]
    return labels
