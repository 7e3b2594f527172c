from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import MOTIONS, motion_features
from pipeline.recognition.judgement.novelty import novelty
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.windows import turned
from pipeline.recordings import hapt
from pipeline.recordings.recording import Recording, Stretch
from pipeline.vocabulary import ACTIVITIES, STANDARD_GRAVITY
from trainer.data.raw_windows import cut
from trainer.decisions.learning import (
    LabelledStretch,
    fit_network,
    labelled_stretches,
    learn,
    random_rotation,
    strange_rows,
)

BOUT: Final = 400  # samples
CHANGE: Final = 150
SUBJECTS: Final = (1, 3, 5)
PROTOCOL: Final = (
    *("STANDING", "STAND_TO_SIT", "SITTING", "SIT_TO_STAND", "STANDING", "STAND_TO_LIE"),
    *("LAYING", "LIE_TO_SIT", "SITTING", "SIT_TO_LIE", "LAYING", "LIE_TO_STAND", "STANDING"),
    *("WALKING", "WALKING_DOWNSTAIRS", "WALKING_UPSTAIRS", "WALKING"),
)
UP: Final = {
    "STAND": np.array([0.98, -0.2, 0.0]),
    "SIT": np.array([0.9, 0.3, 0.3]),
    "LIE": np.array([0.1, 0.3, 0.95]),
}
"""Gravity in each posture, in g"""


def posture(name: str) -> str:
    """Return the posture of an activity."""
    return {"SITTING": "SIT", "LAYING": "LIE"}.get(name, "STAND")


def made_up(subject: int) -> tuple[Recording, list[list[int]]]:
    """Return a person's recording after the protocol, with its segments as HAPT has them."""
    rng = np.random.default_rng(subject)
    names = (*ACTIVITIES, *hapt.TRANSITIONS)
    pieces, labels, segments = [], [], []
    for name in PROTOCOL:
        first, last = name.split("_TO_") if "_TO_" in name else [posture(name)] * 2
        n = CHANGE if "_TO_" in name else BOUT
        way = np.linspace(0, 1, n)[:, None]
        acc = (1 - way) * UP[first] + way * UP[last]
        gyro = np.zeros((n, 3))
        if name.startswith("WALKING"):
            swing = np.sin(2 * np.pi * 2 * np.arange(n) / 50)[:, None]
            acc = acc + swing * [0.3, 0.1, 0.1]
            gyro += swing * [0.5, 0.3, 0.3]
        elif first != last:
            gyro += np.sin(np.pi * way) * [0.2, 1.0, 0.5]
        rows = np.hstack([acc * STANDARD_GRAVITY, gyro]) + rng.normal(size=(n, 6)) * 0.03
        begin = sum(map(len, pieces)) + 1
        segments.append([1, subject, names.index(name) + 1, begin, begin + n - 1])
        pieces.append(rows)
        labels += [names.index(name) if name in ACTIVITIES else -1] * n
    stretch = Stretch(0.0, np.concatenate(pieces), np.array(labels, np.int8))
    return Recording(f"subject-{subject:02d}", (stretch,)), segments


@pytest.fixture(scope="module")
def stretches() -> list[LabelledStretch]:
    """What three people made up do after the protocol."""
    made = [made_up(subject) for subject in SUBJECTS]
    segments = np.array([segment for _, own in made for segment in own])
    return labelled_stretches([recording for recording, _ in made], segments)


@pytest.fixture(scope="module")
def learnt(stretches: list[LabelledStretch]) -> Learnt:
    """What is learnt from them."""
    return learn(stretches, seed=1)


def test_stretches_have_the_labels_of_transitions(stretches: list[LabelledStretch]) -> None:
    """The published labels are all there, one for each sample that the filters give out."""
    assert list(SUBJECTS) == [stretch.subject for stretch in stretches]
    names = (*ACTIVITIES, *hapt.TRANSITIONS)
    for stretch in stretches:
        assert len(stretch.samples) == len(stretch.labels) == len(stretch.rows) - 1
        changes = np.flatnonzero(np.diff(stretch.labels)) + 1
        assert PROTOCOL == tuple(names[stretch.labels[at]] for at in [0, *changes])


def test_rates_are_those_of_the_protocol(learnt: Learnt) -> None:
    """A state is left as often as it was, mostly for what followed it."""
    states = [*ACTIVITIES, *CHANGES_TOWARDS]
    sitting, to_sitting, to_standing = (
        states.index("SITTING"),
        len(ACTIVITIES) + CHANGES_TOWARDS.index("SITTING"),
        len(ACTIVITIES) + CHANGES_TOWARDS.index("STANDING"),
    )
    assert (learnt.rates >= 0).all()
    assert 0 == np.trace(learnt.rates)
    assert pytest.approx(50 / BOUT) == learnt.rates[sitting].sum()
    assert pytest.approx(50 / CHANGE) == learnt.rates[to_sitting].sum()
    assert sitting == learnt.rates[to_sitting].argmax()
    assert learnt.rates[sitting, to_standing] > 0.4 * 50 / BOUT
    assert (learnt.rates + np.eye(len(states)) > 0).all()  # what was not seen is not impossible


