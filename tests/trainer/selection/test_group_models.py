from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES
from tests.trainer.decisions.protocol import made_up
from trainer.data.corrupted import CORRUPTIONS
from trainer.selection import group_models
from trainer.selection.cross_validation import groups
from trainer.selection.group_models import TRANSITIONS, GroupModel
from trainer.training.recipe import RawRecipe

SUBJECTS = (1, 3, 5, 7)


@pytest.fixture
def four_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """What four people made up do after the protocol, as the data set."""
    made = [made_up(subject) for subject in SUBJECTS]
    segments = np.array([segment for _, of_person in made for segment in of_person])
    monkeypatch.setattr(group_models, "_recordings", lambda _: [one for one, _ in made])
    monkeypatch.setattr(hapt, "label_segments", lambda _: segments)


@pytest.mark.usefixtures("four_people")
@pytest.mark.parametrize("added", ["", TRANSITIONS, *CORRUPTIONS])
def test_nobody_who_is_held_out_is_trained_on(added: str) -> None:
    """Whatever is added, corrupted recordings too, is of the other groups' people."""
    for group, held_out in enumerate(groups()):
        job = GroupModel("lstm", RawRecipe(), group, added)
        trained_on = group_models._trained_on(None, job)
        others = [f"subject-{one:02d}" for one in SUBJECTS if one not in held_out]
        twice = 2 if added in CORRUPTIONS else 1
        assert others * twice == [recording.device for recording in trained_on]


@pytest.mark.usefixtures("four_people")
def test_transitions_are_one_more_activity() -> None:
    """What was unlabelled between two postures is labelled; all else stays as it is."""
    plain, with_transitions = (
        group_models._trained_on(None, GroupModel("lstm", RawRecipe(), 0, added))
        for added in ("", TRANSITIONS)
    )
    for before, after in zip(plain, with_transitions, strict=True):
        [labels], [found] = (
            [stretch.labels for stretch in one.stretches] for one in (before, after)
        )
        assert len(labels) == len(found)
        kept = labels[:-1] >= 0
        np.testing.assert_array_equal(labels[:-1][kept], found[:-1][kept])
        assert {len(ACTIVITIES)} == set(found[:-1][~kept].tolist())


@pytest.mark.train
def test_a_training_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been trained is not trained again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    job = GroupModel("lstm", RawRecipe(), 0)
    assert not job.done
    job.file.parent.mkdir(parents=True)
    job.file.touch()
    assert not job.done
    job.probabilities_file.touch()
    assert job.done
    group_models.train_all([job], tmp_path / "no data", progress=pytest.fail)
