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

from pipeline.recognition.preparation.windows import turned
from pipeline.recordings.uci_har import Split
from pipeline.vocabulary import ANY
from trainer.data.own import joined
from trainer.data.raw_windows import Turns, random_turns
from trainer.errors import SettingError
from trainer.networks.models import BUILDERS
from trainer.training.fitting import FineTuning, Fitting
from trainer.training.recipe import RawRecipe

History = dict[str, list[float]]
"""What Keras recorded, one number an epoch: ``loss``, ``accuracy``, ``val_loss``, ..."""

Tell = Callable[[str], None]
"""Is told how far a training is."""

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
    tell: Tell | None = None,
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
        tell: is told of every epoch.

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
        batch_size=fitting.batch_size,
        validation_data=(validation.windows, validation.labels),
        callbacks=[*_telling(tell), stopping],
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
            callbacks=_telling(tell),
        )
    seconds = time.perf_counter() - started
    return Fitted(model, epochs, held_out, selection, refit, seconds)


class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells of every epoch in a line."""

    def __init__(self, tell: Tell) -> None:
        """Tell it so."""
        super().__init__()
        self._tell = tell
        self._begun = 0.0  # seconds

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Note when it began."""
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Tell what came of it."""
        figures = ", ".join(
            f"{name.replace('val_', 'held-out ')} {value:.4f}"
            for name, value in (logs or {}).items()
            if name != "learning_rate"
        )
        seconds = time.perf_counter() - self._begun
        self._tell(f"epoch {epoch + 1} of {self.params['epochs']}: {figures}, {seconds:.0f} s")


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


def fit_raw(
    model: str,
    train: Split,
    *,
    recipe: RawRecipe,
    n_activities: int,
    seed: int,
    tell: Tell | None = None,
) -> Fitted:
    """Return a model trained on all windows for a fixed time, as a recipe says.

    The windows are turned at random, otherwise in every epoch. The same seed gives the same weights
    on the same machine, with as many threads.

    Args:
        model: its name, of which the family counts.
        train: the windows, as `RawRecipe.windows` makes them, and maybe more.
        recipe: all else.
        n_activities: how many the labels stand for.
        seed: draws the initial weights, the dropout, the batches and how windows are turned.
        tell: is told of every epoch.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    started = time.perf_counter()
    schedule = recipe.schedule
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    build = BUILDERS[model.removesuffix(ANY)]
    network = build(train.windows, n_activities, recipe.view)
    batches = TurnedBatches(train, batch_size=schedule.batch_size, turns=recipe.turns, seed=seed)
    steps = schedule.epochs * len(batches)
    warmup = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - warmup),
        alpha=schedule.lowest_rate / schedule.highest_rate,
        warmup_target=schedule.highest_rate,
        warmup_steps=warmup,
    )
    network.compile(
        keras.optimizers.AdamW(
            rate, weight_decay=schedule.weight_decay, clipnorm=schedule.clip_norm
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history: History = network.fit(
        batches, epochs=schedule.epochs, verbose=0, callbacks=_telling(tell)
    ).history
    _check(history, schedule.highest_rate)
    cool(network, recipe.temperature)
    return Fitted(network, schedule.epochs, (), {}, history, time.perf_counter() - started)


def cool(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a model by a temperature, for good.

    Temperature scaling (Guo et al. 2017): what is most probable stays so.
    """
    last = model.layers[-1]
    last.set_weights([weights / np.float32(temperature) for weights in last.get_weights()])


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
    fitting: FineTuning,
    seed: int,
    tell: Tell | None = None,
) -> History:
    """Fit a trained model to more windows; return what Keras recorded.

    Raises:
        SettingError: the loss became infinite or not a number.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    _compile(model, fitting.learning_rate)
    return _fit(
        model,
        windows,
        epochs=fitting.epochs,
        batch_size=fitting.batch_size,
        callbacks=_telling(tell),
    )


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
    model: keras.Model, split: Split, *, epochs: int, batch_size: int, **options: object
) -> History:
    history: History = model.fit(
        split.windows,
        split.labels,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        **options,
    ).history
    _check(history, float(model.optimizer.learning_rate))
    return history


def _telling(tell: Tell | None) -> list[keras.callbacks.Callback]:
    return [] if tell is None else [Epochs(tell)]


def _check(history: History, rate: float) -> None:
    if not np.isfinite([*history.values()]).all():
        raise SettingError(
            f"the loss became infinite or not a number; try a learning rate below {rate:g}"
        )


def _select(split: Split, chosen: NDArray[np.bool_]) -> Split:
    return Split(split.windows[chosen], split.labels[chosen], split.subjects[chosen])
