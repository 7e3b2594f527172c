from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np

from pipeline.commands.timeline.agreement import Agreement
from pipeline.recordings.recording import Recording, Stretch

if TYPE_CHECKING:
    from pipeline.recognition.results import Prediction


def window(start: float, activity: str) -> "Prediction":
    """Return a prediction of a model that knows walking and sitting."""
    known = ("WALKING", "SITTING")
    return cast("Prediction", SimpleNamespace(start=start, activity=activity, activities=known))


def test_windows_count_by_their_labels() -> None:
    """Windows with one label that the model knows count; others are counted apart."""
    times = np.arange(1000) / 50
    labels = np.repeat([0, 1, 2, -1], 250)
    names = ("WALKING", "SITTING", "JUMPING")
    agreement = Agreement(Recording("phone", (Stretch(times, times[:, None], labels),), names))
    agreement.note([window(0.0, "WALKING"), window(2.0, "SITTING"), window(4.0, "WALKING")])
    agreement.note([window(6.0, "WALKING"), window(10.5, "WALKING"), window(16.0, "WALKING")])
    agreement.note([])
    expected = {("WALKING", "WALKING"): 1, ("WALKING", "SITTING"): 1, ("SITTING", "WALKING"): 1}
    assert expected == agreement.counts
    assert (3, 1 / 3, 2, {"JUMPING": 1}) == (
        agreement.n, agreement.accuracy, agreement.n_unlabelled, agreement.others
    )  # fmt: skip


def test_nothing_to_agree_with() -> None:
    """Without a window that counts there is no accuracy."""
    labels = np.zeros(10, np.int8)
    agreement = Agreement(Recording("phone", (Stretch(np.arange(10.0), np.ones((10, 6)), labels),)))
    assert agreement.accuracy is None
