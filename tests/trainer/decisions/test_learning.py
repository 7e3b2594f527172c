import numpy as np
import pytest

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import MOTIONS, motion_features
from pipeline.recognition.judgement.novelty import novelty
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.judgement.drawings import WEIGHTS
from tests.trainer.decisions.protocol import BOUT, CHANGE, made_up_stretches
from trainer.data.raw_windows import cut
from trainer.decisions.labelled import LabelledStretch
from trainer.decisions.labelled_windows import HOP, LabelledWindows, of_stretch
from trainer.decisions.learning import learn


@pytest.fixture(scope="module")
def stretches() -> list[LabelledStretch]:
    """What three people made up do after the protocol."""
    return made_up_stretches()


@pytest.fixture(scope="module")
def learnt(stretches: list[LabelledStretch]) -> Learnt:
    """The numbers learnt from them."""
    return learn(stretches, WEIGHTS, activities=ACTIVITIES, seed=1)


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
    assert pytest.approx(50 / BOUT, rel=0.1) == learnt.rates[sitting].sum()
    assert pytest.approx(50 / CHANGE, rel=0.1) == learnt.rates[to_sitting].sum()
    assert sitting == learnt.rates[to_sitting].argmax()
    assert learnt.rates[sitting, to_standing] > 0.4 * 50 / BOUT
    assert (learnt.rates + np.eye(len(states)) > 0).all()  # no change is impossible


def test_motions_are_distinguished(learnt: Learnt, stretches: list[LabelledStretch]) -> None:
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


def test_made_up_samples_are_novel(learnt: Learnt, stretches: list[LabelledStretch]) -> None:
    """The people's windows are distinguished from noise."""
    usual = cut(stretches[1].samples, hop=64, offset=SETTLING_ROWS)
    noise = np.random.default_rng(9).normal(size=usual.shape).astype(np.float32)
    assert (novelty(learnt.novelty, summarize(usual)) < 0).mean() >= 0.95
    assert (novelty(learnt.novelty, summarize(noise)) > 0).mean() >= 0.95


def test_any_way_round(stretches: list[LabelledStretch]) -> None:
    """Numbers for phones worn any way round judge rotated windows as they do others."""
    learnt = learn(stretches, WEIGHTS, activities=ACTIVITIES, seed=1, orientation="any")
    usual = cut(stretches[1].samples, hop=64, offset=SETTLING_ROWS)
    newest = cut(stretches[1].labels[:, None], hop=64, offset=SETTLING_ROWS)[:, -1, 0]
    noise = np.random.default_rng(9).normal(size=usual.shape).astype(np.float32)
    upside_down = rotate(usual, np.tile(np.diag([-1.0, -1.0, 1.0]), (len(usual), 1, 1)))
    for windows in (usual, upside_down):
        assert (novelty(learnt.novelty, summarize(windows)) < 0).mean() >= 0.95
        motions = learnt.motion.log_probabilities(motion_features(summarize(windows)))
        for motion, labels in enumerate([(3, 4, 5), (0, 1, 2)]):
            assert (motions.argmax(axis=1)[np.isin(newest, labels)] == motion).mean() >= 0.85
    assert (novelty(learnt.novelty, summarize(noise)) > 0).mean() >= 0.95


def test_the_same_seed_learns_the_same_numbers(
    stretches: list[LabelledStretch], learnt: Learnt
) -> None:
    """Everything random comes from the seed."""
    assert learnt.encode() == learn(stretches, WEIGHTS, activities=ACTIVITIES, seed=1).encode()


def test_a_seventh_activity_is_learnt(stretches: list[LabelledStretch], learnt: Learnt) -> None:
    """Windows of a placement set add an activity, which moves, and may last as it lasted there."""
    walking = of_stretch(stretches[0], ACTIVITIES)
    running = PLACEMENT_ACTIVITIES.index("RUNNING")
    rng = np.random.default_rng(0)
    n = 60
    shaken = walking.samples[-n:] + rng.normal(0, 1.0, (n, 128, 9)).astype(np.float32)
    state = np.full(n, running)
    more = [LabelledWindows(shaken, state, state, state)]
    seven = learn(stretches, WEIGHTS, activities=PLACEMENT_ACTIVITIES, seed=1, more=more)

    assert PLACEMENT_ACTIVITIES == seven.activities
    assert (10, 10) == seven.rates.shape
    assert pytest.approx(1 / (n * HOP / 50)) == seven.rates[running].sum()
    others = np.delete(np.delete(seven.rates, running, axis=0), running, axis=1)
    np.testing.assert_array_less(np.abs(others - learnt.rates), 0.05)
    motions = seven.motion.log_probabilities(motion_features(summarize(shaken))).argmax(axis=1)
    assert (motions == MOTIONS.index("moving")).mean() >= 0.9


def test_an_activity_without_windows(stretches: list[LabelledStretch]) -> None:
    """An activity that nobody does cannot be learnt about."""
    with pytest.raises(ValueError, match="there are no windows of RUNNING"):
        learn(stretches, WEIGHTS, activities=PLACEMENT_ACTIVITIES, seed=1)
