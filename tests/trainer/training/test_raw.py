import numpy as np
import pytest

from pipeline.recordings import simulated
from pipeline.recordings.uci_har import DataSet
from tests.trainer.training.quick import build_plain
from trainer.data.random_rotations import NO_ROTATION, RandomRotation
from trainer.training.fitted import probabilities
from trainer.training.raw import RotatedBatches, apply_recipe, cool
from trainer.training.recipe import RawRecipe, Schedule

pytestmark = pytest.mark.train


def test_an_epoch_has_every_window_once_but_for_what_fills_no_batch(mini_data: DataSet) -> None:
    """Without rotations the batches are the windows themselves, with their labels, shuffled."""
    train = mini_data.train
    batches = RotatedBatches(train, batch_size=20, rotation=NO_ROTATION, seed=1)
    windows, labels = (
        np.concatenate(parts)
        for parts in zip(*(batches[i] for i in range(len(batches))), strict=True)
    )
    assert len(train.windows) // 20 * 20 == len(windows) == len(labels)
    place = {window.tobytes(): i for i, window in enumerate(train.windows)}
    found = [place[window.tobytes()] for window in windows]
    assert len(found) == len(set(found))
    assert sorted(found) != found
    np.testing.assert_array_equal(train.labels[found], labels)


def test_epochs_rotate_and_shuffle_anew_as_the_seed_says(mini_data: DataSet) -> None:
    """Another epoch or seed gives other batches, the same ones the same in any order."""
    one, same, other = (
        RotatedBatches(mini_data.train, batch_size=20, rotation=RandomRotation(), seed=seed)
        for seed in (1, 1, 2)
    )
    second = same[1][0]
    np.testing.assert_array_equal([one[0][0], one[1][0]], [same[0][0], second])
    assert not np.array_equal(one[0][0], other[0][0])
    before = one[0][0]
    one.on_epoch_end()
    assert not np.array_equal(before, one[0][0])


def test_the_raw_recipe_is_reproducible(mini_data: DataSet) -> None:
    """The same seed gives the same weights, after as many epochs as the schedule has."""
    recipe = RawRecipe(schedule=Schedule(epochs=2, batch_size=32))
    lines: list[str] = []
    first, again, other = (
        apply_recipe(
            recipe,
            "lstm",
            (),
            windows=[mini_data.train],
            n_activities=6,
            seed=seed,
            progress=lines.append,
        )
        for seed in (1, 1, 2)
    )
    assert first.refit is not None
    assert 2 == first.epochs == len(first.refit["loss"])
    for weights, same in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)
    assert not np.array_equal(first.model.get_weights()[0], other.model.get_weights()[0])
    assert (["training on 144 windows"] * 3, 9) == (lines[::3], len(lines))
    assert f"epoch 2 of 2: accuracy {first.refit['accuracy'][1]:.4f}, loss " in lines[2]


def test_a_recipe_takes_recordings_and_windows(mini_data: DataSet) -> None:
    """It is trained on the windows cut from raw recordings, and on those that are ready-made."""
    recipe = RawRecipe(hop=64, schedule=Schedule(epochs=1))
    recordings = simulated.recordings(1, seconds=30)
    lines: list[str] = []
    for windows in ((), (mini_data.train,), (mini_data.train, mini_data.test)):
        apply_recipe(
            recipe,
            "cnn-lstm",
            recordings,
            windows=windows,
            n_activities=6,
            seed=1,
            progress=lines.append,
        )
    counts = [int(line.split()[2]) for line in lines[::2]]
    assert counts[0] > 0
    assert [144, 144 + 48] == [count - counts[0] for count in counts[1:]]


def test_a_temperature_divides_the_logits(mini_data: DataSet) -> None:
    """Logarithms of probabilities are divided by it, but for a constant; the best stays best."""
    model = build_plain(mini_data.train.windows)
    before = np.log(probabilities(model, mini_data.test.windows))
    cool(model, 2.5)
    after = np.log(probabilities(model, mini_data.test.windows))
    difference = after - before / 2.5
    np.testing.assert_allclose(difference, difference[:, :1].repeat(6, axis=1), atol=1e-5)
