"""Applies the recipe of the models for any place on the body, as `raw` applies the raw one.

The steps are:

1. Windows are drawn from the signals of people in all sets (`signals`), so that activities count
   alike; in each the sets that have it, by their weights; and in each of those the people.
2. Each is changed to what it would be of another person, phone and garment (`other_wearers`), and
   its wearer's frame is given or held back.
3. A network (`any_models`) is fitted to them. On stairs of which nobody wrote down whether they led
   up or down, either is right.
4. The weights are the moving average over the steps; the logits are divided by the temperature.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import UPRIGHT_KNOWN
from pipeline.vocabulary import ACTIVITIES, ANY
from trainer.data.other_wearers import STILL, changed
from trainer.data.signals import Signals
from trainer.networks.any_models import build
from trainer.networks.wearer_views import Tensor
from trainer.training.fitted import Fitted, Progress, check_finite, epoch_lines
from trainer.training.raw import cool, optimizer
from trainer.training.recipe import PlacementRecipe

_STAIRS: Final = [ACTIVITIES.index("WALKING_UPSTAIRS"), ACTIVITIES.index("WALKING_DOWNSTAIRS")]
_LEAST_PROBABILITY: Final = 1e-7


def apply_placement_recipe(
    recipe: PlacementRecipe,
    model: str,
    signals: Signals,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Fitted:
    """Return a model that is trained as a recipe says.

    The same seed gives the same weights on the same machine, with as many threads.

    Args:
        recipe: how.
        model: its name, of which the family counts.
        signals: of the people to train on.
        seed: draws the initial weights, the dropout, the batches and the changes.
        progress: takes a line before the first epoch, and after each.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    usable = signals.chosen(signals.is_settled & ((signals.labels >= 0) | signals.is_stairs))
    if progress is not None:
        progress(f"training on {len(usable):,} windows of {len(usable.people)} people")
    started = time.perf_counter()
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    network = build(model.removesuffix(ANY), len(signals.activities))
    schedule = recipe.schedule
    n_steps = schedule.epochs * recipe.steps
    network.compile(
        optimizer(schedule, n_steps, averaging=recipe.averaging),
        loss=possible_loss(recipe.smoothing),
        metrics=["accuracy"],
    )
    history = network.fit(
        DrawnBatches(usable, recipe, seed=seed),
        epochs=schedule.epochs,
        verbose=0,
        callbacks=epoch_lines(progress),
    ).history
    check_finite(history, schedule.highest_rate)
    cool(network, recipe.temperature)
    seconds = time.perf_counter() - started
    return Fitted(network, schedule.epochs, (), {}, history, seconds)


class DrawnBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows with their wearers' frames, and of what each may be."""

    def __init__(self, signals: Signals, recipe: PlacementRecipe, *, seed: int) -> None:
        """Draw all from the seed, differently in every epoch."""
        super().__init__()
        self._signals = signals
        self._recipe = recipe
        self._seed = seed
        self._epoch = 0
        self._up_to = np.cumsum(chances(signals, recipe.set_weights))

    def __len__(self) -> int:
        """Return the number of batches an epoch."""
        return self._recipe.steps

    def __getitem__(
        self, index: int
    ) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]:
        """Return one batch: windows, frames; and how possible each activity is.

        That is ``(batch_size, n_activities)``: a label's probabilities, or 1 for each of several.
        """
        # Of the batch alone, in whatever order Keras asks for them.
        rng = np.random.default_rng([self._seed, self._epoch, index])
        drawn = rng.random(self._recipe.schedule.batch_size) * self._up_to[-1]
        which = np.searchsorted(self._up_to, drawn)
        windows, frames = changed(self._signals, which, self._recipe.changes, rng)
        possible = np.zeros((len(which), len(self._signals.activities)), np.float32)
        labels = self._signals.labels[which]
        is_known = labels >= 0
        possible[np.flatnonzero(is_known), labels[is_known]] = 1
        possible[np.ix_(~is_known, _STAIRS)] = 1
        doubtful = np.isin(labels, STILL) & (frames[:, UPRIGHT_KNOWN] == 0)
        possible[doubtful] *= 1 - self._recipe.doubt
        possible[np.ix_(doubtful, STILL)] += self._recipe.doubt / len(STILL)
        return (with_channels(windows), frames), possible

    def on_epoch_end(self) -> None:
        """Begin the next epoch."""
        self._epoch += 1


def chances(signals: Signals, set_weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the probabilities ``(n,)`` of windows to be drawn.

    Activities are alike; in each the sets that have it are by their weights; in each of those the
    people are alike, and of each person the windows. Stairs of either direction count as up.
    """
    labels = np.where(signals.labels >= 0, signals.labels, _STAIRS[0]).astype(np.intp)
    n_sets, n_people = len(signals.data_sets), len(signals.people)
    cells = (labels * n_sets + signals.sets) * n_people + signals.persons
    n = np.bincount(cells, minlength=len(signals.activities) * n_sets * n_people).reshape(
        -1, n_sets, n_people
    )
    weights = np.array([set_weights.get(name, 1.0) for name in signals.data_sets])
    of_set = (n.any(axis=2) * weights)[:, :, np.newaxis]  # (n_activities, n_sets, 1)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 where nobody is
        chance = of_set / of_set.sum(axis=1, keepdims=True) / (n > 0).sum(axis=2, keepdims=True) / n
    result: NDArray[np.float64] = chance.ravel()[cells]
    result /= result.sum()
    return result


def with_channels(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)`` of ``(n, 128, 6)``.

    Body acceleration is zero in them: the networks do not see it.
    """
    return np.concatenate([np.zeros_like(signals[:, :, :3]), signals], axis=2)


def possible_loss(smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of probabilities, given which activities are possible.

    It is cross-entropy with a smoothed label where that is one, or probabilities; and where several
    are possible, the negative logarithm of their probability together.
    """

    def loss(possible: Tensor, probabilities: Tensor) -> Tensor:
        logarithms = ops.log(ops.maximum(probabilities, _LEAST_PROBABILITY))
        n = possible.shape[-1]
        smoothed = possible * (1 - smoothing) + smoothing / n
        one = -ops.sum(smoothed * logarithms, axis=-1)
        together = ops.maximum(ops.sum(possible * probabilities, axis=-1), _LEAST_PROBABILITY)
        return ops.where(ops.sum(possible, axis=-1) > 1.5, -ops.log(together), one)

    return loss
