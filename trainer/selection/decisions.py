"""Learns all numbers of the decisions, and chooses their weights; writes what ships.

    python -m trainer.selection.decisions

1. For each group of the training subjects of HAPT a model and the numbers are learnt of the others;
   the group's recordings are the tracks by which the weights are chosen.
2. The numbers that ship are learnt of all of them.

For the models for any place, the recordings are rotated at random, and the numbers are learnt of
placement sets too, where they are given.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import get_args

from pipeline.atomic_file import replacing
from pipeline.models.decisions import decisions_file, shipped
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recordings import hapt, placement_sets
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import ACTIVITIES, Orientation
from trainer.data.kept_windows import cache_beside
from trainer.data.placement_windows import windows_by_person
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.decisions.labelled import LabelledStretch, labelled_stretches
from trainer.decisions.labelled_windows import HOP, LabelledWindows, of_recorded
from trainer.decisions.learning import learn
from trainer.selection.cross_validation import groups
from trainer.selection.decision_tracks import MeasuredTracks
from trainer.selection.decision_weights import HOPS, as_text, choose
from trainer.selection.group_models import SEED, GroupModel, of_all_groups, train_all
from trainer.selection.held_out_tracks import rotated, tracks_of, worn
from trainer.training.recipe import ANY_RECIPE, RawRecipe

_MODEL = "cnn-lstm"
"""The family whose probabilities the weights are chosen for"""


def learn_for_groups(
    stretches: Sequence[LabelledStretch], orientation: Orientation
) -> list[Learnt]:
    """Return for each group the numbers learnt of the others' recordings, with shipped weights."""
    return [
        learn(
            [one for one in stretches if one.subject not in subjects],
            shipped(orientation).weights,
            activities=ACTIVITIES,
            seed=SEED,
            orientation=orientation,
        )
        for subjects in groups()
    ]


def models_for(orientation: Orientation) -> list[GroupModel]:
    """Return the models of all groups by which the decisions are judged."""
    return of_all_groups(_MODEL, RawRecipe() if orientation == "training" else ANY_RECIPE)


def learn_all(
    stretches: Sequence[LabelledStretch],
    more: Sequence[LabelledWindows],
    orientation: Orientation,
    *,
    progress: Callable[[str], None],
) -> Learnt:
    """Return the numbers of the decisions, with weights chosen by the groups' trained models.

    Args:
        stretches: raw recordings of the training subjects of HAPT.
        more: windows of other recordings to learn from.
        orientation: how the phones are worn.
        progress: takes lines on the choice.
    """
    sent = worn(stretches) if orientation == "training" else rotated(stretches, None)
    name = "worn" if orientation == "training" else "any"
    tracks = tracks_of(models_for(orientation), name, sent, hop=min(HOPS))
    learnt = learn_for_groups(stretches, orientation)
    measured = [
        MeasuredTracks(
            [track.at(hop) for track in tracks],
            learnt,
            ACTIVITIES,
            any_way_round=orientation == "any",
        )
        for hop in HOPS
    ]
    weights = choose(measured, shipped("training").weights, progress=progress)
    progress(as_text(weights))
    return learn(
        stretches,
        weights,
        activities=PLACEMENT_ACTIVITIES if more else ACTIVITIES,
        seed=SEED,
        orientation=orientation,
        more=more,
    )


def main() -> None:
    """Learn from the training subjects of HAPT, and write what ships with the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="HAPT's zip or folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--orientation", choices=get_args(Orientation), default="training")
    parser.add_argument(
        "--placements", type=Path, help="folder of placement sets, for --orientation any"
    )
    parser.add_argument("--without", nargs="*", default=[], help="placement sets to leave out")
    parser.add_argument("--out", type=Path, default=Path(str(files("pipeline"))) / "models")
    options = parser.parse_args()
    if options.placements is not None and options.orientation == "training":
        parser.error("--placements: the models for the training placement learn from HAPT alone")
    progress = partial(print, flush=True)
    stretches = labelled_stretches(
        hapt.recordings(options.data, TRAINING_SUBJECTS), hapt.label_segments(options.data)
    )
    more: list[LabelledWindows] = []
    if options.placements is not None:
        sets = placement_sets.find(options.placements, without=options.without)
        for windows in windows_by_person(sets, hop=HOP, cache=cache_beside(Path("out"))):
            more += of_recorded(windows, PLACEMENT_ACTIVITIES)
    train_all(models_for(options.orientation), options.data, progress=progress)
    learnt = learn_all(stretches, more, options.orientation, progress=progress)
    with replacing(options.out / decisions_file(options.orientation)) as file:
        file.write(learnt.encode() + b"\n")


if __name__ == "__main__":
    main()
