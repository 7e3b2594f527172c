"""The command har-train: settings in, models out; what it does with them is in `experiment`.

TensorFlow is imported only when the settings are known to be right, so that ``--help`` and
mistakes are answered at once.
"""

import importlib
import os
import sys
from functools import partial
from typing import Final

from pipeline.recordings import uci_har
from pipeline.recordings.recording import DataError
from pipeline.settings import from_command_line
from trainer.settings import TrainSettings

_EXTRA: Final = ("matplotlib", "onnx", "tensorflow", "keras", "tf2onnx")
"""Packages of the extra ``train``"""


def main() -> None:
    """Run the command."""
    settings = from_command_line(TrainSettings)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    missing = _first_missing_package()
    if missing is not None:
        sys.exit(f"har-train: {missing} is not installed; pip install 'har-stream[train]'")
    from trainer import experiment
    from trainer.export import ExportError
    from trainer.training import TrainingError

    try:
        data = uci_har.load(settings.data)
        experiment.run(settings, data, say=partial(print, flush=True))
    except (DataError, TrainingError, ExportError, ValueError, OSError) as error:
        sys.exit(f"har-train: {error}")
    except KeyboardInterrupt:
        sys.exit("har-train: stopped; the same command goes on after the last finished seed")


def _first_missing_package() -> str | None:
    for package in _EXTRA:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:  # it is there, but broken
                raise
            return package
    return None


if __name__ == "__main__":
    main()
