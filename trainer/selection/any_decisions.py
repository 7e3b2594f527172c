"""Learns the decisions' numbers for phones worn anywhere, and chooses their weights.

It is done as for phones worn as in training (`decisions`), of HAPT and of placement sets:

1. The people who are left out of a training together (`left_out_sets`) are judged by its model, and
   by numbers learnt of the others.
2. The weights are chosen by them. Each data set counts alike, however long it is; but one of a
   single activity does not serve: decisions that never change would be best for it.
3. The numbers that ship are learnt of all of these people together: those of HAPT, and some of each
   placement set (`any_tracks`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.weights import Weights
from pipeline.recordings import hapt
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.data.recorded_windows import windows_of
from trainer.decisions.labelled import LabelledStretch, labelled_stretches
from trainer.decisions.labelled_windows import HOP, NO_STATE, LabelledWindows, of_recorded
from trainer.decisions.learning import learn
from trainer.selection.any_tracks import (
    Section,
    recordings_in,
    rotated_at_random,
    sections_of,
    tracks_by_set,
)
from trainer.selection.decision_scores import DecisionScores, score
from trainer.selection.decision_table import table
from trainer.selection.decision_tracks import NO_LABEL, HeldOutTrack, MeasuredTracks
from trainer.selection.decision_weights import HOPS, as_text, choose
from trainer.selection.group_models import SEED
from trainer.selection.left_out_sets import (
    SEEDS,
    Job,
    held_out_together,
    joined,
    kept,
    temperature_of,
)
from trainer.selection.worth import RECIPE

_MODEL: Final = "cnn-lstm"
"""The family whose probabilities the weights are chosen for"""


@dataclass(frozen=True, eq=False)
class Labelled:
    """What some people did, to learn from and to judge by."""

    stretches: Sequence[LabelledStretch]
    """Raw recordings of HAPT"""
    windows: Sequence[tuple[str, LabelledWindows]]
    """Those of placement sets, each with their person"""
    sections: Sequence[Section]
    """Of all of them"""

    def learn(self, weights: Weights, *, without: frozenset[str] = frozenset()) -> Learnt:
        """Return the numbers learnt of all people but some, with these weights."""
        return learn(
            [one for one in self.stretches if str(one.subject) not in without],
            weights,
            activities=PLACEMENT_ACTIVITIES,
            seed=SEED,
            orientation="any",
            more=[windows for person, windows in self.windows if person not in without],
        )


def labelled(data: Path | None, sets: Sequence[PlacementSet]) -> Labelled:
    """Return what HAPT's training subjects did, and people of placement sets.

    Raises:
        DataError: a data set is missing, or a file is damaged.
    """
    recordings = hapt.recordings(data, TRAINING_SUBJECTS)
    segments = hapt.label_segments(data)
    sections: list[Section] = []
    for recording in rotated_at_random(recordings, segments, seed=SEED):
        sections += sections_of([recording], windows_of([recording], hop=HOP))
    windows: list[tuple[str, LabelledWindows]] = []
    for of_person in recordings_in(sets):
        prepared = windows_of(of_person, hop=HOP)
        sections += sections_of(of_person, prepared)
        windows += [
            (prepared.person, one)
            for one in of_recorded(prepared, PLACEMENT_ACTIVITIES)
            if (one.newest != NO_STATE).any()
        ]
    return Labelled(labelled_stretches(recordings, segments), windows, sections)


def jobs_for(sets: Sequence[PlacementSet]) -> dict[str, Job]:
    """Return the trainings whose models judge, by the name of the people who were left out."""
    return {
        name: Job(_MODEL, RECIPE, name, SEEDS[0])
        for name in held_out_together({one.name: one.people for one in sets})
    }


def measured_sets(
    labelled: Labelled, sets: Sequence[PlacementSet], *, progress: Callable[[str], None]
) -> dict[str, list[MeasuredTracks]]:
    """Return the tracks of each data set by its name, at all `HOPS`, as trained models judge them.

    Args:
        labelled: what people did.
        sets: the placement sets that they are of.
        progress: takes a line a training.
    """
    jobs = jobs_for(sets)
    held_out = held_out_together({one.name: one.people for one in sets})
    tracks = tracks_by_set(
        labelled.sections,
        held_out,
        {name: job.model_file for name, job in jobs.items()},
        temperature=temperature_of(joined([*map(kept, jobs.values())])),
    )
    learnt = []
    for name, people in held_out.items():
        learnt.append(labelled.learn(shipped().weights, without=people))
        progress(f"    numbers learnt without {name}")
    return measured(tracks, learnt)


def measured(
    tracks: Mapping[str, Sequence[HeldOutTrack]], learnt: Sequence[Learnt]
) -> dict[str, list[MeasuredTracks]]:
    """Return data sets' tracks at all `HOPS`, with what is measured of them."""
    return {
        name: [
            MeasuredTracks(
                [track.at(hop) for track in of_set],
                learnt,
                PLACEMENT_ACTIVITIES,
                any_way_round=True,
            )
            for hop in HOPS
        ]
        for name, of_set in tracks.items()
    }


def scores_of(
    sets: Mapping[str, Sequence[MeasuredTracks]], weights: Weights
) -> dict[tuple[str, int], DecisionScores]:
    """Return the scores of each data set and hop with these weights."""
    return {
        (name, one.hop): score(one.tracks, one.decided(weights), one.states)
        for name, several in sorted(sets.items())
        for one in several
    }


def learn_any(
    labelled: Labelled, sets: Sequence[PlacementSet], *, progress: Callable[[str], None]
) -> Learnt:
    """Return the numbers of the decisions, with weights chosen by people held out.

    Args:
        labelled: what people did.
        sets: the placement sets that they are of.
        progress: takes lines on the choice, and the figures of what was chosen.
    """
    held_out = measured_sets(labelled, sets, progress=progress)
    progress(table(scores_of(held_out, shipped().weights)))
    serving = [one for several in held_out.values() if _has_changes(several) for one in several]
    # Not from those for any place: a weight of 0 in them would stay so, as weights are multiplied
    weights = choose(serving, shipped().weights, progress=progress)
    progress(as_text(weights))
    progress(table(scores_of(held_out, weights)))
    return labelled.learn(weights)


def _has_changes(several: Sequence[MeasuredTracks]) -> bool:
    """Return whether there is more than one activity in a data set."""
    labels = np.concatenate([track.labels for track in several[0].tracks])
    return len(set(labels[labels < len(PLACEMENT_ACTIVITIES)].tolist()) - {NO_LABEL}) > 1
