from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recordings.uci_har import DataSet
from tests.trainer.training.quick import build_plain
from trainer.errors import SettingError
from trainer.networks.options import Sizes
from trainer.networks.plain import plain_lstm
from trainer.training.fitted import Fitted, probabilities
from trainer.training.fitting import Fitting
from trainer.training.plain import draw_subjects, fit

pytestmark = pytest.mark.train

FITTING = Fitting(epochs=2, batch_size=32, validation_subjects=2)


def fit_plain(data: DataSet, *, fitting: Fitting = FITTING, seed: int = 1) -> Fitted:
    """Return a plain network, trained."""
    return fit(build_plain, data.train, fitting=fitting, seed=seed)


@given(
    subjects=st.lists(st.integers(1, 30), min_size=2, max_size=60),
    seed=st.integers(0, 2**31 - 1),
    data=st.data(),
)
def test_drawn_subjects(subjects: list[int], seed: int, data: st.DataObject) -> None:
    """As many different subjects are drawn as are asked for, and some are left."""
    n_different = len(set(subjects))
    if n_different < 2:
        return
    count = data.draw(st.integers(1, n_different - 1))
    drawn = draw_subjects(np.array(subjects, np.int8), count, seed=seed)
    assert count == len(set(drawn)) == len(drawn)
    assert set(drawn) < set(subjects)
    assert sorted(drawn) == list(drawn)


def test_drawn_subjects_depend_on_the_seed() -> None:
    """Seeds hold out different subjects, the same seed the same ones."""
    subjects = np.arange(1, 22, dtype=np.int8)
    draws = [draw_subjects(subjects, 4, seed=seed) for seed in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert 3 == len(set(draws))


def test_more_held_out_subjects_than_there_are(mini_data: DataSet) -> None:
    """At least one subject must be left to train on."""
    with pytest.raises(SettingError, match="must be less than the 6 training subjects, but is 6"):
        fit_plain(mini_data, fitting=Fitting(validation_subjects=6))


def test_held_out_subjects_are_not_seen_while_choosing(mini_data: DataSet) -> None:
    """The first model is made of the windows of the other subjects alone, the second of all."""
    built_of: list[NDArray[np.float32]] = []

    def build(windows: NDArray[np.float32]) -> keras.Model:
        built_of.append(windows)
        return build_plain(windows)

    train = mini_data.train
    fitted = fit(build, train, fitting=FITTING, seed=1)
    kept = ~np.isin(train.subjects, fitted.held_out)
    assert 2 == len(fitted.held_out)
    np.testing.assert_array_equal(train.windows[kept], built_of[0])
    np.testing.assert_array_equal(train.windows, built_of[1])


def test_same_seed_same_weights(mini_data: DataSet, small: Sizes) -> None:
    """Everything random comes from the seed."""
    first, again = (
        fit(
            lambda windows: plain_lstm(windows, 6, small),
            mini_data.train,
            fitting=replace(FITTING, refit=False),
            seed=seed,
        )
        for seed in (1, 1)
    )
    for weights, same in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)
    assert first.selection == again.selection


def test_other_seed_other_weights(mini_data: DataSet) -> None:
    """Seeds begin with different weights and end with them."""
    fitting = replace(FITTING, refit=False)
    first, other = (fit_plain(mini_data, fitting=fitting, seed=seed) for seed in (1, 2))
    assert not np.array_equal(first.model.get_weights()[0], other.model.get_weights()[0])


def test_chosen_epochs_are_those_of_the_best_accuracy(mini_data: DataSet) -> None:
    """The refit takes as many epochs as did best on the held-out subjects."""
    fitted = fit_plain(mini_data)
    accuracies = fitted.selection["val_accuracy"]
    assert max(accuracies) == accuracies[fitted.epochs - 1]
    assert fitted.refit is not None
    assert fitted.epochs == len(fitted.refit["loss"])


def test_without_refit_the_best_weights_are_kept(mini_data: DataSet) -> None:
    """The weights are those of the chosen epoch, not of the last."""
    fitting = Fitting(
        epochs=6, batch_size=16, learning_rate=0.05, validation_subjects=2, patience=2, refit=False
    )
    fitted = fit_plain(mini_data, fitting=fitting)
    held_out = np.isin(mini_data.train.subjects, fitted.held_out)
    predictions = probabilities(fitted.model, mini_data.train.windows[held_out]).argmax(axis=1)
    accuracy = np.mean(predictions == mini_data.train.labels[held_out])
    assert fitted.refit is None
    assert fitted.selection["val_accuracy"][fitted.epochs - 1] == pytest.approx(accuracy)


def test_patience_ends_the_choice(mini_data: DataSet) -> None:
    """Training stops so many epochs after the best one."""
    fitting = Fitting(
        epochs=30, batch_size=64, learning_rate=1e-9, validation_subjects=2, patience=2, refit=False
    )
    fitted = fit_plain(mini_data, fitting=fitting)
    assert fitted.epochs + fitting.patience == len(fitted.selection["val_accuracy"])


def test_training_that_diverges(mini_data: DataSet) -> None:
    """A loss that is no number is an error that says what to change."""
    fitting = replace(FITTING, learning_rate=1e30)
    with pytest.raises(SettingError, match=r"try a learning rate below 1e\+30"):
        fit_plain(mini_data, fitting=fitting)
