"""The command har-train: settings in, models out (`experiment`, `fine_tuning`).

TensorFlow is imported last, so that ``--help`` and mistakes are answered at once.
"""

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Final

from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings import hapt, uci_har
from pipeline.recordings.recording import DataError, Recording
from pipeline.settings import from_command_line
from trainer.commands.train_settings import TrainSettings
from trainer.data import user_recordings
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.errors import SettingError
from trainer.training.processes import KilledError, quiet_tensorflow

_EXTRA: Final = ("matplotlib", "onnx", "tensorflow", "keras", "tf2onnx")
"""Packages of the extra ``train``"""


def main() -> None:
    """Run the command."""
    settings = from_command_line(TrainSettings)
    logging.basicConfig(level=logging.WARNING, format="har-train: %(message)s")
    for package in _EXTRA:
        if find_spec(package) is None:
            sys.exit(f"har-train: {package} is not installed; pip install 'har-stream[train]'")
    try:
        placements = Placements(frames=settings.frame)
        data = _data(settings)
        extra = None
        if settings.extra and settings.parent is None:
            extra = user_recordings.load(settings.extra, placements)
    except (DataError, PlacementError) as error:
        sys.exit(f"har-train: {error}")
    # Without it, a command that is asked to end would leave its processes running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with quiet_tensorflow():
        from trainer import experiment, fine_tuning
        from trainer.export import ExportError
    try:
        progress = partial(print, flush=True)
        if settings.parent is not None:
            fine_tuning.run(
                settings.fine_tuning(settings.parent), data, placements, progress=progress
            )
        else:
            assert data is not None
            raw = _raw_recordings(settings, progress=progress) if settings.recipe == "raw" else ()
            experiment.run(settings.plan, data, extra, raw=raw, progress=progress)
    except (DataError, SettingError, ExportError, KilledError, OSError) as error:
        sys.exit(f"har-train: {error}")
    except KeyboardInterrupt:
        sys.exit("har-train: stopped; the same command goes on after the last finished seed")


def _data(settings: TrainSettings) -> uci_har.DataSet | None:
    """Return the data set; None if it is missing and a trained model is fine-tuned without it.

    Raises:
        DataError: it cannot be obtained, or is not where the settings say.
    """
    if settings.parent is None or settings.data is not None:
        return uci_har.load(settings.data)
    try:
        return uci_har.load(download=False)
    except DataError:
        return None


def _raw_recordings(
    settings: TrainSettings, *, progress: Callable[[str], None]
) -> Sequence[Recording]:
    """Return the raw recordings of the training subjects; none if they cannot be obtained.

    Raises:
        DataError: they cannot be obtained, but were asked for.
    """
    try:
        return hapt.recordings(settings.data, TRAINING_SUBJECTS)
    except DataError as error:
        if "recipe" in settings.model_fields_set:
            raise
        progress(f"WARNING: the published windows take the place of the raw recordings: {error}")
        return ()


if __name__ == "__main__":
    main()
