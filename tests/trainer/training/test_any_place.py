from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from trainer.data.signals import Signals
from trainer.training.any_place import (
    DrawnBatches,
    apply_placement_recipe,
    chances,
    possible_loss,
)
from trainer.training.recipe import PlacementRecipe, Schedule

pytestmark = pytest.mark.train

QUICK = PlacementRecipe(schedule=Schedule(epochs=2, batch_size=16), steps=3)


def signals_with(
    labels: list[int], *, sets: list[int] | None = None, persons: list[int] | None = None
) -> Signals:
    """Return windows with these labels, sets and people; -1 is stairs of unknown direction."""
    n = len(labels)
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(128 * n, 6)).astype(np.float32) * 0.1
    rows[:, 5] += 1
    ends = 128 * np.arange(1, n + 1)
    of_sets, of_persons = (np.array(k or n * [0], np.intp) for k in (sets, persons))
    return Signals(
        rows,
        PLACEMENT_ACTIVITIES,
        tuple(f"set {k}" for k in range(of_sets.max() + 1)),
        tuple(f"person {k}" for k in range(of_persons.max() + 1)),
        first=ends - 128,
        bounds=np.stack([ends - 128, ends], axis=1),
        labels=np.array(labels, np.int8),
        is_stairs=np.array(labels) < 0,
        is_settled=np.ones(n, np.bool_),
        frames=np.zeros((n, 10), np.float32),
        sets=of_sets,
        persons=of_persons,
        on_leg=np.zeros(n, np.bool_),
    )


