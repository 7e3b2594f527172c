import numpy as np
import pytest

from pipeline.models.gait import shipped_gait
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recognition.wearer.wearers import gait_features
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.wearer.walks import looks_at
from trainer.data.recorded_windows import RecordedWindows
from trainer.decisions.gait import learn


def person(data_set: str, seed: int, *, activities: tuple[str, ...]) -> RecordedWindows:
    """Return the windows of a simulated person who does activities one after the other."""
    n = 20
    total = n * len(activities)
    return RecordedWindows(
        f"person-{seed}",
        data_set,
        "waist",
        ACTIVITIES,
        samples=np.concatenate([looks_at(name, n=n, seed=seed) for name in activities]),
        labels=np.repeat([ACTIVITIES.index(name) for name in activities], n).astype(np.int8),
        is_settled=np.ones(total, np.bool_),
        recordings=np.zeros(total, np.int16),
        starts=np.arange(total) * 0.64,
        is_stairs=np.zeros(total, np.bool_),
        wearer_frames=np.zeros((total, len(COLUMNS)), np.float32),
    )


def test_gaits_are_told_apart() -> None:
    """Going down is no walking; going up is, of people whom nothing was learnt from."""
    gaits = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING")
    network = learn((person("made", seed, activities=gaits) for seed in range(4)), seed=1)
    for activity, kind in {"WALKING": 1, "WALKING_UPSTAIRS": 1, "WALKING_DOWNSTAIRS": 0}.items():
        _, features = gait_features(looks_at(activity, n=20, seed=9))
        assert (network.log_probabilities(features).argmax(axis=1) == kind).mean() >= 0.8


def test_the_same_seed_learns_the_same() -> None:
    """Learning is a function of the windows and the seed."""
    gaits = ("WALKING", "WALKING_DOWNSTAIRS")
    first, second = (learn([person("made", 0, activities=gaits)], seed=3) for _ in range(2))
    assert first.encode() == second.encode()


def test_without_one_kind_of_gait_nothing_is_learnt() -> None:
    """Where nobody goes down or runs, an error says so."""
    with pytest.raises(ValueError, match=r"no gaits of .* or none of"):
        learn([person("made", 0, activities=("WALKING", "SITTING"))], seed=1)


def test_the_shipped_numbers_know_a_walk() -> None:
    """Most looks at a simulated walk are of walking."""
    _, features = gait_features(looks_at("WALKING", n=40))
    assert (shipped_gait().log_probabilities(features).argmax(axis=1) == 1).mean() >= 0.8