def test_motions_are_told_apart(learnt: Learnt, stretches: list[LabelledStretch]) -> None:
    """Windows that end still, moving, or changing posture, are mostly judged so."""
    windows = cut(stretches[0].samples, hop=16, offset=SETTLING_ROWS)
    newest = cut(stretches[0].labels[:, None], hop=16, offset=SETTLING_ROWS)[:, -1, 0]
    judged = learnt.motion.log_probabilities(motion_features(summarize(windows))).argmax(axis=1)
    for motion, labels in enumerate([(3, 4, 5), (0, 1, 2)]):
        assert (judged[np.isin(newest, labels)] == motion).mean() >= 0.9
    assert (judged[newest >= len(ACTIVITIES)] >= MOTIONS.index("towards SITTING")).mean() >= 0.8
    assert pytest.approx(1) == learnt.motion_shares.sum()


def test_sitting_is_tilted_higher_than_standing(learnt: Learnt) -> None:
    """The boundary lies between the postures, whose gap is larger than what scatters."""
    assert learnt.half_gap > learnt.tilt_sd > 0
    assert learnt.boundary_sd > 0


def test_what_is_made_up_is_novel(learnt: Learnt, stretches: list[LabelledStretch]) -> None:
    """The people's windows are told from noise."""
    usual = cut(stretches[1].samples, hop=64, offset=SETTLING_ROWS)
    noise = np.random.default_rng(9).normal(size=usual.shape).astype(np.float32)
    assert (novelty(learnt.novelty, summarize(usual)) < 0).mean() >= 0.95
    assert (novelty(learnt.novelty, summarize(noise)) > 0).mean() >= 0.95


def test_any_way_round(stretches: list[LabelledStretch]) -> None:
    """What is learnt for phones worn any way round judges turned windows as it does others."""
    learnt = learn(stretches, seed=1, orientation="any")
    usual = cut(stretches[1].samples, hop=64, offset=SETTLING_ROWS)
    newest = cut(stretches[1].labels[:, None], hop=64, offset=SETTLING_ROWS)[:, -1, 0]
    noise = np.random.default_rng(9).normal(size=usual.shape).astype(np.float32)
    upside_down = turned(usual, np.tile(np.diag([-1.0, -1.0, 1.0]), (len(usual), 1, 1)))
    for windows in (usual, upside_down):
        assert (novelty(learnt.novelty, summarize(windows)) < 0).mean() >= 0.95
        motions = learnt.motion.log_probabilities(motion_features(summarize(windows)))
        for motion, labels in enumerate([(3, 4, 5), (0, 1, 2)]):
            assert (motions.argmax(axis=1)[np.isin(newest, labels)] == motion).mean() >= 0.85
    assert (novelty(learnt.novelty, summarize(noise)) > 0).mean() >= 0.95


def test_the_same_seed_learns_the_same(stretches: list[LabelledStretch], learnt: Learnt) -> None:
    """Everything random comes from the seed."""
    assert learnt.encode() == learn(stretches, seed=1).encode()


@given(seed=st.integers(0, 1000))
def test_a_network_separates_what_can_be(seed: int) -> None:
    """Three clouds that lie apart are told apart, whatever the scale of their features."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([0, 1, 2], 30)
    centers = np.array([[0.0, 0, 1], [3, 0, -1], [0, 3, 0]])
    features = (centers[classes] + rng.normal(size=(90, 3)) * 0.3) * [1e-3, 1.0, 1e3]
    network = fit_network(features, classes, n_units=4, decay=1e-5, rng=rng)
    assert (network.log_probabilities(features).argmax(axis=1) == classes).mean() >= 0.97


@pytest.mark.parametrize("balanced", [False, True])
def test_a_balanced_network_ignores_how_often_a_class_occurs(balanced: bool) -> None:
    """Of features that say nothing it makes even odds; otherwise the classes' shares."""
    rng = np.random.default_rng(5)
    classes = np.repeat([0, 1], [300, 100])
    features = rng.normal(size=(400, 1)) * 1e-12
    network = fit_network(features, classes, n_units=2, decay=0.0, rng=rng, balanced=balanced)
    share = np.exp(network.log_probabilities(np.zeros((1, 1))))[0, 0]
    assert pytest.approx(0.5 if balanced else 0.75, abs=0.02) == share


def test_strange_rows_are_of_all_kinds() -> None:
    """Some never change, some are violent, and all are finite numbers."""
    rows = strange_rows(np.random.default_rng(3))
    scatter = rows[:, :, :3].std(axis=(1, 2))
    assert np.isfinite(rows).all()
    assert (np.ptp(rows, axis=1) == 0).all(axis=1).sum() >= 50
    assert (scatter > 20).sum() >= 50


@given(seed=st.integers(0, 10_000))
def test_random_rotations_are_rotations(seed: int) -> None:
    """They keep lengths and angles, and mirror nothing."""
    rotation: NDArray[np.float64] = random_rotation(np.random.default_rng(seed))
    np.testing.assert_allclose(np.eye(3), rotation @ rotation.T, atol=1e-12)
    assert pytest.approx(1.0) == np.linalg.det(rotation)
