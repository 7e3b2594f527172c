from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.recordings import placement_sets
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES
from tests.made_models import write_wearer_model
from tests.made_sets import write_set
from trainer.data.placement_windows import windows_by_person
from trainer.data.recorded_windows import RecordedWindows
from trainer.placement_evaluation import HOP, on_sets
from trainer.set_scores import set_scores

MakeModel = Callable[..., Path]
MakeCard = Callable[..., dict[str, object]]


@pytest.fixture
def one(tmp_path: Path) -> PlacementSet:
    """A set of two people who walk, run and sit."""
    return placement_sets.open_set(write_set(tmp_path / "Made_pocket", ("s1", "s2"), seconds=9.0))


@pytest.fixture
def windows(one: PlacementSet, tmp_path: Path) -> RecordedWindows:
    """The windows of its first person."""
    return next(windows_by_person([one], hop=HOP, cache=tmp_path / "kept"))


def test_a_model_is_judged_by_the_activities_that_it_has(
    one: PlacementSet, windows: RecordedWindows, tiny_model: Path, tmp_path: Path
) -> None:
    """One for the waist does not know running; of both people it is given settled windows."""
    model = Classifier(tiny_model)
    (report,) = on_sets([model], {}, [one], cache=tmp_path / "kept")
    found = report.models[model.identity]
    assert ("Made_pocket", one.data_hash, "trousers pocket", 2) == (
        report.name, report.hash, report.worn_at, report.people
    )  # fmt: skip
    assert ("no", None, None) == (found.trained_on, found.learnt, found.unknown.running_recall)
    assert {"WALKING", "SITTING"} == set(found.unknown.recall)
    usable = windows.is_settled & np.isin(windows.labels, [0, 3])
    assert 2 * np.count_nonzero(usable) == found.unknown.windows


def test_a_model_that_takes_the_frame_is_judged_twice(
    one: PlacementSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is learnt live, and with nothing known."""
    model = Classifier(write_wearer_model(tmp_path / "wearer.onnx"))
    monkeypatch.setattr(Classifier, "activities", PLACEMENT_ACTIVITIES)
    every = [*windows_by_person([one], hop=HOP, cache=tmp_path / "kept")]
    usable = np.concatenate([(one.labels >= 0) & one.is_settled for one in every])
    labels = np.concatenate([one.labels for one in every])[usable]
    frames = np.concatenate([one.wearer_frames for one in every])[usable]
    flat = np.full((len(labels), 7), 1 / 7, np.float32)
    right = np.eye(7, dtype=np.float32)[labels]

    def classify(windows: np.ndarray, frames: np.ndarray | None = None) -> np.ndarray:
        given.append(frames)
        n = len(windows)
        return flat[:n] if frames is None else right[done.pop(0) :][:n]

    given: list[np.ndarray | None] = []
    done = [0, len(labels) // 2]
    monkeypatch.setattr(model, "classify", classify)
    (report,) = on_sets([model], {}, [one], cache=tmp_path / "kept")
    found = report.models[model.identity]
    assert set_scores(right, labels, PLACEMENT_ACTIVITIES) == found.learnt
    assert set_scores(flat, labels, PLACEMENT_ACTIVITIES) == found.unknown
    np.testing.assert_array_equal(
        frames, np.concatenate([some for some in given if some is not None])
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [((), "no"), (("Made_pocket", "HAPT"), "yes"), (("Made_chest",), "people"), (("Mad",), "no")],
)
def test_who_was_trained_on_a_set(
    one: PlacementSet,
    make_model: MakeModel,
    make_card: MakeCard,
    tmp_path: Path,
    names: tuple[str, ...],
    expected: str,
) -> None:
    """The card tells; sets of one study may have the same people."""
    data_sets = [{"name": name, "licence": "", "hash": "0123"} for name in names]
    file = make_model(tmp_path / "model.onnx", card=make_card(data_sets=data_sets))
    other = make_model(tmp_path / "other.onnx", card=make_card(name="other"))
    models = [Classifier(file), Classifier(other)]
    (report,) = on_sets(models, {"together": models}, [one], cache=tmp_path / "kept")
    found = {name: of_model.trained_on for name, of_model in report.models.items()}
    assert {"tiny@0badcafe": expected, "other@0badcafe": "no", "together": expected} == found
    assert report.models["tiny@0badcafe"].unknown == report.models["together"].unknown


def test_a_set_without_a_window_to_judge(tiny_model: Path, tmp_path: Path) -> None:
    """It is named."""
    folder = write_set(tmp_path / "Made", ("s1",), did=("stairs",))
    with pytest.raises(DataError, match=f"Made: has no window of {ACTIVITIES[0]}"):
        on_sets([Classifier(tiny_model)], {}, [placement_sets.open_set(folder)], cache=tmp_path)
