"""Fits a model to published windows, as tutorials do, and a trained model to more windows.

The number of epochs is chosen by the accuracy on held-out training subjects, whole subjects at a
time, since windows of one subject resemble each other. (Their loss would choose too few: it soon
grows with the certainty of few wrong windows, while more and more windows become right.) The test
split plays no part here.
"""

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.recordings.uci_har import Split
from trainer.data.splits import joined
from trainer.errors import SettingError
from trainer.training.fitted import (
    Fitted,
    History,
    Progress,
    check_finite,
    epoch_lines,
    inputs_of,
)
from trainer.training.fitting import FineTuning, Fitting


def fit(
    build: Callable[[NDArray[np.float32]], keras.Model],
    train: Split,
    *,
    fitting: Fitting,
    seed: int,
    extra: Sequence[Split] = (),
    progress: Progress | None = None,
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
        progress: takes a line after every epoch.

    Raises:
        SettingError: there are not more training subjects than are to be held out, or the loss
            became infinite or not a number.
    """
    started = time.perf_counter()
    tf.config.experimental.enable_op_determinism()
    held_out = draw_subjects(train.subjects, fitting.validation_subjects, seed=seed)
    is_held_out = np.isin(train.subjects, held_out)
    kept, validation = train.chosen(~is_held_out), train.chosen(is_held_out)
    kept, train = joined([kept, *extra]), joined([train, *extra])

    model = _new_model(build, kept, fitting=fitting, seed=seed)
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=fitting.patience, restore_best_weights=True
    )
    selection = _fit(
        model,
        kept,
        epochs=fitting.epochs,
        batch_size=fitting.batch_size,
        validation_data=(validation.windows, validation.labels),
        callbacks=[*epoch_lines(progress), stopping],
    )
    epochs = int(np.argmax(selection["val_accuracy"])) + 1

    refit = None
    if fitting.refit:
        model = _new_model(build, train, fitting=fitting, seed=seed)
        refit = _fit(
            model,
            train,
            epochs=epochs,
            batch_size=fitting.batch_size,
            callbacks=epoch_lines(progress),
        )
    seconds = time.perf_counter() - started
    return Fitted(model, epochs, held_out, selection, refit, seconds)


def tune(
    model: keras.Model,
    windows: Split,
    *,
    wearer_frames: NDArray[np.float32],
    fitting: FineTuning,
    seed: int,
    progress: Progress | None = None,
) -> History:
    """Fit a trained model to more windows; return what Keras recorded.

    ``wearer_frames`` ``(n_windows, 10)`` are used by a model that takes them.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    _compile(model, fitting.learning_rate)
    return _fit(
        model,
        windows,
        wearer_frames=wearer_frames,
        epochs=fitting.epochs,
        batch_size=fitting.batch_size,
        callbacks=epoch_lines(progress),
    )


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
    model: keras.Model,
    split: Split,
    *,
    epochs: int,
    batch_size: int,
    wearer_frames: NDArray[np.float32] | None = None,
    **options: object,
) -> History:
    history: History = model.fit(
        inputs_of(model, split.windows, wearer_frames),
        split.labels,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        **options,
    ).history
    check_finite(history, float(model.optimizer.learning_rate))
    return history
