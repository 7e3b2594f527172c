"""Fitting one model with one seed.

The number of epochs is chosen by the accuracy on held-out training subjects, whole subjects at a
time, since windows of one subject resemble each other. (Their loss would choose too few: it soon
grows with the certainty of few wrong windows, while more and more windows become right.) The test
split plays no part here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.recordings.uci_har import Split
from trainer.own import joined
from trainer.raw_windows import Turns, random_turns, turned
from trainer.recipe import Schedule
from trainer.settings import Fitting, SettingError

History = dict[str, list[float]]
"""What Keras recorded, one number an epoch: ``loss``, ``accuracy``, ``val_loss``, ..."""

_PREDICTION_BATCH: Final = 256
"""Windows"""


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about."""

    model: keras.Model
    epochs: int
    """Number of epochs that was chosen"""
    held_out: tuple[int, ...]
    """Training subjects whose accuracy chose it"""
    selection: History
    """While choosing: on the other training subjects, and as ``val_...`` on those held out"""
    refit: History | None
    """While fitting again on all windows, None without refit"""
    seconds: float
    """Wall time"""


def fit(
    build: Callable[[NDArray[np.float32]], keras.Model],
    train: Split,
    *,
    fitting: Fitting,
    seed: int,
    extra: Split | None = None,
    verbose: int = 0,
) -> Fitted:
    """Return the model that ``build`` makes of training windows, trained.

    The same seed gives the same weights on the same machine.

    Args:
        build: makes an untrained model, normalised by the windows it is given.
        train: the training split.
        fitting: how long, how fast, and with how many subjects held out.
        seed: draws the held-out subjects, the initial weights, the dropout and the batches.
        extra: more windows to fit to, of which none is held out: so the number of epochs is
            chosen as without them, and an activity of one device alone is learnt at all.
        verbose: Keras' way of showing progress: 0 none, 1 a bar an epoch, 2 a line an epoch.

    Raises:
        SettingError: there are not more training subjects than are to be held out, or the loss
            became infinite or not a number.
    """
    started = time.perf_counter()
    tf.config.experimental.enable_op_determinism()
    held_out = draw_subjects(train.subjects, fitting.validation_subjects, seed=seed)
    is_held_out = np.isin(train.subjects, held_out)
    kept, validation = _select(train, ~is_held_out), _select(train, is_held_out)
    if extra is not None:
        kept, train = joined(kept, extra), joined(train, extra)

    model = _new_model(build, kept, fitting=fitting, seed=seed)
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=fitting.patience, restore_best_weights=True
    )
    selection = _fit(
        model,
        kept,
        epochs=fitting.epochs,
        fitting=fitting,
        verbose=verbose,
        validation_data=(validation.windows, validation.labels),
        callbacks=[stopping],
    )
    epochs = int(np.argmax(selection["val_accuracy"])) + 1

    refit = None
    if fitting.refit:
        model = _new_model(build, train, fitting=fitting, seed=seed)
        refit = _fit(model, train, epochs=epochs, fitting=fitting, verbose=verbose)
    seconds = time.perf_counter() - started
    return Fitted(model, epochs, held_out, selection, refit, seconds)


class TurnedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows and labels, shuffled and turned anew every epoch."""

    def __init__(self, split: Split, *, batch_size: int, turns: Turns, seed: int) -> None:
        """Draw all from the seed; what fills no batch at an epoch's end is left out of it."""
        super().__init__()
        self._split = split
        self._batch_size = min(batch_size, len(split.windows))
        self._turns = turns
        self._seed = seed
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        """Return the number of batches an epoch."""
        return len(self._split.windows) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Return one batch: windows ``(batch_size, 128, 9)``, labels ``(batch_size,)``."""
        own = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        # Of the batch alone, in whatever order Keras asks for them.
        rng = np.random.default_rng([self._seed, self._epoch, index])
        rotations = random_turns(rng, len(own), self._turns)
        return turned(self._split.windows[own], rotations), self._split.labels[own]

    def on_epoch_end(self) -> None:
        """Begin the next epoch."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng([self._seed, self._epoch])
        self._order = rng.permutation(len(self._split.windows))


