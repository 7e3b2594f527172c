"""Applies a raw recipe: from the recordings of some people to a calibrated model.

It is the only place where a recipe is applied: har-train applies it to the recordings of all
training subjects, cross-validation for each group to those of the others. The steps are:

1. Windows are cut from the recordings and labelled; windows that are ready-made are joined to them.
2. Every window counts alike: batches take each once an epoch. Weights by person, data set or
   activity belong into `RotatedBatches`, which draws the batches.
3. A network is built and fitted for the epochs of the schedule, to windows rotated at random.
4. Its logits are divided by the recipe's temperature, which cross-validation found.

Whose recordings are left out is decided by the caller (`trainer.selection`).
"""

import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import Split
from trainer.data.random_rotations import RandomRotation, random_rotations
from trainer.data.raw_windows import raw_windows
from trainer.data.splits import joined
from trainer.networks.models import BUILDERS
from trainer.training.fitted import Fitted, History, Progress, check_finite, epoch_lines
from trainer.training.recipe import RawRecipe, Schedule


def apply_recipe(
    recipe: RawRecipe,
    model: str,
    recordings: Sequence[Recording],
    *,
    n_activities: int,
    seed: int,
    windows: Sequence[Split] = (),
    progress: Progress | None = None,
) -> Fitted:
    """Return a model that is trained as a recipe says.

    The same seed gives the same weights on the same machine, with as many threads.

    Args:
        recipe: how.
        model: its family.
        recordings: raw ones, of the people to train on; may be none if there are windows.
        n_activities: how many the labels stand for.
        seed: draws the initial weights, the dropout, the batches and how windows are rotated.
        windows: ready-made ones to train on as well.
        progress: takes a line before the first epoch, and after each.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    train = _training_windows(recipe, recordings, windows)
    if progress is not None:
        progress(f"training on {len(train.labels):,} windows")
    started = time.perf_counter()
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    network = BUILDERS[model](train.windows, n_activities, recipe.view)
    batches = RotatedBatches(
        train, batch_size=recipe.schedule.batch_size, rotation=recipe.rotation, seed=seed
    )
    history = _fit(network, batches, recipe.schedule, progress)
    cool(network, recipe.temperature)
    seconds = time.perf_counter() - started
    return Fitted(network, recipe.schedule.epochs, (), {}, history, seconds)


class RotatedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows and labels, shuffled and rotated anew every epoch."""

    def __init__(
        self, split: Split, *, batch_size: int, rotation: RandomRotation, seed: int
    ) -> None:
        """Draw all from the seed; what fills no batch at an epoch's end is left out of it."""
        super().__init__()
        self._split = split
        self._batch_size = min(batch_size, len(split.windows))
        self._rotation = rotation
        self._seed = seed
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        """Return the number of batches an epoch."""
        return len(self._split.windows) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Return one batch: windows ``(batch_size, 128, 9)``, labels ``(batch_size,)``."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        # Of the batch alone, in whatever order Keras asks for them.
        rng = np.random.default_rng([self._seed, self._epoch, index])
        rotations = random_rotations(rng, len(chosen), self._rotation)
        return rotate(self._split.windows[chosen], rotations), self._split.labels[chosen]

    def on_epoch_end(self) -> None:
        """Begin the next epoch."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng([self._seed, self._epoch])
        self._order = rng.permutation(len(self._split.windows))


def optimizer(
    schedule: Schedule, n_steps: int, *, averaging: float | None = None
) -> keras.optimizers.Optimizer:
    """Return AdamW with the learning rate of a schedule.

    With ``averaging`` the weights at the end are their moving average, with that momentum a step.
    """
    warmup = max(1, n_steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, n_steps - warmup),
        alpha=schedule.lowest_rate / schedule.highest_rate,
        warmup_target=schedule.highest_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        rate,
        weight_decay=schedule.weight_decay,
        clipnorm=schedule.clip_norm,
        use_ema=averaging is not None,  # Keras puts the averages in place of the weights at the end
        ema_momentum=averaging or 0.0,
    )


def cool(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a model by a temperature, for good.

    Temperature scaling (Guo et al. 2017): what is most probable stays so.
    """
    last = model.layers[-1]
    last.set_weights([weights / np.float32(temperature) for weights in last.get_weights()])


def _training_windows(
    recipe: RawRecipe, recordings: Sequence[Recording], windows: Sequence[Split]
) -> Split:
    """Return the windows to train on: those of the recordings, then the ready-made ones."""
    cut = [raw_windows(recordings, hop=recipe.hop, whole=recipe.whole)] if recordings else []
    return joined([*cut, *windows])


def _fit(
    network: keras.Model, batches: RotatedBatches, schedule: Schedule, progress: Progress | None
) -> History:
    """Fit a network to batches, and return what Keras recorded."""
    network.compile(
        optimizer(schedule, schedule.epochs * len(batches)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history: History = network.fit(
        batches, epochs=schedule.epochs, verbose=0, callbacks=epoch_lines(progress)
    ).history
    check_finite(history, schedule.highest_rate)
    return history
