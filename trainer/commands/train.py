"""The command har-train: settings in, models out (`experiment`, `fine_tuning`).

TensorFlow is imported last, so that ``--help`` and mistakes are answered at once.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Final

from pipeline.commands import log
from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings import placement_sets, uci_har
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import DataError
from pipeline.secret_keeping import drop_secrets
from pipeline.settings import from_command_line
from trainer.commands.train_settings import TrainSettings
from trainer.data import raw_recordings, user_recordings
from trainer.data.raw_recordings import RawRecordings
from trainer.errors import SettingError
from trainer.training.processes import KilledError, quiet_tensorflow

_EXTRA: Final = ("matplotlib", "onnx", "tensorflow", "keras", "tf2onnx")
"""Packages of the extra ``train``"""


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(TrainSettings)
    drop_secrets(os.environ)  # which the processes that train would have, too
    log.configure(settings.log_format, logging.WARNING, "har-train: %(message)s", is_bounded=False)
    for package in _EXTRA:
        if find_spec(package) is None:
            sys.exit(f"har-train: {package} is not installed; pip install 'har-stream[train]'")
    progress = partial(print, flush=True)
    try:
        placements = Placements(frames=settings.frame)
        data = _data(settings)
        sets = () if settings.parent else _placement_sets(settings, progress=progress)
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
        if settings.parent is not None:
            fine_tuning.run(
                settings.fine_tuning(settings.parent),
                data,
                placements,
                find_sets=partial(_placement_sets, settings, progress=progress),
                progress=progress,
            )
        else:
            assert data is not None
            raw = _raw_recordings(settings, progress=progress)
            experiment.run(settings.plan, data, extra, raw=raw, sets=sets, progress=progress)
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


def _placement_sets(
    settings: TrainSettings, *, progress: Callable[[str], None]
) -> Sequence[PlacementSet]:
    """Return the placement sets to learn from; none if no new model does, or there are none.

    Raises:
        DataError: they are not where the settings say, or one to leave out is not there.
    """
    if settings.parent is None and not settings.learns_from_placement_sets:
        return ()
    folder = settings.placements or placement_sets.folder_beside(settings.data)
    if folder is not None:
        return placement_sets.find(folder, without=settings.without)
    if settings.without:
        raise DataError(
            f"there are no placement sets to leave {', '.join(settings.without)} out of: "
            "name their folder with --placements"
        )
    if settings.parent is not None:  # fine-tuning has a warning of its own
        return ()
    progress(
        "WARNING: there are no placement sets: the models for any place on the body learn from "
        f"phones at the waist alone; name the folder of sets with --placements, or put it, "
        f"{placement_sets.FOLDER}, beside the other data sets"
    )
    return ()


def _raw_recordings(settings: TrainSettings, *, progress: Callable[[str], None]) -> RawRecordings:
    """Return the raw recordings of the training subjects; none if they cannot be obtained.

    Nor are there any for the plain recipe.

    Raises:
        DataError: they cannot be obtained, but were asked for.
    """
    if settings.recipe == "plain":
        return RawRecordings()
    try:
        return raw_recordings.load(settings.data)
    except DataError as error:
        if "recipe" in settings.model_fields_set:
            raise
        progress(f"WARNING: the published windows take the place of the raw recordings: {error}")
        return RawRecordings()


if __name__ == "__main__":
    main()