@given(
    st.lists(
        st.tuples(st.integers(-1, 6), st.integers(0, 2), st.integers(0, 3)),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=100, deadline=None)
def test_activities_sets_and_people_count_alike(windows: list[tuple[int, int, int]]) -> None:
    """Whoever has most windows: each activity the same, each set in it, each person in that."""
    labels, sets, persons = (np.array(column) for column in zip(*windows, strict=True))
    signals = signals_with(labels.tolist(), sets=sets.tolist(), persons=persons.tolist())
    chance = chances(signals, {})
    groups = np.where(labels < 0, 1, labels)
    assert chance.sum() == pytest.approx(1)
    for label in np.unique(groups):
        of_label = groups == label
        assert 1 / len(np.unique(groups)) == pytest.approx(chance[of_label].sum())
        for some in np.unique(sets[of_label]):
            of_set = of_label & (sets == some)
            share = chance[of_set].sum() / chance[of_label].sum()
            assert 1 / len(np.unique(sets[of_label])) == pytest.approx(share)
            for person in np.unique(persons[of_set]):
                own = chance[of_set & (persons == person)].sum() / chance[of_set].sum()
                assert 1 / len(np.unique(persons[of_set])) == pytest.approx(own)


def test_sets_count_by_their_weights() -> None:
    """A set of a quarter's weight has a fifth of an activity beside one other, and all if alone."""
    signals = signals_with([0, 0, 3], sets=[0, 1, 1])
    chance = chances(signals, {"set 1": 0.25})
    np.testing.assert_allclose([0.5 * 4 / 5, 0.5 / 5, 0.5], chance)


def test_batches_are_drawn_anew_as_the_seed_says() -> None:
    """Another epoch or seed gives other batches, the same ones the same in any order."""
    signals = signals_with([k % 7 for k in range(50)])
    one, same, other = (DrawnBatches(signals, QUICK, seed=seed) for seed in (1, 1, 2))
    assert 3 == len(one)
    later = same[2]
    first, again, another = one[0], same[0], other[0]
    for expected, found in zip((*first[0], first[1]), (*again[0], again[1]), strict=True):
        np.testing.assert_array_equal(expected, found)
    np.testing.assert_array_equal(later[0][0], one[2][0][0])
    assert not np.array_equal(first[0][0], another[0][0])
    one.on_epoch_end()
    assert not np.array_equal(first[0][0], one[0][0][0])


def test_stairs_of_unknown_direction_may_be_either() -> None:
    """Windows with a label may be that alone."""
    (_, _), possible = DrawnBatches(signals_with([-1]), QUICK, seed=1)[0]
    assert [0, 1, 1, 0, 0, 0, 0] == possible[0].tolist()
    (_, _), possible = DrawnBatches(signals_with([6]), QUICK, seed=1)[0]
    assert [0, 0, 0, 0, 0, 0, 1] == possible[0].tolist()


def test_who_is_still_is_in_doubt_without_a_frame() -> None:
    """Sitting may be standing or lying too, unless it is known how the phone is worn."""
    recipe = replace(QUICK, doubt=0.6)
    (_, _), possible = DrawnBatches(signals_with([3]), recipe, seed=1)[0]
    np.testing.assert_allclose([0, 0, 0, 0.6, 0.2, 0.2, 0], possible[0], rtol=1e-6)
    known = signals_with([3])
    known.frames[:, [2, 3, 6, 7]] = 1
    (_, frames), possible = DrawnBatches(known, recipe, seed=1)[0]
    in_doubt = possible[:, 3] < 1
    assert in_doubt.tolist() == (frames[:, 6] == 0).tolist()
    assert 0 < in_doubt.sum() < len(in_doubt)


def losses(possible: list[float], probabilities: list[float]) -> float:
    """Return the loss of one window, with labels smoothed by 0.1."""
    arrays = [np.array([row], np.float32) for row in (possible, probabilities)]
    loss: NDArray[np.float32] = np.asarray(possible_loss(0.1)(*arrays))
    return float(loss[0])


def test_loss() -> None:
    """Cross-entropy with the smoothed label; of several possible ones that of their sum."""
    smoothed = -0.95 * np.log(0.7) - 0.05 * np.log(0.3)
    assert smoothed == pytest.approx(losses([1, 0], [0.7, 0.3]), rel=1e-5)
    either = losses([1, 1, 0], [0.2, 0.3, 0.5])
    assert -np.log(0.5) == pytest.approx(either, rel=1e-5)
    assert either == pytest.approx(losses([1, 1, 0], [0.4, 0.1, 0.5]), rel=1e-5)


def test_the_recipe_is_reproducible() -> None:
    """The same seed gives the same weights; lines on the progress are given."""
    signals = signals_with([k % 7 for k in range(50)] + [-1])
    lines: list[str] = []
    first, again, other = (
        apply_placement_recipe(QUICK, "cnn-lstm-any", signals, seed=seed, progress=lines.append)
        for seed in (1, 1, 2)
    )
    weights = [[w.tobytes() for w in one.model.get_weights()] for one in (first, again, other)]
    assert weights[0] == weights[1] != weights[2]
    assert "training on 51 windows of 1 people" == lines[0]
    assert 3 * (1 + QUICK.schedule.epochs) == len(lines)
    assert QUICK.schedule.epochs == first.epochs


def test_windows_without_use_are_left_out() -> None:
    """Of no label, unless on stairs, or while the filters settle."""
    signals = signals_with([0, -1, -1, 3])
    signals = replace(
        signals,
        is_stairs=np.array([False, True, False, False]),
        is_settled=np.array([True, True, True, False]),
    )
    lines: list[str] = []
    apply_placement_recipe(QUICK, "cnn-lstm-any", signals, seed=1, progress=lines.append)
    assert "training on 2 windows of 1 people" == lines[0]


def test_weights_are_averages() -> None:
    """They are not those of the last step: with a longer memory they are nearer to the start."""
    signals = signals_with([k % 7 for k in range(50)])
    short, long = (
        apply_placement_recipe(
            replace(QUICK, averaging=averaging), "cnn-lstm-any", signals, seed=1
        ).model.get_weights()
        for averaging in (0.0, 0.99)
    )
    keras.utils.set_random_seed(1)
    assert any(not np.allclose(a, b) for a, b in zip(short, long, strict=True))
