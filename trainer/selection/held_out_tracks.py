"""The tracks of people held out, of phones worn as in training or otherwise.

The models are those of cross-validation (`group_models`), each for the people it does not know.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.filters import Preprocessor
from pipeline.vocabulary import ACTIVITIES
from trainer.data.raw_windows import cut
from trainer.decisions.labelled import LabelledStretch
from trainer.decisions.novel import random_rotation
from trainer.selection.cross_validation import groups
from trainer.selection.decision_tracks import HeldOutTrack
from trainer.selection.group_models import SEED, GroupModel
from trainer.training.processes import quiet_tensorflow

_GROUP_OF: Final = {subject: i for i, group in enumerate(groups()) for subject in group}
_UPRIGHT_DEG: Final = 45.0
"""A random frame is turned by more than that"""


class Sent(NamedTuple):
    """The raw rows of one phone."""

    group: int
    """Of the people whose model and numbers judge it"""
    rows: NDArray[np.float64]
    """``(n_rows, 6)`` in m/s² and rad/s"""
    labels: NDArray[np.int8]
    """``(n_rows - 1,)``, of the samples after the filters: index into `States.labels`, or -1"""


def worn(stretches: Iterable[LabelledStretch]) -> Iterator[Sent]:
    """Yield the recordings as they are."""
    for stretch in stretches:
        labels = np.minimum(stretch.labels, len(ACTIVITIES)).astype(np.int8)  # transitions alike
        yield Sent(_GROUP_OF[stretch.subject], stretch.rows, labels)


def rotated(
    stretches: Iterable[LabelledStretch], frame: NDArray[np.float64] | None
) -> Iterator[Sent]:
    """Yield the recordings of phones worn in another frame, a random one each if it is None."""
    rng = np.random.default_rng(SEED)
    for group, rows, labels in worn(stretches):
        rotation = frame
        while rotation is None:
            drawn = random_rotation(rng)
            rotation = drawn if drawn[0, 0] < np.cos(np.deg2rad(_UPRIGHT_DEG)) else None
        yield Sent(group, (rows.reshape(-1, 3) @ rotation.T).reshape(-1, 6), labels)


def tracks_of(
    models: Sequence[GroupModel], name: str, sent: Iterable[Sent], *, hop: int
) -> list[HeldOutTrack]:
    """Return the tracks of samples; the probabilities are kept in a file beside the models.

    Args:
        models: trained ones, of all groups.
        name: of the samples, in the file's name.
        sent: the samples.
        hop: samples between the windows.
    """
    parts = [
        (group, Preprocessor(1).push(np.array([0]), rows[None])[0], labels)
        for group, rows, labels in sent
    ]
    file = models[0].file.with_name(f"{models[0].file.stem} {name} {hop}.npz")
    if not file.is_file():
        with quiet_tensorflow():
            import keras

            from trainer.training.fitted import probabilities

        by_group = [keras.saving.load_model(model.file) for model in models]
        by_part = [
            probabilities(by_group[group], cut(samples, hop=hop)) for group, samples, _ in parts
        ]
        np.savez(file, *by_part)
    with np.load(file) as kept:
        return [
            HeldOutTrack(group, samples, labels, hop, kept[f"arr_{i}"])
            for i, (group, samples, labels) in enumerate(parts)
        ]
