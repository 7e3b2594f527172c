"""Learns all numbers of the decisions, and chooses their weights; writes what ships.

    python -m trainer.selection.decisions

1. For each group of the training subjects of HAPT a model and the numbers are learnt of the others;
   the group's recordings are the tracks by which the weights are chosen.
2. The numbers that ship are learnt of all of them.

For the models for any place it is done otherwise (`any_decisions`): of placement sets too, with the
models that `left_out_sets` has trained.
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
from pipeline.vocabulary import ACTIVITIES, Orientation
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.decisions.labelled import LabelledStretch, labelled_stretches
from trainer.decisions.learning import learn
from trainer.selection.any_decisions import jobs_for, labelled, learn_any
from trainer.selection.cross_validation import groups
from trainer.selection.decision_tracks import MeasuredTracks
from trainer.selection.decision_weights import HOPS, as_text, choose
from trainer.selection.group_models import SEED, GroupModel, of_all_groups, train_all
from trainer.selection.held_out_tracks import tracks_of, worn
from trainer.training.recipe import RawRecipe

_MODEL = "cnn-lstm"
"""The family whose probabilities the weights are chosen for"""


def learn_for_groups(stretches: Sequence[LabelledStretch]) -> list[Learnt]:
    """Return for each group the numbers learnt of the others' recordings, with shipped weights."""
    return [
        learn(
            [one for one in stretches if one.subject not in subjects],
            shipped().weights,
            activities=ACTIVITIES,
            seed=SEED,
        )
        for subjects in groups()
    ]


def models() -> list[GroupModel]:
    """Return the models of all groups by which the decisions are judged."""
    return of_all_groups(_MODEL, RawRecipe())


def learn_all(stretches: Sequence[LabelledStretch], *, progress: Callable[[str], None]) -> Learnt:
    """Return the numbers of the decisions, with weights chosen by the groups' trained models.

    Args:
        stretches: raw recordings of the training subjects of HAPT.
        progress: takes lines on the choice.
    """
    tracks = tracks_of(models(), "worn", worn(stretches), hop=min(HOPS))
    learnt = learn_for_groups(stretches)
    measured = [
        MeasuredTracks([track.at(hop) for track in tracks], learnt, ACTIVITIES) for hop in HOPS
    ]
    weights = choose(measured, shipped().weights, progress=progress)
    progress(as_text(weights))
    return learn(stretches, weights, activities=ACTIVITIES, seed=SEED)


def main() -> None:
    """Learn from the training subjects of HAPT, and write what ships with the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="HAPT's zip or folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--orientation", choices=get_args(Orientation), default="training")
    parser.add_argument(
        "--placements", type=Path, help="folder of placement sets, with --orientation any"
    )
    parser.add_argument("--without", nargs="*", default=[], help="placement sets to leave out")
    parser.add_argument("--out", type=Path, default=Path(str(files("pipeline"))) / "models")
    options = parser.parse_args()
    progress = partial(print, flush=True)
    if options.orientation == "training":
        if options.placements is not None:
            parser.error(
                "--placements: the models for the training placement learn from HAPT alone"
            )
        stretches = labelled_stretches(
            hapt.recordings(options.data, TRAINING_SUBJECTS), hapt.label_segments(options.data)
        )
        train_all(models(), options.data, progress=progress)
        learnt = learn_all(stretches, progress=progress)
    else:
        if options.placements is None:
            parser.error(
                "--orientation any: learns of placement sets: name their folder, --placements DIR"
            )
        sets = placement_sets.find(options.placements, without=options.without)
        missing = [job for job in jobs_for(sets).values() if not job.is_done]
        if missing:
            parser.error(
                f"there is no model trained without {missing[0].held_out}: first run python -m "
                f"trainer.selection.left_out_sets --placements {options.placements}"
            )
        learnt = learn_any(labelled(options.data, sets), sets, progress=progress)
    with replacing(options.out / decisions_file(options.orientation)) as file:
        file.write(learnt.encode() + b"\n")


if __name__ == "__main__":
    main()