def fit_for(
    build: Callable[[NDArray[np.float32]], keras.Model],
    train: Split,
    *,
    schedule: Schedule,
    turns: Turns,
    seed: int,
    verbose: int = 0,
) -> Fitted:
    """Return the model that ``build`` makes, trained on all windows for a fixed time.

    The windows are turned at random, otherwise in every epoch. The same seed gives the same weights
    on the same machine.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    started = time.perf_counter()
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(train.windows)
    batches = TurnedBatches(train, batch_size=schedule.batch_size, turns=turns, seed=seed)
    steps = schedule.epochs * len(batches)
    warmup = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - warmup),
        alpha=schedule.lowest_rate / schedule.highest_rate,
        warmup_target=schedule.highest_rate,
        warmup_steps=warmup,
    )
    model.compile(
        keras.optimizers.AdamW(
            rate, weight_decay=schedule.weight_decay, clipnorm=schedule.clip_norm
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history: History = model.fit(batches, epochs=schedule.epochs, verbose=verbose).history
    _check(history, schedule.highest_rate)
    return Fitted(model, schedule.epochs, (), {}, history, time.perf_counter() - started)


def versions() -> dict[str, str]:
    """Return the versions of the packages that have a part in the weights."""
    return {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__}


def draw_subjects(subjects: NDArray[np.int8], count: int, *, seed: int) -> tuple[int, ...]:
    """Return ``count`` different subjects of those in ``subjects``, in ascending order.

    Raises:
        SettingError: that would leave none.
    """
    different = np.unique(subjects)
    if count >= len(different):
        raise SettingError(
            f"validation_subjects must be less than the {len(different)} training subjects, "
            f"but is {count}"
        )
    drawn = np.random.default_rng(seed).choice(different, count, replace=False)
    return tuple(sorted(drawn.tolist()))


def probabilities(model: keras.Model, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what Keras makes of windows ``(n_windows, 128, 9)``: ``(n_windows, n_activities)``."""
    found: NDArray[np.float32] = model.predict(windows, batch_size=_PREDICTION_BATCH, verbose=0)
    return found


def count_parameters(model: keras.Model) -> int:
    """Return the number of weights that are trained."""
    return int(sum(weights.size for weights in map(np.asarray, model.trainable_weights)))


def tune(
    model: keras.Model,
    windows: Split,
    *,
    epochs: int,
    learning_rate: float,
    fitting: Fitting,
    seed: int,
    verbose: int = 0,
) -> History:
    """Fit a trained model to windows, for some epochs; return what Keras recorded.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    _compile(model, learning_rate)
    return _fit(model, windows, epochs=epochs, fitting=fitting, verbose=verbose)


def _new_model(
    build: Callable[[NDArray[np.float32]], keras.Model],
    split: Split,
    *,
    fitting: Fitting,
    seed: int,
) -> keras.Model:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(split.windows)
    _compile(model, fitting.learning_rate)
    return model


def _compile(model: keras.Model, learning_rate: float) -> None:
    # Fastest as it is: XLA is ruled out by determinism, and neither an unrolled LSTM nor more
    # steps an execution saved any time on two cores.
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def _fit(
    model: keras.Model, split: Split, *, epochs: int, fitting: Fitting, **options: object
) -> History:
    history: History = model.fit(
        split.windows, split.labels, epochs=epochs, batch_size=fitting.batch_size, **options
    ).history
    _check(history, float(model.optimizer.learning_rate))
    return history


def _check(history: History, rate: float) -> None:
    if not np.isfinite([*history.values()]).all():
        raise SettingError(
            f"the loss became infinite or not a number; try a learning rate below {rate:g}"
        )


def _select(split: Split, chosen: NDArray[np.bool_]) -> Split:
    return Split(split.windows[chosen], split.labels[chosen], split.subjects[chosen])
